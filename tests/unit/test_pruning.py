"""The one entrance to pruning: components, strengths, seeds, and what it refuses."""

import copy

import pytest

from pam.errors import ConfigError, DivergenceError, ShapeError
from pam.merging import merge
from pam.networks import Assembly, GroupedNetwork
from pam.pruning import prune, prune_progressively
from tests.small import (
    LAYERS,
    SHORT,
    make_data,
    make_network,
    make_networks,
    own_part,
    same_bits,
    share_some,
    shared_units,
    side_by_side,
    total_units,
)

DATA = make_data(tasks="ABC")
PENALTY = {"stages": [{"epochs": 2, "learning_rate": 0.05}], "batch_size": 16}
OPTIONS = {
    "vibnet": {"kl_factor": 0.02, "penalty": PENALTY, "fine_tune": SHORT},
    "taylor": {"interval": 2, "event_fraction": 0.1, "batch_size": 16, "fine_tune": SHORT},
}
STRENGTHS = {"vibnet": [0.5, 1.5], "taylor": [0.2, 0.5]}
both = pytest.mark.parametrize("method", ["vibnet", "taylor"])


def run(network, method, strengths=None, data=DATA, seed=3, **options):
    strengths = STRENGTHS[method] if strengths is None else strengths
    settings = {**OPTIONS[method], **options}
    return list(prune_progressively(network, method, data, strengths, seed=seed, **settings))


@both
def test_networks_that_share_nothing_are_pruned_exactly_as_each_alone(method):
    networks = make_networks("ABC")
    together = run(merge(networks, "none", DATA), method)
    fewer = False
    for task, network in networks.items():
        alone = run(network, method)
        for whole, own in zip(together, alone, strict=True):
            assert whole.strength == own.strength
            assert same_bits(own_part(whole.network, task), own_part(own.network, task))
            rows = [r for r in whole.curve if set(r["validation_accuracy"]) == {task}]
            assert rows == own.curve
            fewer |= total_units(own.network) < total_units(network)
    assert fewer


@both
def test_a_part_that_shares_something_is_pruned_as_if_the_rest_were_not_there(method):
    networks = make_networks("ABC")
    pair = share_some({task: networks[task] for task in "AB"})
    whole = Assembly.unite([Assembly.of(pair), Assembly.of(networks["C"])]).network()
    together = run(whole, method)
    for result, ours, theirs in zip(together, run(pair, method), run(networks["C"], method),
                                    strict=True):  # fmt: skip
        left = Assembly.of(result.network).restrict("AB").network()
        assert same_bits(left, Assembly.of(ours.network).network())
        assert same_bits(own_part(result.network, "C"), own_part(theirs.network, "C"))


@both
def test_another_seed_gives_another_network(method):
    network = share_some(make_networks())
    one, other = run(network, method), run(network, method, seed=4)
    assert not same_bits(one[-1].network, other[-1].network)


def test_whole_numbers_are_the_same_strengths():
    whole, same = (run(make_network(), "vibnet", [one])[0].network for one in (1, 1.0))
    assert same_bits(whole, same)


@both
def test_results_are_networks_of_their_own_and_all_hold_still(method):
    """The network that is given, too."""
    network = share_some(make_networks())
    before, mode, settings = copy.deepcopy(network), network.training, OPTIONS[method]
    results, copies = [], []
    for result in prune_progressively(network, method, DATA, STRENGTHS[method], seed=3, **settings):
        results.append(result.network)
        copies.append(copy.deepcopy(result.network))
    assert all(same_bits(one, two) for one, two in zip(results, copies, strict=True))
    for result in results:
        assert isinstance(result, GroupedNetwork)
        assert not result.training
        assert result.tasks == network.tasks
        assert not any(p.requires_grad is False for p in result.parameters())
    assert same_bits(network, before) and network.training == mode
    assert all(p.grad is None for p in network.parameters())


@both
def test_only_the_shared_groups_if_asked(method):
    network = share_some(make_networks())
    strengths = {"vibnet": [100.0], "taylor": [0.9]}[method]
    (result,) = run(network, method, strengths, prune_groups="shared")
    for layer in LAYERS:
        ours, before = result.network.groups()[layer], network.groups()[layer]
        assert {name: ours[name] for name in "AB"} == {name: before[name] for name in "AB"}
        assert method == "vibnet" or ours.get("shared", 0) <= 1
    assert shared_units(result.network) < shared_units(network)


@both
def test_without_merging_the_shared_rule_prunes_every_network_whole(method):
    network = side_by_side(make_networks())
    whole, shared = run(network, method), run(network, method, prune_groups="shared")
    assert same_bits(whole[-1].network, shared[-1].network)


@both
def test_the_curve_tells_every_epoch_and_its_phase(method):
    rows = [row for result in run(make_network(), method) for row in result.curve]
    penalty = ["prune"] * 2 if method == "vibnet" else []
    assert [row["phase"] for row in rows] == [*penalty, "fine_tune"] * 2
    assert {"stage", "epoch", "learning_rate", "loss", "validation_accuracy"} < set(rows[0])


@both
def test_one_strength_in_one_call(method):
    network = share_some(make_networks())
    strength = STRENGTHS[method][0]
    pruned = prune(network, method, DATA, strength=strength, seed=3, **OPTIONS[method])
    assert same_bits(pruned, run(network, method)[0].network)


@both
@pytest.mark.parametrize(
    "strengths",
    [[], [0.0], [-1.0], [0.2, 0.2], [0.5, 0.2], [float("nan")], [float("inf")], ["much"]],
)
def test_strengths_rise_from_above_zero(method, strengths):
    with pytest.raises(ConfigError, match="strengths must be"):
        run(make_network(), method, strengths)


def test_taylor_does_not_remove_everything():
    with pytest.raises(ConfigError, match=r"taylor\.strengths\[1\]: must be less than 1, not 1"):
        run(make_network(), "taylor", [0.5, 1.0])


@both
def test_a_bad_fine_tuning_schedule_is_refused(method):
    with pytest.raises(ConfigError, match=r"fine_tune': epochs: unknown key"):
        run(make_network(), method, fine_tune={"stages": [], "epochs": 3})


def test_a_network_that_does_not_fit_the_data_is_refused():
    with pytest.raises(ShapeError, match="task 'A' has 3 outputs"):
        run(make_network(outputs=3), "taylor")
    with pytest.raises(ShapeError, match="task 'A' has 3 outputs"):
        run(make_network(outputs=3), "vibnet")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("vibnet", {"penalty": {"stages": [{"epochs": 2, "learning_rate": 1e30}]}}),
        ("taylor", {"learning_rate": 1e30, "interval": 4}),
    ],
)
def test_a_loss_that_is_not_finite_ends_the_run(method, options):
    with pytest.raises(DivergenceError, match="the loss became"):
        run(make_network(), method, **options)
