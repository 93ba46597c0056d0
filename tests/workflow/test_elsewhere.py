"""The workflow outside its checkout: as a module of another workflow."""

import subprocess
import sys
from pathlib import Path

import pytest

from pam.source.modules import ROOT

pytestmark = pytest.mark.more

OUTER = f"""\
configfile: "config/config.yaml"


rule first:
    output:
        "mine.txt",
    shell:
        "echo one > {{output}}; echo two >> {{output}}"


module pam_bench:
    snakefile:
        "{ROOT}/Snakefile"
    config:
        config


use rule * from pam_bench as pam_*
"""
PREPARED = "results/smoke/data/digits_lenet5/record.json"


def snakemake(folder: Path, *words: str) -> str:
    """Run Snakemake in a folder and return what it said."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_as_a_module_of_another_workflow(tmp_path):
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(OUTER, encoding="utf-8")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("profile: smoke\n", encoding="utf-8")
    # The profile is ours; the outer workflow's rules keep their own shell.
    said = snakemake(tmp_path, "first", PREPARED)
    assert "does not exist" not in said
    assert (tmp_path / PREPARED).is_file()
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "one\ntwo\n"
    # The outer workflow may have profiles of its own.
    profile = (ROOT / "workflow/config/smoke.yaml").read_text(encoding="utf-8")
    assert "seeds: [0, 1]" in profile
    mine = profile.replace("seeds: [0, 1]", "seeds: [3]")
    (tmp_path / "config" / "mine.yaml").write_text(mine, encoding="utf-8")
    (tmp_path / "config" / "config.yaml").write_text("profile: mine\n", encoding="utf-8")
    planned = snakemake(tmp_path, "--dry-run", "--summary", "pam_all")
    assert "networks/digits_lenet5/A-3.safetensors" in planned
    assert "A-0.safetensors" not in planned
