"""Stands in for pam/cli/main.py in a copy of the tree: jobs leave files without computing them.

No stage counts pam.cli.main among its code, so what Snakemake keeps of such a run, and plans after
it, is the same as after a real one.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pam.cli.parser import make_parser
from pam.config import load_config
from pam.files import write_json
from pam.reporting.schema import TABLES
from pam.status.jobs import job_of_command

PLACEHOLDER = "made without computing\n"
PARTS = ("train", "validation", "test")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the command would write, as far as Snakemake and ``make status`` look at it."""
    given = make_parser().parse_args(arguments)
    for path in files(given):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLACEHOLDER, encoding="utf-8")
    if given.command in ("tables", "figures"):
        Path(given.out).mkdir(parents=True, exist_ok=True)
    if "record" in given:
        write_json(given.record, record(given))
    return 0


def files(given: Namespace) -> list[Path]:
    """Return the files of a command, besides its record."""
    if given.command == "aggregate":
        return [
            Path(given.results) / name for name in (*map("{}.csv".format, TABLES), "manifest.json")
        ]
    if given.command == "prepare":
        tensors = map("{}.safetensors".format, PARTS)
        return [Path(given.out) / name for name in ("dataset.json", "record.json", *tensors)]
    return [Path(given.out)] if "network" in given or given.command in ("train", "merge") else []


def record(given: Namespace) -> dict[str, Any]:
    """Return a record without rows."""
    config, arguments = load_config(given.config), {**vars(given), "seed": str(given.seed)}
    job = job_of_command(given.command, arguments)
    origin = {"code_hash": job.code(config), "config_hash": job.settings_hash(config)}
    return {"status": "ok", "reason": "", "rows": {}, "provenance": origin}
