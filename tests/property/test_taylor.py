"""Taylor importance against gradients taken another way, and the order in which units go."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F

from pam.networks import Assembly
from pam.pruning.importance import Importance
from pam.pruning.taylor import taylor
from pam.pruning.units import connected, remove, unit_keys
from pam.training import Schedule, Stage, fit, multitask_loss
from pam.training.loop import descend, nesterov
from tests.examples import examples
from tests.random_networks import images_for, networks
from tests.small import (
    LAYERS,
    make_data,
    make_network,
    make_networks,
    scores_of,
    share_some,
    total_units,
)

few = examples(10)
many = examples(25)
A = frozenset("A")


def labels_for(network, samples, seed=0):
    generator = torch.Generator().manual_seed(seed + 7)
    return {
        task: torch.randint(0, 2, (samples, outputs), generator=generator) * 2.0 - 1
        for task, outputs in network.tasks.items()
    }


def observed(network, *batches, criterion="squared"):
    """Scores after one interval over the given (images, labels)."""
    importance = Importance(network, criterion, momentum=0.9)
    for images, labels in batches:
        network.zero_grad()
        multitask_loss(network(images, gate=importance), labels).backward()
        importance.observe()
    importance.close_interval()
    return importance.scores()


def scored(network, images, labels, momentum=0.9):
    """The importance after an interval of one batch."""
    importance = Importance(network, "squared", momentum)
    score_again(importance, network, images, labels)
    return importance


def score_again(importance, network, images, labels):
    network.zero_grad()
    multitask_loss(network(images, gate=importance), labels).backward()
    importance.observe()
    importance.close_interval()


def batch_of(network, samples=5, seed=0):
    return images_for(network, samples, seed), labels_for(network, samples, seed)


def assert_equal_scores(ours, theirs):
    assert list(ours) == list(theirs)
    largest = max((s.max().item() for s in theirs.values()), default=0.0)
    for key, scores in ours.items():
        torch.testing.assert_close(scores, theirs[key], rtol=1e-4, atol=1e-4 * largest)


# Scores.


@few
@given(networks())
def test_gates_of_one_change_no_bit(network):
    images = images_for(network)
    importance = Importance(network, "squared", 0.9)
    plain, gated = network(images), network(images, gate=importance)
    assert all(torch.equal(gated[task], plain[task]) for task in plain)


@few
@given(networks())
def test_the_score_is_the_squared_gradient_of_the_activation_times_itself(network):
    """dE/dz = sum over samples and positions of dE/dout * out, taken from retained activations."""
    images, labels = batch_of(network)
    seen = {}

    def keep(layer, group, x):
        x.retain_grad()
        seen[layer, group] = x
        return x

    multitask_loss(network(images, gate=keep), labels).backward()
    expected = {}
    for key, units in unit_keys(network):
        x = seen[key]
        gradient = torch.zeros_like(x) if x.grad is None else x.grad
        axes = [axis for axis in range(x.ndim) if axis != 1]
        expected[key] = (gradient * x.detach()).double().sum(axes).square()
        assert expected[key].shape == (units,)
    assert_equal_scores(observed(network, (images, labels)), expected)


@few
@given(networks(largest=3))
def test_the_absolute_criterion_is_the_root_of_the_squared_one_for_a_single_batch(network):
    batch = batch_of(network)
    squared, absolute = observed(network, batch), observed(network, batch, criterion="absolute")
    assert_equal_scores({key: s.square() for key, s in absolute.items()}, squared)


@pytest.mark.parametrize("layer", LAYERS)
def test_without_bias_the_score_is_the_squared_sum_of_weights_times_gradients(layer):
    network = make_network()
    with torch.no_grad():
        network.blocks[layer]["A"].bias.zero_()
    images, labels = batch_of(network, 8)
    scores = observed(network, (images, labels))
    network.zero_grad()
    multitask_loss(network(images), labels).backward()
    weight = network.blocks[layer]["A"].weight
    expected = (weight * weight.grad).double().flatten(1).sum(1).square()
    torch.testing.assert_close(scores[layer, A], expected, rtol=1e-4, atol=1e-9)


def test_the_gradient_is_the_slope_of_the_loss_in_the_gate():
    network = make_network().double()
    images, labels = batch_of(network, 8)
    images, labels = images.double(), {"A": labels["A"].double()}

    def loss(layer, unit, z):
        def gate(at, group, x):
            factor = torch.ones(x.shape[1], dtype=x.dtype)
            if at == layer:
                factor[unit] = z
            return x * factor.reshape(1, -1, *[1] * (x.ndim - 2))

        with torch.no_grad():
            return multitask_loss(network(images, gate=gate), labels).item()

    scores = observed(network, (images, labels), criterion="absolute")
    for (layer, _), values in scores.items():
        for unit, score in enumerate(values.tolist()):
            slope = (loss(layer, unit, 1.0) - loss(layer, unit, 1 - 1e-6)) / 1e-6
            assert abs(slope) == pytest.approx(score, rel=1e-2, abs=1e-5)


def test_opposite_gradients_in_a_batch_cancel_before_squaring():
    """With the same image labelled +1 and -1 and a score of 0, the two gradients cancel."""
    network = make_network("B")
    last = network.blocks["f5"]["B"]
    images = images_for(network, 1).repeat(2, 1, 1, 1)
    with torch.no_grad():
        hidden = torch.atanh(network(images)["B"][0])
        last.bias.sub_(hidden)
    labels = {"B": torch.tensor([[1.0], [-1.0]])}
    together = observed(network, (images, labels))
    apart = [observed(network, (images[:1], {"B": labels["B"][i : i + 1]})) for i in range(2)]
    assert max(s.max() for s in apart[0].values()) > 1e-3
    for key, scores in together.items():
        assert scores.max() < 1e-9
        torch.testing.assert_close(apart[0][key], apart[1][key], rtol=1e-3, atol=1e-9)


def test_dead_units_score_zero_and_go_first():
    network = make_network()
    with torch.no_grad():
        network.blocks["f3"]["A"].weight[2].zero_()
        network.blocks["f3"]["A"].bias[2] = -1.0
        network.blocks["f5"]["A"].weight[:, 1].zero_()
    batch = batch_of(network, 32)
    scores = observed(network, batch)
    assert scores["f3", A][2] == 0
    assert scores["f4", A][1] == 0
    importance = scored(network, *batch)
    dead = sum(int((s == 0).sum()) for s in scores.values())
    importance.switch_off(dead, ())
    alive = importance.alive()
    assert not alive["f3", A][2]
    assert not alive["f4", A][1]
    with torch.no_grad():
        assert torch.equal(network(batch[0], gate=importance)["A"], network(batch[0])["A"])


# Averages.


def step(importance, gradients):
    """One minibatch in which the loss is linear in the gates, with given gradients."""
    x = torch.ones(1, len(gradients))
    (importance("f3", A, x) * torch.tensor(gradients)).sum().backward()
    importance.observe()


def linear_importance(criterion="squared", momentum=0.9):
    importance = Importance(make_network(widths=(1, 1, 3, 1)), criterion, momentum)
    return importance, lambda: importance.scores()["f3", A].tolist()


gradient_lists = st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3)
intervals = st.lists(st.lists(gradient_lists, min_size=1, max_size=4), min_size=1, max_size=4)


@many
@given(intervals, st.sampled_from(["squared", "absolute"]), st.sampled_from([0.0, 0.5, 0.9]))
def test_scores_are_means_over_an_interval_smoothed_over_intervals(rows, criterion, momentum):
    importance, scores = linear_importance(criterion, momentum)
    power = 2 if criterion == "squared" else 1
    expected = None
    for interval in rows:
        for gradients in interval:
            step(importance, gradients)
        importance.close_interval()
        means = [
            sum(abs(gradients[unit]) ** power for gradients in interval) / len(interval)
            for unit in range(3)
        ]
        if expected is None:
            expected = means
        else:
            expected = [
                momentum * old + (1 - momentum) * mean
                for old, mean in zip(expected, means, strict=True)
            ]
        assert scores() == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_a_known_sequence_has_the_known_average():
    importance, scores = linear_importance()
    step(importance, [1.0, 2.0, 0.0])
    step(importance, [3.0, 2.0, 0.0])
    importance.close_interval()
    assert scores() == [5.0, 4.0, 0.0]
    step(importance, [0.0, 2.0, 1.0])
    importance.close_interval()
    assert scores() == pytest.approx([4.5, 4.0, 0.1])


def test_a_unit_that_is_off_scores_zero_and_keeps_its_last_score():
    importance, scores = linear_importance()
    step(importance, [1.0, 2.0, 3.0])
    importance.close_interval()
    keys = [key for key in importance.alive() if key[0] != "f3"]
    assert len(keys) == 3
    # The units of the other layers have no gradient at all, so they go before any of f3.
    importance.switch_off(4, ())
    assert scores() == [0.0, 4.0, 9.0]
    step(importance, [1.0, 2.0, 3.0])
    importance.close_interval()
    assert scores() == pytest.approx([0.0, 4.0, 9.0])
    assert importance.last_scores()["f3", A].tolist() == pytest.approx([1.0, 4.0, 9.0])


# Selection.


@many
@given(networks(largest=3), st.integers(1, 12), st.integers(0, 4), st.data())
def test_the_lowest_scores_of_all_layers_go_and_never_come_back(network, count, events, data):
    importance = Importance(network, "squared", 0.9)
    everyone = list(dict(unit_keys(network)))
    spared = set(data.draw(st.lists(st.sampled_from([g for _, g in everyone]), max_size=2)))
    gone = set()
    competing = sum(n for (_, g), n in unit_keys(network) if g not in spared)
    for event in range(events):
        score_again(importance, network, *batch_of(network, seed=event))
        scores = importance.scores()
        ranked = sorted(
            (score, place, unit)
            for place, key in enumerate(everyone)
            if key[1] not in spared
            for unit, score in enumerate(scores[key].tolist())
            if (place, unit) not in gone
        )
        gone |= {(place, unit) for _, place, unit in ranked[:count]}
        importance.switch_off(count, spared)
        off = {
            (place, unit)
            for place, key in enumerate(everyone)
            for unit, on in enumerate(importance.alive()[key].tolist())
            if not on
        }
        assert off == gone
        assert len(off) == min((event + 1) * count, competing)


def test_gates_are_not_trained_and_stay_zero_or_one():
    network, data = make_network(), make_data()
    importance = Importance(network, "squared", 0.9)
    optimiser = nesterov(network, 0.05, Schedule((), 16))
    held = {id(parameter) for parameter in optimiser.parameters}
    assert held == {id(p) for p in network.parameters()}
    images = data.normalise(data.train.images[:16])
    labels = {"A": data.task_labels(data.train, "A")[:16].float()}
    for _ in range(3):
        for _ in range(4):
            descend(network, optimiser, images, labels, importance)
            importance.observe()
        importance.close_interval()
        importance.switch_off(2, ())
    alive = importance.alive()
    assert sum(int((~mask).sum()) for mask in alive.values()) == 6
    for (layer, group), mask in alive.items():
        x = torch.rand(2, len(mask), 1, 1) + 1
        expected = x * mask.reshape(1, -1, 1, 1)
        assert torch.equal(importance(layer, group, x), expected)


def test_weights_into_a_unit_that_is_off_feel_no_gradient():
    network = make_network()
    images, labels = batch_of(network, 16)
    importance = scored(network, images, labels)
    importance.switch_off(6, ())
    network.zero_grad()
    multitask_loss(network(images, gate=importance), labels).backward()
    off = 0
    for (layer, _), mask in importance.alive().items():
        gradient = network.blocks[layer]["A"].weight.grad
        assert not gradient[~mask].any()
        off += int((~mask).sum())
    assert off == 6


@many
@given(networks(), st.integers(0, 8))
def test_switched_off_equals_removed(network, count):
    images, labels = batch_of(network)
    importance = scored(network, images, labels)
    importance.switch_off(count, ())
    alive = importance.alive()
    keep = connected(network, alive, importance.last_scores())
    # A unit that was brought back to keep the network connected has no gate of zero to compare.
    assume(all(bool((keep[key] <= alive[key]).all()) for key in keep))
    with torch.no_grad():
        gated = network(images, gate=importance)
    for task, score in scores_of(remove(network, keep), images).items():
        torch.testing.assert_close(score, gated[task], atol=1e-5, rtol=0)


# The pruner.

QUICK = {"interval": 2, "event_fraction": 0.1, "batch_size": 16}


def pruned(network, data, strengths, **options):
    return [
        replace(one, network=copy.deepcopy(one.network))
        for one in taylor(network, data, strengths, seed=0, **{**QUICK, **options})
    ]


def test_a_strength_is_the_fraction_of_units_removed():
    network, data = make_network(widths=(8, 10, 12, 10)), make_data()
    for run in pruned(network, data, [0.1, 0.25, 0.5]):
        assert total_units(run.network) == round((1 - run.strength) * 40)
    (run,) = pruned(network, data, [0.25])
    assert total_units(run.network) == 30


def test_smaller_networks_are_parts_of_larger_ones():
    network, data = share_some(make_networks(widths=(4, 6, 10, 8))), make_data()
    runs = pruned(network, data, [0.1, 0.3, 0.6, 0.9])
    for larger, smaller in zip([network, *(r.network for r in runs)], [r.network for r in runs],
                               strict=False):  # fmt: skip
        for layer in LAYERS:
            before = larger.groups()[layer]
            assert all(n <= before[group] for group, n in smaller.groups()[layer].items())


def test_no_training_is_a_choice_by_score_alone():
    """With a learning rate of (nearly) zero, what stays keeps its weights."""
    network, data = make_network(), make_data()
    (run,) = pruned(network, data, [0.4], learning_rate=1e-30)
    before, after = Assembly.of(network), Assembly.of(run.network)
    for layer in LAYERS:
        rows = before.biases[layer].tolist()
        assert set(after.biases[layer].tolist()) <= set(rows)
    assert total_units(run.network) < total_units(network)


def test_where_a_layer_would_be_empty_the_last_to_go_is_kept():
    """All units of c1 matter hardly at all: they all go, and the best of them comes back."""
    network = make_network(seed=3, widths=(3, 4, 6, 5))
    keep = {("c1", A): torch.zeros(3).bool()}
    keep |= {(layer, A): torch.ones(n).bool() for layer, n in (("c2", 4), ("f3", 6), ("f4", 5))}
    scores = {key: torch.zeros(len(mask)) for key, mask in keep.items()}
    scores["c1", A] = torch.tensor([0.1, 0.3, 0.2])
    assert connected(network, keep, scores)["c1", A].tolist() == [False, True, False]

    data = make_data()
    with torch.no_grad():
        network.blocks["c1"]["A"].weight.mul_(1e-3)
        network.blocks["c1"]["A"].bias.zero_()
    images, labels = data.normalise(data.train.images), data.task_labels(data.train, "A").float()
    best = int(observed(network, (images, {"A": labels}))["c1", A].argmax())
    assert best != 0, "the lowest index would be right by chance"
    (run,) = pruned(network, data, [0.9], learning_rate=1e-30, batch_size=64, interval=1,
                    event_fraction=0.05)  # fmt: skip
    assert run.network.groups()["c1"] == {"A": 1}
    kept = run.network.blocks["c1"]["A"].weight[0]
    assert torch.equal(kept, network.blocks["c1"]["A"].weight[best])


def test_importance_ranks_like_the_true_change_of_the_loss():
    """The estimate is first order; over all units it still goes with what it estimates."""
    network, data = make_network(widths=(4, 6, 12, 10)), make_data(128)
    fit(network, data, Schedule((Stage(5, 0.05),), 16), 0)
    images = data.normalise(data.train.images)
    labels = {"A": data.task_labels(data.train, "A").float()}
    scores = observed(network, (images, labels))

    def loss(off=None):
        def gate(layer, group, x):
            if off is None or off[0] != layer:
                return x
            factor = torch.ones(x.shape[1])
            factor[off[1]] = 0
            return x * factor.reshape(1, -1, *[1] * (x.ndim - 2))

        with torch.no_grad():
            return F.mse_loss(network(images, gate=gate)["A"], labels["A"]).item()

    base = loss()
    pairs = [
        (score, (loss((layer, unit)) - base) ** 2)
        for (layer, _), values in scores.items()
        for unit, score in enumerate(values.tolist())
    ]
    ranks = torch.tensor(pairs).argsort(0).argsort(0).double()
    assert torch.corrcoef(ranks.T)[0, 1] > 0.5
