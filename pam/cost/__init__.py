"""What running a combination of tasks costs: FLOPs, parameters, latency, and with what accuracy."""

from pam.cost.analytic import (
    analytic_macs,
    paper_flops,
    paper_flops_of_widths,
    paper_parameters_of_widths,
    parameters,
)
from pam.cost.counting import macs, macs_by_operator
from pam.cost.latency import Timing, latencies
from pam.cost.measure import (
    LatencyOptions,
    TaskAccuracy,
    failed_rows,
    measure_network,
    task_accuracy,
)

__all__ = [
    "LatencyOptions",
    "TaskAccuracy",
    "Timing",
    "analytic_macs",
    "failed_rows",
    "latencies",
    "macs",
    "macs_by_operator",
    "measure_network",
    "paper_flops",
    "paper_flops_of_widths",
    "paper_parameters_of_widths",
    "parameters",
    "task_accuracy",
]
