"""The controls and peers: random groups, ZipIt!, filter norm, random pruning."""

import pytest
import torch

from pam.merging import merge
from pam.networks import build
from pam.plugins.l1_pruner import relative_norms
from pam.plugins.scratch import extended
from pam.pruning import CostPath, prune_by_score, prune_progressively, unit_keys
from pam.training import schedule_from
from tests.small import (
    LAYERS,
    SHAPE,
    SHORT,
    STILL,
    WIDTHS,
    make_data,
    make_network,
    make_networks,
    same_bits,
    scores_of,
    share_some,
    total_units,
)

DATA = make_data(96, tasks="ABC")
OF_PAM = {"samples": 48, "alpha": 0.9}


def residual(task, seed=0):
    outputs = len(DATA.tasks[task])
    return build("resnet18", SHAPE, outputs, task=task, seed=seed, width=0.05, stem="small")


# Merger: random


@pytest.mark.parametrize("options", [{}, {"alpha": 0.5, "removed": "drop"}, {"layers": ["f4"]}])
def test_random_groups_have_the_sizes_of_pam(options):
    networks, settings = make_networks("ABC"), {**OF_PAM, **options}
    found = merge(networks, "random", DATA, retrain=STILL, **settings)
    assert found.widths == merge(networks, "pam", DATA, retrain=STILL, **settings).widths


def test_a_layerwise_search_is_repeated_with_its_retraining():
    networks, settings = make_networks(), {**OF_PAM, "layerwise": True, "retrain": SHORT}
    found = merge(networks, "random", DATA, **settings)
    assert found.widths == merge(networks, "pam", DATA, **settings).widths
    assert len(found.notes["curve"]) == 1


def test_random_groups_are_drawn_from_all_units_with_the_seed():
    networks = make_networks(widths=(4, 8, 30, 20))
    settings = {**OF_PAM, "alpha": 0.5, "retrain": STILL}
    one, again, other = (merge(networks, "random", DATA, seed=n, **settings) for n in (0, 0, 1))
    assert same_bits(one, again)
    assert not same_bits(one, other)
    of_pam = merge(networks, "pam", DATA, seed=0, **settings)
    assert one.widths == of_pam.widths
    assert not same_bits(one, of_pam)


RESIDUAL = {task: residual(task, seed).eval() for seed, task in enumerate("AB")}


@pytest.mark.parametrize(
    ("networks", "atol"), [(make_networks("ABC"), 1e-5), (RESIDUAL, 1e-4)], ids=["chain", "stages"]
)
def test_random_groups_keep_weights_where_wires_stay(networks, atol):
    """Where all layers are shared whole, the draw only changes the order of units."""
    found = merge(networks, "random", DATA, samples=48, layers=[], retrain=STILL)
    images = DATA.normalise(DATA.test.images)
    for task, network in networks.items():
        assert torch.allclose(
            scores_of(found, images)[task], scores_of(network, images)[task], atol=atol
        )


# Merger: joint


@pytest.mark.parametrize(("width", "times"), [("one", 1), ("all", 3)])
def test_joint_training_uses_nothing_of_the_networks_but_their_widths(width, times):
    networks = make_networks("ABC")
    one = merge(networks, "joint", DATA, width=width, train=SHORT)
    others = {task: make_network(task, seed=99) for task in "ABC"}
    assert same_bits(one, merge(others, "joint", DATA, width=width, train=SHORT))
    assert not same_bits(one, merge(networks, "joint", DATA, seed=1, width=width, train=SHORT))
    assert not same_bits(one, merge(networks, "joint", DATA, width=width, train=STILL))
    for layer, units in zip(LAYERS, WIDTHS, strict=True):
        assert one.groups()[layer] == {"shared": times * units}
    assert len(one.notes["curve"]) == 1


def test_joint_training_starts_from_weights_that_keep_signals_alive():
    found = merge(make_networks(widths=(40, 3, 6, 5)), "joint", DATA, width="all", train=STILL)
    assert float(found.blocks["c2"]["shared"].weight.var() * 80 * 25) == pytest.approx(1, abs=0.1)
    assert not any(bool(p.any()) for n, p in found.named_parameters() if n.endswith("bias"))


# Merger: zipit


@pytest.mark.parametrize("tasks", ["AB", "ABC"])
@pytest.mark.parametrize("within", [0, 0.5, 1])
def test_zipit_leaves_one_network_of_the_same_width_and_trains_nothing(tasks, within):
    found = merge(make_networks(tasks), "zipit", DATA, samples=48, within=within)
    for layer, width in zip(LAYERS, WIDTHS, strict=True):
        assert found.groups()[layer] == {"shared": width}
    assert found.notes["curve"] == []
    assert list(found.tasks) == list(tasks)


def test_zipit_trains_if_asked_to():
    found = merge(make_networks(), "zipit", DATA, samples=48, retrain=SHORT)
    assert len(found.notes["curve"]) == 1


def test_zipit_works_for_residual_networks():
    networks = {task: residual(task, seed) for seed, task in enumerate("ABC")}
    found = merge(networks, "zipit", DATA, samples=48)
    single = networks["A"].groups()
    for layer in found.hidden_layers:
        assert found.groups()[layer] == {"shared": single[layer]["A"]}
    images = DATA.normalise(DATA.test.images)
    assert all(bool(scores.isfinite().all()) for scores in scores_of(found, images).values())


# Pruners


def prune(network, method, strengths=(0.3, 0.6), **options):
    settings = {"fine_tune": STILL, **options}
    return list(prune_progressively(network, method, DATA, strengths, **settings))


@pytest.mark.parametrize("method", ["l1", "random"])
def test_a_strength_is_the_fraction_of_hidden_units_removed(method):
    network = merge(make_networks("ABC", widths=(6, 9, 30, 25)), "all_shared", DATA, retrain=STILL)
    initial = total_units(network)
    for one in prune(network, method):
        assert total_units(one.network) == round((1 - one.strength) * initial)


@pytest.mark.parametrize("method", ["l1", "random"])
def test_in_scope_layer_every_layer_loses_its_fraction(method):
    network = merge(make_networks("ABC", widths=(6, 9, 30, 25)), "all_shared", DATA, retrain=STILL)
    for one in prune(network, method, scope="layer"):
        for layer, groups in network.groups().items():
            if layer in network.hidden_layers:
                left = round((1 - one.strength) * groups["shared"])
                assert one.network.groups()[layer] == {"shared": left}


@pytest.mark.parametrize("method", ["l1", "random"])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_spared_groups_lose_nothing(method, scope):
    network = share_some(make_networks("ABC"))
    for one in prune(network, method, scope=scope, prune_groups="shared"):
        for task in "ABC":
            assert total_units(one.network, task) == total_units(network, task)


@pytest.mark.parametrize("method", ["l1", "random"])
def test_residual_networks_are_pruned(method):
    network = merge({t: residual(t) for t in "AB"}, "all_shared", DATA, retrain=STILL)
    images = DATA.normalise(DATA.test.images)
    for one in prune(network, method, strengths=(0.5, 0.9)):
        assert total_units(one.network) < total_units(network)
        assert set(scores_of(one.network, images)) == {"A", "B"}


def scratch(method="scratch", strengths=(1e4, 4e4), network=None, **options):
    network = share_some(make_networks("AB", widths=(4, 6, 9, 8))) if network is None else network
    settings = {"penalty": {**SHORT, "stages": [*SHORT["stages"]] * 2}, "fine_tune": SHORT}
    return list(prune_progressively(network, method, DATA, strengths, **settings, **options))


def test_scratch_has_the_widths_of_vibnet_and_none_of_its_weights():
    pairs = zip(scratch(train=STILL, seed=3), scratch("vibnet", seed=3), strict=True)
    for new, old in pairs:
        assert new.network.widths == old.network.widths
        ours, theirs = (
            {value for t in one.network.parameters() for value in t.flatten().tolist() if value}
            for one in (new, old)
        )
        assert ours.isdisjoint(theirs)
    assert total_units(old.network) < 2 * (4 + 6 + 9 + 8)


def test_scratch_trains_for_as_many_epochs_as_what_it_stands_beside():
    train = {"stages": [{"epochs": 3, "learning_rate": 0.02}], "batch_size": 16}
    new, old = scratch(train=train), scratch("vibnet")
    for number, (one, other) in enumerate(zip(new, old, strict=True), start=1):
        rates = [row["learning_rate"] for row in one.curve]
        # The penalty of VIBNet; then what was before pruning and the penalty so far; fine-tuning.
        assert rates == [0.05] * 2 + [0.02] * 3 + [0.05] * 2 * number + [0.05]
        assert [row["phase"] for row in one.curve].count("fine_tune") == 1
        assert [row["learning_rate"] for row in other.curve] == [0.05] * 3


def test_scratch_trains_no_network_that_is_not_taken():
    network = make_network("A")
    path = CostPath([1.0, 2.0, 4.0], total_units, {"A": 1.0}, stop_drop=100, cost_ratio=0.01)
    (last,) = scratch(strengths=path, network=network, train=STILL)
    assert last.strength == 4.0
    assert len(last.curve) == 3 * 2 + 3 * 2 + 1


def test_further_epochs_of_one_rate_are_one_stage():
    schedule = schedule_from({"stages": [{"epochs": 2, "learning_rate": 0.1}], "batch_size": 8})
    found = extended(schedule, [0.1, 0.1, 0.2, 0.1])
    stages = [(stage.epochs, stage.learning_rate) for stage in found.stages]
    assert stages == [(2, 0.1), (2, 0.1), (1, 0.2), (1, 0.1)]
    assert (found.batch_size, found.momentum) == (schedule.batch_size, schedule.momentum)


def test_the_norm_of_a_unit_is_the_sum_of_its_absolute_weights_over_the_mean_of_its_layer():
    network = share_some(make_networks("ABC"))
    found = relative_norms(network)
    for layer in LAYERS:
        slow = {}
        for group in network.widths[layer]:
            weight = network.blocks[layer][network.group_name(group)].weight
            slow[group] = [sum(map(abs, row.flatten().tolist())) for row in weight.detach()]
        every = [norm for norms in slow.values() for norm in norms]
        mean = sum(every) / len(every)
        for group, norms in slow.items():
            wanted = torch.tensor([norm / mean for norm in norms], dtype=torch.float64)
            assert torch.allclose(found[layer, group], wanted, rtol=1e-6)


def test_l1_removes_the_units_of_smallest_norm():
    network = make_network("A", widths=(2, 3, 6, 5))
    with torch.no_grad():
        network.blocks["f4"]["A"].weight[[1, 3]] *= 1e-3
        network.blocks["f3"]["A"].weight[4] *= 1e-3
    (one,) = prune(network, "l1", strengths=[3 / 16])
    assert one.network.groups() == {
        **{"c1": {"A": 2}, "c2": {"A": 3}, "f3": {"A": 5}},
        **{"f4": {"A": 3}, "f5": {"A": 2}},
    }
    kept = network.blocks["f4"]["A"].weight[[0, 2, 4]]
    kept = kept[:, [0, 1, 2, 3, 5]]
    assert torch.equal(one.network.blocks["f4"]["A"].weight, kept)


def test_random_pruning_takes_every_unit_sooner_or_later():
    network = make_network("A", widths=(3, 3, 6, 5))
    layer, width = "f3", 6
    before = network.blocks[layer]["A"].bias
    seen = set()
    for seed in range(40):
        (one,) = prune(network, "random", strengths=[0.5], seed=seed)
        seen.update(one.network.blocks[layer]["A"].bias.tolist())
    assert seen == set(before.tolist())
    assert len(seen) == width


def test_ties_of_a_score_go_to_the_earlier_layer_and_index():
    network = make_network("A", widths=(2, 3, 6, 5))

    def equal(current, strength):
        return {key: torch.zeros(units) for key, units in unit_keys(current)}

    (one,) = prune_by_score(network, [0.25], equal)
    # Four units go: both of c1, of which the first comes back to keep the network connected.
    assert one.network.groups()["c1"] == {"A": 1}
    assert one.network.groups()["c2"] == {"A": 1}
    assert one.network.groups()["f3"] == {"A": 6}
