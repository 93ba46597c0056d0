"""ResNet-18 and -34: torchvision's to the last weight, and merged and pruned end to end."""

import copy
from itertools import pairwise, product

import pytest
import torch

from pam.cost import analytic_macs, macs
from pam.errors import ConfigError
from pam.merging import merge
from pam.merging.activations import collect, draw_sample, standardised
from pam.networks import architecture, build
from pam.networks.initial import _torchvision_names
from pam.pruning import prune_progressively
from pam.torchvision_shim import torchvision
from tests.reference.information_reference import slow_mutual_information
from tests.reference.regrouping_reference import slow_regroup
from tests.small import SHAPE as SMALL
from tests.small import SHORT, STILL, images_of, make_data, same_bits, scores_of

SHAPE = (3, 40, 36)
DATA = make_data(48, tasks="AB")
PENALTY = {"stages": [{"epochs": 1, "learning_rate": 0.05}], "batch_size": 16}
OPTIONS = {
    "vibnet": {"kl_factor": 1.0, "penalty": PENALTY, "fine_tune": SHORT},
    "taylor": {"interval": 2, "event_fraction": 0.1, "batch_size": 16, "fine_tune": SHORT},
}
STRENGTHS = {"vibnet": [1.0, 4.0], "taylor": [0.3, 0.6]}
MERGERS = {
    "none": {},
    "all_shared": {"retrain": SHORT},
    "pam": {"alpha": 0.8, "samples": 48, "retrain": SHORT},
}


def tiny(tasks, data=DATA, width=0.03):
    """Task -> a residual network of two to eight channels, its statistics those of some images."""
    networks = {}
    for seed, task in enumerate(tasks):
        outputs = len(data.tasks[task])
        network = build("resnet18", SMALL, outputs, task=task, seed=seed, width=width, stem="small")
        with torch.no_grad():
            for _ in range(20):
                network(images_of(data))
        networks[task] = network.eval()
    return networks


@pytest.mark.parametrize("name", ["resnet18", pytest.param("resnet34", marks=pytest.mark.more)])
def test_at_full_width_it_is_torchvisions(name):
    network = build(name, SHAPE, 7)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = getattr(torchvision().models, name)(weights=None, num_classes=7).eval()
    ours, others = (sum(p.numel() for p in one.parameters()) for one in (network, theirs))
    assert ours == others
    counted = macs(theirs, SHAPE)
    assert macs(network.subnetwork("A"), SHAPE) == analytic_macs(network, "A") == counted
    names = _torchvision_names(network) | {
        f"blocks.fc.A.{kind}": f"fc.{kind}" for kind in ("weight", "bias")
    }
    published, state = theirs.state_dict(), network.state_dict()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for ours, other in names.items():
            if other.endswith("running_mean"):
                published[other].normal_(0, 0.2, generator=generator)
            if other.endswith(("running_var", "bn1.weight", "bn2.weight")):
                published[other].uniform_(0.5, 1.5, generator=generator)
            state[ours].copy_(published[other])
        images = torch.randn(2, *SHAPE, generator=generator)
        raw = {}
        network.eval()(images, observe=lambda node, group, x: raw.setdefault(node, x))
        expected = theirs(images)
        scale = expected.abs().max()
        assert (expected[0] - expected[1]).abs().max() > 0.01 * scale
        torch.testing.assert_close(raw["fc"] / scale, expected / scale, atol=1e-5, rtol=0)


def test_the_small_stem_keeps_the_map_of_the_image():
    made = architecture("resnet18", (3, 33, 32), width=0.1, stem="small")
    sides = {f"s{k}": (made.signals[made.activation(f"s{k}")]) for k in range(1, 5)}
    maps = {layer: (s.height, s.width) for layer, s in sides.items()}
    assert maps == {"s1": (33, 32), "s2": (17, 16), "s3": (9, 8), "s4": (5, 4)}
    assert made.units == {
        **{layer: 6 for layer in ("s1", "s1_1", "s1_2")},
        **{layer: 13 for layer in ("s2", "s2_1", "s2_2")},
        **{layer: 26 for layer in ("s3", "s3_1", "s3_2")},
        **{layer: 51 for layer in ("s4", "s4_1", "s4_2")},
    }
    assert "pool" not in made.signals
    assert made.weighted["s1_stem"].kernel == 3


def test_another_task_name_keeps_the_running_statistics():
    network = tiny("A")["A"]
    other = network.for_task("B")
    ours, theirs = network.state_dict(), other.state_dict()
    assert [name.replace(".A.", ".B.") for name in ours] == list(theirs)
    assert all(torch.equal(x, y) for x, y in zip(ours.values(), theirs.values(), strict=True))
    assert not torch.equal(
        ours["blocks.s1_stem_norm.A.running_var"], torch.ones(network.architecture.units["s1"])
    )
    images = images_of(DATA)
    assert torch.equal(scores_of(network, images)["A"], scores_of(other, images)["B"])


def units(network):
    """Hidden layer -> its units."""
    return {layer: sum(network.widths[layer].values()) for layer in network.hidden_layers}


@pytest.mark.parametrize(
    ("merging", "method"),
    [
        *(("none", "taylor"), ("pam", "vibnet")),
        *(
            pytest.param(*pair, marks=pytest.mark.more)
            for pair in (("none", "vibnet"), ("pam", "taylor"), *product(["all_shared"], OPTIONS))
        ),
    ],
)
def test_two_tasks_are_merged_and_pruned_end_to_end(merging, method):
    merged = merge(tiny("AB"), merging, DATA, seed=1, **MERGERS[merging])
    if merging == "pam":
        kinds = {name for layer in merged.hidden_layers for name in merged.groups()[layer]}
        assert kinds == {"A", "B", "shared"}
    before = copy.deepcopy(merged)
    runs = [
        list(
            prune_progressively(merged, method, DATA, STRENGTHS[method], seed=2, **OPTIONS[method])
        )
        for _ in range(2)
    ]
    assert same_bits(merged, before)
    assert all(same_bits(a.network, b.network) for a, b in zip(*runs, strict=True))
    family = [merged, *(run.network for run in runs[0])]
    for larger, smaller in pairwise(family):
        assert all(units(smaller)[layer] <= n for layer, n in units(larger).items())
    assert sum(units(family[1]).values()) < sum(units(merged).values())
    assert any(
        units(family[-1])[layer] < n for layer, n in units(merged).items() if "_" not in layer
    )
    images = images_of(DATA)
    for network in family[1:]:
        assert all(bool(score.isfinite().all()) for score in scores_of(network, images).values())


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("none", {}),
        ("all_shared", {"retrain": STILL}),
        ("pam", {"retrain": STILL, "alpha": 0, "removed": "share", "samples": 24}),
    ],
)
def test_moving_units_together_keeps_every_output(method, options):
    networks, images = tiny("AB", width=0.06), images_of(DATA)
    scores = scores_of(merge(networks, method, DATA, **options), images)
    for task, network in networks.items():
        alone = scores_of(network, images)[task]
        torch.testing.assert_close(scores[task], alone, atol=1e-4, rtol=0)


def test_layerwise_search_is_refused():
    with pytest.raises(ConfigError, match="follow one another"):
        merge(tiny("AB"), "pam", DATA, samples=24, layerwise=True, retrain=STILL)


@pytest.mark.parametrize("tasks", ["AB", "ABCDE"])
def test_pam_gives_every_stage_the_grouping_of_the_slow_search(tasks):
    columns = {"D": [0, 3], "E": [4]}
    data = make_data(40, tasks="ABC"[: len(tasks)])
    data.tasks.update({task: columns[task] for task in tasks[3:]})
    networks = tiny(tasks, data, width=0.02)
    layers = ["s2", "s3_1"]
    merged = merge(
        networks, "pam", data, seed=4, samples=40, alpha=0.8, removed="share", layers=layers,
        noise_unit="absolute", retrain=STILL,
    )  # fmt: skip
    images, labels = draw_sample(data, 40, 4, networks)
    separate = merge(networks, "none", data)
    activations = collect(separate, images, list(separate.hidden_layers))
    for layer in merged.hidden_layers:
        units = activations[layer].shape[1]
        expected = [frozenset(tasks)] * units
        if layer in layers:
            values = standardised(activations[layer]).numpy()
            joint = {t: slow_mutual_information(values, y.numpy()) for t, y in labels.items()}
            bounds = {task: 0.8 * value for task, value in joint.items()}
            irrelevant = slow_regroup(values, {t: y.numpy() for t, y in labels.items()}, bounds)[3]
            needing = [
                frozenset(t for t in tasks if unit not in irrelevant[t]) for unit in range(units)
            ]
            expected = [group if len(group) == 1 else frozenset(tasks) for group in needing]
        if frozenset(tasks) in expected:
            assert merged.widths[layer] == {
                group: expected.count(group) for group in merged.widths[layer]
            }
            assert sum(merged.widths[layer].values()) == units
        rows = merged.notes["rows"]["neuron_information"]
        found = {row["neuron"]: row["group"] for row in rows if row["layer"] == layer}
        names = ["shared" if len(group) > 1 else next(iter(group)) for group in expected]
        differing = [unit for unit, name in enumerate(names) if found[unit] != name]
        # Where the search leaves no unit shared, the merger shares the most informative one.
        assert len(differing) == (frozenset(tasks) not in expected)
