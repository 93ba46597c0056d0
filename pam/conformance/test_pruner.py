"""What is asked of a pruner; docstrings say how to comply."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from pam.conformance.subject import (
    GROUPINGS,
    MIXED,
    SEED,
    SHARED,
    Subject,
    check_file,
    check_parts,
    check_refused,
    draw_before,
    group,
    lenets,
    same_network,
    same_tensors,
    squares,
    tensors_of,
)
from pam.groups import runs
from pam.pruning import Pruned, prune_progressively
from pam.source.code import code_hash

TASKS = "ABC"
SAMPLES = 128
FINE_TUNE = {"stages": [{"epochs": 1, "learning_rate": 0.01}], "batch_size": SAMPLES}
groupings = pytest.mark.parametrize("grouping", GROUPINGS)

Results = Callable[[str], list[Pruned]]


def run(subject: Subject, grouping: str, **more: object) -> Iterator[Pruned]:
    """Prune tiny networks in a grouping as the workflow does, with further options."""
    network, data = group(lenets(TASKS), grouping), squares(TASKS, SAMPLES)
    options = {"fine_tune": FINE_TUNE, **subject.options, **more}
    return prune_progressively(network, subject.name, data, subject.strengths, seed=SEED, **options)


@pytest.fixture(scope="module")
def pruned(subject: Subject) -> Results:
    """Prune tiny networks in a grouping, once."""
    draw_before(1)
    return cache(lambda grouping: list(run(subject, grouping)))


def test_every_strength_yields_one_pruned(pruned: Results, subject: Subject) -> None:
    """Write `for strength in strengths: ... yield Pruned(strength, network, rows)`."""
    results = pruned(SHARED)
    assert all(isinstance(one, Pruned) for one in results), "it yields something else than Pruned"
    yielded = [one.strength for one in results]
    same = yielded == subject.strengths
    assert same, f"of strengths {subject.strengths} it yields {yielded}"


@groupings
def test_groups_of_all_kinds_work_and_all_tasks_are_kept(pruned: Results, grouping: str) -> None:
    """Go through network.widths[layer] or unit_keys(network), not through two kinds of groups."""
    for one in pruned(grouping):
        tasks = list(one.network.tasks)
        assert tasks == list(TASKS), f"tasks {list(TASKS)} become {tasks}"


@groupings
def test_no_combination_ever_runs_more_units(pruned: Results, grouping: str) -> None:
    """Go on from the network of the strength before; remove(network, keep) cuts units out."""
    start = group(lenets(TASKS), grouping)
    for before, after in pairwise([start, *(one.network for one in pruned(grouping))]):
        for combination in start.combinations():
            for layer in start.hidden_layers:
                had, has = (
                    sum(n for group, n in one.widths[layer].items() if runs(group, combination))
                    for one in (before, after)
                )
                assert has <= had, f"{combination} runs {had} units of {layer}, then {has}"


@groupings
def test_every_combination_computes_what_the_whole_does(pruned: Results, grouping: str) -> None:
    """Pass what to keep through connected(network, keep, scores) before remove(network, keep)."""
    for one in pruned(grouping):
        check_parts(one.network)


def test_the_file_of_the_network_is_read_back_as_it_was(pruned: Results, tmp_path: Path) -> None:
    """Yield a plain GroupedNetwork."""
    for one in pruned(MIXED):
        check_file(one.network, tmp_path)


def test_the_same_seed_gives_the_same_bytes(pruned: Results, subject: Subject) -> None:
    """Draw from torch.Generator().manual_seed(derive_seed(..., seed)), not from the global one."""
    first = pruned(MIXED)
    draw_before(2)
    for one, other in zip(first, run(subject, MIXED), strict=True):
        same = same_network(one.network, other.network)
        assert same, "two runs with the same seed give different networks"


def test_the_network_it_is_given_stays(subject: Subject) -> None:
    """Work on copy.deepcopy(network)."""
    network, data = group(lenets(TASKS), SHARED), squares(TASKS, SAMPLES)
    before = tensors_of(network)
    # The pruner itself: what the workflow calls makes copies of its own.
    for one in subject.plugin(network, data, subject.strengths, seed=SEED, **subject.options):
        # As fine-tuning would, in place.
        for parameter in one.network.parameters():
            parameter.data.add_(1)
    same = same_tensors(network.state_dict(), before)
    assert same, "the network it was given has other weights afterwards"


def test_it_asks_for_a_strength_when_the_network_before_is_there(subject: Subject) -> None:
    """Write `for strength in strengths:`; no list(strengths), no index, no second pass."""
    network, data = group(lenets(TASKS), SHARED), squares(TASKS, SAMPLES)
    asked: list[float] = []

    def strengths() -> Iterator[float]:
        for strength in subject.strengths:
            asked.append(strength)
            yield strength

    pruning = subject.plugin(network, data, strengths(), seed=SEED, **subject.options)
    for number, _ in enumerate(pruning, start=1):
        ahead = asked[number:]
        assert not ahead, f"before the network of {asked[number - 1]:g} it asks for {ahead[0]:g}"


def test_the_test_part_is_never_looked_at(pruned: Results) -> None:
    """Use data.train and data.validation only."""
    pruned(SHARED)


def test_every_row_of_a_curve_names_its_phase(pruned: Results) -> None:
    """Make rows with curve_rows(epochs, phase), phase being 'prune' or 'fine_tune'."""
    for one in pruned(SHARED):
        wrong = [row for row in one.curve if row.get("phase") not in ("prune", "fine_tune")]
        assert not wrong, f"at strength {one.strength:g} there is a row {str(wrong[:1])[1:-1]}"


def test_unknown_options_are_refused(subject: Subject) -> None:
    """Name every option in the signature, or raise ConfigError for the rest."""
    check_refused(lambda **more: list(run(subject, SHARED, **more)))


def test_the_workflow_finds_its_code(subject: Subject) -> None:
    """Write the name as text, @register("mine"), in a module that the entry point names."""
    code_hash("pam.stages.prune", {"pam.pruning": subject.name})
