"""The workflow outside its checkout: as a module of another workflow, and from a wheel."""

import os
import shutil
import subprocess
import sys
import zipfile
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


def python(folder: Path, *words: str, **environment: str) -> str:
    """Run Python in a folder and return what it said."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def snakemake(folder: Path, *words: str, **environment: str) -> str:
    return python(folder, "-m", "snakemake", "--cores", "1", *words, **environment)


def test_as_a_module_of_another_workflow(tmp_path):
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(OUTER, encoding="utf-8")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("profile: smoke\n", encoding="utf-8")
    # The profile is ours; the outer workflow's rules keep their own shell.
    said = snakemake(tmp_path, "first", PREPARED)
    assert "does not exist" not in said
    assert (tmp_path / PREPARED).is_file()
    assert "Nothing to be done" in snakemake(tmp_path, PREPARED)
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


def test_from_a_wheel_in_an_empty_folder(tmp_path):
    source, site, study = (tmp_path / name for name in ("source", "site", "study"))
    for name in ("pam", "workflow"):
        ignored = shutil.ignore_patterns("__pycache__", "site")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("Snakefile", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    python(source, "-c", "from setuptools import build_meta; build_meta.build_wheel('.')")
    (wheel,) = source.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)

    installed = {"PYTHONPATH": str(site)}
    pam = ("-m", "pam.cli")
    said = python(tmp_path, *pam, "init", str(study), "--profile", "smoke", **installed)
    assert f"cd {study} && snakemake --cores all" in said
    where = python(study, "-c", "import pam; print(pam.__file__)", **installed)
    assert Path(where.strip()).is_relative_to(site)
    prepared = PREPARED.replace("smoke", "mine")
    snakemake(study, prepared, **installed)
    assert (study / prepared).is_file()
    said = python(study, *pam, "status", "--profile", "mine", **installed)
    assert "Profile mine: " in said
    assert "jobs would run" in said
