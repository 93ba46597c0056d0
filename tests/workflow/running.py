"""Snakemake and other commands, run in copies of this checkout."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def run(tree: Path, *command: str) -> subprocess.CompletedProcess:
    """Run Python in a tree."""
    return subprocess.run(
        [sys.executable, *command], cwd=tree, capture_output=True, text=True, timeout=900
    )


def snakemake(tree: Path, *arguments: str, settings: tuple[str, ...]) -> str:
    """Run Snakemake in a tree and return what it said, whether it succeeded or not."""
    profiles = [f"--profile=workflow/profiles/{name}" for name in ("default", "ci")]
    done = run(tree, "-m", "snakemake", *profiles, *arguments, "--config", *settings)
    return done.stdout + done.stderr


def planned(tree: Path, *settings: str) -> set[str]:
    """Return the messages of the jobs that Snakemake would run."""
    said = snakemake(tree, "--dry-run", settings=settings)
    assert "This was a dry-run" in said or "Nothing to be done" in said, said
    return set(re.findall(r"^Job \d+: (.*)$", said, re.MULTILINE))


@contextmanager
def edited(path: Path, pattern: str, replacement: str) -> Iterator[None]:
    """Replace the first match in a file, and put it back."""
    before = path.read_text(encoding="utf-8")
    after = re.sub(pattern, replacement, before, count=1)
    assert after != before
    path.write_text(after, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def run_idle(tree: Path, profile: str) -> None:
    """Run the profile ``tiny`` once in a fresh tree, without computing anything."""
    shutil.copy(Path(__file__).with_name("idle_main.py"), tree / "pam" / "cli" / "main.py")
    (tree / "workflow/config/tiny.yaml").write_text(profile, encoding="utf-8")
    said = snakemake(tree, settings=("profile=tiny",))
    assert "(100%) done" in said, said
