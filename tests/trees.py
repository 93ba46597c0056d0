"""Copies of this checkout in which a whole run can be made, broken and mended."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pam.reporting.schema import TABLES
from pam.runs.paths import Paths
from pam.source.modules import ROOT

# Timings and memory are never the same twice.
MEASURED_ANEW = {"latency", "resources"}


def fresh_tree(folder: Path, profile: Path | None = None) -> Path:
    """Copy what a run needs below a folder, and nothing that a run made.

    Args:
        folder: made if it is missing.
        profile: a further configuration that the copy shall have.
    """
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for name in ("pam", "workflow"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", tree)
    if profile is not None:
        shutil.copy(profile, tree / "workflow" / "config")
    return tree


def commit(tree: Path) -> None:
    """Make a tree a checkout without uncommitted changes."""
    for arguments in (["init"], ["add", "."], ["commit", "--message=test"]):
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", *who, *arguments], cwd=tree, check=True, capture_output=True)


def start(tree: Path, profile: str, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start what ``make reproduce`` runs, in a process group of its own."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            [sys.executable, "workflow/reproduce.py", "--profile", profile, "--cores", "2"],
            cwd=tree,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | environment,
        )


def csv_bytes(tree: Path, profile: str) -> dict[str, bytes]:
    """Return the content of every CSV file that must be the same in every run."""
    paths = Paths(f"results/{profile}")
    return {name: (tree / paths.csv(name)).read_bytes() for name in set(TABLES) - MEASURED_ANEW}
