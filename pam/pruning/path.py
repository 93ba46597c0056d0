"""Which strengths a pruner is asked for, and which of its networks are taken.

A list of strengths takes every network. A path asks for the next strength in the light of the last
network, and takes networks at equal ratios of cost, so that every method is sampled alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from statistics import fmean

from pam.networks import GroupedNetwork
from pam.pruning.units import unit_keys

DIGITS = 6
"""Of a strength on a ladder: as many as files and commands write."""
PATIENCE = 40
"""Strengths in a row without a network taken, after which nothing more is expected."""
BEYOND = 2
"""Networks in a row whose drop is beyond the last of interest: one may be bad luck."""


@dataclass(frozen=True)
class Ladder:
    """Strengths of a pruner from gentle to hard, endless or until they no longer differ.

    Attributes:
        kind: ``"growth"``: every strength is ``step`` > 1 times the one before; ``"remaining"``:
            strengths are fractions removed, and what remains is ``step`` < 1 times what remained.
        start: the first strength.
        step: see ``kind``.
    """

    kind: str
    start: float
    step: float

    def __iter__(self) -> Iterator[float]:
        before = 0.0
        for number in count():
            strength = self._at(number)
            # A fraction comes to 1 in the end, and a growing strength to infinity.
            if not before < strength < (1 if self.kind == "remaining" else float("inf")):
                return
            yield strength
            before = strength

    def _at(self, number: int) -> float:
        if self.kind == "remaining":
            return round(1 - (1 - self.start) * self.step**number, DIGITS)
        try:
            return float(f"{self.start * self.step**number:.{DIGITS}g}")
        except OverflowError:
            return float("inf")


@dataclass(frozen=True)
class CostPath:
    """How the path of a network through ever smaller ones is sampled.

    Attributes:
        strengths: from gentle to hard; gone through once for every independent part.
        cost: of a network with all its tasks running.
        baseline: task -> validation accuracy, a fraction, from which drops are counted.
        stop_drop: a part is done when its mean drop is beyond this on two networks taken in a
            row. Unit: percentage points.
        cost_ratio: a network is taken if it costs at most so much of the last one taken, at first
            of the network before pruning; the last network of all is always taken.
        most: networks taken of a part.
    """

    strengths: Iterable[float]
    cost: Callable[[GroupedNetwork], float]
    baseline: Mapping[str, float]
    stop_drop: float
    cost_ratio: float = 0.85
    most: int = 40

    def first(self, number: int) -> list[float]:
        """Return the first strengths."""
        return list(islice(self.strengths, number))

    def walk(self, network: GroupedNetwork) -> "Walk":
        """Return the way of one independent part, which is the network."""
        return _PathWalk(self, network)


class Walk(ABC):
    """The strengths that one independent part is asked for, one by one.

    Attributes:
        strength: the last one that was asked for, 0 before that.
    """

    strength: float = 0.0

    @abstractmethod
    def __iter__(self) -> Iterator[float]: ...

    @abstractmethod
    def takes(self, network: GroupedNetwork) -> bool:
        """Tell whether the network of the last strength is taken."""

    def observe(self, accuracy: Mapping[str, float]) -> None:  # noqa: B027 - most learn nothing
        """Learn task -> validation accuracy of the network taken, a fraction."""


class ListWalk(Walk):
    """All strengths of a list, whatever comes of them."""

    def __init__(self, strengths: Iterable[float]) -> None:
        self._strengths = list(strengths)

    def __iter__(self) -> Iterator[float]:
        for strength in self._strengths:
            self.strength = strength
            yield strength

    def takes(self, network: GroupedNetwork) -> bool:
        return True


class _PathWalk(Walk):
    def __init__(self, path: CostPath, network: GroupedNetwork) -> None:
        self._path = path
        self._cost = path.cost(network)
        self._coming = iter(path.strengths)
        self._next = next(self._coming, None)
        self._taken = self._passed_over = self._beyond = 0
        self._is_over = self._next is None

    def __iter__(self) -> Iterator[float]:
        while not self._is_over and self._next is not None:
            self.strength = self._next
            self._next = next(self._coming, None)
            yield self.strength

    def takes(self, network: GroupedNetwork) -> bool:
        cost = self._path.cost(network)
        self._passed_over += 1
        patience_is_out = self._passed_over == PATIENCE
        nothing_left = all(n <= 1 for _, n in unit_keys(network))
        self._is_over = self._next is None or patience_is_out or nothing_left
        if not self._is_over and cost > self._path.cost_ratio * self._cost:
            return False
        self._cost, self._passed_over = cost, 0
        self._taken += 1
        return True

    def observe(self, accuracy: Mapping[str, float]) -> None:
        drops = [100 * (self._path.baseline[task] - value) for task, value in accuracy.items()]
        self._beyond = self._beyond + 1 if fmean(drops) > self._path.stop_drop else 0
        self._is_over |= self._beyond == BEYOND or self._taken == self._path.most
