"""What is left after pruning is connected, holds no dead units, and computes what it should."""

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pam.cost import paper_flops
from pam.data import MultitaskDataset, Split
from pam.networks import Assembly
from pam.pruning import prune_progressively
from pam.pruning.units import connected, remove, scale, unit_keys
from tests.random_networks import LAYERS, images_for, networks
from tests.small import STILL, make_networks, scores_of, share_some

many = settings(max_examples=40, deadline=None)
few = settings(max_examples=5, deadline=None)


@st.composite
def masked_networks(draw):
    """A random network, any mask of its units (some groups wholly masked), and distinct scores."""
    network = draw(networks())
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    share = draw(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]))
    keep = {
        key: torch.rand(units, generator=generator) < share for key, units in unit_keys(network)
    }
    scores = {key: torch.rand(units, generator=generator) for key, units in unit_keys(network)}
    return network, keep, scores


def readers_of(network, kept, layer):
    """The groups left in the layer after ``layer``, in the plainest words."""
    after = (*LAYERS, "f5")[LAYERS.index(layer) + 1]
    return [group for group in network.widths[after] if after == "f5" or kept[after, group].any()]


@many
@given(masked_networks())
def test_what_is_left_is_connected_and_nothing_in_it_is_dead(case):
    network, keep, scores = case
    kept = connected(network, keep, scores)
    small = remove(network, kept)
    assert small.tasks == network.tasks
    for layer in LAYERS:
        readers = readers_of(network, kept, layer)
        left = [group for group in network.widths[layer] if kept[layer, group].any()]
        assert all(any(reader <= group for reader in readers) for group in left)
        assert all(any(reader <= group for group in left) for reader in readers)
        assert small.widths[layer] == {g: int(kept[layer, g].sum()) for g in left}
    lean = Assembly.of(small).without_dead_units().network()
    assert lean.widths == small.widths


@many
@given(masked_networks())
def test_the_repair_drops_only_the_dead_and_brings_back_only_the_best(case):
    network, keep, scores = case
    before = {key: mask.clone() for key, mask in keep.items()}
    kept = connected(network, keep, scores)
    assert all(torch.equal(keep[key], before[key]) for key in keep)
    for (layer, group), mask in kept.items():
        dropped, back = keep[layer, group] & ~mask, mask & ~keep[layer, group]
        readers = readers_of(network, kept, layer)
        if dropped.any():
            assert not mask.any()
            assert not any(reader <= group for reader in readers)
        if back.any():
            assert int(back.sum()) == 1
            assert not keep[layer, group].any()
            assert mask[scores[layer, group].argmax()]
            best = scores[layer, group].max()
            choices = [
                [g for g in network.widths[layer] if reader <= g]
                for reader in readers
                if reader <= group
            ]
            assert any(
                not any(keep[layer, g].any() for g in choice)
                and all(scores[layer, g].max() <= best for g in choice)
                for choice in choices
            )


@many
@given(masked_networks())
def test_removed_equals_masked(case):
    network, keep, scores = case
    kept = connected(network, keep, scores)
    images = images_for(network)

    def gate(layer, group, x):
        return x * kept[layer, group].reshape(1, -1, *[1] * (x.ndim - 2))

    with torch.no_grad():
        masked = network(images, gate=gate)
    for task, score in scores_of(remove(network, kept), images).items():
        torch.testing.assert_close(score, masked[task], atol=1e-5, rtol=0)


@many
@given(masked_networks())
def test_repairing_twice_is_repairing_once(case):
    network, keep, scores = case
    kept = connected(network, keep, scores)
    again = connected(network, kept, scores)
    assert all(torch.equal(again[key], kept[key]) for key in kept)


@many
@given(networks(), st.integers(0, 1000))
def test_factors_that_are_not_negative_fold_exactly(network, seed):
    generator = torch.Generator().manual_seed(seed)
    factors = {
        key: torch.randn(units, generator=generator).clamp(min=0) for key, units in
        unit_keys(network)
    }  # fmt: skip
    images = images_for(network)

    def gate(layer, group, x):
        return x * factors[layer, group].reshape(1, -1, *[1] * (x.ndim - 2))

    with torch.no_grad():
        gated = network(images, gate=gate)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for task, score in scores_of(scale(network, factors), images).items():
        torch.testing.assert_close(score, gated[task], atol=1e-5, rtol=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_repair_does_not_depend_on_the_order_of_groups_in_a_set():
    """Two readers that either one of two units, or two others, would satisfy: canonical order."""
    network = share_some(make_networks("ABC"))
    keep = {key: torch.zeros(units).bool() for key, units in unit_keys(network)}
    scores = {key: torch.zeros(units) for key, units in unit_keys(network)}
    kept = connected(network, keep, scores)
    groups = {
        layer: [sorted(g) for g in network.widths[layer] if kept[layer, g].any()]
        for layer in LAYERS
    }
    # Task A takes its own unit (the first of those tied), and so do B and C after it.
    assert groups == {layer: [["A"], ["B"], ["C"]] for layer in LAYERS}


TAYLOR = {"interval": 1, "event_fraction": 0.25, "batch_size": 32, "fine_tune": STILL}


@few
@given(networks(largest=3), st.integers(0, 50))
def test_a_stronger_taylor_pruning_costs_no_more_for_any_combination(network, seed):
    shape = network.architecture.input_shape
    tasks, at = {}, 0
    for task, outputs in network.tasks.items():
        tasks[task] = list(range(at, at + outputs))
        at += outputs
    generator = torch.Generator().manual_seed(seed)

    def split():
        images = torch.randint(0, 256, (32, *shape), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 2, (32, at), generator=generator) * 2 - 1
        return Split(images, labels.to(torch.int8))

    statistics = [0.5] * shape[0], [0.3] * shape[0]
    data = MultitaskDataset(
        "noise", split(), split(), split(), tasks, [str(n) for n in range(at)], *statistics
    )
    runs = prune_progressively(network, "taylor", data, [0.2, 0.5, 0.9], seed=seed, **TAYLOR)
    family = [network, *(run.network for run in runs)]
    for larger, smaller in pairwise(family):
        assert list(smaller.tasks) == list(network.tasks)
        for combination in network.combinations():
            assert paper_flops(smaller, combination) <= paper_flops(larger, combination)
