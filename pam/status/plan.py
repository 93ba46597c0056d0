"""What Snakemake would run, and the reason it gives: its own dry run, read back."""

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pam.config.paths import data_record
from pam.errors import PamError
from pam.source.modules import ROOT
from pam.status.jobs import Job, job_of_command

NOTHING_TO_DO = "Nothing to be done"


class Planned(NamedTuple):
    """A job that would run.

    Attributes:
        job: which one.
        reason: Snakemake's words.
        outputs: files, or folders, that it would make; not all of them, but one of each kind.
    """

    job: Job
    reason: str
    outputs: tuple[Path, ...]


def make_plan(profile: str, data: str | None = None) -> list[Planned]:
    """Return what Snakemake would run; it needs no lock, and works beside an active run.

    Args:
        profile: name of a file in ``workflow/config/``.
        data: folder of raw data.

    Raises:
        PamError: if Snakemake cannot make a plan, or says it in a way that is not understood.
    """
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *(f"--profile={ROOT}/workflow/profiles/default", "--cores", "1"),
        *("--dry-run", "--printshellcmds", "--nocolor"),
        *("--config", f"profile={profile}", *([f"data_root={data}"] if data else [])),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode:
        lines = [line for line in said.splitlines() if line.strip()]
        raise PamError(f"Snakemake cannot make a plan: {' '.join(lines[-3:])}")
    return read_plan(said)


def read_plan(said: str) -> list[Planned]:
    """Return the jobs of a dry run with ``--printshellcmds``, in its order.

    Raises:
        PamError: if they are not as many as Snakemake counts.
    """
    if NOTHING_TO_DO in said:
        return []
    blocks = re.split(r"^Job \d+: .*\n", said, flags=re.MULTILINE)[1:]
    plan = [_planned(block) for block in blocks]
    counted = re.search(r"^total +(\d+)$", said, re.MULTILINE)
    # The rule `all` counts as a job as well.
    if counted is None or None in plan or int(counted[1]) != len(plan) + 1:
        raise PamError("Snakemake's plan cannot be read: it counts other jobs than it lists")
    return [one for one in plan if one is not None]


def _planned(block: str) -> Planned | None:
    reason = re.search(r"^Reason: (.*)$", block, re.MULTILINE)
    command = re.search(r"^Shell command: .*-m pam\.cli (.*) > ", block, re.MULTILINE)
    if reason is None or command is None:
        return None
    stage, *words = shlex.split(command[1])
    given = {name[2:]: value for name, value in pairwise(words) if name.startswith("--")}
    if stage == "aggregate":
        outputs = [f"{given['results']}/manifest.json", f"{given['results']}/measurements.csv"]
    elif stage == "prepare":
        outputs = [f"{given['out']}/dataset.json", data_record(given["out"])]
    else:
        outputs = [given[name] for name in ("out", "record") if name in given]
    return Planned(job_of_command(stage, given), reason[1].strip(), tuple(map(Path, outputs)))
