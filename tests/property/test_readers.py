"""Units that move between groups: nothing flows otherwise, and no combination costs more."""

import copy
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.cost.counting import analytic_macs, paper_flops
from pam.errors import ConfigError
from pam.merging import merge
from pam.networks import ReaderGate, build
from pam.pruning import prune_progressively, readers
from pam.pruning.reader_costs import edge_weight
from pam.pruning.readers import edge_keys, moves, scale_readers, wire_factors
from pam.pruning.vibnet_readers import ReaderBottleneck, divided_steps, portion
from tests.examples import examples
from tests.random_networks import PHASES, images_for, networks, scores_side_by_side
from tests.small import SHAPE, SHORT, make_data, make_networks, same_bits, side_by_side

many = examples(20, phases=PHASES)
DATA = make_data(tasks="ABC")


class Scaled(ReaderGate):
    """What each reader sees, times a value per unit, position by position."""

    def __init__(self, network, factors):
        self.layers = {layer: widths for layer, widths in network.widths.items()}
        self.factors = factors

    def read(self, layer, group, reader, tensor):
        values = self.factors[layer, group, reader].double()
        units = tensor.reshape(len(tensor), self.layers[layer][group], -1)
        return (units * values[None, :, None]).reshape(tensor.shape)


def gated_scores(network, factors, images):
    with torch.no_grad():
        network = copy.deepcopy(network).double()
        scores = network(images.double(), gate=Scaled(network, factors))
    return torch.cat(list(scores.values()), dim=1)


@st.composite
def opened_networks(draw):
    """A random network, some edges open, scores of which some are equal."""
    network = draw(networks())
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    share = draw(st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
    keys = dict(edge_keys(network))
    keep = {edge: torch.rand(n, generator=generator) < share for edge, n in keys.items()}
    scores = {e: torch.randint(4, (n,), generator=generator).double() for e, n in keys.items()}
    return network, keep, scores


def opened(plan, keep):
    """The open edges, those that were opened for want of others included."""
    return {edge: mask | plan.forced.get(edge, torch.tensor(False)) for edge, mask in keep.items()}


def edges_by_unit(network, keep):
    """Layer and number of a unit -> readers that keep it, one edge at a time."""
    kept = {}
    for (layer, group, reader), mask in keep.items():
        first = 0
        for other, units in network.widths[layer].items():
            if other == group:
                break
            first += units
        for unit, on in enumerate(mask.tolist()):
            kept.setdefault((layer, first + unit), [])
            if on:
                kept[layer, first + unit].append(reader)
    return kept


@many
@given(networks(), st.integers(0, 2**31))
def test_what_a_reader_sees_is_folded_exactly(network, seed):
    generator = torch.Generator().manual_seed(seed)
    # Products with powers of two are exact in float32.
    sizes = dict(edge_keys(network)).items()
    factors = {e: 2.0 ** torch.randint(-2, 2, (n,), generator=generator) for e, n in sizes}
    images = images_for(network)
    folded = scores_side_by_side(scale_readers(network, factors), images)
    torch.testing.assert_close(folded, gated_scores(network, factors, images), atol=1e-6, rtol=0)


@many
@given(opened_networks())
def test_moving_and_removing_units_is_exact(case):
    network, keep, scores = case
    plan = moves(network, keep, scores)
    masks = {edge: mask.float() for edge, mask in opened(plan, keep).items()}
    images = images_for(network)
    moved = plan.apply(wire_factors(network, masks))
    wanted = gated_scores(network, masks, images)
    torch.testing.assert_close(scores_side_by_side(moved, images), wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("spending", ["as before", "anything"])
@many
@given(case=opened_networks())
def test_a_group_is_the_union_of_the_open_readers(spending, case):
    network, keep, scores = case
    with pytest.MonkeyPatch.context() as patch:
        if spending == "anything":
            patch.setattr(readers, "_within", lambda result, before: True)
        plan = moves(network, keep, scores)
    labels = {layer: [g for g, n in widths.items() for _ in range(n)]
              for layer, widths in network.widths.items()}  # fmt: skip
    after = dict(zip(network.hidden_layers, network.layers[1:], strict=True))
    for (layer, unit), kept in edges_by_unit(network, opened(plan, keep)).items():
        pairs = zip(labels[after[layer]], plan.groups[after[layer]], strict=True)
        union = frozenset().union(*(new for old, new in pairs if old in kept))
        old, new = labels[layer][unit], plan.groups[layer][unit]
        assert bool(new) == bool(union)
        assert new == union or (new == old and spending == "as before")


@many
@given(opened_networks())
def test_no_combination_costs_more(case):
    network, keep, scores = case
    plan = moves(network, keep, scores)
    moved = plan.apply(wire_factors(network, {e: m.float() for e, m in keep.items()}))
    for combination in network.combinations():
        assert paper_flops(moved, combination) <= paper_flops(network, combination)
        assert analytic_macs(moved, combination) <= analytic_macs(network, combination)


@many
@given(opened_networks())
def test_gates_move_with_the_units_and_nothing_flows_otherwise(case):
    network, keep, _ = case
    gates = ReaderBottleneck.fresh(network, 1)
    generator = torch.Generator().manual_seed(len(keep))
    with torch.no_grad():
        for edge, mean in gates.mean.items():
            mean.copy_(torch.rand(len(mean), generator=generator) + 0.1)
            mean[~keep[edge]] = 0
            gates.log_variance[edge][:] = torch.where(keep[edge], -9.0, 9.0)
    plan = moves(network, gates.keep(0.0), gates.signal_to_noise())
    gates.reopen(plan.forced)
    images = images_for(network)
    before = gated_scores(network, gates.means(), images)
    moved, gates = gates.moved(plan, 0.0)
    assert list(gates.mean) == list(gates.log_variance) == [e for e, _ in edge_keys(moved)]
    assert all(len(gates.mean[edge]) == n for edge, n in edge_keys(moved))
    after = gated_scores(moved, gates.means(), images)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)
    slim = scores_side_by_side(scale_readers(moved, gates.means()), images)
    torch.testing.assert_close(slim, before, atol=1e-5, rtol=0)


def test_weights_of_gates_follow_the_executed_share():
    a, ab, abc = frozenset("A"), frozenset("AB"), frozenset("ABC")
    weigh = dict(leaving=0.9, settled=0.75)
    assert edge_weight(("f3", ab, a), 2, **weigh) == pytest.approx(0.6)
    assert edge_weight(("f3", a, a), 2, **weigh) == pytest.approx(0.5)
    assert edge_weight(("f3", ab, ab), 2, **weigh) == 1
    assert edge_weight(("f3", abc, ab), 3, **weigh) == pytest.approx(0.9 * 6 / 7)
    assert edge_weight(("f3", a, a), 1, **weigh) == 1


def test_steps_are_divided_by_the_number_of_tasks_inside_the_block_only():
    network = merge(make_networks(), "all_shared", DATA, seed=0, retrain={"stages": []})
    gradients = []
    for block in (nullcontext(), divided_steps(network), nullcontext()):
        network.zero_grad()
        with block:
            sum(x.sum() for x in network(images_for(network)).values()).backward()
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters()})
    plain, divided, again = gradients
    for name, gradient in plain.items():
        n = 2 if ".shared." in name else 1
        torch.testing.assert_close(divided[name], gradient / n)
        assert torch.equal(again[name], gradient)


def test_a_share_of_an_epoch_is_drawn_anew_from_the_training_part():
    some, same, other = (portion(DATA, 0.5, seed) for seed in (1, 1, 2))
    assert len(some.train) == len(DATA.train) // 2
    assert torch.equal(some.train.images, same.train.images)
    assert not torch.equal(some.train.images, other.train.images)
    assert portion(DATA, 1.0, 1) is DATA


# The pruners.


PENALTY = {"stages": [{"epochs": 4, "learning_rate": 0.05}], "batch_size": 16}
OPTIONS = {
    "vibnet": {"kl_factor": 0.01, "penalty": PENALTY},
    "taylor": {"interval": 2, "event_fraction": 0.1, "batch_size": 16},
}
STRENGTHS = {"vibnet": [2.0, 8.0, 32.0], "taylor": [0.2, 0.5, 0.8]}
both = pytest.mark.parametrize("method", list(OPTIONS))


def pruned(network, method, options_of, **options):
    settings = {**OPTIONS[options_of], **options}
    return list(
        prune_progressively(network, method, DATA, STRENGTHS[options_of], seed=3, **settings)
    )


@both
def test_networks_that_share_nothing_are_pruned_by_the_ordinary_pruner(method):
    network = side_by_side(make_networks("ABC"))
    pairs = zip(pruned(network, f"{method}_readers", method), pruned(network, method, method),
                strict=True)  # fmt: skip
    for ours, theirs in pairs:
        assert same_bits(ours.network, theirs.network)
        assert ours.curve == theirs.curve


@both
def test_groups_are_learned_and_no_combination_ever_costs_more(method):
    network = merge(make_networks("ABC"), "all_shared", DATA, seed=1, retrain=SHORT)
    smallest, before = 3, network
    for result in pruned(network, f"{method}_readers", method):
        for combination in network.combinations():
            assert paper_flops(result.network, combination) <= paper_flops(before, combination)
        hidden = [result.network.widths[layer] for layer in network.hidden_layers]
        smallest = min(smallest, *(len(group) for widths in hidden for group in widths))
        before = result.network
    assert smallest < 3


@both
def test_residual_networks_are_refused(method):
    networks = {t: build("resnet18", SHAPE, 2, task=t, width=0.03, stem="small") for t in "AB"}
    network = merge(networks, "all_shared", make_data(B=[2, 3]), seed=0, retrain={"stages": []})
    with pytest.raises(ConfigError, match=f"{method}_readers prunes networks whose layers follow"):
        pruned(network, f"{method}_readers", method)
