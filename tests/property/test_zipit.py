"""ZipIt!: copies come out unchanged, and its parts equal a slow reference."""

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.merging import collect, merge
from pam.networks import build
from pam.plugins.zipit import correlations, covariances, estimate_statistics, match, match_networks
from tests.examples import examples
from tests.small import (
    LAYERS,
    SHAPE,
    WIDTHS,
    copies,
    images_of,
    make_data,
    make_network,
    make_networks,
    same_labels,
    scores_of,
    shuffled,
    side_by_side,
)

many = examples(60)
few = examples(12)
seeds = st.integers(0, 2**31)


def test_a_copy_of_units_that_never_fire_comes_out_unchanged():
    network = make_network("A", 3)
    with torch.no_grad():  # Silent on the images that are looked at, but not on all there are.
        network.blocks["f3"]["A"].bias[::2] = -30
        network.blocks["f4"]["A"].bias[1] = -30
    data = same_labels("AB")
    zipped = merge(copies(network, "AB", 5), "zipit", data, within=0, samples=48)
    strange = 40 * torch.randn(16, *SHAPE, generator=torch.Generator().manual_seed(0))
    expected = scores_of(network, strange)["A"]
    for scores in scores_of(zipped, strange).values():
        assert torch.allclose(scores, expected, atol=1e-5)


def test_a_residual_copy_is_the_network_with_statistics_estimated_anew():
    data = same_labels("AB")
    network = build("resnet18", SHAPE, 2, task="A", width=0.08, stem="small")
    copy = shuffled(network)[0].for_task("B")
    zipped = merge({"A": network, "B": copy}, "zipit", data, within=0, samples=64)
    estimate_statistics(network, data, data.train.images)
    expected = scores_of(network, images_of(data))["A"]
    for scores in scores_of(zipped, images_of(data)).values():
        assert torch.allclose(scores, expected, atol=1e-4)


@few
@given(seeds)
def test_covariances_are_those_of_all_positions(seed):
    data = make_data(40, tasks="AB")
    network = side_by_side({"A": make_network("A", seed), "B": make_network("B", seed + 1)})
    found = covariances(network, data, data.train.images)
    seen = {}

    def observe(node, group, tensor):
        seen.setdefault(node, []).append(tensor)

    with torch.no_grad():
        network(data.normalise(data.train.images), observe=observe)
    for layer in LAYERS:
        values = torch.cat(seen[f"{layer}_relu"], dim=1).transpose(0, 1).flatten(1).double()
        assert np.allclose(found[layer], np.cov(values.numpy(), bias=True), atol=1e-8)
    vectors = collect(network, data.normalise(data.train.images), ["f3"])["f3"]
    assert np.allclose(found["f3"], np.cov(vectors.double().numpy().T, bias=True), atol=1e-8)


@many
@given(seeds, st.integers(2, 7))
def test_correlations_are_those_of_numpy_where_there_are_any(seed, units):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(units, 20, generator=generator, dtype=torch.float64)
    values[0] = 3.0
    found = correlations(torch.from_numpy(np.cov(values.numpy(), bias=True)))
    assert np.allclose(found[1:, 1:], np.atleast_2d(np.corrcoef(values[1:].numpy())), atol=1e-9)
    assert found[0, 0] == 1
    assert not found[0, 1:].any()


def slow_match(scores, similarity, sides, budget):
    """Look through all pairs again for every pair."""
    free, left, pairs = set(range(sum(sides))), [budget, budget], []
    while len(pairs) < min(sides):
        best = None
        for i in sorted(free):
            for j in sorted(free):
                side = int(i >= sides[0])
                if j <= i or (side == int(j >= sides[0]) and left[side] == 0):
                    continue
                key = (-round(float(scores[i, j]), 9), -float(similarity[i, j]), i, j)
                best = key if best is None or key < best else best
        *_, i, j = best
        if (i >= sides[0]) == (j >= sides[0]):
            left[int(i >= sides[0])] -= 1
        free -= {i, j}
        pairs.append((i, j))
    return pairs


@many
@given(seeds, st.integers(1, 6), st.integers(1, 6), st.floats(0, 1), st.booleans())
def test_matching_is_the_slow_greedy_one_and_always_ends(seed, first, second, within, tied):
    generator = torch.Generator().manual_seed(seed)
    units = first + second
    scores = torch.rand(units, units, generator=generator, dtype=torch.float64)
    scores = (scores + scores.T) / 2
    similarity = torch.randint(-2, 1, (units, units), generator=generator).double()
    similarity = similarity + similarity.T
    if tied:
        scores = scores.round(decimals=1)
    budget = int(within * min(first, second) / 2)
    pairs = match(scores, similarity, (first, second), budget)
    assert pairs == slow_match(scores, similarity, (first, second), budget)
    assert len(pairs) == min(first, second)
    assert len({unit for pair in pairs for unit in pair}) == 2 * len(pairs)


@many
@given(seeds, st.lists(st.integers(1, 5), min_size=2, max_size=4), st.floats(0, 1))
def test_every_unit_ends_up_in_one_unit_of_the_merged_layer(seed, widths, within):
    generator = torch.Generator().manual_seed(seed)
    total = sum(widths)
    values = torch.randn(total, 30, generator=generator, dtype=torch.float64)
    covariance = torch.from_numpy(np.atleast_2d(np.cov(values.numpy(), bias=True)))
    bounds = np.cumsum([0, *widths])
    units = [list(range(low, high)) for low, high in pairwise(bounds)]
    members = match_networks(covariance, torch.zeros(total, total).double(), units, within)
    assert len(members) == max(widths)
    assert sorted(unit for joined in members for unit in joined) == list(range(total))
    if within == 0:
        owners = [sum(unit >= b for b in bounds) for unit in range(total)]
        for joined in members:
            assert len({owners[unit] for unit in joined}) == len(joined)


def test_matched_units_have_the_mean_of_weights_and_the_sum_of_readers():
    networks, data = make_networks(), make_data(64)
    zipped = merge(networks, "zipit", data, within=0, samples=48)
    pairs = zipped.notes["matched"]["c1"]
    kernels = torch.cat([n.blocks["c1"][task].weight for task, n in networks.items()])
    for unit, pair in enumerate(pairs):
        mean = kernels[pair].mean(dim=0)
        assert torch.allclose(zipped.blocks["c1"]["shared"].weight[unit], mean, atol=1e-6)
    # The output layers are as they were, for the units that a task's own are joined in.
    for number, (task, network) in enumerate(networks.items()):
        own = network.blocks["f5"][task].weight
        for unit, pair in enumerate(zipped.notes["matched"]["f4"]):
            column = pair[number] - number * WIDTHS[-1]
            found = zipped.blocks["f5"][task].weight[:, unit]
            assert torch.allclose(found, own[:, column], atol=1e-6)
