"""Checkpoints: a journal of a job's expensive steps, so that a killed job goes on where it was.

A job computes the same whenever it runs. So a rerun simply runs from its beginning, and every step
whose outcome the journal holds is read instead of computed; a step that was under way goes on from
what it stored last. Steps are known by their number within the job and by their name, hence no
plug-in has to know of the journal. Outside :func:`keeping`, e.g. when the library is called from a
script, nothing is stored and nothing is looked up.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from hashlib import sha256
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pam.durable.stopping import deferred, requested, stop_if_requested
from pam.errors import DataError, PamError
from pam.files import read_tensors, tensor_hash, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

Outcome = tuple[Mapping[str, "Tensor"], Any]
"""What a step leaves: named tensors, and a JSON-able value without NaN."""

WORTH_STORING_S = 1.0
"""Steps that are computed again faster than this are not stored when they end."""

LARGEST_SHARE = 0.05
"""Share of the time that checkpoints may take, however short the interval asked for."""

_RANDOM = "random."


class Journal:
    """The stored steps of one job.

    Attributes:
        folder: holds a file per step, and nothing else.
        every: seconds between two checkpoints of a step under way; 0 for one at every safe point
            and for storing every finished step.
        due_at: ``time.monotonic()`` from which on the next checkpoint is due.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self.folder = folder
        self.every = every
        self.due_at = time.monotonic() + every
        self._numbers = [0]
        self._complained = False

    @contextmanager
    def step(self, name: str, identity: Callable[[], Any]) -> Iterator["Step"]:
        """Open the next step, with what the folder holds of it."""
        number = ".".join(f"{n:04}" for n in self._numbers)
        words = re.sub(r"\W+", "-", name)[:60]
        step = Step(self, self.folder / f"{number}-{words}.safetensors", _digest(identity()))
        self._numbers.append(0)
        try:
            yield step
        finally:
            self._numbers.pop()
            self._numbers[-1] += 1

    def complain(self, error: Exception) -> None:
        """Print once that nothing can be stored; the job goes on without checkpoints."""
        if not self._complained:
            self._complained = True
            print(f"pam: going on without checkpoints: {error}", file=sys.stderr)


class Step:
    """One expensive step of a job.

    Attributes:
        stored: the outcome, or a state under way, that an earlier run of the job stored.
        finished: whether ``stored`` is the outcome.
    """

    def __init__(self, journal: Journal | None, path: Path, identity: str) -> None:
        self.stored: Outcome | None = None
        self.finished = False
        self._journal = journal
        self._path = path
        self._identity = identity
        self._started = time.monotonic()
        if journal is not None and path.exists():
            self._read()

    def safe_points(self) -> AbstractContextManager[None]:
        """Return a context in which a request to stop waits for the next safe point."""
        return nullcontext() if self._journal is None else deferred()

    def due(self) -> bool:
        """Return whether it is time for :meth:`save`; cheap enough to ask at every safe point."""
        journal = self._journal
        return journal is not None and (requested() or time.monotonic() >= journal.due_at)

    def save(self, state: Callable[[], Outcome], where: str) -> None:
        """Store the state of an unfinished step, then stop if that was requested.

        Args:
            state: called for what to store.
            where: the place this is, for the sentence that says where the job goes on from.
        """
        assert self._journal is not None, "save follows due"
        started = time.monotonic()
        written = self._write(state, finished=False)
        ended = time.monotonic()
        pause = max(self._journal.every, (ended - started) / LARGEST_SHARE)
        self._journal.due_at = ended + (pause if self._journal.every else 0.0)
        stop_if_requested(where if written else "")

    def finish(self, outcome: Callable[[], Outcome]) -> None:
        """Store the outcome, if computing it again would take long."""
        if self._journal is None or self.finished:
            return
        if time.monotonic() - self._started >= min(WORTH_STORING_S, self._journal.every):
            self._write(outcome, finished=True)

    def _write(self, outcome: Callable[[], Outcome], finished: bool) -> bool:
        assert self._journal is not None
        try:
            tensors, value = outcome()
            tensors = {**tensors, **_random_state()}
            # As it will be read, so that the checksum is of the same text.
            meta = loads(dumps({"identity": self._identity, "finished": finished, "value": value}))
            write_tensors(self._path, tensors, {**meta, "seal": _seal(tensors, meta)})
        except (PamError, OSError, RuntimeError, TypeError, ValueError) as error:
            # A checkpoint is a help, not a result: no disk space must not cost the job.
            self._journal.complain(error)
            return False
        return True

    def _read(self) -> None:
        try:
            tensors, meta = read_tensors(self._path)
            seal = meta.pop("seal")
            if seal != _seal(tensors, meta) or meta["identity"] != self._identity:
                raise DataError(f"{self._path} is damaged or of another step")
            self.finished = meta["finished"]
            value = meta["value"]
        except (PamError, AttributeError, KeyError, TypeError) as error:
            print(f"pam: this checkpoint is not used: {error}", file=sys.stderr)
            with suppress(OSError):
                self._path.unlink()
            return
        _restore_random_state(tensors)
        self.stored = {n: t for n, t in tensors.items() if not n.startswith(_RANDOM)}, value


_current: Journal | None = None


@contextmanager
def keeping(folder: str | Path, every: float) -> Iterator[None]:
    """Keep a journal of the steps inside the block, and use what the folder holds of them.

    Args:
        folder: made for exactly this job: the same code, configuration, inputs and seed.
        every: seconds, see :class:`Journal`.
    """
    global _current
    before, _current = _current, Journal(Path(folder), every)
    try:
        yield
    finally:
        _current = before


@contextmanager
def step(name: str, identity: Callable[[], Any] = lambda: None) -> Iterator[Step]:
    """Open a step of the journal, if one is kept.

    Args:
        name: what the step does.
        identity: returns a JSON-able value; what is stored under another one is not used. Called
            only if a journal is kept.
    """
    stop_if_requested()
    if _current is None:
        yield unrecorded()
    else:
        with _current.step(name, identity) as opened:
            yield opened
    stop_if_requested()


def unrecorded() -> Step:
    """Return a step that finds nothing and stores nothing."""
    return Step(None, Path(), "")


def remember(name: str, compute: Callable[[], Outcome]) -> Outcome:
    """Return what ``compute`` returns, or what it returned in an earlier run of the same job.

    Args:
        name: what it computes.
        compute: deterministic, and all it changes is in its outcome. Tensors come back on the CPU,
            tuples in the value as lists, keys of its dictionaries as text.
    """
    with step(name) as opened:
        if opened.stored is not None:
            return opened.stored
        outcome = compute()
        opened.finish(lambda: outcome)
        return outcome


def _random_state() -> "dict[str, Tensor]":
    import torch

    state = {f"{_RANDOM}cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        state[f"{_RANDOM}cuda"] = torch.cuda.get_rng_state()
    return state


def _restore_random_state(tensors: "Mapping[str, Tensor]") -> None:
    import torch

    torch.set_rng_state(tensors[f"{_RANDOM}cpu"])
    if f"{_RANDOM}cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors[f"{_RANDOM}cuda"])


def _digest(value: Any) -> str:
    return sha256(dumps(value, sort_keys=True).encode()).hexdigest()


def _seal(tensors: "Mapping[str, Tensor]", meta: Any) -> str:
    """Return a checksum; a safetensors file opens even if its numbers are damaged."""
    return _digest([tensor_hash(tensors), meta])
