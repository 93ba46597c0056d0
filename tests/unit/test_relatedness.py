"""Relatedness: how the units of two merged networks are counted, and what labels tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam.analysis.relatedness import (
    label_information,
    layer_shares,
    name_again,
    task_view,
    units_before,
)
from pam.information import label_entropy, mutual_information
from pam.merging import merge
from pam.networks import Assembly
from tests.examples import examples
from tests.small import LAYERS, STILL, WIDTHS, make_data, make_networks, side_by_side

DATA = make_data(96, tasks="ABC")
GROUPS = (frozenset("A"), frozenset("B"), frozenset("AB"), None)


def test_a_view_renames_and_restricts_tasks_only():
    view = task_view(DATA, {"A": "A", "A_again": "A", "other": "C"})
    assert view.tasks == {"A": [0, 1], "A_again": [0, 1], "other": [1, 3, 4]}
    for part in ("train", "validation", "test"):
        assert getattr(view, part) is getattr(DATA, part)
    assert list(DATA.tasks) == ["A", "B", "C"]


def test_the_name_of_a_second_network_is_free():
    assert name_again("A", DATA) == "A_again"
    taken = task_view(DATA, {"A": "A", "A_again": "B"})
    assert name_again("A", taken) == "A_again_again"


@examples(30)
@given(st.data())
def test_counts_add_up(data):
    assembly = Assembly.of(side_by_side(make_networks()))
    expected = {}
    for layer, width in zip(LAYERS, WIDTHS, strict=True):
        units = st.lists(st.sampled_from(GROUPS), min_size=2 * width, max_size=2 * width)
        drawn = data.draw(units)
        # Somebody has to stay, or there is no network.
        groups = [frozenset("AB"), *drawn[1:]]
        kept = [unit for unit, group in enumerate(groups) if group is not None]
        assembly = assembly.take(layer, kept).regroup({layer: [groups[unit] for unit in kept]})
        expected[layer] = groups
    shares = layer_shares(assembly.network(), units_before(*make_networks().values()))
    assert [share.layer for share in shares] == list(LAYERS)
    for share in shares:
        a, b, both, gone = (expected[share.layer].count(group) for group in GROUPS)
        counted = (share.exclusive_a, share.exclusive_b, share.shared, share.removed)
        assert counted == (a, b, both, gone)
        assert share.neurons == sum(counted) == len(expected[share.layer])


def test_joined_units_count_once():
    networks = make_networks()
    merged = merge(networks, "mtz", DATA, samples=32, retrain=STILL)
    for share in layer_shares(merged, units_before(*networks.values())):
        assert share.shared + share.exclusive_a + share.exclusive_b + share.removed == share.neurons
        assert share.removed == share.shared > 0


@pytest.mark.parametrize("pair", ["AA", "AB", "CA"])
def test_label_information_is_the_estimate_on_the_labels(pair):
    data = make_data(60, tasks="ABC")
    # All samples are drawn, in their order, because there are fewer than 2,048.
    x, y = (data.task_labels(data.train, task) for task in pair)
    assert label_information(data, *pair) == mutual_information(x.double(), y, 0.1)


def test_a_task_knows_all_of_itself_and_nothing_of_an_independent_one():
    data = make_data(1024, tasks="AB")
    labels = data.task_labels(data.train, "A")
    assert label_information(data, "A", "A") == pytest.approx(label_entropy(labels), abs=1e-6)
    assert label_information(data, "A", "B") < 0.02


def test_label_information_sees_no_more_than_2048_samples():
    data = make_data(2049, tasks="AB", B=[1])
    estimated = label_information(data, "A", "B")
    assert estimated == label_information(data, "A", "B")
    x, y = (data.task_labels(data.train, task) for task in "AB")
    of_all = mutual_information(x.double(), y, 0.1)
    assert estimated == pytest.approx(of_all, abs=0.01)
    assert estimated != of_all
