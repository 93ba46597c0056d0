"""How far a run is, and when it will be over, told from the files that its jobs have written."""

import csv
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import mean

from pam.history.plan import Due
from pam.runs.paths import REFERENCE, Paths

LOOK_S = 2.0
TERMINAL_S, ELSEWHERE_S = 15.0, 60.0
"""Seconds between two lines; sooner if another tenth of the jobs is done."""


class Progress:
    """Prints a line now and then while the jobs of a run end.

    The time that is left is that of the jobs done so far, times what the others weigh: as long as
    jobs of their stage took in the reference run of the profile, else all alike.

    Args:
        due: the cells that run.
        paths: of the run.
    """

    def __init__(self, due: Iterable[Due], paths: Paths) -> None:
        took = _seconds(Path("results", REFERENCE, Path(paths.results).name, "resources.csv"))
        usual = mean(took.values()) if took else 1.0
        self._left = {paths.outputs(one.cell)[-1]: took.get(one.cell.stage, usual) for one in due}
        self._jobs, self._weight = len(self._left), sum(self._left.values())
        self._began, self._began_at = time.monotonic(), time.time()
        self._looked = self._said = self._began
        self._said_of = 0

    def look(self) -> None:
        """Print a line if there is something new to say; called often."""
        now = time.monotonic()
        if now < self._looked + LOOK_S or not self._left:
            return
        self._looked = now
        self._left = {path: one for path, one in self._left.items() if not self._is_done(path)}
        done = self._jobs - len(self._left)
        patience = TERMINAL_S if sys.stderr.isatty() else ELSEWHERE_S
        # The first jobs, which prepare data, say little about the others.
        is_due = done > self._said_of and now > self._said + patience and 20 * done >= self._jobs
        if self._left and (is_due or 10 * (done - self._said_of) >= self._jobs):
            self._said, self._said_of = now, done
            print(self._line(done, now - self._began), file=sys.stderr, flush=True)

    def _line(self, done: int, seconds: float) -> str:
        left = sum(self._left.values())
        rest = in_words(seconds * left / (self._weight - left))
        share = f"{done / self._jobs:.0%}".replace("%", " %")
        return f"{done} of {self._jobs} jobs done ({share}), about {rest} left"

    def _is_done(self, path: str) -> bool:
        try:
            return Path(path).stat().st_mtime >= self._began_at
        except OSError:
            return False


def in_words(seconds: float) -> str:
    """Return a time to wait, to two figures: ``40 s``, ``12 min``, ``3.5 h``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{float(f'{seconds:.2g}'):g} s"


def _seconds(resources: Path) -> dict[str, float]:
    """Return stage -> mean wall clock of its jobs in a run; nothing if that cannot be told."""
    times: dict[str, list[float]] = defaultdict(list)
    # A guess at the time left is no reason to stop a run.
    with suppress(OSError, csv.Error, KeyError, TypeError, ValueError):
        with resources.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                times[row["rule"]].append(float(row["wall_s"]))
        return {stage: max(mean(of_stage), 0.001) for stage, of_stage in times.items()}
    return {}
