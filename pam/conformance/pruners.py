"""What is asked of a pruner."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
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
from pam.conformance.examples import MIXED, SEPARATE, SHARED, Grouping, lenets, squares, tensors_of
from pam.conformance.networks import (
    ensure_parts_equal_whole,
    ensure_same_bytes,
    ensure_saves_and_loads,
)
from pam.networks import GroupedNetwork
from pam.provenance import code_hash
from pam.pruning import PRUNERS, Pruned, prune_progressively

TASKS = "ABC"
GROUPINGS = (SHARED, SEPARATE, MIXED)


@dataclass(frozen=True)
class PrunerCase:
    """A pruner under examination.

    Attributes:
        name: registered name.
        options: passed to it.
        strengths: at which it prunes, increasing.
    """

    name: str
    options: Mapping[str, Any]
    strengths: Sequence[float]
    _pruned: dict[str, list[Pruned]] = field(default_factory=dict)

    def prune(self, network: GroupedNetwork, seed: int = 0, **more: Any) -> Iterator[Pruned]:
        """Prune a network of all tasks as the workflow does."""
        settings = {**self.options, **more}
        return prune_progressively(
            network, self.name, squares(TASKS), self.strengths, seed=seed, **settings
        )

    def pruned(self, grouping: Grouping = SHARED) -> list[Pruned]:
        """Return the results for a grouping, pruned once."""
        if grouping.name not in self._pruned:
            self._pruned[grouping.name] = list(self.prune(grouping.of(lenets(TASKS))))
        return self._pruned[grouping.name]


PRUNER: Checklist[PrunerCase] = Checklist()
check = PRUNER.check


@check("write `for strength in strengths: ... yield Pruned(strength, network, rows)`")
def yields_every_strength(case: PrunerCase) -> None:
    """It yields one Pruned per strength, in order."""
    results = case.pruned()
    ensure(all(isinstance(one, Pruned) for one in results), "it yields something else than Pruned")
    found = [one.strength for one in results]
    ensure(found == list(case.strengths), f"of strengths {list(case.strengths)} it yields {found}")


@check(
    "go through network.widths[layer] or unit_keys(network); do not count on two kinds of groups"
)
def works_on_all_groups(case: PrunerCase) -> None:
    """It works on shared, exclusive and partly shared groups and keeps all tasks."""
    for grouping in GROUPINGS:
        for one in case.pruned(grouping):
            ensure(
                list(one.network.tasks) == list(TASKS),
                f"with {grouping.name}, tasks {list(TASKS)} become {list(one.network.tasks)}",
            )


@check("go on from the network of the strength before; remove(network, keep) cuts units out")
def never_grows(case: PrunerCase) -> None:
    """No group ever grows from one strength to the next."""
    for grouping in GROUPINGS:
        start = grouping.of(lenets(TASKS)).groups()
        tables = [start, *(one.network.groups() for one in case.pruned(grouping))]
        for before, after in pairwise(tables):
            for layer, groups in after.items():
                for group, units in groups.items():
                    had = before[layer].get(group, 0)
                    ensure(
                        units <= had,
                        f"with {grouping.name}, group {group} of {layer} goes from {had} units "
                        f"to {units}",
                    )


@check("pass what to keep through connected(network, keep, scores) before remove(network, keep)")
def stays_connected(case: PrunerCase) -> None:
    """What is left is connected: every task combination computes what the whole network does."""
    for grouping in GROUPINGS:
        for one in case.pruned(grouping):
            ensure_parts_equal_whole(one.network)


@check("yield a plain GroupedNetwork")
def saves(case: PrunerCase) -> None:
    """The file of a pruned network is read back as it was."""
    for one in case.pruned(MIXED):
        ensure_saves_and_loads(one.network)


@check(SEED_ALL)
def is_deterministic(case: PrunerCase) -> None:
    """The same seed gives the same bytes, whatever was drawn before."""
    runs = []
    for state in (1, 2):
        torch.manual_seed(state)
        runs.append([one.network for one in case.prune(MIXED.of(lenets(TASKS)), seed=7)])
    for one, other in zip(*runs, strict=True):
        ensure_same_bytes(one, other, "two runs with the same seed give different networks")


@check("work on copy.deepcopy(network), and yield a copy too")
def leaves_inputs(case: PrunerCase) -> None:
    """The network it is given stays as it is, and so does what it has yielded."""
    network, pruner = SHARED.of(lenets(TASKS)), PRUNERS.get(case.name)
    before = tensors_of(network)
    found: list[tuple[GroupedNetwork, dict[str, torch.Tensor]]] = [
        (one.network, tensors_of(one.network))
        for one in pruner(network, squares(TASKS), list(case.strengths), seed=0, **case.options)
    ]
    for now, then in [(network, before), *found]:
        after = tensors_of(now)
        same = after.keys() == then.keys() and all(torch.equal(after[n], then[n]) for n in after)
        which = "the network it was given" if now is network else "a network it had yielded"
        ensure(same, f"{which} has other weights afterwards")


@check("use data.train and data.validation only")
def spares_test(case: PrunerCase) -> None:
    """It never looks at the test part."""
    case.pruned()


@check("make rows with curve_rows(epochs, phase), phase being 'prune' or 'fine_tune'")
def rows_have_phases(case: PrunerCase) -> None:
    """Every row of a training curve names its phase."""
    for one in case.pruned():
        wrong = [row for row in one.curve if row.get("phase") not in ("prune", "fine_tune")]
        ensure(not wrong, f"at strength {one.strength:g} there is a row {str(wrong[:1])[1:-1]}")


@check(NAME_OPTIONS)
def refuses_unknown_options(case: PrunerCase) -> None:
    """An unknown option is refused with a ConfigError."""
    ensure_refused(lambda **more: list(case.prune(SHARED.of(lenets(TASKS)), **more)))


@check(WRITE_NAME)
def code_is_found(case: PrunerCase) -> None:
    """The workflow finds its code, so that a change of it runs its cells again."""
    code_hash("prune", method=case.name)
