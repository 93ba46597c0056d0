"""What is asked of a merger."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pam.conformance.checklist import (
    NAME_OPTIONS,
    SEED_ALL,
    WRITE_NAME,
    Checklist,
    ensure,
    ensure_refused,
)
from pam.conformance.examples import TASKS, lenets, squares, tensors_of
from pam.conformance.networks import (
    ensure_parts_equal_whole,
    ensure_same_bytes,
    ensure_saves_and_loads,
)
from pam.merging import merge
from pam.networks import GroupedNetwork
from pam.provenance import code_hash


@dataclass(frozen=True)
class MergerCase:
    """A merger under examination.

    Attributes:
        name: registered name.
        options: passed to it.
    """

    name: str
    options: Mapping[str, Any]
    _merged: dict[str, GroupedNetwork] = field(default_factory=dict)

    def merge(self, tasks: Iterable[str], seed: int = 0, **more: Any) -> GroupedNetwork:
        """Merge tiny networks of some tasks."""
        networks, data = lenets(tasks), squares(tasks)
        return merge(networks, self.name, data, seed=seed, **self.options, **more)

    def merged(self, tasks: str = "ABC") -> GroupedNetwork:
        """Return the merged network of some tasks, merged once."""
        if tasks not in self._merged:
            self._merged[tasks] = self.merge(tasks)
        return self._merged[tasks]


MERGER: Checklist[MergerCase] = Checklist()
check = MERGER.check


@check("take (networks, data, *, seed, ...) and return Assembly.unite([...]).network(), say")
def merges_two(case: MergerCase) -> None:
    """It merges two networks into one GroupedNetwork."""
    network = case.merged("AB")
    ensure(
        isinstance(network, GroupedNetwork),
        f"it returns {type(network).__name__}, not a GroupedNetwork",
    )


@check("do not count on two tasks; keep the order of `networks` and the output layers")
def keeps_tasks(case: MergerCase) -> None:
    """It works for 2, 3 and 5 tasks, and all tasks and their outputs are there."""
    for tasks in ("AB", "ABC", "ABCDE"):
        found = case.merged(tasks).tasks
        wanted = {task: len(TASKS[task]) for task in tasks}
        ensure(
            list(found.items()) == list(wanted.items()),
            f"of tasks and outputs {wanted} it makes {found}",
        )


@check("return a plain GroupedNetwork")
def saves(case: MergerCase) -> None:
    """The file of the network is read back as it was."""
    ensure_saves_and_loads(case.merged())


@check("let no group depend on one it does not read: build networks through Assembly")
def parts_equal_whole(case: MergerCase) -> None:
    """The sub-network of every task combination computes what the whole network does."""
    ensure_parts_equal_whole(case.merged())


@check(SEED_ALL)
def is_deterministic(case: MergerCase) -> None:
    """The same seed gives the same bytes, whatever was drawn before."""
    networks = []
    for state in (1, 2):
        torch.manual_seed(state)
        networks.append(case.merge("AB", seed=7))
    ensure_same_bytes(*networks, "two calls with the same seed give different networks")


@check("work on copies: Assembly.of(network) makes one")
def leaves_inputs(case: MergerCase) -> None:
    """The networks it is given stay as they are."""
    networks = lenets("AB")
    before = {task: tensors_of(network) for task, network in networks.items()}
    merge(networks, case.name, squares("AB"), seed=0, **case.options)
    for task, network in networks.items():
        after = tensors_of(network)
        same = all(torch.equal(before[task][name], after[name]) for name in after)
        ensure(same, f"the network of task {task} has other weights afterwards")


@check("use data.train and data.validation only")
def spares_test(case: MergerCase) -> None:
    """It never looks at the test part."""
    case.merged("AB")


@check(NAME_OPTIONS)
def refuses_unknown_options(case: MergerCase) -> None:
    """An unknown option is refused with a ConfigError."""
    ensure_refused(lambda **more: case.merge("AB", **more))


@check("put nothing but dicts, lists, texts and numbers into network.notes")
def notes_are_plain(case: MergerCase) -> None:
    """What it notes can be written to the record."""
    json.dumps(case.merged().notes)


@check(WRITE_NAME)
def code_is_found(case: MergerCase) -> None:
    """The workflow finds its code, so that a change of it runs its cells again."""
    code_hash("merge", method=case.name)
