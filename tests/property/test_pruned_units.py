"""Removal of units: masked equals sliced, folding is exact, and nothing that is left is dead."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.networks import Assembly
from pam.pruning.units import connected, remove, scale, unit_keys
from tests.examples import examples
from tests.random_networks import (
    LAYERS,
    PHASES,
    architectures_named,
    chains_and_residual,
    images_for,
    networks,
    per_unit,
    residual_architectures,
)
from tests.reference.dense_resnet import dense_resnet_scores
from tests.reference.slow_units import needed_units, starving, wires
from tests.small import make_networks, share_some

many = examples(40, phases=PHASES)
few = examples(2, phases=PHASES)
SHARES = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]


@st.composite
def masked_networks(draw, made=None):
    """A random network, any mask of its units, and scores of which some are equal."""
    network = draw(networks(made=chains_and_residual() if made is None else made))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    share = draw(st.sampled_from(SHARES))
    keys = dict(unit_keys(network))
    keep = {key: torch.rand(n, generator=generator) < share for key, n in keys.items()}
    scores = {key: torch.randint(4, (n,), generator=generator).double() for key, n in keys.items()}
    return network, keep, scores


def scaling(values):
    """A gate that multiplies every unit by its value."""
    return lambda layer, group, x: x * per_unit(values[layer, group], x)


def units_of(keep):
    """The kept units, one by one."""
    return {
        (*key, index) for key, mask in keep.items() for index, on in enumerate(mask.tolist()) if on
    }


def assert_same(left, right, tolerance=1e-4):
    assert list(left) == list(right)
    for task, scores in left.items():
        torch.testing.assert_close(scores, right[task], atol=tolerance, rtol=0)


@pytest.mark.parametrize("share", SHARES)
@few
@given(case=masked_networks(made=residual_architectures()))
def test_removed_channels_of_a_stage_equal_masked_and_dense_ones(share, case):
    network, keep, scores = case
    generator = torch.Generator().manual_seed(0)
    keep = {key: torch.rand(len(mask), generator=generator) < share for key, mask in keep.items()}
    kept = connected(network, keep, scores)
    images = images_for(network)
    with torch.no_grad():
        masked = network(images, gate=scaling(kept))
        assert_same(remove(network, kept).eval()(images), masked)
    # The reference knows neither gates nor groups.
    factors = {
        layer: torch.cat([kept[layer, g] for g in network.widths[layer]]).float()
        for layer in network.hidden_layers
    }
    dense = dense_resnet_scores(Assembly.of(network), images, factors)
    torch.testing.assert_close(torch.cat(list(masked.values()), 1), dense, atol=1e-4, rtol=0)


@many
@given(masked_networks())
def test_removed_equals_masked(case):
    """Also without the repair, where nothing starves."""
    network, keep, scores = case
    images = images_for(network)
    for mask in (connected(network, keep, scores), keep):
        if mask is keep and starving(network, units_of(keep)):
            continue
        with torch.no_grad():
            masked = network(images, gate=scaling(mask))
            assert_same(remove(network, mask).eval()(images), masked)


@many
@given(networks(made=chains_and_residual()), st.integers(0, 1000))
def test_factors_that_are_not_negative_fold_exactly(network, seed):
    generator = torch.Generator().manual_seed(seed)
    factors = {
        key: torch.randn(n, generator=generator).clamp(min=0) for key, n in unit_keys(network)
    }
    images = images_for(network)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        scaled = network(images, gate=scaling(factors))
        assert_same(scale(network, factors).eval()(images), scaled)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@many
@given(masked_networks())
def test_what_is_left_starves_nowhere_and_is_all_needed(case):
    network, keep, scores = case
    before = {key: mask.clone() for key, mask in keep.items()}
    kept = units_of(connected(network, keep, scores))
    assert all(torch.equal(mask, before[key]) for key, mask in keep.items())
    assert starving(network, kept) == []
    assert needed_units(network, kept) == kept
    small = remove(network, connected(network, keep, scores))
    assert small.tasks == network.tasks
    assert units_of({key: torch.ones(n) for key, n in unit_keys(small)}) == {
        (layer, group, unit)
        for (layer, group), mask in connected(network, keep, scores).items()
        for unit in range(int(mask.sum()))
    }


@many
@given(masked_networks())
def test_what_is_fine_is_not_changed(case):
    """Where no needed unit starves, exactly the units that no output needs go."""
    network, keep, scores = case
    kept = connected(network, keep, scores)
    needed = needed_units(network, units_of(keep))
    if not starving(network, needed):
        assert units_of(kept) == needed
    again = connected(network, kept, scores)
    assert all(torch.equal(again[key], mask) for key, mask in kept.items())


@many
@given(masked_networks())
def test_only_the_best_of_a_group_that_was_gone_comes_back(case):
    network, keep, scores = case
    kept = connected(network, keep, scores)
    for key, mask in kept.items():
        back = (mask & ~keep[key]).nonzero().flatten().tolist()
        if back:
            assert back == [int(scores[key].argmax())]
            assert not keep[key].any()
            # Some reader had nothing, and this was the best that it could have.
            asking = [
                sources
                for _, reader, sources in wires(network)
                if (*key, back[0]) in sources
                and not any(bool(keep[unit[:2]][unit[2]]) for unit in sources)
                and (reader[0] == network.architecture.output or kept[reader[:2]][reader[2]])
            ]
            best = float(scores[key].max())
            assert any(all(float(scores[u[:2]][u[2]]) <= best for u in units) for units in asking)


def best_first(network, keep, scores):
    """The repair by the book, one problem at a time; ``network`` is a chain."""
    kept, architecture = units_of(keep), network.architecture
    for node in reversed(architecture.weighted.values()):
        source = architecture.source_layer(node)
        if source == "image":
            break
        for reader in network.widths[node.layer]:
            needed = needed_units(network, kept)
            alive = node.layer == architecture.output or any(
                unit[:2] == (node.layer, reader) for unit in needed
            )
            choices = [
                (source, group, unit)
                for group, count in network.widths[source].items()
                if reader <= group
                for unit in range(count)
            ]
            if alive and not any(unit in kept for unit in choices):
                kept.add(max(choices, key=lambda unit: float(scores[unit[:2]][unit[2]])))
    return needed_units(network, kept)


@pytest.mark.parametrize("name", ["lenet5", "vgg16"])
@few
@given(data=st.data())
def test_a_chain_is_repaired_as_one_would_by_hand(name, data):
    case = data.draw(masked_networks(made=architectures_named(name)))
    assert units_of(connected(*case)) == best_first(*case)


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
