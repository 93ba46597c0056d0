"""A finished run without networks: every record, manifest and origin of today's code."""

from pathlib import Path
from typing import Any

from pam.config import Config
from pam.files import file_hash, write_json, write_sealed
from pam.runs.cells import Cell, all_cells, cell_code, config_hash, parents_of, settings_of
from pam.runs.paths import ORIGINS, Paths, path_in_run
from pam.runs.raw_data import cell_raw_hash
from pam.runs.record import read_manifest


def write_idle_run(config: Config, paths: Paths, **facts: Any) -> None:
    """Write what a run leaves, as far as it decides what runs again.

    Args:
        config: the configuration.
        paths: where the files go.
        facts: further provenance of every record.
    """
    jobs = {}
    for cell in all_cells(config):
        for path in map(Path, paths.outputs(cell)):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.suffix:
                path.mkdir(exist_ok=True)
                manifest = read_manifest(paths.results).seal
                origin = {"code_hash": cell_code(config, cell), "manifest": manifest}
                write_json(path / ORIGINS, {"one": origin})
            else:
                path.touch()
        if cell.experiment:
            jobs[path_in_run(*[paths.record(cell)] * 2)] = _write_record(config, paths, cell, facts)
        elif cell.stage == "aggregate":
            manifest = {"config": config.model_dump(), "jobs": jobs}
            write_sealed(paths.manifest, manifest | {"code_hash": cell_code(config, cell)})


def _write_record(config: Config, paths: Paths, cell: Cell, facts: dict[str, Any]) -> dict:
    record, settings = paths.record(cell), settings_of(config, cell)
    parents = [one for some in parents_of(config, cell).values() for one in some]

    def content(path: str) -> str:
        return f"content of {path_in_run(path, record)}"

    provenance = {
        "rule": cell.stage,
        **cell.columns,
        "config": settings,
        "config_hash": config_hash(settings),
        "code_hash": cell_code(config, cell),
        "raw_hash": cell_raw_hash(config, cell),
        "files": {
            path_in_run(path, record): file_hash(path)
            for path in paths.outputs(cell)
            if path != record
        },
        "artefacts": {path_in_run(path, record): content(path) for path in paths.outputs(cell)},
        "parents": {
            path_in_run(path, record): content(path) for path in map(paths.artefact, parents)
        },
        **facts,
    }
    write_sealed(record, {"status": "ok", "reason": "", "rows": {}, "provenance": provenance})
    return provenance
