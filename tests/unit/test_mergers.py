"""The mergers none, all_shared and pam: what they keep, what they record, what they refuse."""

import copy
from dataclasses import replace

import pytest
import torch

from pam.errors import ConfigError, DataError, ShapeError
from pam.merging import merge
from pam.merging.activations import collect
from pam.networks import Assembly, build
from tests.small import (
    LAYERS,
    SHAPE,
    SHORT,
    STILL,
    WIDTHS,
    images_of,
    make_data,
    make_network,
    make_networks,
    own_part,
    same_bits,
    scores_of,
    side_by_side,
    total_units,
)

DATA = make_data(96, tasks="ABC")
ROW = {"layer", "neuron", "origin", "group", "task", "information_nats", "label_entropy_nats"}
sharing = pytest.mark.parametrize("method", ["pam", "all_shared"])


def pam(networks=None, data=DATA, **options):
    networks = make_networks() if networks is None else networks
    return merge(networks, "pam", data, **{"samples": 64, "retrain": STILL, **options})


def shared_in(network, layer):
    return network.groups()[layer].get("shared", 0)


# none


@pytest.mark.parametrize("tasks", ["A", "AB", "CAB"])
def test_none_leaves_every_bit_of_weights_and_outputs(tasks):
    networks = make_networks(tasks)
    merged = merge(networks, "none", DATA)
    assert list(merged.tasks) == list(tasks)
    images = images_of(DATA)
    scores = scores_of(merged, images)
    for task, network in networks.items():
        assert torch.equal(scores[task], scores_of(network, images)[task])
        assert same_bits(own_part(merged, task), own_part(network, task))
    assert all(set(groups) == set(tasks) for groups in merged.groups().values())


# all_shared


def test_all_shared_shares_everything_and_changes_no_output():
    networks = make_networks("ABC")
    merged = merge(networks, "all_shared", DATA, retrain=STILL)
    for layer, width in zip(LAYERS, WIDTHS, strict=True):
        assert merged.groups()[layer] == {"shared": 3 * width}
    images = images_of(DATA)
    for task, score in scores_of(merged, images).items():
        alone = scores_of(networks[task], images)[task]
        torch.testing.assert_close(score, alone, atol=1e-6, rtol=0)


# pam: groups


@pytest.mark.parametrize("layerwise", [False, True])
@pytest.mark.parametrize("removed", ["drop", "drop_constant", "share"])
@pytest.mark.parametrize("alpha", [0.0, 0.9])
def test_no_layer_is_left_without_shared_units(alpha, removed, layerwise):
    merged = pam(make_networks("ABC"), alpha=alpha, removed=removed, layerwise=layerwise,
                 layers=LAYERS)  # fmt: skip
    assert all(shared_in(merged, layer) >= 1 for layer in LAYERS)
    assert list(merged.tasks) == ["A", "B", "C"]
    assert all(score.isfinite().all() for score in scores_of(merged, images_of(DATA)).values())


def test_layers_that_are_not_searched_are_shared():
    merged = pam(layers=["f4"], removed="drop")
    for layer, width in zip(LAYERS[:3], WIDTHS[:3], strict=True):
        assert merged.groups()[layer] == {"shared": 2 * width}
    assert total_units(pam(layers=[])) == 2 * sum(WIDTHS)
    assert shared_in(pam(), "c1") == 2 * WIDTHS[0]


def test_the_noise_can_follow_the_width_of_the_layer():
    """A fixed variance of 0.1 times the units of f4 finds what a variance per unit finds."""
    options = {"layers": ["f4"], "alpha": 0.6, "samples": 96}
    by_width, absolute = pam(**options), pam(**options, noise_unit="absolute")
    fixed = pam(**options, noise_unit="absolute", noise_variance=0.1 * 2 * WIDTHS[3])
    assert by_width.notes["layers"] == fixed.notes["layers"] != absolute.notes["layers"]
    assert by_width.groups() == fixed.groups()


def test_neurons_that_no_task_needs_may_stay_with_their_own():
    dropped = pam(layers=["f4"], alpha=0.9, samples=96)
    kept = pam(layers=["f4"], alpha=0.9, samples=96, removed="keep_exclusive")
    assert sum(dropped.groups()["f4"].values()) < sum(kept.groups()["f4"].values()) == 2 * WIDTHS[3]
    gone = [r for r in dropped.notes["rows"]["neuron_information"] if r["group"] == "removed"]
    stays = {r["neuron"]: r for r in kept.notes["rows"]["neuron_information"] if r["layer"] == "f4"}
    assert gone and all(stays[r["neuron"]]["group"] == r["origin"] for r in gone)


def test_a_search_for_nothing_shares_all_that_says_anything():
    """With a bound of 0 nats only a neuron that says nothing of a task is irrelevant to it."""
    merged = pam(alpha=0.0, removed="share")
    assert all(set(merged.groups()[layer]) == {"shared"} for layer in LAYERS)


def test_what_is_removed_follows_the_option():
    networks = make_networks()
    with torch.no_grad():
        dead = networks["A"].blocks["f4"]["A"]
        dead.weight[2].zero_()
        dead.bias[2] = -1.0
    logged = {
        removed: pam(networks, removed=removed, alpha=0.6, samples=96, noise_unit="absolute")
        for removed in ("drop", "drop_constant", "share")
    }
    counts = {removed: network.notes["layers"]["f4"] for removed, network in logged.items()}
    found = counts["drop"]["removed"]
    assert found > 1
    assert all(log == counts["drop"] for log in counts.values())
    all_units = 2 * WIDTHS[3]
    kept = {removed: sum(n.groups()["f4"].values()) for removed, n in logged.items()}
    units = collect(merge(networks, "none", DATA), DATA.normalise(DATA.train.images), ["f4"])["f4"]
    constant = (units == units[0]).all(0).tolist()
    rows = logged["drop_constant"].notes["rows"]["neuron_information"]
    gone = {r["neuron"] for r in rows if r["layer"] == "f4" and r["group"] == "removed"}
    assert gone == {unit for unit, still in enumerate(constant) if still}
    assert 2 in gone
    assert kept["share"] == all_units
    assert kept["drop"] == all_units - found
    assert kept["drop"] < kept["drop_constant"] < kept["share"]


def test_identical_tasks_leave_nothing_exclusive():
    data = make_data(96, B=[0, 1])
    network = make_network()
    twins = {"A": network, "B": network.for_task("B")}
    for alpha in (0.5, 0.9, 0.99):
        merged = pam(twins, data, alpha=alpha, removed="share", layers=LAYERS)
        for layer, width in zip(LAYERS, WIDTHS, strict=True):
            assert merged.groups()[layer] == {"shared": 2 * width}


def test_a_neuron_may_become_exclusive_to_another_task_than_its_own():
    """Membership goes by relevance: the network of B computes what A needs, and the reverse."""
    data = make_data(96, tasks="AB", A=[0], B=[1])

    def reader(task, column):
        """A network whose f3 and f4 see only the brightness of one square."""
        network = build("lenet5", SHAPE, 1, task=task, seed=1, widths=(1, 1, 2, 2))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
            for layer in ("c1", "c2"):
                network.blocks[layer][task].weight[0, 0, 2, 2] = 1.0
            network.blocks["c1"][task].bias.fill_(2.0)
            taps = network.blocks["f3"][task].weight.view(2, 1, 3, 4)
            taps[0, 0, 0, column] = 1.0
            taps[1, 0, 2, 3] = 1.0
            network.blocks["f4"][task].weight.copy_(torch.eye(2))
            network.blocks["f5"][task].weight.fill_(1.0)
        return network

    merged = pam({"A": reader("A", 1), "B": reader("B", 0)}, data, alpha=0.6,
                 alpha_unit="label_entropy", noise_unit="absolute", layers=["f3"])  # fmt: skip
    rows = merged.notes["rows"]["neuron_information"]
    groups = {r["neuron"]: (r["origin"], r["group"]) for r in rows if r["layer"] == "f3"}
    assert groups[0] == ("A", "B")
    assert groups[2] == ("B", "A")


def test_the_log_says_how_the_search_went():
    merged = pam(alpha=0.9)
    log = merged.notes["layers"]
    assert list(log) == list(LAYERS)
    assert log["c1"] == {"searched": False}
    for layer, width in zip(LAYERS[1:], WIDTHS[1:], strict=True):
        counts = log[layer]
        exclusive = sum(counts["exclusive"].values())
        assert counts["shared"] + exclusive + counts["removed"] == 2 * width
        assert set(counts["saturation"]) == set(counts["threshold_nats"]) == {"A", "B"}
        assert all(0 <= share <= 1 + 1e-9 for share in counts["saturation"].values())


def test_units_of_alpha_agree_with_one_another():
    """A fraction of the ceiling is that many nats; a fraction of the joint information, too."""
    merged = pam(alpha=0.7, alpha_unit="label_entropy")
    ceiling = {
        row["task"]: row["label_entropy_nats"] for row in merged.notes["rows"]["neuron_information"]
    }
    for layer in LAYERS[1:]:
        thresholds = merged.notes["layers"][layer]["threshold_nats"]
        assert thresholds == pytest.approx({t: 0.7 * ceiling[t] for t in "AB"})
        joint = pam(alpha=1.0).notes["layers"][layer]["threshold_nats"]
        assert all(0 < joint[t] <= ceiling[t] + 1e-9 for t in "AB")
        nats = pam(alpha=0.3, alpha_unit="nats").notes["layers"][layer]["threshold_nats"]
        assert nats == {"A": 0.3, "B": 0.3}


def test_alpha_may_differ_between_kinds_of_layers():
    merged = pam(alpha={"conv": 0.1, "fc": 0.4}, alpha_unit="nats")
    log = merged.notes["layers"]
    assert log["c2"]["threshold_nats"] == {"A": 0.1, "B": 0.1}
    assert log["f3"]["threshold_nats"] == log["f4"]["threshold_nats"] == {"A": 0.4, "B": 0.4}


# pam_partial


@pytest.mark.parametrize("removed", ["drop", "share", "keep_exclusive"])
def test_of_two_tasks_partial_groups_are_those_of_pam(removed):
    options = {"samples": 64, "alpha": 0.7, "removed": removed, "retrain": SHORT}
    partial = merge(make_networks(), "pam_partial", DATA, **options)
    plain = merge(make_networks(), "pam", DATA, **options)
    assert same_bits(partial, plain)
    assert partial.notes == plain.notes


def test_a_partial_group_is_the_tasks_that_need_the_unit():
    networks = make_networks("ABC", widths=(4, 6, 12, 10))
    options = {"alpha": 0.6, "layers": ["f3", "f4"], "removed": "share"}
    merged = merge(networks, "pam_partial", DATA, samples=96, retrain=STILL, **options)
    assert {"A", "A&B", "shared"} < {name for g in merged.groups().values() for name in g}
    plain = pam(networks, samples=96, partial=False, **options)
    rows = {
        which: [row["group"] for row in one.notes["rows"]["neuron_information"]]
        for which, one in (("partial", merged), ("plain", plain))
    }
    for group, partial in zip(rows["plain"], rows["partial"], strict=True):
        assert group in (partial, "shared")
    seen = scores_of(merged, images_of(DATA))
    for combination in merged.combinations():
        for task, scores in merged.subnetwork(combination)(images_of(DATA)).items():
            assert torch.allclose(scores, seen[task], atol=1e-5)


# pam: records


@pytest.mark.parametrize("layerwise", [False, True])
def test_every_unit_has_a_row_of_information_per_task(layerwise):
    merged = pam(make_networks("ABC"), layerwise=layerwise, removed="drop", alpha=0.9)
    rows = merged.notes["rows"]["neuron_information"]
    keys = [(row["layer"], row["neuron"], row["task"]) for row in rows]
    wanted = {
        (layer, neuron, task)
        for layer, width in zip(LAYERS, WIDTHS, strict=True)
        for neuron in range(3 * width)
        for task in "ABC"
    }
    assert len(keys) == len(wanted)
    assert set(keys) == wanted
    for row in rows:
        assert set(row) == ROW
        width = WIDTHS[LAYERS.index(row["layer"])]
        assert row["origin"] == "ABC"[row["neuron"] // width]
        assert row["group"] in ("A", "B", "C", "shared", "removed")
        assert 0 <= row["information_nats"] <= row["label_entropy_nats"] + 1e-9
    for layer in LAYERS:
        named = [r["group"] for r in rows if r["layer"] == layer and r["task"] == "A"]
        counted = {name: named.count(name) for name in dict.fromkeys(named) if name != "removed"}
        assert counted == merged.groups()[layer]


@sharing
def test_retraining_is_recorded_and_changes_the_network(method):
    options = {"samples": 64} if method == "pam" else {}
    still = merge(make_networks(), method, DATA, retrain=STILL, **options)
    tuned = merge(make_networks(), method, DATA, retrain=SHORT, **options)
    assert still.notes["curve"] == []
    assert len(tuned.notes["curve"]) == 1
    assert not same_bits(still, tuned)
    assert not tuned.training


def test_layer_by_layer_retrains_after_every_layer():
    merged = pam(layerwise=True, retrain=SHORT)
    assert len(merged.notes["curve"]) == len(LAYERS)
    assert not same_bits(merged, pam(layerwise=False, retrain=SHORT))


def test_layer_by_layer_without_retraining_or_dropping_sees_the_first_searched_layer_alike():
    """Up to and including c2 nothing upstream has changed an activation."""
    once, stepwise = pam(alpha=0.9), pam(alpha=0.9, layerwise=True)
    for layer in ("c1", "c2"):
        assert once.notes["layers"][layer] == stepwise.notes["layers"][layer]
        assert once.groups()[layer] == stepwise.groups()[layer]


@sharing
def test_seeds_decide_everything_and_inputs_stay_as_they_were(method):
    networks = make_networks()
    before = copy.deepcopy(networks)
    options = {"samples": 64} if method == "pam" else {}

    def merged(seed):
        return merge(networks, method, DATA, seed=seed, retrain=SHORT, **options)

    first, again, other = merged(1), merged(1), merged(2)
    assert same_bits(first, again)
    assert first.notes == again.notes
    assert not (first.widths == other.widths and same_bits(first, other))
    assert all(same_bits(networks[task], before[task]) for task in networks)


# What is refused.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"alpha": float("nan")}, "alpha: must be a finite number, not nan"),
        ({"alpha": float("inf"), "alpha_unit": "nats"}, "alpha: must be a finite number, not inf"),
        ({"alpha": {"conv": 0.5}}, "alpha names no bound for 'fc' layers"),
        ({"alpha": {"conv": 0.5, "fc": 0.5, "pool": 1}}, "alpha.pool: must be 'conv' or 'fc'"),
        ({"layers": ["c9"]}, "layers[0]: unknown layer; known: c1, c2, f3, f4"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, said):
    with pytest.raises(ConfigError) as error:
        pam(**options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_one_network_has_nothing_to_regroup():
    with pytest.raises(ConfigError, match="merges at least 2 tasks, not 1"):
        pam({"A": make_network()})


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_activations_that_are_not_numbers_name_their_layer(layer, bad):
    networks = make_networks()
    with torch.no_grad():
        networks["B"].blocks[layer]["B"].bias[0] = bad
    with pytest.raises(DataError, match=f"activations of layer '{layer}' hold NaN or infinity"):
        pam(networks)


@pytest.mark.parametrize("method", ["none", "all_shared", "pam"])
def test_networks_that_do_not_fit_one_another_are_refused(method):
    options = {"samples": 64} if method == "pam" else {}
    lenet = Assembly.of(make_network("B"))
    other = replace(lenet, architecture=replace(lenet.architecture, name="other")).network()
    with pytest.raises(ShapeError, match="cannot put together 'lenet5'"):
        merge({"A": make_network(), "B": other}, method, DATA, **options)


def test_networks_that_do_not_fit_their_names_or_the_data_are_refused():
    network = make_network()
    with pytest.raises(ConfigError, match="1 networks are given for 3 tasks"):
        merge([network.for_task("Z")], "none", DATA)
    with pytest.raises(ShapeError, match="task 'A' of the network does not fit"):
        merge([make_network(outputs=3)], "none", DATA)
    with pytest.raises(ShapeError, match="task 'Z' of the network does not fit"):
        merge({"Z": network}, "none", DATA)
    with pytest.raises(ShapeError, match=r"given for task 'A' has \['A', 'B'\]"):
        merge([side_by_side(make_networks())], "none", DATA)
    other = build("lenet5", (1, 12, 12), 2, task="A")
    with pytest.raises(ShapeError, match=r"takes .* images"):
        merge([other], "none", DATA)
    with pytest.raises(ConfigError, match="no networks to merge"):
        merge({}, "none", DATA)


def test_networks_take_the_name_they_are_given_for():
    data = make_data(96, tasks="AB")
    first = make_network()
    second = make_network(seed=1, outputs=len(data.tasks["B"]))
    images = data.normalise(data.train.images[:8])
    for given in ({"A": first, "B": second}, [first, second]):
        scores = merge(given, "none", data)(images)
        assert torch.equal(scores["A"], first(images)["A"])
        assert torch.equal(scores["B"], second(images)["A"])
