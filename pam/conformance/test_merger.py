"""What is asked of a merger; docstrings say how to comply."""

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import pytest

from pam.conformance.subject import (
    SEED,
    TASKS,
    Subject,
    check_file,
    check_parts,
    check_refused,
    draw_before,
    lenets,
    same_network,
    same_tensors,
    squares,
    tensors_of,
)
from pam.merging import merge
from pam.networks import GroupedNetwork
from pam.source.code import code_hash

Merged = Callable[[str], GroupedNetwork]


def run(subject: Subject, networks: Mapping[str, GroupedNetwork], **more: object) -> GroupedNetwork:
    """Merge networks with the options of the subject, and more."""
    options = {**subject.options, **more}
    return merge(networks, subject.name, squares(networks), seed=SEED, **options)


@pytest.fixture(scope="module")
def merged(subject: Subject) -> Merged:
    """Merge tiny networks of some tasks, once."""
    draw_before(1)
    return cache(lambda tasks: run(subject, lenets(tasks)))


def test_two_networks_become_one(merged: Merged) -> None:
    """Take (networks, data, *, seed, ...); return Assembly.unite([...]).network(), say."""
    name = type(merged("AB")).__name__
    assert isinstance(merged("AB"), GroupedNetwork), f"it returns {name}, not a GroupedNetwork"


@pytest.mark.parametrize("tasks", ["AB", "ABC", "ABCDE"])
def test_all_tasks_and_their_outputs_are_there(merged: Merged, tasks: str) -> None:
    """Do not count on two tasks; keep the order of `networks` and the output layers."""
    wanted, outputs = {task: len(TASKS[task]) for task in tasks}, merged(tasks).tasks
    same = list(outputs.items()) == list(wanted.items())
    assert same, f"of tasks and outputs {wanted} it makes {outputs}"


def test_the_file_of_the_network_is_read_back_as_it_was(merged: Merged, tmp_path: Path) -> None:
    """Return a plain GroupedNetwork."""
    check_file(merged("ABC"), tmp_path)


def test_every_combination_computes_what_the_whole_network_does(merged: Merged) -> None:
    """Let no group depend on one it does not read: build networks through Assembly."""
    check_parts(merged("ABC"))


def test_the_same_seed_gives_the_same_bytes(merged: Merged, subject: Subject) -> None:
    """Draw from torch.Generator().manual_seed(derive_seed(..., seed)), not from the global one."""
    first = merged("AB")
    draw_before(2)
    same = same_network(first, run(subject, lenets("AB")))
    assert same, "two calls with the same seed give different networks"


def test_the_networks_it_is_given_stay_as_they_are(subject: Subject) -> None:
    """Work on copies: Assembly.of(network) makes one."""
    networks = lenets("AB")
    before = {task: tensors_of(network) for task, network in networks.items()}
    run(subject, networks)
    for task, network in networks.items():
        same = same_tensors(before[task], network.state_dict())
        assert same, f"the network of task {task} has other weights afterwards"


def test_the_test_part_is_never_looked_at(merged: Merged) -> None:
    """Use data.train and data.validation only."""
    merged("AB")


def test_unknown_options_are_refused(subject: Subject) -> None:
    """Name every option in the signature, or raise ConfigError for the rest."""
    check_refused(partial(run, subject, lenets("AB")))


def test_notes_can_be_written_to_the_record(merged: Merged) -> None:
    """Put nothing but dicts, lists, texts and numbers into network.notes."""
    json.dumps(merged("ABC").notes)


def test_the_workflow_finds_its_code(subject: Subject) -> None:
    """Write the name as text, @register("mine"), in a module that the entry point names."""
    code_hash("pam.stages.merge", {"pam.merging": subject.name})
