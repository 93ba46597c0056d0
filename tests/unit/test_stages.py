"""The table of stages agrees with the rest of the house, and a stage is added in three places."""

import re
import sys

import pytest

from pam import ConfigError
from pam.config import load_config
from pam.files import read_json
from pam.reporting.schema import DERIVED, MEASURED, TABLES
from pam.reporting.storage import read_table
from pam.runs.cells import Cell, all_cells, cell_code, cells_of, parents_of, settings_of
from pam.runs.machine import environment
from pam.runs.paths import Paths, profile_file, record_of
from pam.runs.stages import (
    CELL_STAGES,
    CSV_FILES,
    EVERYWHERE,
    STAGES,
    ancestors,
    method_axis,
    stage_of,
    stages_of_table,
)
from pam.source.code import code_hash, module_hashes
from pam.source.modules import ROOT
from tests.trees import fresh_tree, start

SMOKE = load_config(ROOT / profile_file("smoke"))
PATHS = Paths("results/smoke")


def test_every_csv_file_is_written_by_a_stage_and_no_other():
    measured = {t for name in CELL_STAGES for t in STAGES[name].tables} | set(EVERYWHERE)
    assert measured == {table.name for table in MEASURED}
    assert set(STAGES["aggregate"].tables) == {table.name for table in DERIVED}
    assert {stages_of_table(table) for table in STAGES["aggregate"].tables} == {("measure",)}
    assert set(map(stages_of_table, EVERYWHERE)) == {CELL_STAGES}
    assert set(CSV_FILES) == set(TABLES)
    assert all(stages_of_table(table) for table in TABLES)
    with pytest.raises(ConfigError, match=r"no stage writes other\.csv"):
        stages_of_table("other")


def test_a_stage_comes_after_its_parents():
    for position, name in enumerate(STAGES):
        assert set(ancestors(name)) <= set(list(STAGES)[:position])


def test_a_stage_runs_the_method_of_the_axis_that_is_its_own():
    own = {"merge": "merging", "prune": "pruning", "relate": "relatedness"}
    stages = ("train", "measure", "analyse", "aggregate", *own)
    assert {stage: method_axis(stage) for stage in stages} == dict.fromkeys(stages, "") | own


def test_every_cell_has_code_settings_and_files():
    cells = all_cells(SMOKE)
    assert len(set(cells)) == len(cells)
    assert {cell.stage for cell in cells} == set(STAGES)
    outputs = [path for cell in cells for path in PATHS.outputs(cell)]
    assert len(set(outputs)) == len(outputs)
    for cell in cells:
        assert re.fullmatch("[0-9a-f]{12}", cell_code(SMOKE, cell))
        assert isinstance(settings_of(SMOKE, cell), dict)
        for parent in (one for some in parents_of(SMOKE, cell).values() for one in some):
            assert parent in cells
            assert settings_of(SMOKE, parent).items() <= settings_of(SMOKE, cell).items() or (
                cell.stage == "aggregate" or not cell.experiment
            )
        if cell.experiment:
            assert record_of(PATHS.artefact(cell)) == PATHS.record(cell)


def test_wildcards_stand_where_values_do():
    for stage in CELL_STAGES:
        for cell in cells_of(SMOKE, stage):
            pattern = Cell.pattern(stage)
            for path in (PATHS.artefact, PATHS.record, PATHS.log):
                assert path(pattern).format(**cell.axes) == path(cell)


def test_pruning_does_not_see_merging_nor_its_sibling():
    modules = module_hashes("pam.stages.prune", {"pam.pruning": "vibnet"})
    assert {"pam.stages.prune", "pam.pruning.vibnet"} <= modules.keys()
    assert not [name for name in modules if name.startswith("pam.merging")]
    assert "pam.pruning.taylor" not in modules
    outside = ("pam.cli", "pam.config", "pam.runs", "pam.source", "pam.history")
    assert not [name for name in modules if name.startswith(outside)]


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="unknown stage 'bake'; known: prepare"):
        stage_of("bake")
    with pytest.raises(ConfigError, match=r"no module of pam\.pruning registers 'tailor'.*taylor"):
        code_hash("pam.stages.prune", {"pam.pruning": "tailor"})


def test_environment_is_plain_and_names_the_versions(monkeypatch):
    known = environment()
    assert known["packages"]["torch"]
    assert (known["device"], known["python"]) == ("cpu", sys.version.split()[0])
    assert environment("cuda (a GPU)")["device"] == "cuda (a GPU)"


ROW = """    "weigh": Stage(
        help="weigh the merged network of every cell",
        done="weighed",
        folder="weighed",
        axes=("merging", "seed"),
        parents=(_DATA, _MERGED),
        plugins=("pam.networks",),
    ),
    "relate": Stage("""
BODY = '''"""Weigh the merged network of every cell."""

from pam.stages.job import Inputs, Job, Result


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the number of its parameters."""
    return Result(facts={"weight": sum(p.numel() for p in inputs.merged.parameters())})
'''


@pytest.mark.more
def test_a_stage_is_added_by_one_row_one_body_and_one_rule(tmp_path):
    tree = fresh_tree(tmp_path, ROOT / "tests/reliability/tiny.yaml")
    table, rule = tree / "pam/runs/stages.py", tree / "workflow/rules/merge.smk"
    table.write_text(table.read_text().replace('    "relate": Stage(', ROW, 1))
    (tree / "pam/stages/weigh.py").write_text(BODY)
    text = rule.read_text().replace('"merge"', '"weigh"').replace("rule merge:", "rule weigh:")
    text = text.replace("'merge --config", "'weigh --config")
    text = text.replace('        network=artefact("weigh"),\n', "")
    text = text.replace("--networks {input.networks}", "--merged {input.merged}")
    (rule.parent / "weigh.smk").write_text(text.replace("--out {output.network} ", ""))
    snakefile = tree / "Snakefile"
    include = 'include: "workflow/rules/merge.smk"\n'
    snakefile.write_text(
        snakefile.read_text().replace(include, include + include.replace("merge", "weigh"))
    )
    log = tmp_path / "log"
    assert start(tree, "tiny", log).wait(600) == 0, log.read_text()
    records = sorted(tree.glob("results/tiny/weighed/*/*.json"))
    assert len(records) == len(list(tree.glob("results/tiny/merged/*/*.json")))
    assert all(read_json(path)["provenance"]["weight"] > 0 for path in records)
    rules = read_table(tree / "results/tiny", "resources")["rule"]
    assert (rules == "weigh").sum() == len(records)
