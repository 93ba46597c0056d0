"""What running a combination of tasks costs: FLOPs, parameters, latency, and with what accuracy."""

from pam.cost.backends import BACKENDS, onnx_session, torch_threads, usable_backends
from pam.cost.counting import (
    analytic_macs,
    macs,
    paper_flops,
    paper_flops_of_widths,
    paper_parameters_of_widths,
    parameters,
)
from pam.cost.latency import Spread, Times, Timing, latencies, time_interleaved
from pam.cost.measure import (
    LatencyOptions,
    TaskAccuracy,
    failed_rows,
    measure_network,
    task_accuracy,
)

__all__ = [
    "BACKENDS",
    "LatencyOptions",
    "Spread",
    "TaskAccuracy",
    "Times",
    "Timing",
    "analytic_macs",
    "failed_rows",
    "latencies",
    "macs",
    "measure_network",
    "onnx_session",
    "paper_flops",
    "paper_flops_of_widths",
    "paper_parameters_of_widths",
    "parameters",
    "task_accuracy",
    "time_interleaved",
    "torch_threads",
    "usable_backends",
]
