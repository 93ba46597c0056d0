"""Kill runs at random moments, again and again, and check that nothing of it is seen in the end.

A run is killed with SIGKILL, the whole process group at once or one process of it alone, and
started again by the same command, so many times in a row. Then it may complete. Its CSV files have
to be those of a run that nobody disturbed, byte by byte; after every kill no process of it may be
left and no file may change; no step is taken by hand in between.

    python tests/reliability/kill_runs.py --runs 20 --kills 25
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.trees import csv_bytes, fresh_tree, start  # noqa: E402 - of this checkout

GONE_WITHIN_S = 30.0
# Jobs that still ran would write a checkpoint at every step.
QUIET_S = 0.3
COMPLETE_WITHIN_S = 7200.0
LOOK_S = 0.2
AT_THE_START = 0.3
"""Share of the kills that fall into the time before the first job starts."""
VICTIMS = ("group", "reproduce", "snakemake", "job")
"""Who is killed: all processes, or one alone. Whoever loses a job goes on with the others."""


class Broken(Exception):
    """What was promised did not hold."""


@dataclass
class Undisturbed:
    """A run that nobody disturbed.

    Attributes:
        csvs: content of its CSV files.
        records: how many its jobs left.
        start_s: how long it took until its first job had started.
        seconds: how long it took after that.
    """

    csvs: dict[str, bytes]
    records: int
    start_s: float
    seconds: float


def main() -> int:
    """Run and return the exit code: 0 if every run ended as if undisturbed."""
    options = _parser().parse_args()
    named = ROOT / "workflow" / "config" / f"{options.profile}.yaml"
    profile = named if named.exists() else Path(options.profile)
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kill-runs-", dir=options.folder) as made:
        folder = Path(made)
        try:
            reference = undisturbed(folder / "undisturbed", profile)
            print(f"undisturbed: {reference.seconds:.0f} s after {reference.start_s:.0f} s\n")
            kills = 0
            print(f"| run | kills | {' | '.join(VICTIMS)} | with checkpoints | CSV files |")
            print("|----:" * (len(VICTIMS) + 3) + "|:----------|", flush=True)
            for number in range(1, options.runs + 1):
                place = folder / f"run-{number}"
                killed, with_checkpoints = killed_run(
                    place, profile, reference, options.kills, draw
                )
                kills += killed.total()
                cells = [number, killed.total(), *(killed[victim] for victim in VICTIMS)]
                print("", *cells, with_checkpoints, "identical", "", sep=" | ", flush=True)
                shutil.rmtree(place)
        except Broken as broken:
            kept = Path(tempfile.mkdtemp(prefix="kill-runs-broken-", dir=options.folder))
            shutil.copytree(folder, kept, dirs_exist_ok=True)
            print(f"kill_runs: {broken}; everything is kept in {kept}", file=sys.stderr)
            return 1
    print(f"\n{options.runs} runs of {profile.stem}, {kills} kills: all CSV files identical")
    return 0


def undisturbed(folder: Path, profile: Path) -> Undisturbed:
    """Run once to the end."""
    tree = fresh_tree(folder, profile)
    began, process = time.monotonic(), _start(tree, profile)
    _wait_for_job(tree, process)
    started = time.monotonic()
    _end(tree, process)
    seconds = time.monotonic() - started
    return Undisturbed(csv_bytes(tree, profile.stem), _records(tree), started - began, seconds)


def killed_run(
    folder: Path,
    profile: Path,
    reference: Undisturbed,
    kills: int,
    draw: random.Random,
    victims: Sequence[str] = VICTIMS,
) -> tuple[Counter[str], int]:
    """Kill a run so many times, let it complete, and check what it leaves.

    Returns how often who was killed, and how often there were checkpoints to go on from.

    Args:
        folder: where the run's tree goes.
        profile: file of the configuration.
        reference: what to compare with.
        kills: how often to kill; fewer if the run is complete before.
        draw: of the moments, and of who is killed.
        victims: who may be killed.

    Raises:
        Broken: if the run does not end as an undisturbed one, or something of it goes on after a
            kill.
    """
    tree = fresh_tree(folder, profile)
    killed, with_checkpoints = Counter[str](), 0
    for number in range(kills):
        process = _start(tree, profile, PAM_CHECKPOINT_EVERY="0")
        victim, is_early = draw.choice(victims), draw.random() < AT_THE_START
        if not is_early:
            # So that the kills are spread over the whole run, however fast the machine is just now.
            _wait_for_job(tree, process, number * reference.records // kills)
        longest = reference.start_s if is_early else 2 * reference.seconds / kills
        time.sleep(draw.uniform(0, longest))
        if process.poll() is not None:
            if process.returncode:
                raise Broken(f"{folder.name} ended with exit code {process.returncode} by itself")
            break
        killed[_kill(process.pid, victim, tree)] += 1
        process.wait(COMPLETE_WITHIN_S)
        with_checkpoints += any((tree / "results").rglob(".checkpoints/*/*.safetensors"))
        _check_silence(tree)
    _end(tree, _start(tree, profile))
    made = csv_bytes(tree, profile.stem)
    differing = [name for name, content in reference.csvs.items() if made[name] != content]
    if differing:
        raise Broken(f"{folder.name}: {differing[0]}.csv differs after {killed.total()} kills")
    left = [
        path for path in tree.rglob(".*") if path.name == ".checkpoints" or ".tmp-" in path.name
    ]
    left += (folder / "tmp").iterdir()
    if left:
        raise Broken(f"{folder.name}: {left[0]} is left over")
    return killed, with_checkpoints


def _wait_for_job(tree: Path, process: subprocess.Popen[bytes], records: int = 0) -> None:
    """Wait until a job runs and the results hold so many records, or the run has ended."""
    while process.poll() is None and (_records(tree) < records or not _named("job", tree)):
        time.sleep(LOOK_S)


def _records(tree: Path) -> int:
    return len(list((tree / "results").glob("*/*/*/*.json")))


def _end(tree: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a run, and check that it ended well."""
    if code := process.wait(COMPLETE_WITHIN_S):
        raise Broken(f"{tree.parent.name} ended with exit code {code}; see {tree.parent / 'log'}")


def _start(tree: Path, profile: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a run whose temporary files lie beside its tree."""
    temporary = tree.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    return start(tree, profile.stem, tree.parent / "log", TMPDIR=str(temporary), **environment)


def _kill(group: int, victim: str, tree: Path) -> str:
    """Kill a victim, or all where there is none yet; return who was killed."""
    below = _named(victim, tree)
    if not below:
        os.killpg(group, signal.SIGKILL)
        return "group"
    with suppress(psutil.NoSuchProcess):
        below[0].kill()
    return victim


def _named(victim: str, tree: Path) -> list[psutil.Process]:
    names = {"reproduce": "workflow/reproduce.py", "snakemake": "snakemake", "job": "pam.cli"}
    return [one for one in working_in(tree) if names.get(victim) in one.info["cmdline"]]


def _check_silence(tree: Path) -> None:
    """Check that no process works in the tree any more, and that no file changes."""
    until = time.monotonic() + GONE_WITHIN_S
    while left := working_in(tree):
        if time.monotonic() > until:
            command = " ".join(left[0].info["cmdline"])
            raise Broken(f"{tree.parent.name}: still running after a kill: {command}")
        time.sleep(0.05)
    before = _state(tree)
    time.sleep(QUIET_S)
    if _state(tree) != before:
        raise Broken(f"{tree.parent.name}: files changed after a kill")


def working_in(tree: Path) -> list[psutil.Process]:
    """Return the processes that run in a tree."""
    return [
        process
        for process in psutil.process_iter(["cwd", "cmdline", "status"])
        if process.info["cwd"] == str(tree) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _state(tree: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in tree.rglob("*")
        if path.is_file()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="runs; default: 20")
    parser.add_argument("--kills", type=int, default=25, help="kills of each run; default: 25")
    parser.add_argument("--profile", default="smoke", help="name of a profile, or a YAML file")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; default: 0")
    parser.add_argument("--folder", help="where the runs go; default: the system's for temporaries")
    return parser


if __name__ == "__main__":
    sys.exit(main())
