"""From a figure, a table, a row or a network to everything behind it."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pam.cli.main import USER_ERROR, main
from pam.files import file_hash, read_sealed, write_json, write_sealed
from pam.history.targets import resolve
from pam.history.trace import CHANGED, CURRENT, NOT_NOTED, NOT_THERE, SAME, STALE, Node, trace
from pam.source.modules import ROOT
from tests.picture_files import png
from tests.small_run import CONFIG, Run

TAYLOR = "{method: taylor, strengths: [0.3, 0.6], fine_tune: {stages: []}}"
TEXT = CONFIG.replace("{strengths: [1, 2, 3]}", TAYLOR)
FRONTIER = ("measurements", "accuracies", "groups", "matched")
REFERENCE = ROOT / "results" / "reference"
REFERENCES = sorted(path.name for path in REFERENCE.iterdir())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two mergers with its tables and figures, never to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    run = Run(folder, TEXT).start()
    run.finish("none", "broken")
    assert run.aggregate() == 0
    assert main(["tables", "--results", run.paths.results]) == 0
    words = ["--out", str(folder / "figures"), "--only", "frontier"]
    assert main(["figures", "--results", run.paths.results, *words]) == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the run, free to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def of_kind(node: Node, kind: str) -> dict[str, Node]:
    return {one.name: one for one in node.walk() if one.kind == kind}


def printed(capsys, *words: object) -> str:
    assert main(["trace", *map(str, words)]) == 0
    return capsys.readouterr().out


def refused(capsys, *words: object) -> str:
    assert main(["trace", *map(str, words)]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def change(path: Path, **new: dict) -> None:
    """Change jobs of a manifest, called by their record's name without ending."""
    content = read_sealed(path)
    for name, facts in new.items():
        content["jobs"][f"{name}.json"] |= facts
    write_sealed(path, content)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_figure_leads_to_its_rows_and_all_jobs(finished, suffix):
    tree = trace(resolve(finished / "figures" / f"frontier.{suffix}"))
    assert (tree.facts["experiment"], tree.facts["code"]) == ("tiny", CURRENT)
    sources = of_kind(tree, "csv")
    assert {Path(name).name for name in sources} == {f"{name}.csv" for name in FRONTIER}
    assert all(one.facts["manifest"] == one.facts["drawn"] == SAME for one in sources.values())
    cells = of_kind(tree, "cell")
    assert set(cells) == {f"measured/tiny/{name}-halves-0.json" for name in ("none", "broken")}
    assert {one.facts["artefacts"] for one in cells.values()} == {SAME}
    groups = of_kind(tree, "group")
    assert list(groups) == ["2 × measure", "2 × prune", "2 × merge", "2 × train", "1 × prepare"]
    assert {one.facts["status"][2:] for one in groups.values()} == {"ok"}


def test_a_figure_that_is_no_longer_that_of_its_rows(folder):
    path = folder / "results" / "measurements.csv"
    text = path.read_text()
    path.write_text(text.replace("tiny,digits", "tiny,digit", 1))
    facts = trace(resolve(folder / "figures" / "frontier.png")).children
    states = {Path(one.name).name: one.facts for one in facts if one.kind == "csv"}
    assert states["measurements.csv"]["drawn"] == states["measurements.csv"]["manifest"] == CHANGED
    assert states["matched.csv"]["drawn"] == SAME
    # Rows of another experiment are none that were drawn.
    path.write_text(text + text.splitlines()[1].replace("tiny,", "other,") + "\n")
    children = trace(resolve(folder / "figures" / "frontier.png")).children
    (facts,) = (one.facts for one in children if Path(one.name).name == path.name)
    assert (facts["drawn"], facts["manifest"]) == (SAME, CHANGED)


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("figures/frontier.svg", "file"),
        ("results/tables/comparison.md", "file"),
        ("results/measurements.csv", "manifest"),
    ],
)
def test_the_traced_file_itself_is_compared(name, fact, folder, tmp_path):
    copy = folder / name
    if copy.suffix == ".svg":
        # Not written where one figure alone is drawn.
        files = {"files": {copy.name: file_hash(copy)}}
        write_json(copy.with_name("origins.json"), {copy.stem: files})
    assert trace(resolve(copy)).facts[fact] == SAME
    if fact == "manifest":
        copy = Path(shutil.copy(copy, tmp_path))
    text = copy.read_text()
    more = text.splitlines()[-1] if fact == "manifest" else ""
    copy.write_text(f"{text}{more}\n")
    assert trace(resolve(copy, folder / "results")).facts[fact] == CHANGED


def test_a_table_leads_to_its_rows_too(finished, capsys):
    tables = finished / "results" / "tables"
    for suffix in ("md", "tex", "csv"):
        tree = trace(resolve(tables / f"comparison.{suffix}"))
        assert tree.facts["code"] == CURRENT
        names = {Path(name).stem for name in of_kind(tree, "csv")}
        costs = {"matched", "requests", "frontiers", "operating_points"}
        assert names == {"measurements", "failures", "training"} | costs
    text = printed(capsys, tables / "comparison.md")
    assert "2 × measure  2 ok" in text and "2 current" in text
    # A cell of a table is traced by its row.
    text = printed(capsys, tables / "operating_points.csv", "--where", "merging=none", "delta=1")
    assert "measured/tiny/none-halves-0.json  ok" in text and "broken-halves" not in text


def test_a_row_leads_down_to_the_data(finished, capsys):
    csv = finished / "results" / "measurements.csv"
    where = ["merging=none", "combination=A&B", "strength=0.3"]
    tree = trace(resolve(csv), where=dict(word.split("=") for word in where))
    (number,) = tree.facts["shown"]
    path, node = [], tree
    while node.children:
        node = node.children[0]
        path.append(node.name)
        assert (node.facts["status"], node.facts["code"]) == ("ok", CURRENT)
        files = [*node.facts["artefacts"].values(), *node.facts["parents"].values()]
        assert {file["state"] for file in files} == {SAME}
    assert path == [
        "measured/tiny/none-halves-0.json",
        "pruned/tiny/none-halves-0.json",
        "merged/tiny/none-0.json",
        "networks/tiny/A-0.json",
        "data/tiny/record.json",
    ]
    text = printed(capsys, csv, "--where", *where)
    assert text == printed(capsys, csv, "--row", number.removeprefix("row "))
    assert re.search(r"seeds +order: \d+", text)
    assert "data/tiny/record.json  (shown above)" in text
    assert re.search(r"machine +\S+, cpu .*, 1 thread, python \S+, torch \S+$", text, re.MULTILINE)
    assert re.search(r"code_hash +[0-9a-f]{12}$", text, re.MULTILINE)
    assert re.search(r"git +([0-9a-f]{12} \(|no git)", text)


def test_json_tells_the_same(finished, capsys):
    csv = finished / "results" / "measurements.csv"
    known = json.loads(printed(capsys, csv, "--row", 1, "--json"))
    assert known == trace(resolve(csv), row=1).as_json()
    measured = known["made_from"][0]
    assert measured["made_from"][0]["made_from"][0]["rule"] == "merge"
    assert len(measured["config"]) > 5


def test_full_shows_whole_hashes_and_settings(finished, capsys):
    network = finished / "results" / "merged" / "tiny" / "none-0.safetensors"
    short, full = printed(capsys, network), printed(capsys, network, "--full")
    assert re.search(r"none-0\.safetensors [0-9a-f]{64}: unchanged", full)
    assert not re.search(r"[0-9a-f]{64}", short)
    assert full.count("train: ") > short.count("train: ") > 0
    assert "numpy" in full and "numpy" not in short


def test_rows_of_derived_files_lead_to_all_their_cells(finished):
    results = finished / "results"
    tree = trace(resolve(results / "matched.csv"), row=1)
    assert len(of_kind(tree, "cell")) == 2
    for name, rules in {
        "groups": {"measure", "prune", "merge", "train", "prepare"},
        "training": {"train", "prepare"},
        "resources": {"measure", "prune", "merge", "train", "prepare"},
    }.items():
        groups = of_kind(trace(resolve(results / f"{name}.csv")), "group")
        assert {group.split()[-1] for group in groups} == rules
    one = trace(resolve(results / "training.csv"), where={"stage": "train", "task": "A"})
    assert [child.name for child in one.children] == ["networks/tiny/A-0.json"]


def test_files_that_changed_or_were_taken_away_are_seen(folder, capsys):
    results = folder / "results"
    (results / "networks" / "tiny" / "A-0.safetensors").unlink()
    network = results / "networks" / "tiny" / "B-0.safetensors"
    shutil.copy(results / "merged" / "tiny" / "none-0.safetensors", network)
    record = results / "pruned" / "tiny" / "none-halves-0.json"
    record.write_text("{")
    csv = results / "measurements.csv"
    tree = trace(resolve(csv), where={"merging": "none", "strength": "0"})
    jobs = of_kind(tree, "job")
    artefacts = [job.facts.get("artefacts", {}) for job in jobs.values()]
    states = {path: file["state"] for some in artefacts for path, file in some.items()}
    assert states["networks/tiny/A-0.safetensors"] == NOT_THERE
    assert states["networks/tiny/B-0.safetensors"] == CHANGED
    assert states["pruned/tiny/none-halves-0.json"].startswith(f"{CHANGED}: ")
    assert states["merged/tiny/none-0.safetensors"] == SAME
    # Whoever read a network knows it as it was.
    parents = jobs["merged/tiny/none-0.json"].facts["parents"]
    assert parents["networks/tiny/B-0.safetensors"]["state"] == CHANGED
    assert parents["data/tiny/dataset.json"]["state"] == SAME
    text = printed(capsys, csv, "--row", 1, "--full")
    assert re.search(r"parents +networks/tiny/B-0.safetensors \w{64}: CHANGED", text)


def test_code_that_changed_since_is_stale(folder):
    change(folder / "results" / "manifest.json", **{"merged/tiny/none-0": {"code_hash": "0" * 12}})
    csv = folder / "results" / "measurements.csv"
    tree = trace(resolve(csv), where={"merging": "none", "strength": "0"})
    jobs = {name: node.facts for name, node in of_kind(tree, "job").items()}
    states = {name: facts["code"] for name, facts in jobs.items() if "code" in facts}
    assert states.pop("merged/tiny/none-0.json") == STALE
    assert set(states.values()) == {CURRENT}


def test_a_failed_cell_says_why_and_where_its_log_is(folder, capsys):
    failed = {"status": "diverged", "reason": "the loss became nan", "log": "logs/x.log"}
    names = [f"measured/tiny/{name}-halves-0" for name in ("none", "broken")]
    change(folder / "results" / "manifest.json", **dict.fromkeys(names, failed))
    text = printed(capsys, folder / "figures" / "frontier.png")
    assert "2 × measure  2 diverged" in text
    assert "the loss became nan  logs/x.log" in text
    text = printed(capsys, folder / "results" / "measurements.csv", "--row", 1)
    assert re.search("reason +the loss became nan", text) and re.search("log +logs/x.log", text)


def test_a_network_can_be_traced_before_anything_is_aggregated(folder, capsys):
    (folder / "results" / "manifest.json").unlink()
    text = printed(capsys, folder / "results" / "pruned" / "tiny" / "none-halves-0.safetensors")
    assert text.startswith("pruned/tiny/none-halves-0.json  ok\n")
    assert "data/tiny/record.json  ok" in text
    data = printed(capsys, folder / "results" / "data" / "tiny" / "test.safetensors")
    assert data.startswith("data/tiny/record.json  ok\n")


def test_a_network_that_was_taken_away_finds_its_run(folder, tmp_path, capsys):
    away = tmp_path / "some" / "where" / "else" / "net.safetensors"
    away.parent.mkdir(parents=True)
    shutil.copy(folder / "results" / "pruned" / "tiny" / "none-halves-0.safetensors", away)
    assert "lies in no run that is known" in refused(capsys, away)
    text = printed(capsys, away, "--results", folder / "results")
    assert text.startswith("pruned/tiny/none-halves-0.json  ok\n")
    assert re.search(r"traced .*net\.safetensors [0-9a-f]{12}: unchanged", text)
    shutil.copy(folder / "results" / "data" / "tiny" / "test.safetensors", away)
    text = printed(capsys, away, "--results", folder / "results")
    assert text.startswith("data/tiny/record.json  ok\n")


def test_what_cannot_be_traced_is_one_sentence(finished, tmp_path, capsys):
    results = finished / "results"
    csv = results / "measurements.csv"
    assert "nothing.png does not exist" in refused(capsys, tmp_path / "nothing.png")
    assert "is no figure, table or CSV" in refused(capsys, finished / "config.yaml")
    assert "has the rows 1 to" in refused(capsys, csv, "--row", 10_000)
    assert "no column 'color'" in refused(capsys, csv, "--where", "color=red")
    assert "no row with merging=pam" in refused(capsys, csv, "--where", "merging=pam")
    assert "no row with seed=x" in refused(capsys, csv, "--where", "seed=x")
    assert "takes COLUMN=VALUE" in refused(capsys, csv, "--where", "seed")
    assert "names 'seed' twice" in refused(capsys, csv, "--where", "seed=0", "seed=1")
    assert "delete" not in refused(capsys, results / "manifest.json")
    figure = finished / "figures" / "frontier.png"
    for path in (figure, results / "tables" / "comparison.md"):
        assert "pick rows of a CSV file" in refused(capsys, path, "--row", 1)
    lone = tmp_path / "lone.png"
    shutil.copy(figure, lone)
    assert "name its run with --results" in refused(capsys, lone)
    assert printed(capsys, lone, "--results", results).startswith(f"{lone}\n")
    lone.write_bytes(b"no picture")
    assert "is damaged or no picture" in refused(capsys, lone, "--results", results)
    lone.with_suffix(".svg").write_text("<svg")
    assert "is damaged or no picture" in refused(
        capsys, lone.with_suffix(".svg"), "--results", results
    )


def png_with(description: str) -> bytes:
    """The bytes of a picture with a packed description."""
    notes, file = PngInfo(), io.BytesIO()
    notes.add_text("Description", description, zip=True)
    Image.new("RGB", (2, 2)).save(file, "PNG", pnginfo=notes)
    return file.getvalue()


FOREIGN = {
    "huge.png": png(1, 0, 20_000, 20_000),
    "bomb.png": png_with("\0" * 2**21),
    "encoding.svg": b'<?xml version="1.0" encoding="foo"?><svg/>',
    "wide.svg": '<?xml version="1.0" encoding="utf-32"?><svg/>'.encode("utf-32"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_picture_that_no_decoder_takes(name, finished, tmp_path, capsys):
    (tmp_path / name).write_bytes(FOREIGN[name])
    said = refused(capsys, tmp_path / name, "--results", finished / "results")
    assert "is damaged or no picture" in said


@pytest.mark.parametrize("csv", [5, None, ["measurements"], {"measurments": "0"}])
def test_origins_with_a_wrong_csv(csv, folder, capsys):
    tables = folder / "results" / "tables"
    (tables / "origins.json").write_text(json.dumps({"comparison": {"csv": csv}}))
    assert "origins.json is damaged" in refused(capsys, tables / "comparison.md")


@pytest.mark.parametrize(
    ("line", "becomes", "says"),
    [(1, r"\g<0>,x", "row 1 has"), (0, r"\g<0>,seed", "must have every column once")],
)
def test_rows_are_read_strictly(line, becomes, says, folder, capsys):
    path = folder / "results" / "measurements.csv"
    lines = path.read_text().splitlines()
    lines[line] = re.sub(".+", becomes, lines[line])
    path.write_text("\n".join(lines))
    assert says in refused(capsys, path, "--row", 1)


@pytest.mark.parametrize("profile", REFERENCES)
def test_committed_figures_can_be_traced_without_any_network(profile, capsys):
    figure = min((ROOT / "figures" / "reference" / profile).glob("*.png"))
    text = printed(capsys, figure)
    assert "ok" in text and "×" in text
    text = printed(capsys, REFERENCE / profile / "measurements.csv", "--row", 1)
    assert re.search(r"networks/.*-0\.json  ok", text) and NOT_THERE in text


@pytest.mark.parametrize(
    ("pruning", "merging", "beside"),
    [
        ("taylor_readers", "all_shared", "taylor"),
        ("taylor_longer", "none", "taylor"),
        ("vibnet_slow", "all_shared", "vibnet"),
    ],
)
def test_a_ratio_leads_to_the_baselines_beside_its_row(pruning, merging, beside, capsys):
    words = [f"pruning={pruning}", f"merging={merging}", "combination=A", "delta=1"]
    path = REFERENCE / "fashion_mnist_rows" / "matched.csv"
    text = printed(capsys, path, "--where", *words, "requirement=mean")
    cells = set(re.findall(r"measured/fashion_mnist_lenet5/(\S+)-0\.json", text))
    assert {f"{merging}-{pruning}", f"none-{beside}"} <= cells
    assert all(cell.endswith((f"-{pruning}", f"-{beside}")) for cell in cells)


def test_pictures_carry_the_hash_of_their_rows_and_no_date(finished, tmp_path):
    origin = resolve(finished / "figures" / "frontier.png").origin
    assert origin == resolve(finished / "figures" / "frontier.svg").origin
    assert (origin.profile, origin.experiment) == ("results", "tiny")
    assert set(origin.csv) == set(FRONTIER)
    words = ["--results", str(finished / "results"), "--out", str(tmp_path), "--only", "frontier"]
    assert main(["figures", *words]) == 0
    for suffix in ("png", "svg"):
        drawn = (folder / f"frontier.{suffix}" for folder in (finished / "figures", tmp_path))
        assert len({file_hash(path) for path in drawn}) == 1


@pytest.mark.parametrize("description", [None, "a sunset", "{", '{"a": 1}', "[1]", '{"csv": 5}'])
def test_a_picture_that_carries_nothing_is_known_by_its_name(finished, tmp_path, description):
    path = tmp_path / "frontier.png"
    metadata = PngInfo()
    if description:
        metadata.add_text("Description", description)
    Image.new("RGB", (2, 2)).save(path, pnginfo=metadata)
    target = resolve(path, finished / "results")
    assert (target.name, target.experiment, target.origin.csv) == ("frontier", "tiny", {})
    assert {node.facts["drawn"] for node in of_kind(trace(target), "csv").values()} == {NOT_NOTED}


def test_tracing_imports_no_torch(finished):
    words = ["trace", str(finished / "results" / "measurements.csv"), "--row", "1"]
    program = (
        f"import sys\nfrom pam.cli.main import main\nassert main({words!r}) == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert SAME in done.stdout and NOT_NOTED not in done.stdout
