"""What ``make reproduce CLUSTER=...`` sees to before jobs are handed to Slurm or another engine.

Jobs start hours after they were submitted and run the code that lies in the folder then. So a run
starts from committed code only, every job compares its code with what was submitted, and two runs
never submit from one folder.
"""

import getpass
import importlib.util
import json
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
from children import Children

from pam import PamError
from pam.runs.cells import stage_code
from pam.runs.stages import STAGES
from pam.source.modules import PACKAGE, ROOT
from pam.text_files import read_yaml

PROFILES = Path("workflow/profiles")
SITE = PROFILES / "site"
FILE = "profile.yaml"
PLUGIN = "snakemake_executor_plugin_"
SLURM = "slurm"
# What every job of the profiles is called begins so: `slurm-jobname-prefix`.
JOB_NAMES = "pam_"
# Set for the jobs, which inherit the environment: stage -> hash of its code.
SUBMITTED = "PAM_SUBMITTED"


def profiles(names: str) -> list[str]:
    """Return the folders of the Snakemake profiles for a cluster, in order of precedence.

    Args:
        names: words, each a folder in ``workflow/profiles/`` or any other folder with a
            ``profile.yaml``; the site's own comes last.

    Raises:
        PamError: if there is no such profile.
    """
    folders = [_folder(name) for name in names.split()]
    site = [SITE] if (ROOT / SITE / FILE).is_file() and SITE not in folders else []
    return [str(folder) for folder in [*folders, *site]]


def _folder(name: str) -> Path:
    for folder in (PROFILES / name, Path(name)):
        if (ROOT / folder / FILE).is_file():
            return folder
    raise PamError(f"CLUSTER: there is no {PROFILES / name}/{FILE}, and no {Path(name) / FILE}")


def check_engine(folders: list[str]) -> str:
    """Return the executor plug-in that profiles name, once all that it needs is here.

    Raises:
        PamError: saying what is missing.
    """
    engine = ""
    for folder in folders:
        path = ROOT / folder / FILE
        profile = read_yaml(path) or {}
        if not isinstance(profile, dict) or not isinstance(profile.get("executor", ""), str):
            raise PamError(f"CLUSTER: {path} must be a mapping whose executor is a word")
        engine = profile.get("executor", engine)
    if not engine:
        raise PamError(f"CLUSTER: none of {', '.join(folders)} names an executor, e.g. slurm")
    if engine == SLURM and shutil.which("sbatch") is None:
        raise PamError(
            "CLUSTER needs Slurm, but there is no sbatch on this machine: "
            "start from a login node, or leave CLUSTER out to compute here"
        )
    package = f"{PLUGIN}{engine.replace('-', '_')}"
    if importlib.util.find_spec(package) is None:
        named = package.replace("_", "-")
        raise PamError(
            f"CLUSTER needs the package {named}, which is not in this environment; `make reproduce "
            f"CLUSTER=...` makes one, {sys.prefix}/bin/python -m pip install {named} adds it"
        )
    return engine


def check_committed() -> None:
    """Refuse code that differs from the commit; where there is no git, nothing is refused.

    Untracked files count in the package only: a configuration of one's own is no code. Neither are
    Snakemake's profiles, which jobs do not read.

    Raises:
        PamError: naming the first changed files.
    """
    code = ("--", PACKAGE, "workflow", "Snakefile", f":(exclude){PROFILES}")
    edited = _said("git", "-C", str(ROOT), "diff", "--name-only", "HEAD", *code)
    new = _said("git", "-C", str(ROOT), "ls-files", "--others", "--exclude-standard", PACKAGE)
    changed = [*(edited or []), *(new or [])]
    if changed:
        raise PamError(
            f"code differs from the commit, in {', '.join(changed[:3])}"
            f"{' and more' if len(changed) > 3 else ''}: commit it, or say ALLOW_DIRTY=1"
        )


def check_idle() -> None:
    """Refuse to submit from this folder while jobs of an earlier run are in the queue.

    Raises:
        PamError: naming those jobs, or if Slurm does not answer.
    """
    user, folder = getpass.getuser(), Path.cwd().resolve()
    lines = _said("squeue", "--noheader", f"--user={user}", "--format=%i|%j|%Z")
    if lines is None:
        raise PamError("Slurm does not answer: squeue failed, try `sinfo`")
    jobs = [line.split("|", 2) for line in lines]
    ours = [
        job
        for job, name, where in jobs
        if name.startswith(JOB_NAMES) and Path(where).resolve() == folder
    ]
    if ours:
        raise PamError(
            f"{len(ours)} jobs of an earlier run from this folder are still in the queue: "
            f"wait for them, or `scancel {' '.join(ours)}`"
        )


def environment() -> dict[str, str]:
    """Return what jobs must find in their environment to know the code that was submitted."""
    return {SUBMITTED: json.dumps({stage: stage_code(stage) for stage in STAGES})}


class Submitting(Children):
    """Stops Snakemake alone, by the one signal at which it cancels its jobs in the queue.

    Slurm tells the jobs, and what else runs below Snakemake is about to tell Slurm. Ctrl-C of a
    terminal has reached Snakemake already, and a second one would keep it from cancelling.
    """

    at_death = signal.SIGINT

    def stop(self, pid: int, told: set[psutil.Process]) -> None:
        """Interrupt the process, once, if it does not know yet; ``told`` remembers."""
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(pid)
            if self.stopped_by == signal.SIGTERM and main not in told:
                told.add(main)
                main.send_signal(signal.SIGINT)


def _said(*command: str) -> list[str] | None:
    """Return the lines that a command prints, or None if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()
