"""Work that is stopped or killed anywhere, and run again, ends with the very same bits."""

import copy
import random

import pytest
import torch

from pam.merging import MERGERS, merge
from pam.networks import build
from pam.pruning import PRUNERS, prune_progressively
from pam.pruning.taylor import Events, least_important
from pam.training import Schedule, Stage, fit
from tests.interrupting import run
from tests.small import SHAPE, SHORT, make_data, make_network, make_networks, same_bits, share_some

DATA = make_data(samples=96)
TWO_STAGES = Schedule((Stage(2, 0.05), Stage(0, 1.0), Stage(1, 0.01)), batch_size=24)
MERGER_OPTIONS = {
    "mtz": {"samples": 32, "retrain": SHORT},
    "none": {},
    "pam": {"samples": 32, "retrain": SHORT, "layerwise": True},
    "pam_zip": {"samples": 32, "retrain": SHORT},
    "random": {"samples": 32, "retrain": SHORT},
    "zipit": {"samples": 32, "retrain": SHORT},
}
PRUNER_OPTIONS = {
    **{name: {"interval": 3, "batch_size": 16} for name in ("taylor", "taylor_readers")},
    **{name: {"penalty": SHORT} for name in ("vibnet", "vibnet_readers")},
}
STRENGTHS = {name: [1, 50] for name in ("vibnet", "vibnet_readers")}


def residual():
    return build("resnet18", SHAPE, 2, task="A", seed=3, width=0.03, stem="small")


def train(make):
    """Train a fresh network; return it with its curve."""
    network = make()
    return network, fit(network, DATA, TWO_STAGES, seed=5)


def merged(method):
    network = merge(make_networks(), method, DATA, seed=2, **MERGER_OPTIONS.get(method, {}))
    return network, network.notes


def pruned(method):
    # Groups of one task and of both; and two networks that share nothing, pruned each alone.
    made = []
    for network in (share_some(make_networks()), merge(make_networks(), "none", DATA)):
        options = {"fine_tune": SHORT, **PRUNER_OPTIONS.get(method, {})}
        strengths = STRENGTHS.get(method, [0.2, 0.4])
        made += prune_progressively(network, method, DATA, strengths, seed=4, **options)
    return [one.network for one in made], [(one.strength, one.curve) for one in made]


def same(left, right):
    (networks, facts), (others, other_facts) = left, right
    if not isinstance(networks, list):
        networks, others = [networks], [others]
    return facts == other_facts and all(map(same_bits, networks, others))


def work_of(kind, name):
    if kind == "merger":
        return lambda: merged(name)
    if kind == "pruner":
        return lambda: pruned(name)
    return lambda: train(make_network if name == "lenet5" else residual)


EVERYTHING = [
    *(("training", name) for name in ("lenet5", "resnet18")),
    *(("merger", name) for name in MERGERS),
    *(("pruner", name) for name in PRUNERS),
]
# One of every kind of step that is kept; the others go the same ways.
FIRST = ("lenet5", "mtz", "pam", "taylor", "vibnet", "scratch")


@pytest.fixture(scope="module")
def undisturbed():
    """What every piece of work returns without a journal, computed once."""
    known = {}

    def result(kind, name):
        if (kind, name) not in known:
            known[kind, name] = work_of(kind, name)()
        return known[kind, name]

    return result


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, marks=[pytest.mark.more] * (name not in FIRST))
        for kind, name in EVERYTHING
    ],
)
def test_a_journal_changes_nothing(kind, name, undisturbed, tmp_path):
    result, passed = run(work_of(kind, name), tmp_path, store_at=range(1, 10**6))
    assert same(result, undisturbed(kind, name))
    again, passed_again = run(work_of(kind, name), tmp_path)
    assert same(again, undisturbed(kind, name))
    # All of it was read: no minibatch was trained on again.
    assert passed_again == 0
    assert passed > 0 or name in ("none",)


@pytest.mark.parametrize("name", ["lenet5", pytest.param("resnet18", marks=pytest.mark.more)])
def test_training_goes_on_from_every_single_step(name, undisturbed, tmp_path):
    work = work_of("training", name)
    steps = 3 * (96 // 24)
    for stop_at in range(1, steps + 1):
        stopped, passed = run(work, tmp_path / str(stop_at), stop_at=stop_at)
        assert stopped is None
        assert passed == stop_at
        result, passed = run(work, tmp_path / str(stop_at))
        assert same(result, undisturbed("training", name))
        assert passed == steps - stop_at


def test_pruning_events_go_on_from_every_single_step(tmp_path):
    """Scores too have to be the same, whether or not they would change who is switched off."""
    events = Events("squared", 0.9, interval=3, per_event=2, learning_rate=0.05, batch_size=24)

    def work():
        network = share_some(make_networks())
        alive, scores = least_important(network, DATA, 5, (), events, 7, "events")
        return network, {str(key): (alive[key].tolist(), scores[key].tolist()) for key in alive}

    undisturbed = work()
    # Three events, and an interval after the last one; batches of three passes.
    for stop_at in range(1, 13):
        assert run(work, tmp_path / str(stop_at), stop_at=stop_at)[1] == stop_at
        result, passed = run(work, tmp_path / str(stop_at))
        assert same(result, undisturbed)
        assert passed == 12 - stop_at


@pytest.mark.more
@pytest.mark.parametrize("how", ["stop_at", "kill_at"])
@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_stopped_or_killed_again_and_again_it_ends_alike(kind, name, how, undisturbed, tmp_path):
    work = work_of(kind, name)
    draw = random.Random(f"{kind} {name} {how}")
    for _ in range(6):
        store_at = draw.sample(range(1, 40), 12)
        result, _ = run(work, tmp_path, store_at=store_at, **{how: draw.randint(1, 15)})
        if result is not None:
            break
    result, _ = run(work, tmp_path)
    assert same(result, undisturbed(kind, name))


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    else:
        # The last bytes are numbers of a tensor: the file opens as if nothing were wrong.
        content[-3] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
@pytest.mark.parametrize(
    ("kind", "name"), [("training", "lenet5"), ("merger", "mtz"), ("pruner", "taylor")]
)
def test_a_damaged_checkpoint_is_computed_again(kind, name, how, undisturbed, tmp_path, capsys):
    work = work_of(kind, name)
    run(work, tmp_path, stop_at=9)
    paths = sorted(tmp_path.iterdir())
    damage(paths[-1], how)
    result, _ = run(work, tmp_path)
    assert same(result, undisturbed(kind, name))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"pam: this checkpoint is not used: {paths[-1]} ")


def test_the_journal_of_another_start_is_not_used(tmp_path, capsys):
    run(work_of("training", "lenet5"), tmp_path, stop_at=5)
    other = make_network(seed=1)
    expected = copy.deepcopy(other)
    curve = fit(expected, DATA, TWO_STAGES, seed=5)
    result, passed = run(lambda: (other, fit(other, DATA, TWO_STAGES, seed=5)), tmp_path)
    assert same(result, (expected, curve))
    assert passed == 12
    assert "of another step" in capsys.readouterr().err


def test_random_numbers_of_torch_itself_go_on_as_well(tmp_path):
    def work():
        torch.manual_seed(3)
        network = make_network()
        curve = fit(
            network,
            DATA,
            TWO_STAGES,
            seed=5,
            gate=lambda layer, group, x: x * (1 + 0.1 * torch.rand(()) * torch.is_grad_enabled()),
            generators=(),
        )
        return network, (curve, torch.rand(1).item())

    result, _ = run(work, tmp_path / "undisturbed")
    for stop_at in (2, 4, 11):
        run(work, tmp_path / str(stop_at), stop_at=stop_at)
        assert same(run(work, tmp_path / str(stop_at))[0], result)


def test_a_callback_that_says_nothing_of_its_state_is_run_again(tmp_path):
    """It may hold what a checkpoint cannot see: here, how often it was called."""

    def work():
        seen = []
        network = make_network()
        curve = fit(network, DATA, TWO_STAGES, seed=5, after_step=lambda: seen.append(1))
        return network, (curve, len(seen))

    assert run(work, tmp_path)[0][1][1] == 12
    result, passed = run(work, tmp_path)
    assert result[1][1] == 12
    assert passed == 0
    assert not list(tmp_path.iterdir())
