"""Scenario 2: correlations between exclusive groups."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.analysis.conditions import (
    correlations,
    redundancy,
    redundancy_rows,
    sample_rows,
    unknown_redundancy_rows,
)
from pam.merging import merge
from pam.merging.activations import collect, units_of
from tests.examples import examples
from tests.small import STILL, make_data, make_networks, share_some

DATA = make_data(300, tasks="ABC")
IMAGES = DATA.normalise(DATA.train.images)


def random(units, seed, samples=40, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    return offset + torch.rand(samples, units, generator=generator, dtype=torch.float64)


@examples(50)
@given(
    units=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 2**20),
    offset=st.sampled_from([0.0, -3.0, 1e3]),
    scale=st.sampled_from([1e-4, 1.0, 1e5]),
)
def test_correlations_are_those_of_numpy(units, seed, offset, scale):
    a, b = random(units[0], seed, offset=offset) * scale, random(units[1], seed + 1)
    expected = np.corrcoef(a.numpy(), b.numpy(), rowvar=False)[: units[0], units[0] :]
    np.testing.assert_allclose(correlations(a, b).numpy(), expected, atol=1e-9)


@examples(40)
@given(
    values=st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=3, max_size=8),
    split=st.integers(1, 4),
)
def test_redundancy_against_a_slow_reference(values, split):
    both = torch.tensor(values, dtype=torch.float64)
    a, b = both[:, :split], both[:, split:]

    def strength(i, j):
        x, y = a[:, i].numpy(), b[:, j].numpy()
        return abs(np.corrcoef(x, y)[0, 1]) if x.std() and y.std() else 0.0

    table = [[strength(i, j) for j in range(b.shape[1])] for i in range(a.shape[1])]
    from_a = np.mean([max(row) for row in table])
    from_b = np.mean([max(column) for column in zip(*table, strict=True)])
    largest = max(max(row) for row in table)
    first = next(
        (i, j)
        for i, row in enumerate(table)
        for j, value in enumerate(row)
        if value >= largest - 1e-9
    )
    found = redundancy(a, b)
    assert found.mean_max == pytest.approx((from_a + from_b) / 2, abs=1e-9)
    assert found.largest == pytest.approx(largest, abs=1e-9)
    assert (found.unit_a, found.unit_b) == first


def test_units_that_never_change_are_correlated_with_nothing():
    constant, changing = torch.full((40, 2), 0.1), random(3, 3)
    assert float(correlations(constant, changing).abs().max()) == 0.0
    assert redundancy(constant, constant) == (0.0, 0.0, 0, 0)


def test_every_pair_of_tasks_with_units_of_their_own():
    network = share_some(make_networks("ABC"))
    activations = collect(network, IMAGES, ["f3"])["f3"]
    rows = redundancy_rows(network, "f3", activations)
    assert [(row["task_a"], row["task_b"]) for row in rows] == [("A", "B"), ("A", "C"), ("B", "C")]
    for row in rows:
        a, b = (units_of(network, "f3", {row[name]}) for name in ("task_a", "task_b"))
        assert (row["neurons_a"], row["neurons_b"]) == (len(a), len(b))
        assert row["neuron_a"] in a
        assert row["neuron_b"] in b
        x, y = (activations[:, row[name]].double().numpy() for name in ("neuron_a", "neuron_b"))
        assert row["max_correlation"] == pytest.approx(abs(np.corrcoef(x, y)[0, 1]), abs=1e-9)
        assert 0 <= row["mean_max_correlation"] <= row["max_correlation"] <= 1


def test_networks_side_by_side_are_compared_whole_and_shared_ones_not_at_all():
    networks = make_networks("AB")
    data = make_data(64)
    images = data.normalise(data.train.images)
    apart = merge(networks, "none", data)
    (row,) = redundancy_rows(apart, "f4", collect(apart, images, ["f4"])["f4"])
    assert (row["neurons_a"], row["neurons_b"]) == (5, 5)
    shared = merge(networks, "all_shared", data, retrain=STILL)
    assert redundancy_rows(shared, "f4", collect(shared, images, ["f4"])["f4"]) == []


def test_samples_are_the_outputs_of_the_best_pair():
    network = share_some(make_networks("AB"))
    activations = collect(network, IMAGES, ["c2"])["c2"]
    (pair,) = redundancy_rows(network, "c2", activations)
    rows = sample_rows(pair, activations)
    assert [row["sample"] for row in rows] == list(range(256))
    for row in rows[::50]:
        assert row["value_a"] == float(activations[row["sample"], pair["neuron_a"]])
        assert row["value_b"] == float(activations[row["sample"], pair["neuron_b"]])
    assert len(sample_rows(pair, activations[:10])) == 10


def test_rows_of_a_network_that_is_not_there():
    rows = unknown_redundancy_rows("ABC", "f4")
    assert len(rows) == 3
    network = share_some(make_networks("AB"))
    (known,) = redundancy_rows(network, "f4", collect(network, IMAGES, ["f4"])["f4"])
    assert set(rows[0]) == set(known)
    assert {row["max_correlation"] for row in rows} == {None}
