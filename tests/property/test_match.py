"""Matching: assignment, sizes and least squares equal slow references; copies stay the same."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.errors import ConfigError, ShapeError
from pam.merging import merge, second_moments
from pam.networks import build
from pam.plugins.match import dealt, matched, solve_ridge
from tests.examples import examples
from tests.small import (
    LAYERS,
    SHAPE,
    STILL,
    WIDTHS,
    images_of,
    make_data,
    make_network,
    make_networks,
    scores_of,
    side_by_side,
)

few = examples(8)
many = examples(60)
seeds = st.integers(0, 2**31)
DATA = make_data(64, tasks="ABC")


@many
@given(seeds, st.integers(1, 5), st.integers(2, 3))
def test_every_network_is_assigned_to_the_first_at_the_least_sum_of_distances(
    seed, units, networks
):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(units * networks, 12, generator=generator, dtype=torch.float64)
    clusters, sums = matched(values @ values.T / 12, networks)
    assert [cluster[0] for cluster in clusters] == list(range(units))
    slow = np.zeros(units)
    for side in range(1, networks):
        others = values[side * units : (side + 1) * units]
        costs = [
            sum(float((values[i] - others[j]).square().mean()) for i, j in enumerate(order))
            for order in permutations(range(units))
        ]
        found = [cluster[side] - side * units for cluster in clusters]
        apart = [float((values[i] - others[j]).square().mean()) for i, j in enumerate(found)]
        assert sum(apart) == pytest.approx(min(costs))
        slow += apart
    assert sums == pytest.approx(slow.tolist())


@many
@given(st.data(), st.integers(1, 5), st.sampled_from(["AB", "ABC"]))
def test_groups_have_the_sizes_that_are_wanted(draw, units, tasks):
    total = units * len(tasks)
    shared = draw.draw(st.integers(1, total))
    sizes, left = {frozenset(tasks): shared}, total - shared
    for task in tasks:
        sizes[frozenset(task)] = draw.draw(st.integers(0, left))
        left -= sizes[frozenset(task)]
    clusters = [[side * units + unit for side in range(len(tasks))] for unit in range(units)]
    distances = draw.draw(st.lists(st.floats(0, 1), min_size=units, max_size=units))
    merged = dealt(clusters, distances, tasks, sizes)
    for group, count in sizes.items():
        assert sum(one == group for one, _ in merged) == count
    used = [unit for _, members in merged for unit in members]
    assert len(set(used)) == len(used)
    for group, members in merged:
        assert len({unit % units for unit in members}) == 1
        assert len(members) == 1 or len(group) > 1
    # Where every task takes no more than it has, it takes its own, those that fit worst.
    for side, task in enumerate(tasks):
        count = sizes[frozenset(task)]
        if all(sizes[frozenset(other)] <= units for other in tasks):
            alone = [members[0] - side * units for group, members in merged if group == {task}]
            assert all(0 <= unit < units for unit in alone)
            kept = set(range(units)).difference(alone)
            assert all(distances[a] >= distances[k] for a in alone for k in kept)
            assert len(alone) == count


@many
@given(seeds, st.integers(1, 6), st.floats(1e-4, 1e2))
def test_the_ridge_solution_is_that_of_the_stacked_least_squares(seed, inputs, ridge):
    rng = np.random.default_rng(seed)
    rows = np.hstack([rng.normal(size=(30, inputs)) + 1, np.ones((30, 1))])
    targets = rng.normal(size=(30, 2))
    found = solve_ridge(torch.from_numpy(rows.T @ rows), torch.from_numpy(rows.T @ targets), ridge)
    weight = ridge * np.square(rows[:, :-1]).sum(0).mean()
    punished = np.hstack([np.sqrt(weight) * np.eye(inputs), np.zeros((inputs, 1))])
    stacked = np.vstack([rows, punished])
    wanted = np.linalg.lstsq(stacked, np.vstack([targets, np.zeros((inputs, 2))]), rcond=None)[0]
    assert np.allclose(found, wanted, atol=1e-8)
    # Normal equations: the error is orthogonal to every input, but for the punishment.
    left = rows.T @ (targets - rows @ found.numpy())
    assert np.allclose(left[:-1], weight * found.numpy()[:-1], atol=1e-6)
    assert np.allclose(left[-1], 0, atol=1e-6)


def test_inputs_that_never_move_have_no_weight():
    gram = torch.zeros(3, 3, dtype=torch.float64)
    gram[-1, -1] = 10
    found = solve_ridge(gram, torch.tensor([[0.0], [0.0], [20.0]]).double(), 1e-3)
    assert found.flatten().tolist() == [0, 0, 2]


@few
@given(seeds)
def test_weights_are_the_fit_of_what_the_members_of_a_unit_did(seed):
    networks = make_networks(widths=(2, 3, 6, 5))
    apart = side_by_side(networks)
    data = make_data(40, seed=seed)
    merged = merge(networks, "match", data, seed=seed, samples=40, ridge=1e-2, retrain=STILL)
    units = {}
    for layer, (_, products) in second_moments(apart, data, data.train.images).items():
        clusters, distances = matched(products, 2)
        sizes = {group: count for group, count in merged.widths[layer].items()}
        units[layer] = dealt(clusters, distances, "AB", sizes)
    images, seen, before = data.normalise(data.train.images), {}, {}
    with torch.no_grad():
        merged(images, observe=lambda node, group, x: seen.update({(node, group): x.double()}))
        apart(images, observe=lambda node, group, x: before.update({(node, group): x.double()}))
    everyone = frozenset("AB")
    for group, read in ((everyone, [everyone]), (frozenset("A"), [frozenset("A"), everyone])):
        inputs = torch.cat([seen["f3_gate", g] for g in read], dim=1)
        rows = torch.cat([inputs, torch.ones(len(inputs), 1).double()], dim=1)
        originals = torch.cat([before["f4", frozenset(task)] for task in "AB"], dim=1)
        members = [joined for one, joined in units["f4"] if one == group]
        targets = torch.stack([originals[:, joined].mean(1) for joined in members], dim=1)
        wanted = solve_ridge(rows.T @ rows, rows.T @ targets, 1e-2)
        block = merged.blocks["f4"][merged.block_name(group)]
        assert torch.allclose(block.weight.double(), wanted[:-1].T, atol=1e-4)
        assert torch.allclose(block.bias.double(), wanted[-1], atol=1e-4)


@pytest.mark.parametrize(("separate", "alone"), [(0, (0, 0, 0, 0)), (0.5, (1, 2, 3, 2))])
def test_a_share_of_every_layer_stays_apart(separate, alone):
    found = merge(make_networks("ABC"), "match", DATA, separate=separate, retrain=STILL)
    for layer, width, own in zip(LAYERS, WIDTHS, alone, strict=True):
        expected = {**(dict.fromkeys("ABC", own) if own else {}), "shared": width - own}
        assert found.groups()[layer] == expected


@pytest.mark.parametrize("options", [{}, {"alpha": 0.9}, {"alpha": 0.3, "removed": "share"}])
def test_groups_are_as_large_as_those_of_pam(options):
    networks, settings = make_networks("ABC"), {"samples": 48, "retrain": STILL, **options}
    found = merge(networks, "match", DATA, sizes="pam", **settings)
    assert found.widths == merge(networks, "pam", DATA, **settings).widths
    images = images_of(DATA)
    assert all(bool(scores.isfinite().all()) for scores in scores_of(found, images).values())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"alpha": 0.5}, "option 'alpha' counts only with 'sizes: pam'"),
        ({"sizes": "pam", "partial": True}, "'partial' makes groups of some tasks"),
    ],
)
def test_bad_options_are_refused(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        merge(make_networks(), "match", DATA, retrain=STILL, **options)


def test_networks_that_cannot_be_matched_are_refused():
    networks = {"A": make_network("A"), "B": make_network("B", widths=(2, 3, 6, 4))}
    with pytest.raises(ShapeError, match="differ in width"):
        merge(networks, "match", DATA, retrain=STILL)
    residual = {t: build("resnet18", SHAPE, n, task=t, width=0.05) for t, n in (("A", 2), ("B", 1))}
    with pytest.raises(ConfigError, match="follow one another"):
        merge(residual, "match", DATA, retrain=STILL)
