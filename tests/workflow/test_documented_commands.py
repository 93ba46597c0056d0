"""Every command of README and docs, run where the smoke profile has run.

A block of commands is one marked ``sh``. One that cannot run here says why in the line above it:
``<!-- not run: needs a cluster -->``. What the pages do with ``quick`` is done with ``smoke``.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pam.source.modules import ROOT
from tests.trees import fresh_tree

pytestmark = pytest.mark.more

PAGES = ["README.md", "CONTRIBUTING.md", "workflow/config/README.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^(?:<!-- not run: ([^\n]*) -->\n)?```(\w*)\n(.*?)^```", re.M | re.S)
COMMAND = re.compile(r"(\S*=\S+ )*(\.venv\S*/bin/)?(pam|make|python|snakemake|pip) ")
READY = sorted(Path(sys.prefix).glob(".ready-*"))


def blocks() -> list[tuple[str, int, str, str, str]]:
    """Return page, line, why it is not run, language and text of every block."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.append((page, line, match[1] or "", match[2], match[3]))
    return found


RUN = [
    (f"{page}:{line}", text) for page, line, why, kind, text in blocks() if kind == "sh" and not why
]


def test_blocks_of_commands_are_marked():
    unmarked = [
        f"{page}:{line}"
        for page, line, _, kind, text in blocks()
        if kind == "" or (kind == "text" and COMMAND.match(text))
    ]
    assert not unmarked, "say what a block is, ```sh for commands"
    assert len(RUN) > 12


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A checkout in which the smoke profile has run, with the environment of these tests."""
    if not READY:
        pytest.skip("this environment was not made by make")
    tree = fresh_tree(tmp_path_factory.mktemp("pages"))
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tree)
    (tree / ".venv").symlink_to(sys.prefix)
    done = run(tree, "make reproduce STRICT=1")
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


def run(tree: Path, script: str) -> subprocess.CompletedProcess:
    """Run lines of a shell as after ``. .venv/bin/activate``, on two cores."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    environment |= {"PATH": path, "PROFILE": "smoke", "CORES": "2", "PYTHONPATH": str(tree)}
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=900
    )


@pytest.mark.parametrize(("where", "text"), RUN, ids=[where for where, _ in RUN])
def test_commands_run(tree, where, text):
    lines = [line for line in text.splitlines() if not line.startswith("make test")]
    done = run(tree, "\n".join(lines).replace("quick", "smoke"))
    assert done.returncode == 0, f"{where}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
