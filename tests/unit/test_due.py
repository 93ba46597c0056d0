"""What runs again after a change, and nothing else: every stage's code, every key, every file."""

import ast
import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import reproduce

from pam.cli.main import main
from pam.cli.status import failed_lines, stage_lines
from pam.config import Config, parse_config
from pam.durable.locks import RUN_LOCK, hold
from pam.files import read_json, write_sealed
from pam.history import changes
from pam.history.plan import FOLLOWS, NEW, Plan, with_finished_seeds
from pam.runs.cells import Cell, cells_of
from pam.runs.paths import Paths
from pam.source import code
from pam.source.modules import ROOT, Module, Modules
from tests.idle_run import write_idle_run
from tests.small_run import profile

PROFILE = profile(
    "{none: {}, pam: {samples: 32}}",
    "{vibnet: {strengths: [1, 2, 4]}, taylor: {strengths: [0.3, 0.5]}, l1: {strengths: [0.3]}}",
    """\
    latency: {batch_sizes: []}
    relatedness: {pam: {samples: 32, retrain: {stages: []}}}
    conditions: {layers: [f4], samples: 32, exclusivity: [pam]}
""",
    strips=64,
)
CONFIG = parse_config(PROFILE, "tiny.yaml")
PATHS = Paths("results/tiny")
MERGERS, PRUNERS = ("none", "pam"), ("vibnet", "taylor", "l1")
TODAY = date.today()

FIGURES = {"figures"}
TABLES = {"tables"}
LAST = {"aggregate"} | TABLES | FIGURES
RELATE = {"relate pam"}
TRAIN = {"train A", "train B"}
MERGE = {f"merge {merging}" for merging in MERGERS}


def jobs(stage: str, mergings=MERGERS, prunings=PRUNERS) -> set[str]:
    return {f"{stage} {merging} {pruning}" for merging in mergings for pruning in prunings}


def pruned(mergings=MERGERS, prunings=PRUNERS) -> set[str]:
    """The jobs of these cells from pruning on, and all that is made of the whole run."""
    analysed = jobs("analyse", {"pam"} & set(mergings), prunings)
    return jobs("prune", mergings, prunings) | jobs("measure", mergings, prunings) | analysed | LAST


NETWORKS = MERGE | RELATE | pruned()
ALL = {"prepare"} | TRAIN | NETWORKS


def words(cell: Cell) -> str:
    """A cell as it is called here: a seed other than 0 is named."""
    _, *axes = cell.axes.values() or [""]
    return " ".join([cell.stage, *(str(value) for value in axes if value != 0)])


def due(config: Config = CONFIG) -> set[str]:
    return {words(one.cell) for one in Plan(config, PATHS).due}


def causes(stage: str, config: Config = CONFIG, modules=None) -> set[str]:
    plan = Plan(config, PATHS, modules)
    return {cause for one in plan.due if one.cell.stage == stage for cause in one.causes}


class Sources:
    """The copy of the package that hashes are taken from: only what is edited is read again."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "pam"
        self.modules = Modules(folder, "pam")
        self._digests: dict[tuple[str, bytes], str] = {}
        self._digest = code._module_hash.__wrapped__

    def hash(self, name: str) -> str:
        path = self.modules.by_name[name].path
        tables = sorted(path.parent.glob("*.csv")) if path.name == "__init__.py" else []
        key = (name, b"".join(one.read_bytes() for one in [path, *tables]))
        if key not in self._digests:
            self._digests[key] = self._digest(name)
        return self._digests[key]

    def edit(self, module: str, before: str, after: str) -> None:
        """Replace a text in a module, or without one append to it."""
        path = self.package / module
        text = path.read_text(encoding="utf-8")
        assert before in text
        self.write(path, text.replace(before, after, 1) if before else text + after)

    def write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        module = Module(path, self.package, "pam")
        self.modules.by_name[module.name] = module
        code._digests.cache_clear()


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Sources:
    """A copy of the package, in a folder with a finished run."""
    folder = tmp_path_factory.mktemp("due")
    shutil.copytree(ROOT / "pam", folder / "pam", ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_idle_run(CONFIG, PATHS)
    return Sources(folder)


@pytest.fixture
def run(sources, monkeypatch) -> Iterator[Sources]:
    """The same, to be changed: it is put back."""
    folder = sources.package.parent
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".json", ".csv")]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    monkeypatch.chdir(folder)
    monkeypatch.setattr(code, "source_modules", lambda: sources.modules)
    monkeypatch.setattr(code, "_module_hash", sources.hash)
    code._digests.cache_clear()
    yield sources
    for path, (content, written) in before.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            os.utime(path, ns=(written, written))
            if path.suffix == ".py":
                sources.write(path, content.decode())
    code._digests.cache_clear()


MORE = "\nMORE = 1\n"
CODE = {
    "data": ("data/digits.py", "", MORE, ALL),
    "train": ("stages/train.py", 'description="train"', 'description="learn"', TRAIN | NETWORKS),
    "architecture": ("networks/lenet.py", "kernel=5", "kernel=3", TRAIN | NETWORKS),
    "merger none": ("merging/none.py", "", MORE, {"merge none"} | pruned(["none"])),
    "merger pam": ("merging/pam.py", "", MORE, {"merge pam"} | RELATE | pruned(["pam"])),
    "pruner taylor": ("pruning/taylor.py", "", MORE, pruned(prunings=["taylor"])),
    "pruner vibnet": ("pruning/vibnet.py", "", MORE, pruned(prunings=["vibnet"])),
    "plug-in": ("plugins/l1_pruner.py", "", MORE, pruned(prunings=["l1"])),
    "measure": ("cost/measure.py", "", MORE, jobs("measure") | LAST),
    "measure's body": ("stages/measure.py", "", MORE, jobs("measure") | LAST),
    "relate": ("analysis/relatedness.py", "", MORE, RELATE | LAST),
    "analyse": ("analysis/conditions.py", "", MORE, jobs("analyse", ["pam"]) | LAST),
    "aggregate": ("reporting/statistics/matched.py", "", MORE, LAST),
    "tables": ("reporting/tables/overviews.py", "", MORE, TABLES),
    "figures": ("reporting/figures/style.py", "", MORE, FIGURES),
    "what all networks share": ("networks/grouped.py", "", MORE, TRAIN | NETWORKS),
    "what all stages share": ("files.py", "", MORE, ALL),
    "command line": ("cli/main.py", "", MORE, set()),
    "configuration": ("config/profile.py", "", MORE, set()),
    "table of stages": ("runs/stages.py", "", MORE, set()),
}


@pytest.mark.parametrize("name", CODE)
def test_code_redoes_its_own_stage_and_what_follows(run, name):
    module, before, after, expected = CODE[name]
    run.edit(module, before, after)
    assert due() == expected


def test_a_table_shipped_with_the_package_counts_where_it_is_read(run):
    path = next(run.package.glob("reporting/published/*.csv"))
    path.write_text(path.read_text() + "another,row\n")
    assert due() == LAST


def test_what_changes_no_result_redoes_nothing(run):
    """Comments, docstrings, formatting, and methods that no row names."""
    for path in run.package.rglob("*.py"):
        text = ast.unparse(ast.parse(path.read_text())).replace('"""', '"""In other words: ', 1)
        run.write(path, f"# Without the other comments.\n{text}")
    for module in ("data/cartoon_faces.py", "merging/mtz.py", "networks/vgg.py"):
        run.edit(module, "", MORE)
    run.edit("files.py", "", '\nMORE: int\n"""What this line means."""\n')
    run.edit("files.py", "\nMORE: int\n", "\n")
    assert due() == set()


def of_seed(seed: int, jobs: set[str]) -> set[str]:
    return {job if job in LAST | {"prepare"} else f"{job} {seed}" for job in jobs}


SETTINGS = {
    "data": ("train_strips: 64", "train_strips: 72", ALL),
    "train": ("epochs: 1", "epochs: 2", TRAIN | NETWORKS),
    "merger": ("pam: {samples: 32}", "pam: {samples: 24}", {"merge pam"} | pruned(["pam"])),
    "pruner": ("taylor: {strengths: [0.3", "taylor: {strengths: [0.2", pruned(prunings=["taylor"])),
    "latency": ("batch_sizes: []", "batch_sizes: [1]", jobs("measure") | LAST),
    "relatedness": ("samples: 32, retrain", "samples: 24, retrain", RELATE | LAST),
    "conditions": ("samples: 32, exc", "samples: 24, exc", jobs("analyse", ["pam"]) | LAST),
    "deltas": ("seeds", "deltas: [1.0, 0.5]\nseeds", LAST),
    "threads": ("seeds", "threads: 2\nseeds", TRAIN | NETWORKS),
    "what is pruned": ("vibnet: {", "vibnet: {mergings: [none, pam], ", set()),
    "beside": ("vibnet: {", "vibnet: {beside: taylor, ", LAST),
    "a further seed": ("[0]", "[0, 1]", of_seed(1, ALL - {"prepare"})),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_redo_what_depends_on_them(run, name):
    before, after, expected = SETTINGS[name]
    assert before in PROFILE
    assert due(parse_config(PROFILE.replace(before, after, 1), "tiny.yaml")) == expected


def test_seeds_that_were_finished_stay_with_those_that_are_asked_for(run):
    every = parse_config(PROFILE.replace("[0]", "[0, 1, 2]"), "tiny.yaml")
    asked = every.of_seeds([2])
    assert with_finished_seeds(asked, every, PATHS).seeds == [0, 2]
    run.edit("pruning/taylor.py", "", MORE)
    assert with_finished_seeds(asked, every, PATHS).seeds == [2]


def test_a_fresh_folder_has_every_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = Plan(CONFIG, PATHS)
    assert {words(one.cell) for one in plan.due} == ALL
    assert {one.causes for one in plan.due} == {(NEW,)}
    assert all(one.is_new for one in plan.due)


def record_of(stage: str, index: int = 0) -> Path:
    return Path(PATHS.record(cells_of(CONFIG, stage)[index]))


def test_changed_modules_are_named(run):
    changes.remember(CONFIG, "hashes.json")
    modules = changes.recall("hashes.json")
    run.edit("pruning/taylor.py", "", MORE)
    assert causes("prune", modules=modules) == {"the code of pam.pruning.taylor changed"}
    assert causes("prune") == {"the code changed"}
    assert causes("measure") == {FOLLOWS}
    Path("hashes.json").write_text("{")
    assert changes.recall("hashes.json") == {}


def test_hashes_are_written_only_if_there_are_new_ones(run):
    changes.remember(CONFIG, "more.json")
    first = Path("more.json").stat().st_mtime_ns
    changes.remember(CONFIG, "more.json")
    assert Path("more.json").stat().st_mtime_ns == first
    before = changes.recall("more.json")
    run.edit("pruning/taylor.py", "", MORE)
    changes.remember(CONFIG, "more.json")
    assert before.items() < changes.recall("more.json").items()


def test_changed_keys_are_named_with_their_values(run):
    config = parse_config(PROFILE.replace("pam: {samples: 32}", "pam: {samples: 24}", 1), "x")
    words_ = "merging.samples (32 -> 24) changed in the configuration"
    assert causes("merge", config) == {words_}


def test_a_missing_file_is_named_and_what_follows_runs(run):
    path = record_of("prune")
    path.unlink()
    assert causes("prune") == {f"missing: {path}"}
    assert due() == {"prune none vibnet", "measure none vibnet"} | LAST


def test_a_missing_csv_file_is_aggregated_again(run):
    path = Path(PATHS.csv("measurements"))
    path.unlink()
    assert causes("aggregate") == {f"missing: {path}"}
    assert due() == LAST
    path.touch()


def test_a_damaged_record_is_named(run):
    path = record_of("train")
    path.write_text("{")
    assert any(str(path) in cause for cause in causes("train"))


def test_an_input_that_is_not_what_was_read_is_named(run):
    path = record_of("merge", 1)
    record = read_json(path)
    name = next(iter(record["provenance"]["parents"]))
    record["provenance"]["parents"][name] = "another"
    write_sealed(path, record)
    assert causes("merge") == {f"results/tiny/{name} changed"}


def test_rows_that_are_not_those_aggregated_are_named(run):
    path = record_of("measure")
    record = read_json(path)
    artefacts = record["provenance"]["artefacts"]
    artefacts.update(dict.fromkeys(artefacts, "another"))
    write_sealed(path, record)
    assert causes("aggregate") == {f"{path} changed"}
    assert due() == LAST


@pytest.mark.parametrize("fact", ["config_hash", "code_hash", "reason"])
def test_rows_of_records_that_were_replaced_since_are_aggregated_again(fact, run):
    """Rows that are timings have no hash of their own."""
    manifest = read_json(PATHS.manifest)
    manifest["jobs"]["measured/tiny/none-taylor-0.json"][fact] = "another"
    write_sealed(PATHS.manifest, manifest)
    assert causes("aggregate") == {"results/tiny/measured/tiny/none-taylor-0.json changed"}
    assert due() == LAST


def test_one_line_per_stage_or_one_per_cause(run):
    missing = record_of("merge")
    missing.unlink()
    for path in map(Path, PATHS.outputs(cells_of(CONFIG, "merge")[1])):
        path.rename(f"{path}.away")
    lines = stage_lines(CONFIG, Plan(CONFIG, PATHS))
    for path in Path("results").rglob("*.away"):
        path.rename(str(path).removesuffix(".away"))
    assert lines[:4] == [
        "prepare: up to date",
        "train: all 2 up to date",
        "merge: 2 of 2 would run",
        f"  1 again: missing: {missing}",
    ]
    assert lines[4] == f"  1: {NEW}"
    assert lines[5] == f"prune: 6 of 6 would run again: {FOLLOWS}"
    assert lines[7] == "relate: up to date"
    assert lines[-1] == f"figures: would run again: {FOLLOWS}"


def test_a_change_is_dated(run):
    run.edit("analysis/relatedness.py", "", MORE)
    line = f"relate: would run again: the code changed since {TODAY}"
    assert line in stage_lines(CONFIG, Plan(CONFIG, PATHS))


def test_failed_cells_are_counted_with_their_reasons(run):
    assert failed_lines(Plan(CONFIG, PATHS)) == []
    for index in range(6):
        path = record_of("prune", index)
        failed = {"status": "diverged", "reason": "the loss is not finite"}
        write_sealed(path, read_json(path) | failed)
    lines = failed_lines(Plan(CONFIG, PATHS))
    assert lines[0].startswith("failed: 6 jobs; ")
    assert lines[1] == "  pruned/tiny/none-vibnet-0: diverged: the loss is not finite"
    assert lines[-1] == "  and 1 more"


def test_failed_cells_are_tried_again_on_request_and_missing_data_always(run):
    """What Snakemake does not know to be due is named to it."""
    for path, status in ((record_of("prepare"), "data_missing"), (record_of("merge"), "diverged")):
        write_sealed(path, read_json(path) | {"status": status})
    plan = Plan(CONFIG, PATHS)
    assert reproduce._missing_data(plan) == [str(record_of("prepare"))]
    # Records were replaced after they had been aggregated.
    after = [PATHS.manifest, PATHS.record(Cell("tables")), PATHS.figures]
    assert reproduce._to_force(plan) == after
    again = Plan(CONFIG, PATHS, retry_failed=True)
    failed = [one.cell.stage for one in again.due if "it failed" in one.causes[0]]
    assert failed == ["prepare", "merge"]
    assert {str(record_of(stage)) for stage in failed} <= {*reproduce._to_force(again)}
    run.edit("pruning/taylor.py", "", MORE)
    forced = reproduce._to_force(Plan(CONFIG, PATHS))
    assert "results/tiny/pruned/tiny/pam-taylor-0.json" in forced
    assert not [path for path in forced if "vibnet" in path]


OWN = """
seeds: [0]
experiments:
  own:
    dataset: image_attributes
    data: {folder: mine}
    tasks: [A]
    architecture: lenet5
    train: {stages: [{epochs: 1, learning_rate: 0.02}]}
    merging: {}
    pruning: {}
    relatedness: {pam: {}}
"""


def test_changed_pictures_are_prepared_again_and_moved_ones_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, picture = parse_config(OWN, "own.yaml"), Path("data/mine/train/a.png")
    picture.parent.mkdir(parents=True)
    picture.write_text("a")
    write_idle_run(config, PATHS)
    assert due(config) == set()
    picture.write_text("b")
    assert causes("prepare", config) == {"the raw data changed"}
    assert causes("train", config) == {FOLLOWS}
    picture.write_text("a")
    assert due(config) == set()
    picture.parent.rename("elsewhere")
    assert due(config) == set()


def test_the_command_says_it_all_and_writes_nothing(run, monkeypatch, capsys):
    folder = Path.cwd()
    file = folder / "workflow/config/tiny.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PROFILE)
    monkeypatch.setattr("pam.cli.status.checkout", lambda: folder)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("results/**/*")}
    assert main(["status", "--profile", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Everything is up to date: profile tiny has nothing left to run."
    assert lines[1:3] == ["prepare: up to date", "train: all 2 up to date"]
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("results/**/*")}
    run.edit("pruning/taylor.py", "", MORE)
    job = {"rule": "train", "experiment": "e", "architecture": "lenet5", "code_hash": "0" * 12}
    write_sealed("results/reference/old/manifest.json", {"config": {}, "jobs": {"j": job}})
    lock = hold(RUN_LOCK)
    assert main(["status", "--profile", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shutil.rmtree("results/reference")
    assert lines[0].startswith("A run is active in this folder")
    assert lines[1] == "Profile tiny: 8 jobs would run."
    assert lines[-1] == "stale: results/reference/old (e) has rows of earlier code: train"
    assert lock
