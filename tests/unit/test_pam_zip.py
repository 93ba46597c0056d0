"""The zipped variant of PAM: what it records, and what may be shared."""

import torch

from pam.merging import merge
from pam.merging.pam_zip import relevant_to_all
from tests.small import STILL, make_data, make_networks

DATA = make_data(96, tasks="AB")


def test_every_unit_ends_in_one_row_per_task():
    network = merge(make_networks(), "pam_zip", DATA, samples=64, retrain=STILL, relevance=0.9)
    rows = network.notes["rows"]["neuron_information"]
    units = sum(sum(n.widths[layer].values()) for n in make_networks().values()
                for layer in n.hidden_layers)  # fmt: skip
    assert len(rows) == 2 * units
    for layer in network.hidden_layers:
        named = [row for row in rows if row["layer"] == layer and row["task"] == "A"]
        shared = sum(row["group"] == "shared" for row in named)
        assert shared == 2 * network.groups()[layer].get("shared", 0)


def test_a_unit_that_knows_one_task_only_is_not_relevant_to_all():
    labels = {"A": torch.tensor([1, 1, -1, -1] * 8)[:, None],
              "B": torch.tensor([1, -1, 1, -1] * 8)[:, None]}  # fmt: skip
    a, b = (labels[task][:, 0].double() for task in "AB")
    may = relevant_to_all(torch.stack([a, b, a + b], dim=1), labels, 0.5)
    assert may.tolist() == [False, False, True]
