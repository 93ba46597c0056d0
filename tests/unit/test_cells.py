"""Cells, files and settings of a run follow from the table of stages and the configuration."""

import json

import pytest

from pam import ConfigError
from pam.config import Config, parse_config
from pam.runs.cells import Cell, cells_of, check_cell, settings_of
from pam.runs.paths import Paths, check_checkout, profile_file
from tests.unit.test_config import CONDITIONS, GOOD, RELATED_ONLY, good, with_conditions

RELATED = parse_config(RELATED_ONLY, "related.yaml")
STAGES = ("prepare", "train", "merge", "prune", "measure")


def settings(config: Config, stage: str, *values: object) -> str:
    return json.dumps(settings_of(config, Cell.of(stage, *values)))


def test_cells_follow_the_axes():
    cells = {stage: cells_of(good(), stage) for stage in STAGES}
    assert {stage: len(some) for stage, some in cells.items()} == {
        **{"prepare": 1, "train": 2 * 2, "merge": 3 * 2, "prune": 3 * 2 * 2},
        **{"measure": 3 * 2 * 2},
    }
    assert cells["train"][0] == Cell.of("train", "digits_lenet5", "A", 0)
    assert cells["merge"][1] == Cell.of("merge", "digits_lenet5", "none", 1)
    last = Cell.of("prune", "digits_lenet5", "pam_layerwise", "taylor_fast", 1)
    assert cells["prune"][-1] == last


def test_an_experiment_on_relatedness_only_has_no_other_cells():
    assert len(cells_of(RELATED, "train")) == 9
    assert not any(cells_of(RELATED, stage) for stage in ("merge", "prune", "analyse"))
    related = cells_of(RELATED, "relate")
    assert related[:2] == [Cell.of("relate", "faces", "pam", seed) for seed in (4, 2)]
    assert len(related) == 6
    assert len(Paths("r").records(RELATED)) == 1 + 9 + 6


def test_a_pruner_prunes_the_mergings_it_names():
    text = GOOD.replace("{strengths: [1, 2, 4]}", "{strengths: [1, 2, 4], mergings: [none, mtz]}")
    config = parse_config(text, "good.yaml")
    for stage in ("prune", "measure"):
        cells = [cell for cell in cells_of(good(), stage)
                 if (cell.merging, cell.pruning) != ("pam_layerwise", "vibnet")]  # fmt: skip
        assert cells_of(config, stage) == cells
    cell = Cell.of("prune", "digits_lenet5", "pam_layerwise", "vibnet", 0)
    with pytest.raises(ConfigError, match="'vibnet' of it does not prune merging 'pam_layerwise'"):
        check_cell(config, cell, "it")


def test_a_path_depends_on_the_largest_delta():
    text = GOOD.replace("strengths: [1, 2, 4]", "path: {start: 1, step: 1.1}")
    texts = [text.replace("seeds:", f"deltas: {deltas}\nseeds:", 1)
             for deltas in ("[1, 2]", "[1, 0.5, 2]", "[1, 3]")]  # fmt: skip
    cell = ("digits_lenet5", "mtz", "vibnet", 0)
    first, same, other = (settings(parse_config(one, "good.yaml"), "prune", *cell) for one in texts)
    assert first == same != other


def test_cells_of_conditions():
    assert cells_of(good(), "analyse") == []
    cells = [(cell.merging, cell.pruning) for cell in cells_of(with_conditions(), "analyse")]
    pruned = [(cell.merging, cell.pruning) for cell in cells_of(good(), "prune")]
    assert {merging for merging, _ in cells} == {"none", "mtz"}
    assert cells == [cell for cell in pruned if cell[0] != "pam_layerwise"]


def test_a_cell_depends_on_its_own_conditions_only():
    cell = ("digits_lenet5", "mtz", "vibnet", 0)

    def of_mtz(config: Config) -> str:
        return settings(config, "analyse", *cell)

    before = of_mtz(with_conditions())
    assert of_mtz(with_conditions(CONDITIONS.replace("[none]", "[none, pam_layerwise]"))) == before
    assert of_mtz(with_conditions(CONDITIONS.replace("[none]", "[mtz]"))) != before
    assert of_mtz(with_conditions(CONDITIONS.replace("f3, ", ""))) != before
    assert of_mtz(with_conditions(CONDITIONS.replace("64", "65"))) != before
    both = (settings(config, "measure", *cell) for config in (with_conditions(), good()))
    assert len(set(both)) == 1


def test_counts_of_relatedness_depend_on_their_row_only():
    def of_pam(text: str) -> str:
        return settings(parse_config(text, "related.yaml"), "relate", "faces", "pam", 4)

    before = of_pam(RELATED_ONLY)
    assert of_pam(RELATED_ONLY.replace("alpha: 0.5", "alpha: 0.6")) == before
    assert of_pam(RELATED_ONLY.replace("stages: []", "stages: [{epochs: 1}]")) != before
    assert of_pam(RELATED_ONLY.replace("epochs: 1", "epochs: 2")) != before


@pytest.mark.parametrize("name", ["../quick", "a/b", "", "a b", "quick\n", "/etc/passwd", ".."])
def test_a_profile_cannot_name_a_folder(name):
    with pytest.raises(ConfigError, match="a profile is the name of a file in workflow/config/"):
        profile_file(name)
    assert profile_file("quick") == "workflow/config/quick.yaml"


def test_paths():
    paths = Paths("results/quick")
    files = {
        paths.artefact(Cell.of("prepare", "e")): "data/e/dataset.json",
        paths.record(Cell.of("prepare", "e")): "data/e/record.json",
        paths.artefact(Cell.of("train", "e", "A", 0)): "networks/e/A-0.safetensors",
        paths.artefact(Cell.pattern("merge")): "merged/{experiment}/{merging}-{seed}.safetensors",
        paths.record(Cell.of("prune", "e", "m", "p", 1)): "pruned/e/m-p-1.json",
        paths.artefact(Cell.of("measure", "e", "m", "p", 1)): "measured/e/m-p-1.json",
        paths.artefact(Cell.pattern("relate")): "related/{experiment}/{relatedness}-{seed}.json",
        paths.record(Cell.of("analyse", "e", "m", "p", 1)): "analysed/e/m-p-1.json",
        paths.record(Cell("aggregate")): "manifest.json",
        paths.record(Cell("tables")): "tables",
    }
    assert {path: f"results/quick/{name}" for path, name in files.items()} == {p: p for p in files}
    assert paths.log(Cell.of("train", "e", "A", 0)) == "logs/quick/train/e/A-0.log"
    records = paths.records(good())
    assert len(records) == 1 + 4 + 6 + 12 + 12 == len(set(records))


@pytest.mark.parametrize("name", ["my bench {y}", "a}b", "a:b"])
def test_a_checkout_that_snakemake_cannot_work_in_is_named(name):
    with pytest.raises(ConfigError, match=r"Snakemake cannot work in a folder with '[{}:]' in its"):
        check_checkout(f"/home/me/{name}")
    check_checkout('/home/me/it\'s 100% "mine" $HOME & co;#*?[a]!^ü')
