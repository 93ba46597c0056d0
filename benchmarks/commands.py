"""How long the commands take that compute nothing: planning, a run that is done, redrawing.

Run ``python -m benchmarks.commands [--out CSV]``. Rounds are interleaved. Each row of the CSV is
one command: median wall clock over n rounds with its 95 % bootstrap interval, median processor
time, and the limit it is meant to keep, which is only named.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.rows import command_line, write_csv
from benchmarks.timing import interleaved, interval, machine
from pam.source.modules import ROOT
from tests.trees import fresh_tree

FIELDS = ("command", "seconds", "low", "high", "cpu_seconds", "n", "limit_s", "machine")
PLAN_LIMIT_S, NOTHING_TO_DO_LIMIT_S, FIGURES_LIMIT_S = 5, 6, 15


@dataclass
class Command:
    """A command, and the processor time of its runs.

    Attributes:
        name: what the row is called.
        words: what is run, after the name of this Python.
        folder: where it is run.
        limit: seconds it is meant to stay below.
        cpu: processor time of every run so far, in seconds.
    """

    name: str
    words: list[str]
    folder: Path
    limit: float
    cpu: list[float] = field(default_factory=list)

    def run(self) -> float:
        """Run it once and return the seconds it took."""
        before, start = _cpu_of_children(), time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        command = [sys.executable, *self.words]
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - start
        self.cpu.append(_cpu_of_children() - before)
        return seconds


def commands(tree: Path, out: Path, profile: str) -> list[Command]:
    """Return all commands.

    Args:
        tree: a copy of the checkout in which ``profile`` is complete.
        out: a folder for figures.
        profile: the run that has nothing left to do.
    """
    plan = ["--profile", "workflow/profiles/default", "--cores", "all", "--config", "profile=paper"]
    done = ["workflow/reproduce.py", "--profile", profile]
    runs = sorted(path.parent for path in ROOT.glob("results/reference/*/measurements.csv"))
    return [
        Command("snakemake -n, paper", ["-m", "snakemake", *plan, "-n"], tree, PLAN_LIMIT_S),
        Command(
            "make reproduce DRY_RUN=1, paper",
            ["workflow/reproduce.py", "--profile", "paper", "--dry-run"],
            tree,
            PLAN_LIMIT_S,
        ),
        Command("make reproduce, nothing to do", done, tree, NOTHING_TO_DO_LIMIT_S),
        *(
            Command(
                f"make figures, {run.name}",
                ["-m", "pam.cli", "figures", "--results", str(run), "--out", str(out / run.name)],
                tree,
                FIGURES_LIMIT_S,
            )
            for run in runs
        ),
    ]


def measure(timed: list[Command], rounds: int) -> list[dict[str, object]]:
    """Return one row per command."""
    rows = []
    times = interleaved([command.run for command in timed], rounds)
    for command, seconds in zip(timed, times, strict=True):
        numbers = (statistics.median(seconds), *interval(seconds))
        # The first run, which warms the disk's cache, does not count.
        cpu = statistics.median(command.cpu[-rounds:])
        measured = [f"{number:.2f}" for number in (*numbers, cpu)]
        tail = [rounds, command.limit, machine()]
        rows.append(dict(zip(FIELDS, [command.name, *measured, *tail], strict=True)))
    return rows


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Make a small run, time every command, print every row, and write them all to the CSV."""
    parser = command_line("commands", __doc__, 5)
    parser.add_argument("--profile", default="smoke", help="run that is made and left as it is")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        tree = fresh_tree(Path(folder))
        timed = commands(tree, Path(folder) / "figures", given.profile)
        made = Command("a run", ["workflow/reproduce.py", "--profile", given.profile], tree, 0)
        made.run()
        rows = measure(timed, given.rounds)
    for row in rows:
        print(*(f"{key}={value}" for key, value in row.items()), flush=True)
    write_csv(given.out, FIELDS, rows)


if __name__ == "__main__":
    main()
