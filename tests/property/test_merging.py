"""What no merger may depend on: the order in which a network holds its neurons."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.cost import paper_flops
from pam.data import MultitaskDataset, Split
from pam.merging import merge
from pam.merging.activations import collect, standardised
from pam.networks import Assembly
from tests.examples import examples
from tests.random_networks import images_for, networks
from tests.small import (
    LAYERS,
    STILL,
    WIDTHS,
    copies,
    images_of,
    make_data,
    make_network,
    make_networks,
    same_labels,
    scores_of,
    shuffled,
)

few = examples(8)
many = examples(25)
DATA = make_data(96, tasks="ABC")


def groups_of_units(merged):
    """(layer, neuron) -> the group it ended in."""
    rows = merged.notes["rows"]["neuron_information"]
    return {(row["layer"], row["neuron"]): row["group"] for row in rows}


def assert_same_scores(left, right, tolerance):
    images = images_of(DATA)
    ours, theirs = scores_of(left, images), scores_of(right, images)
    for task, score in ours.items():
        torch.testing.assert_close(score, theirs[task], atol=tolerance, rtol=0)


@few
@given(st.integers(0, 10_000), st.sampled_from([0.6, 0.9, 0.97]), st.sampled_from(["AB", "ABC"]),
       st.booleans())  # fmt: skip
def test_permuting_neurons_permutes_the_grouping_and_changes_no_cost(seed, alpha, tasks, stepwise):
    networks, orders = make_networks(tasks), {}
    permuted = {}
    for place, (task, network) in enumerate(networks.items()):
        permuted[task], orders[task] = shuffled(network, seed + place)
    options = {
        "alpha": alpha,
        "samples": 64,
        "noise_unit": "absolute",
        "removed": "drop_constant",
        "retrain": STILL,
        "layers": LAYERS,
        "layerwise": stepwise,
    }
    before = merge(networks, "pam", DATA, **options)
    after = merge(permuted, "pam", DATA, **options)
    assert before.widths == after.widths
    assert before.combinations() == after.combinations()
    for combination in before.combinations():
        assert paper_flops(before, combination) == paper_flops(after, combination)
    ours, theirs = groups_of_units(before), groups_of_units(after)
    for layer, width in zip(LAYERS, WIDTHS, strict=True):
        for place, task in enumerate(tasks):
            for new, old in enumerate(orders[task][layer].tolist()):
                assert theirs[layer, place * width + new] == ours[layer, place * width + old]
    assert_same_scores(before, after, 1e-5)


# Of branch: two units that never move may have been taken for one another; then neither matters.
COPIES = {
    "branch": ({"budget": [0.0, 0.3, 1.0]}, 0.05),
    "match": ({"separate": [0.0, 1.0], "ridge": [1e-9]}, 1e-3),
    "zipit": ({"within": [0]}, 1e-5),
}


@pytest.mark.parametrize("method", COPIES)
@examples(10)
@given(data=st.data(), seed=st.integers(0, 2**31), tasks=st.sampled_from(["AB", "ABC"]))
def test_permuted_copies_come_out_unchanged(method, data, seed, tasks):
    choices, tolerance = COPIES[method]
    options = {name: data.draw(st.sampled_from(values)) for name, values in choices.items()}
    network, alike = make_network("A", seed), same_labels(tasks)
    options |= {"samples": 64, "retrain": STILL}
    found = merge(copies(network, tasks, seed), method, alike, **options)
    images = alike.normalise(alike.train.images)
    for scores in scores_of(found, images).values():
        torch.testing.assert_close(scores, scores_of(network, images)["A"], atol=tolerance, rtol=0)


@few
@given(st.integers(0, 1000), st.floats(0, 1), st.sampled_from(["drop", "drop_constant", "share"]))
def test_what_pam_builds_is_the_united_network_with_forbidden_weights_gone(seed, alpha, removed):
    """Every weight is one of the originals or zero, wherever the assignment puts its unit."""
    networks = make_networks("ABC")
    merged = merge(networks, "pam", DATA, seed=seed, alpha=alpha, removed=removed, samples=64,
                   retrain=STILL, layers=LAYERS)  # fmt: skip
    united = Assembly.unite([Assembly.of(network) for network in networks.values()])
    groups = groups_of_units(merged)
    everyone = frozenset("ABC")
    moved = {}
    for layer in LAYERS:
        count = len(united.groups[layer])
        names = [groups[layer, unit] for unit in range(count)]
        sets = {"shared": everyone, **{task: frozenset(task) for task in "ABC"}}
        kept = [unit for unit, name in enumerate(names) if name != "removed"]
        united = united.take(layer, kept)
        moved[layer] = [sets[names[unit]] for unit in kept]
    expected = united.regroup(moved).network()
    assert expected.widths == merged.widths
    theirs = expected.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in merged.state_dict().items())


@many
@given(networks(), st.integers(1, 7))
def test_activations_are_those_the_gate_sees_maps_by_their_maximum(network, batch):
    images = images_for(network, 7)
    seen = {}

    def gate(layer, group, x):
        seen.setdefault(layer, []).append(x.amax((2, 3)) if x.ndim == 4 else x)
        return x

    scores_of_gated = network(images, gate=gate)
    assert list(scores_of_gated) == list(network.tasks)
    found = collect(network, images, ["f3", "c1"], batch_size=batch)
    assert list(found) == ["f3", "c1"]
    for layer, values in found.items():
        expected = torch.cat(seen[layer], dim=1)
        assert values.shape == (7, sum(network.widths[layer].values()))
        torch.testing.assert_close(values, expected.detach(), atol=1e-6, rtol=0)
        assert (values >= 0).all()


@many
@given(st.integers(2, 30), st.integers(0, 1000), st.floats(1e-3, 1e3), st.floats(-5, 5))
def test_standardised_units_have_a_deviation_of_one_whatever_their_scale(n, seed, factor, shift):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n, 3, generator=generator).double()
    values[:, 1] = shift
    scaled = standardised(values * factor)
    assert scaled.dtype == torch.float64
    torch.testing.assert_close(scaled, standardised(values), rtol=1e-6, atol=1e-6)
    assert torch.equal(scaled[:, 1], torch.zeros(n).double())
    deviation = (scaled - scaled.mean(0)).square().mean(0).sqrt()
    torch.testing.assert_close(deviation, torch.tensor([1.0, 0.0, 1.0]).double())
    ratio = scaled[:, 0] / values[:, 0]
    torch.testing.assert_close(ratio, ratio[:1].expand(n))


@pytest.mark.parametrize("layer", ["c2", "f3", "f4"])
def test_a_constant_that_float32_cannot_hold_exactly_is_still_constant(layer):
    networks = make_networks()
    with torch.no_grad():
        block = networks["A"].blocks[layer]["A"]
        block.weight[1].zero_()
        block.bias[1] = 0.1
    merged = merge(networks, "pam", DATA, samples=64, retrain=STILL, removed="drop_constant")
    assert groups_of_units(merged)[layer, 1] == "removed"
    rows = [r for r in merged.notes["rows"]["neuron_information"]
            if (r["layer"], r["neuron"]) == (layer, 1)]  # fmt: skip
    assert [row["information_nats"] for row in rows] == pytest.approx([0.0, 0.0], abs=1e-9)


@few
@given(st.integers(0, 100))
def test_the_order_of_training_images_is_all_that_the_sample_depends_on(seed):
    """The same images in another order, all of them sampled: the same grouping."""
    order = torch.randperm(96, generator=torch.Generator().manual_seed(seed))
    train = Split(DATA.train.images[order], DATA.train.labels[order])
    again = MultitaskDataset(
        DATA.name, train, DATA.validation, DATA.test, DATA.tasks, DATA.label_names, DATA.mean,
        DATA.std,
    )  # fmt: skip
    options = {"alpha": 0.9, "samples": 96, "retrain": STILL, "layers": LAYERS}
    left, right = (merge(make_networks(), "pam", data, **options) for data in (DATA, again))
    assert groups_of_units(left) == groups_of_units(right)
