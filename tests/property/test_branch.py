"""Branched trees: affinities and trees equal slow references, copies come out unchanged."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pam.cost import analytic_macs
from pam.errors import ConfigError, ShapeError
from pam.merging import merge
from pam.networks import Assembly, build
from pam.plugins.branch import (
    affinities,
    best_tree,
    dissimilarity,
    multiplications,
    partitions,
    planted,
    view,
)
from tests.examples import examples
from tests.small import (
    LAYERS,
    SHAPE,
    STILL,
    images_of,
    make_data,
    make_network,
    make_networks,
    scores_of,
)

few = examples(10)
many = examples(40)
seeds = st.integers(0, 2**31)


def slow_correlation(a, b):
    """Pearson's, as rounded there; 0 with a vector that is constant."""
    if len(set(a)) == 1 or len(set(b)) == 1:
        return 0.0
    return round(np.corrcoef(a, b)[0, 1], 9)


@examples(4)
@given(seeds)
def test_affinities_are_rank_correlations_of_the_dissimilarities_of_images(seed):
    data = make_data(12, seed=seed)
    networks = [make_network("A", seed + i, widths=(3, 4, 7, 6)) for i in range(3)]
    images = data.normalise(data.train.images)
    seen = [{} for _ in networks]
    for network, values in zip(networks, seen, strict=True):
        with torch.no_grad():
            network(images, observe=lambda node, _, x, into=values: into.update({node: x}))
    views = [view(network, images) for network in networks]
    for layer in LAYERS:
        slow = []
        for values in seen:
            flat = values[f"{layer}_relu"].flatten(1).double().numpy()
            pairs = [(i, j) for i in range(12) for j in range(i + 1, 12)]
            slow.append([1 - slow_correlation(flat[i], flat[j]) for i, j in pairs])
        found = affinities([one[layer] for one in views])
        for a, b in product(range(3), repeat=2):
            constant = any(len(set(slow[one])) == 1 for one in (a, b))
            expected = 0 if constant else spearmanr(slow[a], slow[b])[0]
            assert float(found[a, b]) == pytest.approx(expected, abs=1e-6)


def slow_partitions(tasks):
    """Every way to give each task a block, up to the names of blocks."""
    found = set()
    for blocks in product(range(len(tasks)), repeat=len(tasks)):
        members = {
            b: frozenset(t for t, its in zip(tasks, blocks, strict=True) if its == b)
            for b in blocks
        }
        found.add(frozenset(members.values()))
    return found


@pytest.mark.parametrize(("tasks", "count"), [("A", 1), ("AB", 2), ("ABCD", 15), ("ABCDE", 52)])
def test_all_partitions_are_looked_at(tasks, count):
    found = partitions(tasks)
    assert len(found) == count
    assert {frozenset(one) for one in found} == slow_partitions(tasks)
    assert found[0] == (frozenset(tasks),)


@many
@given(seeds, st.sampled_from([("AB", 4), ("ABC", 3), ("ABCD", 2)]), st.floats(0, 1), st.booleans())
def test_the_tree_is_the_best_of_all_trees(seed, size, budget, tied):
    tasks, depths = size
    generator = torch.Generator().manual_seed(seed)
    macs = torch.randint(1, 5, (depths,), generator=generator).tolist()
    affinity = torch.rand(depths, len(tasks), len(tasks), generator=generator)
    affinity = (affinity + affinity.transpose(1, 2)) / 2
    if tied:
        affinity = affinity.round()
    known = partitions(tasks)
    limit = sum(macs) * (1 + budget * (len(tasks) - 1))

    def value(tree):
        """What the tree loses and what it computes, in all."""
        apart = 0.0
        for one, alike in zip(tree, affinity, strict=True):
            apart += dissimilarity(one, tasks, alike)
        return apart, sum(len(one) * m for one, m in zip(tree, macs, strict=True))

    def nested(tree):
        return all(
            any(block <= parent for parent in before)
            for before, after in pairwise(tree)
            for block in after
        )

    slow = [tree for tree in product(known, repeat=depths) if nested(tree)]
    best = min(value(tree) for tree in slow if value(tree)[1] <= limit)
    found = best_tree(tasks, macs, list(affinity), budget)
    assert nested(found)
    assert value(found) == best


def test_a_block_is_as_unlike_as_its_least_alike_pair_and_a_task_alone_not_at_all():
    affinity = torch.tensor([[1.0, 0.9, 0.2], [0.9, 1.0, 0.5], [0.2, 0.5, 1.0]])
    a, b, c = (frozenset(task) for task in "ABC")
    assert dissimilarity((a, b, c), "ABC", affinity) == 0
    assert dissimilarity((a | b, c), "ABC", affinity) == pytest.approx(0.1 / 2)
    assert dissimilarity((a | b | c,), "ABC", affinity) == pytest.approx(0.8)


@few
@given(seeds, st.data())
def test_a_combination_costs_the_blocks_that_meet_it(seed, draw):
    networks = make_networks("ABC", widths=(3, 4, 7, 6))
    data = make_data(16, tasks="ABC")
    parts = {task: Assembly.of(network) for task, network in networks.items()}
    known, starts, tree = partitions("ABC"), {}, []
    for layer in LAYERS:
        allowed = [p for p in known if not tree or all(any(b <= q for q in tree[-1]) for b in p)]
        tree.append(draw.draw(st.sampled_from(allowed)))
        starts[layer] = {block: draw.draw(st.sampled_from(sorted(block))) for block in tree[-1]}
    starts["f5"] = {frozenset(task): task for task in "ABC"}
    views = {t: view(n, data.normalise(data.train.images)) for t, n in networks.items()}
    network = planted(parts, starts, views).network()
    macs = [multiplications(parts["A"], [layer]) for layer in LAYERS]
    for combination in network.combinations():
        blocks = [sum(not b.isdisjoint(combination) for b in partition) for partition in tree]
        heads = sum(multiplications(parts[task], ["f5"]) for task in combination)
        expected = sum(m * n for m, n in zip(macs, blocks, strict=True)) + heads
        assert analytic_macs(network, combination) == expected


DATA = make_data(64, tasks="ABC")


def test_it_splits_where_it_is_told_to():
    networks = make_networks("ABC")
    tree = merge(networks, "branch", DATA, split_after="c1", retrain=STILL)
    assert tree.groups()["c1"] == {"shared": 2}
    assert all(set(tree.groups()[layer]) == set("ABC") for layer in LAYERS[1:])
    trunk = merge(networks, "branch", DATA, split_after="f4", retrain=STILL)
    assert trunk.widths == merge(networks, "branch", DATA, budget=0, retrain=STILL).widths
    apart = merge(networks, "branch", DATA, budget=1, retrain=STILL)
    images = images_of(DATA)
    for task, network in networks.items():
        found = scores_of(apart, images)[task]
        assert torch.allclose(found, scores_of(network, images)[task], atol=1e-6)


def test_the_layers_of_a_residual_stage_split_together():
    networks = {
        task: build("resnet18", SHAPE, 1, task=task, seed=i, width=0.05, stem="small")
        for i, task in enumerate("ABC")
    }
    data = make_data(64, tasks="ABC", A=[0], B=[1], C=[2])
    tree = merge(networks, "branch", data, budget=0.4, samples=30, retrain=STILL)
    groups = tree.groups()
    for stage in "1234":
        layers = [set(groups[layer]) for layer in tree.hidden_layers if layer[1] == stage]
        assert all(names == layers[0] for names in layers)
    assert len({frozenset(groups[layer]) for layer in tree.hidden_layers}) > 1


def test_networks_that_cannot_share_are_refused():
    networks = {"A": make_network("A"), "B": make_network("B", widths=(2, 3, 6, 4))}
    with pytest.raises(ShapeError, match="differ in width"):
        merge(networks, "branch", DATA, retrain=STILL)
    with pytest.raises(ConfigError, match=r"8 tasks are too many .* 'split_after'"):
        best_tree("ABCDEFGH", [1], [torch.eye(8)], 0.5)
