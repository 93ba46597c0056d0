"""The gates of VIBNet against formulas written out, and what pruning does with them."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pam.errors import ConfigError
from pam.networks import architecture
from pam.pruning.units import connected, remove, scale, unit_keys
from pam.pruning.vibnet import Bottleneck, kl_coefficients, vibnet
from pam.training import Schedule, Stage, fit
from tests.examples import examples
from tests.random_networks import images_for, networks
from tests.small import (
    LAYERS,
    SHAPE,
    make_data,
    make_network,
    make_networks,
    scores_of,
    share_some,
    total_units,
)

few = examples(20)
many = examples(60)
KINDS = {"conv": 1.0, "fc": 1.0}
GROUP = frozenset("A")
POSITIONS = {"c1": 12 * 16, "c2": 6 * 8, "f3": 1, "f4": 1}


def gates_of(mean, log_variance, layer="f3"):
    """Gates of one group of one layer with given values."""
    key = (layer, GROUP)
    as_parameter = lambda values: nn.Parameter(torch.as_tensor(values))  # noqa: E731
    return Bottleneck({key: as_parameter(mean)}, {key: as_parameter(log_variance)})


def kl(mean, log_variance, coefficient=1.0, layer="f3"):
    gates = gates_of(mean, log_variance, layer)
    return gates.divergence({layer: coefficient}, ()).item()


def wild(network, seed=0):
    """Gates with random non-negative means, some of them zero, and random variances."""
    gates = Bottleneck.fresh(network, 0)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, mean in gates.mean.items():
            mean.copy_(torch.randn(len(mean), generator=generator).clamp(min=0))
            gates.log_variance[key].normal_(-1.0, 2.0, generator=generator)
    return gates


finite = st.floats(-3, 3, width=32)
variances = st.floats(-12, 4, width=32)
pairs = st.lists(st.tuples(finite, variances), min_size=1, max_size=6)


# The value and its gradient.


@many
@given(pairs, st.floats(0.01, 500))
def test_the_divergence_equals_the_formula(values, coefficient):
    means, logs = zip(*values, strict=True)
    expected = coefficient / 2 * sum(math.log1p(m * m / (math.exp(v) + 1e-8)) for m, v in values)
    actual = kl(torch.tensor(means), torch.tensor(logs), coefficient)
    assert actual >= 0
    assert actual == pytest.approx(expected, rel=1e-4, abs=1e-9)
    mirrored = kl(-torch.tensor(means), torch.tensor(logs), coefficient)
    assert mirrored == actual


@many
@given(pairs)
def test_the_gradient_of_the_divergence_equals_the_formula(values):
    means, logs = (torch.tensor(column).double() for column in zip(*values, strict=True))
    gates = gates_of(means, logs)
    gates.divergence({"f3": 1.0}, ()).backward()
    variance = logs.exp()
    total = means**2 + variance
    torch.testing.assert_close(gates.mean["f3", GROUP].grad, means / total, atol=1e-2, rtol=1e-2)
    # The guard of 1e-8 beside the variance is felt where the variance is as small.
    guarded = means**2 + variance + 1e-8
    exact = -0.5 * means**2 / guarded * variance / (variance + 1e-8)
    torch.testing.assert_close(gates.log_variance["f3", GROUP].grad, exact, atol=1e-9, rtol=1e-6)


@few
@given(st.floats(0.3, 2), st.floats(0.1, 2), st.integers(0, 100))
def test_the_divergence_is_the_best_gaussian_marginal(mean, deviation, seed):
    """min over xi of E_f KL(N(f m, f^2 s^2) || N(0, xi)), less the term that is dropped."""
    f = torch.rand(400, generator=torch.Generator().manual_seed(seed)).double() + 0.2
    variance = deviation**2

    def expected_kl(xi):
        ratio = f**2 * (variance + mean**2) / xi
        return 0.5 * (ratio - 1 + math.log(xi) - torch.log(f**2 * variance)).mean().item()

    best = (f**2).mean().item() * (mean**2 + variance)
    psi = math.log((f**2).mean().item()) - torch.log(f**2).mean().item()
    ours = kl(torch.tensor([mean]).double(), torch.tensor([2 * math.log(deviation)]).double())
    assert expected_kl(best) == pytest.approx(ours + psi / 2, rel=1e-5)
    assert expected_kl(best * 1.05) > expected_kl(best) < expected_kl(best / 1.05)


def test_only_gates_feel_the_divergence_and_spared_groups_do_not():
    network = share_some(make_networks())
    gates = Bottleneck.fresh(network, 0)
    spared = {frozenset("A"), frozenset("B")}
    coefficients = kl_coefficients(network.architecture, "inverse_side", KINDS)
    gates.divergence(coefficients, spared).backward()
    assert all(p.grad is None for p in network.parameters())
    for (_, group), mean in gates.mean.items():
        assert (mean.grad is None) == (group in spared)
    whole = gates.divergence(coefficients, ()).item()
    assert gates.divergence(coefficients, ()).item() == whole
    parts = [gates.divergence(coefficients, set(network.widths["f3"]) - {g}).item()
             for g in network.widths["f3"]]  # fmt: skip
    assert sum(parts) == pytest.approx(whole, rel=1e-6)


# What a unit costs.


def test_the_coefficient_is_multiplier_times_positions_times_kind():
    made = architecture("lenet5", SHAPE)
    table = {"c1": 0.5, "c2": 2.0, "f3": 3.0, "f4": 7.0}
    found = kl_coefficients(made, table, {"conv": 0.1, "fc": 30.0})
    kinds = {"c1": 0.1, "c2": 0.1, "f3": 30.0, "f4": 30.0}
    assert found == pytest.approx({n: table[n] * POSITIONS[n] * kinds[n] for n in LAYERS})


def test_by_default_a_channel_costs_the_side_of_its_map_and_a_neuron_one():
    found = kl_coefficients(architecture("lenet5", (1, 32, 32)), "inverse_side", KINDS)
    assert found == pytest.approx({"c1": 32, "c2": 16, "f3": 1, "f4": 1})


@pytest.mark.parametrize("table", [{"c1": 1.0}, {**dict.fromkeys(LAYERS, 1.0), "c9": 1.0}])
def test_multipliers_name_every_hidden_layer(table):
    with pytest.raises(ConfigError, match="vibnet: multipliers"):
        kl_coefficients(architecture("lenet5", SHAPE), table, KINDS)


# Gates as they start.


def test_fresh_gates_start_at_their_published_values():
    network = make_network(widths=(200, 200, 400, 400))
    gates = Bottleneck.fresh(network, 3)
    assert len(gates.parameters()) == 2 * len(LAYERS)
    assert sum(p.numel() for p in gates.parameters()) == 2 * 1200
    means = torch.cat([m.detach() for m in gates.mean.values()])
    logs = torch.cat([v.detach() for v in gates.log_variance.values()])
    for values, center in ((means, 1.0), (logs, -9.0)):
        assert values.mean().item() == pytest.approx(center, abs=0.002)
        assert values.std().item() == pytest.approx(0.01, rel=0.1)
    unit = gates.divergence(dict.fromkeys(LAYERS, 1.0), ()).item() / 1200
    assert unit == pytest.approx(4.50, abs=0.02)
    assert all(mask.all() for mask in gates.keep(0.0).values())
    assert all((alpha + 9).abs().max() < 0.1 for alpha in gates.log_alpha().values())
    again = Bottleneck.fresh(network, 3)
    assert all(torch.equal(a, b) for a, b in zip(gates.parameters(), again.parameters(),
                                                 strict=True))  # fmt: skip


@few
@given(networks(largest=3), st.integers(0, 1000))
def test_every_unit_has_a_fresh_gate_that_hardly_scales_it(network, seed):
    gates = Bottleneck.fresh(network, seed)
    assert {key: len(mean) for key, mean in gates.mean.items()} == dict(unit_keys(network))
    # Six standard deviations: how far outputs move depends on how steep a random network is.
    for values, center in ((gates.mean, 1.0), (gates.log_variance, -9.0)):
        for value in values.values():
            torch.testing.assert_close(value, torch.full_like(value, center), atol=0.06, rtol=0)


@few
@given(st.integers(0, 1000))
def test_fresh_gates_hardly_change_outputs(seed):
    network = make_network(seed=seed)
    images = images_for(network)
    with torch.no_grad():
        gated = network(images, gate=Bottleneck.fresh(network, seed))["A"]
    torch.testing.assert_close(gated, scores_of(network, images)["A"], atol=0.05, rtol=0)


def test_without_noise_and_with_means_of_one_nothing_changes():
    network = make_network()
    gates = Bottleneck.fresh(network, 0)
    with torch.no_grad():
        for key in gates.mean:
            gates.mean[key].fill_(1.0)
            gates.log_variance[key].fill_(-100.0)
    images = images_for(network)
    plain = network(images)["A"]
    assert torch.equal(network(images, gate=gates)["A"], plain)
    with torch.no_grad():
        assert torch.equal(network(images, gate=gates)["A"], plain)


# Noise.


def test_noise_is_one_number_per_sample_and_channel():
    gates = gates_of([0.7, -0.3, 0.0], [-1.0, 0.0, 1.0], "c1")
    x = torch.rand(500, 3, 2, 4, generator=torch.Generator().manual_seed(0)) + 0.5
    gates.start_noise(4)
    factors = gates("c1", GROUP, x).detach() / x
    torch.testing.assert_close(factors, factors[:, :, :1, :1].expand_as(factors))
    z = factors[:, :, 0, 0]
    assert torch.unique(z).numel() == z.numel()
    assert torch.corrcoef(z.T).fill_diagonal_(0).abs().max() < 0.15
    lag = torch.stack([z[:-1].flatten(), z[1:].flatten()])
    centred = lag - z.mean(0).repeat(len(z) - 1)
    assert torch.corrcoef(centred)[0, 1].abs() < 0.1


def test_noise_has_the_gates_mean_and_variance():
    mean, logs = torch.tensor([0.7, -0.3, 2.0]), torch.tensor([-1.0, 0.0, -4.0])
    gates = gates_of(mean, logs)
    gates.start_noise(0)
    x = torch.tensor([1.0, 2.0, -0.5]).expand(40000, 3)
    out = gates("f3", GROUP, x).detach()
    deviation = (0.5 * logs).exp() * x[0].abs()
    torch.testing.assert_close(out.mean(0), mean * x[0], atol=0.03, rtol=0)
    torch.testing.assert_close(out.std(0), deviation, atol=0, rtol=0.03)


def test_noise_is_random_in_training_seeded_and_absent_otherwise():
    network = make_network()
    gates = wild(network)
    images = images_for(network)
    gates.start_noise(1)
    first, second = network(images, gate=gates)["A"], network(images, gate=gates)["A"]
    assert not torch.equal(first, second)
    gates.start_noise(1)
    assert torch.equal(network(images, gate=gates)["A"], first)
    with torch.no_grad():
        calm = network(images, gate=gates)["A"]
        assert torch.equal(network(images, gate=gates)["A"], calm)


# Who stays.


@many
@given(pairs, st.floats(-5, 5), st.floats(0, 4))
def test_masks_are_monotone_in_the_threshold(values, threshold, more):
    means, logs = (torch.tensor(column) for column in zip(*values, strict=True))
    gates = gates_of(means, logs)
    key = ("f3", GROUP)
    low, high = gates.keep(threshold)[key], gates.keep(threshold + more)[key]
    assert bool((low <= high).all())
    assert not gates.keep(-math.inf)[key].any()
    assert gates.keep(math.inf)[key].all()
    alpha = [math.exp(v) / (m * m + 1e-8) for m, v in values]
    for kept, value in zip(low.tolist(), alpha, strict=True):
        assert kept == (value < math.exp(threshold)) or value == pytest.approx(
            math.exp(threshold), rel=1e-4
        )
    assert torch.equal(gates.signal_to_noise()[key], -gates.log_alpha()[key])


def test_a_mean_of_zero_is_pruned_and_finite():
    gates = gates_of([0.0, 0.0], [-9.0, 3.0])
    assert gates.log_alpha()["f3", GROUP].isfinite().all()
    assert not gates.keep(0.0)["f3", GROUP].any()


def test_projection_lifts_negative_means_to_zero_and_leaves_the_others_alone():
    gates = gates_of([-0.5, 0.0, 0.25], [0.0, 0.0, 0.0])
    gates.project()
    assert gates.mean["f3", GROUP].tolist() == [0.0, 0.0, 0.25]


def test_reopened_gates_start_afresh_and_no_others():
    gates = gates_of([0.0, 0.0, 0.25], [1.0, 2.0, 3.0])
    gates.reopen({("f3", GROUP): torch.tensor([False, True, False])})
    assert gates.mean["f3", GROUP].tolist() == [0.0, 1.0, 0.25]
    assert gates.log_variance["f3", GROUP].tolist() == [1.0, -9.0, 3.0]
    assert gates.keep(0.0)["f3", GROUP].tolist() == [False, True, False]


@few
@given(networks(), st.integers(0, 1000), st.floats(-2, 4))
def test_the_masked_network_equals_the_sliced_and_folded_one(network, seed, threshold):
    gates = wild(network, seed)
    keep = connected(network, gates.keep(threshold), gates.signal_to_noise())
    images = images_for(network)

    def masked(layer, group, x):
        factor = gates.mean[layer, group] * keep[layer, group]
        return x * factor.reshape(1, -1, *[1] * (x.ndim - 2))

    with torch.no_grad():
        wanted = network(images, gate=masked)
    sliced, taken = remove(network, keep), gates.take(keep)
    folded = scale(sliced, taken.means())
    with torch.no_grad():
        gated = sliced(images, gate=taken)
        plain = folded(images)
    for task, score in wanted.items():
        torch.testing.assert_close(gated[task], score, atol=1e-5, rtol=0)
        torch.testing.assert_close(plain[task], score, atol=1e-5, rtol=0)


# Training with gates.


def test_training_with_silent_unpenalised_gates_is_plain_training():
    data, schedule = make_data(), Schedule((Stage(2, 0.05),), 16)
    plain, gated = make_network(), make_network()
    gates = Bottleneck.fresh(gated, 0)
    with torch.no_grad():
        for key in gates.mean:
            gates.mean[key].fill_(1.0)
            gates.log_variance[key].fill_(-40.0)
    ours = fit(gated, data, schedule, 0, gate=gates)
    theirs = fit(plain, data, schedule, 0)
    assert [e.loss for e in ours] == pytest.approx([e.loss for e in theirs], rel=1e-5)


def penalised(kl_factor, epochs=3):
    """Total divergence before and after training with a penalty, and the gates."""
    network, data = make_network(), make_data()
    gates = Bottleneck.fresh(network, 0)
    coefficients = kl_coefficients(network.architecture, "inverse_side", KINDS)
    before = gates.divergence(coefficients, ()).item()
    fit(
        network,
        data,
        Schedule((Stage(epochs, 0.05),), 16),
        0,
        gate=gates,
        parameters=gates.parameters(),
        penalty=lambda: kl_factor * gates.divergence(coefficients, ()),
        after_step=gates.project,
    )
    return before, gates.divergence(coefficients, ()).item(), gates


def test_the_penalty_lowers_the_divergence_and_a_stronger_one_lowers_it_more():
    before, weak, _ = penalised(1e-3)
    _, strong, gates = penalised(1.0)
    assert strong < weak < before
    assert not any(mask.any() for mask in gates.keep(0.0).values())


def test_a_unit_that_gives_nothing_loses_signal_until_it_is_pruned():
    """Only the divergence moves such a gate; where a step goes beyond zero, it is projected."""
    network, data = make_network(), make_data(640, tasks="A")
    with torch.no_grad():
        network.blocks["f3"]["A"].weight[0].zero_()
        network.blocks["f3"]["A"].bias[0] = -1.0
    gates = Bottleneck.fresh(network, 0)
    signal = [gates.signal_to_noise()["f3", GROUP][0].item()]

    def after():
        gates.project()
        signal.append(gates.signal_to_noise()["f3", GROUP][0].item())

    fit(
        network,
        data,
        Schedule((Stage(2, 0.01),), 16, 0.5),
        0,
        gate=gates,
        parameters=gates.parameters(),
        penalty=lambda: gates.divergence({**dict.fromkeys(LAYERS, 0.0), "f3": 2.0}, ()),
        after_step=after,
    )
    assert signal[0] > 8
    assert signal[10] > 0
    assert all(later <= now for now, later in pairwise(signal))
    assert signal[-1] < 0


# The pruner.


PENALTY = {"stages": [{"epochs": 2, "learning_rate": 0.05}], "batch_size": 16}


def pruned(network, data, strengths, **options):
    settings = {"penalty": PENALTY, "kl_factor": 1e-3, **options}
    return list(vibnet(network, data, strengths, seed=0, **settings))


def test_a_stronger_penalty_leaves_no_more_units():
    network, data = share_some(make_networks()), make_data()
    runs = pruned(network, data, [0.01, 3.0, 300.0])
    units = [total_units(run.network) for run in runs]
    assert units[0] == total_units(network)
    assert units[0] >= units[1] >= units[2]
    assert units[2] < units[0]
    assert [run.strength for run in runs] == [0.01, 3.0, 300.0]
    assert all(row["phase"] == "prune" for run in runs for row in run.curve)


def test_an_overwhelming_penalty_leaves_one_path_with_open_gates():
    network, data = make_network(), make_data()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    still = {"stages": [{"epochs": 4, "learning_rate": 0.02}], "batch_size": 16}
    (run,) = pruned(network, data, [1e3], penalty=still)
    assert {layer: sum(g.values()) for layer, g in run.network.groups().items()} == {
        **dict.fromkeys(LAYERS, 1),
        "f5": 2,
    }
    for layer in LAYERS:
        assert run.network.blocks[layer]["A"].weight.abs().max() > 1e-3
