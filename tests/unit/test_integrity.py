"""Nothing that was damaged, edited or lost becomes a result; it is named, with the way out."""

import os
import random
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import clean_networks
import pytest
import reproduce

from pam.cli.main import USER_ERROR, main
from pam.config import parse_config
from pam.errors import ChangedError, DataError
from pam.files import read_json, read_sealed, read_tensors, write_json, write_sealed, write_tensors
from pam.history.plan import FOLLOWS, NEEDED, NEW, Plan
from pam.history.trace import CHANGED
from pam.reporting.schema import TABLES
from pam.runs.cells import Cell
from pam.runs.paths import Paths
from pam.runs.record import read_record
from tests.damages import damage_one, files_of
from tests.idle_run import write_idle_run
from tests.small_run import Run, profile

CHANGED_ = "is not what its record says: delete it and run again"
TAYLOR = "{taylor: {strengths: [0.3, 0.6], fine_tune: {stages: []}}}"
TEXT = profile("{none: {}, all_shared: {retrain: {stages: []}}}", TAYLOR)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run with its tables, never to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    run = Run(folder, TEXT).start()
    run.finish("none", "all_shared")
    assert run.aggregate() == 0
    assert main(["tables", "--results", run.paths.results]) == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.fixture
def run(folder) -> Run:
    return Run(folder, "")


def plan_of(run: Run) -> Plan:
    plan = Plan(run.config, run.paths)
    # No figure was drawn.
    plan.due = [due for due in plan.due if due.cell.stage != "figures"]
    return plan


def refused(capsys, code: int, path: str | Path, says: str = CHANGED_) -> None:
    error = capsys.readouterr().err
    assert code == USER_ERROR
    assert f"{path} {says}" in error
    assert error.count("\n") == 1


def flip(path: Path, place: int = -20) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = read_json(path)
    change(content)
    write_json(path, content)


def test_a_finished_run_is_what_its_records_say(run):
    plan = plan_of(run)
    assert (plan.damaged, plan.due) == ([], [])


READERS = {
    "weights of a single-task network": ("merge", "train", "A"),
    "weights of a merged network": ("prune", "merge", "none"),
    "weights of pruned networks": ("measure", "prune", "none", "taylor"),
    "description of the data": ("train", "prepare"),
}


@pytest.mark.parametrize("name", READERS)
def test_whoever_reads_a_changed_artefact_refuses_it(name, run, capsys):
    command, *cell = READERS[name]
    path = Path(run.artefact(*cell))
    if path.suffix == ".json":
        edit(path, lambda content: content["origin"].update(code_hash="another"))
    else:
        flip(path)
    refused(capsys, run.job(command), path)
    assert any(f"{path} {CHANGED_}" in sentence for sentence in plan_of(run).damaged)


def test_what_a_network_says_of_itself_counts_as_well(run, capsys):
    path = Path(run.artefact("prune", "none", "taylor"))
    tensors, meta = read_tensors(path)
    write_tensors(path, tensors, meta | {"stopped": {"status": "diverged", "reason": "no"}})
    refused(capsys, run.measure("none"), path)
    assert main(["trace", str(path)]) == 0
    assert CHANGED in capsys.readouterr().out


def test_a_part_of_the_data_is_compared(run, capsys):
    path = Path(run.artefact("prepare")).with_name("train.safetensors")
    flip(path)
    assert run.train("A") == USER_ERROR
    assert str(path) in capsys.readouterr().err
    assert [str(ChangedError(path))] == plan_of(run).damaged


def test_networks_that_changed_places_are_seen(run, capsys):
    one, other = (Path(run.artefact("merge", name)) for name in ("none", "all_shared"))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    refused(capsys, run.prune("none"), one)
    assert len(plan_of(run).damaged) == 2


RECORDS = {
    "accuracy": lambda record: record["rows"]["measurements"][0].update(accuracy=0.99),
    "a time": lambda record: record["rows"]["latency"][0].update(median_ms=0.1),
    "a row less": lambda record: record["rows"]["measurements"].pop(),
    "status": lambda record: record.update(status="diverged"),
    "provenance": lambda record: record["provenance"].update(code_hash="another"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_an_edited_record_is_refused(name, run, capsys):
    path = Path(run.paths.record(Cell.of("measure", "tiny", "none", "taylor", 0)))
    edit(path, RECORDS[name])
    refused(capsys, run.aggregate(), path)
    assert plan_of(run).damaged == [f"{path} {CHANGED_}"]


@pytest.mark.parametrize("name", ["status", "provenance"])
def test_a_seal_that_is_gone_was_there(name, run):
    path = Path(run.paths.record(Cell.of("measure", "tiny", "none", "taylor", 0)))
    for file, change in ((path, RECORDS[name]), (Path(run.paths.manifest), lambda manifest: None)):
        edit(file, lambda content, change=change: (content.pop("seal"), change(content)))
        (said,) = [line for line in plan_of(run).damaged if line.startswith(f"{file} is no ")]
        assert said.endswith("seal: Field required: delete it and run again")


def test_the_record_of_another_job_is_refused(run, capsys):
    names = ("none", "all_shared")
    one, other = (Path(run.paths.record(Cell.of("merge", "tiny", name, 0))) for name in names)
    shutil.copy(other, one)
    refused(capsys, run.aggregate(), one, "is the record of another job: delete it and run again")
    refused(capsys, run.prune("none"), one, "is the record of another job")


def test_a_truncated_record_names_the_way_out(run):
    path = Path(run.paths.record(Cell.of("train", "tiny", "A", 0)))
    path.write_text(path.read_text()[:-9])
    with pytest.raises(DataError, match=r"is damaged or not JSON: .*: delete it and run again"):
        read_record(path)


def test_a_csv_file_is_compared_before_it_is_drawn(run, folder, tmp_path, capsys):
    path = Path(run.paths.csv("measurements"))
    path.write_text(path.read_text().replace(",ok,0.", ",ok,0.1", 1))
    for command in (["tables"], ["figures", "--out", str(tmp_path)]):
        refused(capsys, main([*command, "--results", run.paths.results]), path)
    assert plan_of(run).damaged == [f"{path} {CHANGED_}"]


def test_a_csv_file_that_the_manifest_does_not_list_is_refused(run, capsys):
    manifest = read_sealed(run.paths.manifest)
    del manifest["csv"]["measurements"], manifest["seal"]
    write_sealed(run.paths.manifest, manifest)
    refused(capsys, main(["tables", "--results", run.paths.results]), run.paths.csv("measurements"))


def test_an_edited_manifest_is_refused(run, capsys):
    path = Path(run.paths.manifest)
    edit(path, lambda content: content["config"]["experiments"].clear())
    refused(capsys, main(["tables", "--results", run.paths.results]), path)
    assert plan_of(run).damaged == [f"{path} {CHANGED_}"]


def test_a_lost_or_changed_table_is_made_again(run):
    tables = Path(run.paths.results) / "tables"
    one, other = sorted(tables.glob("*.md"))[:2]
    one.unlink()
    other.write_text("another")
    (due,) = plan_of(run).due
    assert due.causes == (f"missing: {one}", f"{other} changed")
    main(["tables", "--results", run.paths.results])
    assert plan_of(run).due == []
    # Nothing vouches for a table that its origins do not name.
    edit(tables / "origins.json", lambda content: content.pop("comparison"))
    (due,) = plan_of(run).due
    names = ", ".join(str(tables / f"comparison.{suffix}") for suffix in ("csv", "md", "tex"))
    assert due.causes == (f"{names} changed",)
    main(["tables", "--results", run.paths.results])
    # Aggregated, and stopped before the tables were written.
    assert run.aggregate() == 0
    (due,) = plan_of(run).due
    assert due.causes == ("the rows are newer",)
    # Whatever a copy makes of the times.
    os.utime(tables / "origins.json")
    edit(tables / "origins.json", lambda content: content["comparison"].update(manifest="another"))
    assert plan_of(run).due == [due]


ODD = {
    "a folder for a table": ("matched.csv", None, "matched.csv cannot be read: Is a directory"),
    "a list that nobody sealed": ("thrown_away.json", '{"networks": []}', "is no list of networks"),
    "a list of something else": ("thrown_away.json", '{"networks": [[1]]}', "is no list of netw"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_was_never_written_so_is_named(name, run):
    file, text, says = ODD[name]
    path = Path(run.paths.results) / file
    path.unlink(missing_ok=True)
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    (sentence,) = plan_of(run).damaged
    assert says in sentence


@pytest.mark.parametrize("text", ["[1]", '{"a": {"files": [1]}}', '{"a": {"code_hash": [1]}}'])
def test_damaged_origins_have_their_tables_made_again(text, run, capsys):
    path = Path(run.paths.results) / "tables" / "origins.json"
    path.write_text(text)
    (due,) = plan_of(run).due
    assert due.causes == (f"{path} is damaged: pam tables writes it again",)
    refused(capsys, main(["trace", str(path.with_name("comparison.md"))]), path, "is damaged")


CELLS = {
    "a word for no number": (r",ok,[0-9.]+,", ",ok,nan,", "nan is no number"),
    "an empty cell": (r",ok,[0-9.]+,", ",ok,,", "row 1 is ok, and lacks a number"),
    "nothing at all": (r"(?s).*", "", "it is empty"),
}


@pytest.mark.parametrize("name", CELLS)
def test_rows_without_a_manifest_must_be_whole(name, run, capsys):
    pattern, new, says = CELLS[name]
    Path(run.paths.manifest).unlink()
    path = Path(run.paths.csv("measurements"))
    path.write_text(re.sub(pattern, new, path.read_text(), count=1))
    assert main(["tables", "--results", run.paths.results]) == USER_ERROR
    error = capsys.readouterr().err
    assert str(path) in error and says in error and error.count("\n") == 1


def test_a_file_where_a_folder_is_due_is_named(run, capsys):
    tables = Path(run.paths.results) / "tables"
    shutil.rmtree(tables)
    tables.write_text("")
    assert main(["tables", "--results", run.paths.results]) == USER_ERROR
    assert capsys.readouterr().err == f"pam: error: cannot use {tables}: File exists\n"


def test_tensors_may_be_read_by_those_who_may_read_rows(run):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files_of(Path(run.paths.results))}
    assert len(modes) == 1


def test_a_seal_covers_every_value(tmp_path):
    path = tmp_path / "a.json"
    sealed = {"b": [1.5, {"seal": "no"}], "a": "x"}
    write_sealed(path, sealed)
    assert read_sealed(path).items() >= sealed.items()
    content = path.read_text()
    for place, letter in enumerate(content):
        path.write_text(content[:place] + ("0" if letter != "0" else "1") + content[place + 1 :])
        try:
            value = read_sealed(path)
        except DataError:
            continue
        # Only the name of the seal itself: nothing vouches then, and nothing else has changed.
        assert value.items() >= sealed.items() and "seal" not in value


# --- a run of idle files


PRUNERS = "{taylor: {strengths: [0.3]}, l1: {strengths: [0.3]}}"
CONFIG = profile("{none: {}, pam: {}}", PRUNERS)


@pytest.fixture
def idle(tmp_path, monkeypatch) -> Paths:
    """A finished run in the working folder, whose networks are empty files."""
    monkeypatch.chdir(tmp_path)
    file = Path("workflow/config/tiny.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(CONFIG)
    write_idle_run(parse_config(CONFIG, "tiny.yaml"), Paths("results/tiny"))
    return Paths("results/tiny")


def call(command) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["x", "--profile", "tiny"])
        return command.main()


@pytest.mark.parametrize("command", [reproduce, clean_networks])
def test_nothing_is_done_before_damage_is_mended(command, idle, capsys):
    network = Path(idle.artefact(Cell.of("merge", "tiny", "pam", 0)))
    network.write_text("another")
    assert call(command) == USER_ERROR
    assert capsys.readouterr().err.endswith(f": {network} {CHANGED_}\n")


def test_what_snakemake_would_not_miss_is_named_to_it(idle):
    config = parse_config(CONFIG, "tiny.yaml")
    cell = Cell.of("merge", "tiny", "pam", 0)
    for path in idle.outputs(cell):
        Path(path).unlink()
    assert idle.record(cell) in reproduce._to_force(Plan(config, idle))


def test_networks_are_thrown_away_on_purpose_and_made_again_where_needed(idle, capsys):
    config = parse_config(CONFIG, "tiny.yaml")
    assert call(clean_networks) == 0
    assert "Threw away 8 networks of profile tiny" in capsys.readouterr().out
    assert not list(Path("results/tiny/merged").rglob("*.safetensors"))
    plan = Plan(config, idle)
    assert (plan.due, plan.damaged) == ([], [])
    assert main(["status", "--profile", "tiny"]) == 0
    shown = capsys.readouterr().out
    assert "Everything is up to date" in shown
    assert "thrown away by make clean-networks: 8 networks" in shown
    changed = CONFIG.replace("taylor: {strengths: [0.3]", "taylor: {strengths: [0.4]")
    why = {due.cell: due.causes for due in Plan(parse_config(changed, "x"), idle).due}
    assert why[Cell.of("merge", "tiny", "pam", 0)] == (NEEDED,)
    assert why[Cell.of("train", "tiny", "A", 0)] == (NEEDED,)
    assert why[Cell.of("prune", "tiny", "pam", "l1", 0)] == (FOLLOWS,)
    record = Path(idle.record(Cell.of("merge", "tiny", "pam", 0)))
    record.unlink()
    assert NEW in {due.causes[0] for due in Plan(config, idle).due}


def test_networks_of_an_unfinished_run_are_kept(idle, capsys):
    Path(idle.csv("matched")).unlink()
    assert call(clean_networks) == USER_ERROR
    assert "3 jobs of profile tiny would run" in capsys.readouterr().err
    assert Path(idle.artefact(Cell.of("merge", "tiny", "pam", 0))).exists()


# --- random damage


def silent(run: Run, paths: list[Path], before: dict[str, bytes]) -> str:
    """Return what became of damage: nothing if it was named, or is without any influence."""
    plan = plan_of(run)
    said = [*plan.damaged, *(cause for due in plan.due for cause in due.causes)]
    if any(str(path) in sentence for path in paths for sentence in said):
        return ""
    if run.aggregate() or main(["tables", "--results", run.paths.results]):
        return ""
    after = results(run)
    return ", ".join(name for name in before if after.get(name) != before[name])


def results(run: Run) -> dict[str, bytes]:
    folder = Path(run.paths.results)
    files = [*(folder / f"{name}.csv" for name in TABLES), *(folder / "tables").glob("*.[mct]*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "damages", [8, pytest.param(200, marks=pytest.mark.more)], ids=["some", "many"]
)
def test_no_damage_is_silent(damages, run, finished, capsys):
    before, draw = results(run), random.Random(damages)
    for _ in range(damages):
        what, paths = damage_one(Path(run.paths.results), draw)
        assert not (seen := silent(run, paths, before)), f"{what}: {seen}"
        shutil.rmtree(run.paths.results)
        shutil.copytree(finished / "results", run.paths.results)
        capsys.readouterr()
