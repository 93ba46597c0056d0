"""Training: what a step does, what is refused, and that seeds decide everything."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from pam.data import Split
from pam.errors import ConfigError, DataError, DivergenceError, ShapeError
from pam.networks import Assembly, build
from pam.seeds import derive_seed
from pam.training import Schedule, Stage, fit, multitask_loss, schedule_from, task_accuracies
from pam.training.loop import batches
from tests.reference.dense_network import dense_lenet_scores
from tests.small import (
    SHAPE,
    WIDTHS,
    make_data,
    make_network,
    make_networks,
    own_part,
    same_bits,
    share_some,
    side_by_side,
)

TWO_STAGES = Schedule((Stage(2, 0.05), Stage(1, 0.01)), batch_size=16)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    data = make_data()
    networks = [share_some(make_networks()) for _ in range(3)]
    pairs = zip(networks, (5, 5, 6), strict=True)
    curves = [fit(network, data, TWO_STAGES, seed) for network, seed in pairs]
    assert curves[0] == curves[1]
    assert same_bits(networks[0], networks[1])
    assert not same_bits(networks[0], networks[2])


def test_the_global_generator_is_neither_used_nor_changed():
    data = make_data()
    one, two = make_network(), make_network()
    torch.manual_seed(1)
    fit(one, data, TWO_STAGES, 0)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    fit(two, data, TWO_STAGES, 0)
    assert same_bits(one, two)


def test_ten_steps_equal_a_plain_loop_with_nesterov_momentum_written_out():
    data = make_data(160, tasks="A")
    network = make_network()
    plain = Assembly.of(network)
    for kind in (plain.weights, plain.biases):
        kind |= {name: tensor.clone().requires_grad_() for name, tensor in kind.items()}
    parameters = [*plain.weights.values(), *plain.biases.values()]
    velocity = [torch.zeros_like(p) for p in parameters]
    momentum, rate = 0.9, 0.05
    seen = []
    fit(
        network,
        data,
        Schedule((Stage(1, rate),), 16, momentum),
        seed=3,
        gate=lambda layer, group, x: x,
        after_step=lambda: seen.append(1),
    )
    assert len(seen) == 10
    order = torch.Generator().manual_seed(derive_seed("epoch", 3, 0))
    for images, labels in batches(data, data.train, 16, order):
        loss = ((dense_lenet_scores(plain, images) - labels["A"]) ** 2).mean()
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, v, gradient in zip(parameters, velocity, gradients, strict=True):
                v.mul_(momentum).add_(gradient)
                p -= rate * (gradient + momentum * v)
    trained = Assembly.of(network)
    for ours, theirs in ((trained.weights, plain.weights), (trained.biases, plain.biases)):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_the_loss_is_the_sum_over_tasks_of_means():
    generator = torch.Generator().manual_seed(0)
    scores = {t: torch.rand(4, n, generator=generator) for t, n in (("A", 3), ("B", 1))}
    labels = {t: torch.where(s > 0.5, 1.0, -1.0) for t, s in scores.items()}
    expected = 0.0
    for task, width in (("A", 3), ("B", 1)):
        squares = [
            (float(scores[task][i, j]) - float(labels[task][i, j])) ** 2
            for i in range(4)
            for j in range(width)
        ]
        expected += sum(squares) / len(squares)
    assert float(multitask_loss(scores, labels)) == pytest.approx(expected, rel=1e-6)
    assert float(multitask_loss({"B": scores["B"]}, labels)) == pytest.approx(
        float(F.mse_loss(scores["B"], labels["B"]))
    )


def test_the_loss_refuses_labels_that_do_not_fit():
    scores = {"A": torch.zeros(4, 3)}
    with pytest.raises(ShapeError, match=r"task 'A' has 3 outputs.*1 label"):
        multitask_loss(scores, {"A": torch.ones(4, 1)})
    with pytest.raises(ShapeError, match="no labels for task 'A'"):
        multitask_loss(scores, {"B": torch.ones(4, 3)})


def test_training_networks_side_by_side_is_training_each_alone():
    data = make_data(tasks="ABC")
    networks = make_networks("ABC")
    together = side_by_side(networks)
    joint = fit(together, data, TWO_STAGES, seed=1)
    alone = {task: fit(network, data, TWO_STAGES, seed=1) for task, network in networks.items()}
    for task, network in networks.items():
        assert same_bits(own_part(together, task), own_part(network, task))
        for epoch, own in zip(joint, alone[task], strict=True):
            assert epoch.validation_accuracy[task] == own.validation_accuracy[task]
    for number, epoch in enumerate(joint):
        assert epoch.loss == pytest.approx(sum(c[number].loss for c in alone.values()), rel=1e-5)


def test_training_lowers_the_loss_and_reports_every_epoch():
    data = make_data()
    network = make_network()
    curve = fit(network, data, Schedule((Stage(4, 0.05), Stage(2, 0.01)), 16), seed=0)
    assert [(e.stage, e.epoch, e.learning_rate) for e in curve] == [
        *((0, n, 0.05) for n in range(4)),
        *((1, n, 0.01) for n in range(4, 6)),
    ]
    assert curve[-1].loss < 0.8 * curve[0].loss
    assert not network.training
    last = task_accuracies(network, data, data.validation)
    assert curve[-1].validation_accuracy == last


def test_training_under_way_is_watched_on_some_images_and_rated_on_all(monkeypatch):
    monkeypatch.setattr("pam.training.loop.WATCHED", 7)
    data, schedule = make_data(64), Schedule((Stage(2, 0.01),), 16)
    networks = make_network(), make_network()
    (first, last), (_, gated) = (
        fit(network, data, schedule, 0, gate=gate, generators=())
        for network, gate in zip(networks, (None, lambda layer, group, x: x), strict=True)
    )
    assert same_bits(*networks)
    assert last.validation_accuracy == task_accuracies(networks[0], data, data.validation)
    some = replace(data, validation=Split(data.validation.images[:7], data.validation.labels[:7]))
    assert gated.validation_accuracy == task_accuracies(networks[1], some, some.validation)
    assert gated != last
    (early,) = fit(make_network(), some, Schedule((Stage(1, 0.01),), 16), 0)
    assert first.validation_accuracy == early.validation_accuracy


def test_the_test_part_is_never_looked_at():
    data = make_data()
    other = replace(data, test=make_data(seed=12).test)
    one, two = make_network(), make_network()
    assert fit(one, data, TWO_STAGES, 0) == fit(two, other, TWO_STAGES, 0)
    assert same_bits(one, two)


@pytest.mark.parametrize("stages", [(), (Stage(0, 0.1),)])
def test_no_epochs_leave_the_network_as_it_was(stages):
    network = make_network()
    before = copy.deepcopy(network)
    assert fit(network, make_data(), Schedule(stages), seed=0) == []
    assert same_bits(network, before)


def test_divergence_is_an_error_that_says_what_diverged():
    schedule = Schedule((Stage(2, 1e30),), batch_size=16)
    with pytest.raises(DivergenceError, match=r"^some job: the loss became (nan|inf)$"):
        fit(make_network(), make_data(), schedule, seed=0, description="some job")


def test_extra_parameters_have_a_rate_of_their_own():
    data = make_data(16, tasks="A")
    extra = torch.nn.Parameter(torch.tensor(1.0))
    fit(
        make_network(),
        data,
        Schedule((Stage(1, 0.1),), 16),
        seed=0,
        parameters=[extra],
        parameters_rate=0.5,
        penalty=lambda: 2 * extra,
    )
    # One Nesterov step from rest: gradient + momentum * gradient, here 2 * 1.9, times 0.05.
    assert extra.item() == pytest.approx(1 - 0.05 * 2 * 1.9, rel=1e-6)


def test_the_momentum_starts_afresh_in_every_stage():
    """With a constant gradient, two stages of one step move as far as two first steps."""
    data = make_data(16, tasks="A")

    def moved(stages):
        extra = torch.nn.Parameter(torch.tensor(0.0))
        schedule = Schedule(stages, 16)
        fit(make_network(), data, schedule, 0, parameters=[extra], penalty=lambda: extra * 1.0)
        return -extra.item()

    assert moved((Stage(1, 0.1), Stage(1, 0.1))) == pytest.approx(2 * 0.19, rel=1e-5)
    assert moved((Stage(2, 0.1),)) == pytest.approx(0.19 + 0.1 * (1 + 0.9 * 1.9), rel=1e-5)


def test_batches_are_a_shuffled_partition_without_the_incomplete_rest():
    data = make_data(70)
    generator = torch.Generator().manual_seed(0)
    pairs = list(batches(data, data.train, 16, generator))
    assert [len(images) for images, _ in pairs] == [16] * 4
    order = torch.randperm(70, generator=torch.Generator().manual_seed(0))[:64]
    assert torch.equal(torch.cat([x for x, _ in pairs]), data.normalise(data.train.images[order]))
    for task in data.tasks:
        labels = torch.cat([y[task] for _, y in pairs])
        assert torch.equal(labels, data.task_labels(data.train, task)[order].float())
    assert sorted(order.tolist()) != order.tolist()


def test_too_little_data_for_a_batch_is_an_error():
    with pytest.raises(DataError, match="10 training samples do not fill one batch of 16"):
        fit(make_network(), make_data(10), TWO_STAGES, seed=0)


def test_a_network_that_does_not_fit_the_data_is_an_error():
    with pytest.raises(ShapeError, match="task 'A' has 3 outputs"):
        fit(make_network(outputs=3), make_data(), TWO_STAGES, seed=0)
    stranger = build("lenet5", SHAPE, 2, task="Z", widths=WIDTHS)
    with pytest.raises(ShapeError, match="no labels for task 'Z'"):
        fit(stranger, make_data(), TWO_STAGES, seed=0)


def test_a_schedule_is_read_from_plain_values():
    settings = {"stages": [{"epochs": 2, "learning_rate": 0.1}], "batch_size": 8, "momentum": 0.5}
    assert schedule_from(settings) == Schedule((Stage(2, 0.1),), 8, 0.5)
    assert schedule_from({"stages": []}) == Schedule((), 32, 0.9)


ONE = {"epochs": 1, "learning_rate": 0.1}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stages": [ONE], "bach_size": 3}, "bach_size: unknown key; did you mean 'batch_size'?"),
        ({}, "stages: this required key is missing"),
        ({"stages": [{"epochs": 1}]}, "learning_rate"),
        ({"stages": [{**ONE, "rate": 3}]}, "rate"),
        ({"stages": ["fast"]}, "stages[0]: must be a mapping"),
        ({"stages": 3}, "stage"),
        ({"stages": [{**ONE, "epochs": -1}]}, "[0].epochs: must be greater than or equal to 0"),
        ({"stages": [{**ONE, "epochs": 1.5}]}, "stages[0].epochs"),
        ({"stages": [{**ONE, "epochs": math.inf}]}, "stages[0].epochs"),
        ({"stages": [{**ONE, "learning_rate": 0.0}]}, "learning_rate: must be greater than 0"),
        ({"stages": [{**ONE, "learning_rate": math.nan}]}, "learning_rate: must be a finite"),
        ({"stages": [{**ONE, "learning_rate": "fast"}]}, "learning_rate"),
        ({"stages": [ONE], "batch_size": 0}, "batch_size: must be greater"),
        ({"stages": [ONE], "batch_size": "many"}, "batch_size"),
        ({"stages": [ONE], "momentum": 1.0}, "momentum: must be less than 1"),
        ({"stages": [ONE], "momentum": math.nan}, "momentum: must be less than 1"),
        ([ONE], "must be a mapping of keys to values"),
    ],
)
def test_a_bad_schedule_is_refused_in_one_sentence(settings, said):
    with pytest.raises(ConfigError) as error:
        schedule_from(settings, "the schedule of A")
    assert str(error.value).startswith("the schedule of A: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
