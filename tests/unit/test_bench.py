"""``pam bench latency``: which networks it times, what it writes, and what it refuses."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import pam
from pam.bench import COLUMNS, latency_rows, network_of_file, networks_of_run
from pam.cli.bench import _busy
from pam.cli.main import main
from pam.cost import Times, Timing, paper_flops
from pam.files import write_sealed
from pam.networks.family import load_family, save_family
from pam.reporting.schema import LATENCY
from pam.reporting.statistics.intervals import median_interval
from pam.reporting.storage import read_table, select
from pam.runs.cells import Cell
from pam.runs.hashes import rows_hash
from pam.runs.paths import Paths
from pam.stages.failures import Failure, save_failure
from tests.reporting_fixtures import STRENGTHS, write_run
from tests.small import make_network, share_some, side_by_side

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")

MERGINGS = ("none", "mtz", "pam")


def network(merging, strength):
    """A tiny network whose widths tell its strength and task."""
    thin = 2 + STRENGTHS.index(strength)
    networks = {t: make_network(t, i, widths=(2, 3, thin + i, 5)) for i, t in enumerate("AB")}
    return side_by_side(networks) if merging == "none" else share_some(networks)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """CSV files of a run, and the networks that they speak of."""
    axes = {"mergings": MERGINGS, "prunings": ("vibnet",), "seeds": (0, 1)}
    folder = write_run(tmp_path_factory.mktemp("run"), **axes)
    for merging in MERGINGS:
        for seed in (0, 1):
            family = {strength: network(merging, strength) for strength in STRENGTHS[1:]}
            origin = {"experiment": "fashion", "merging": merging, "pruning": "vibnet"}
            path = Paths(str(folder)).artefact(Cell.of("prune", "fashion", merging, "vibnet", seed))
            save_family(path, family, {"origin": {**origin, "seed": seed}})
            # It knows nothing of these networks.
            Path(path).with_suffix(".json").unlink()
    return folder


def bench(*words):
    return main(["bench", "latency", *map(str, words)])


def test_every_merging_is_timed_at_its_operating_point(run, tmp_path, capsys):
    out = tmp_path / "latency.csv"
    words = ["--batch-sizes", 1, 2, "--rounds", 3, "--seed", 1, "--out", out]
    assert bench("--results", run, *words) == 0
    with open(out, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == list(COLUMNS)
    assert list(rows[0])[: len(LATENCY.columns)] == list(LATENCY.columns)
    assert len(rows) == 3 * 3 * 2
    assert {(row["rounds"], row["backend"], row["seed"]) for row in rows} == {("3", "torch", "1")}
    assert all(row["machine"] for row in rows)
    for row in rows:
        assert float(row["flops_vs_none"]) > 0 < float(row["time_vs_mtz_low"])
        assert row["merging"] != "none" or row["time_vs_none"] == "1.0000"
    table = capsys.readouterr().out
    assert "time: × less than B1" in table and "n = 3 rounds" in table
    assert table.count("\n| ") == 1 + 1 + len(rows)


def test_networks_that_share_nothing_each_have_their_own_strength(run):
    points = select(read_table(run, "operating_points"), merging="none", seed=0, delta=1.0)
    said = select(points, combination="A&B")["strengths"].item()
    strengths = {part.split(": ")[0]: float(part.split(": ")[1]) for part in said.split(", ")}
    contenders, notes = networks_of_run(str(run))
    assert [contender.name for contender in contenders] == list(MERGINGS) and not notes
    none = contenders[0]
    family = load_family(Paths(str(run)).artefact(Cell.of("prune", "fashion", "none", "vibnet", 0)))
    alone = {task: paper_flops(family[strengths[task]], task) for task in "AB"}
    assert {task: paper_flops(none.network, task) for task in "AB"} == alone
    assert paper_flops(none.network, "A&B") == sum(alone.values())
    same = len(set(strengths.values())) == 1
    assert none.cell["strength"] == (strengths["A"] if same else None)
    assert (none.cell["dataset"], none.cell["seed"]) == ("fashion_mnist", 0)
    assert not none.network.training


def test_a_merging_that_is_not_accurate_enough_is_left_out_with_a_note(tmp_path, run, capsys):
    for name in ("operating_points", "measurements"):
        text = (run / f"{name}.csv").read_text(encoding="utf-8")
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    path = tmp_path / "operating_points.csv"
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    lost = "fashion,vibnet,1.00,{},0,A&B,not reached,,,,,,"

    def lose(*mergings):
        kept = [
            line
            for line in lines
            if not line.startswith("fashion,vibnet,1.00,") or line.split(",")[3] not in mergings
        ]
        path.write_text("\n".join([header, *kept, *map(lost.format, mergings)]) + "\n")

    (tmp_path / "pruned").symlink_to(run / "pruned")
    lose("mtz")
    contenders, notes = networks_of_run(str(tmp_path), seed=0)
    assert [contender.name for contender in contenders] == ["none", "pam"]
    assert notes == ["'mtz', delta 1: not reached, so not timed"]
    _, notes = networks_of_run(str(tmp_path), seed=1)
    assert notes == ["'mtz', delta 1: not there for this seed, so not timed"]
    lose(*MERGINGS)
    assert bench("--results", tmp_path, "--seed", 0, "--out", tmp_path / "x.csv") == 2
    assert "is accurate enough to be timed" in capsys.readouterr().err


def test_files_are_timed_without_a_run(run, tmp_path, capsys):
    merged, out = tmp_path / "merged:v2.safetensors", tmp_path / "out.csv"
    network("pam", 0.25).save(merged)
    pruned = Paths(str(run)).artefact(Cell.of("prune", "fashion", "none", "vibnet", 0))
    words = ["--networks", merged, f"{pruned}:0.5", "--combinations", "A", "--batch-sizes", 1, 1]
    assert bench(*words, "--rounds", 2, "--out", out) == 0
    with open(out, encoding="utf-8", newline="") as handle:
        unknown, known = csv.DictReader(handle)
    assert (unknown["merging"], unknown["strength"], unknown["network"]) == ("", "", str(merged))
    assert (known["merging"], known["strength"]) == ("none", "0.500000")
    assert unknown["time_vs_none"] and not unknown["time_vs_mtz"]
    assert "B2" not in capsys.readouterr().out


def timing(name, *milliseconds, backend="torch"):
    return Timing(name, "A", 1, 1, backend, Times(np.array(milliseconds, dtype=float)))


def test_speed_ups_are_medians_of_ratios_within_rounds(run):
    contenders, _ = networks_of_run(str(run))
    timed = [timing("none", 2, 20, 12), timing("pam", 1, 5, 2), timing("pam", 1, 1, 1, backend="x")]
    none, pam, other = latency_rows(contenders, timed, "cpu")
    assert (none["time_vs_none"], none["time_vs_none_low"]) == (1.0, 1.0)
    # Within rounds 2, 4 and 6; the ratio of the medians would be 6.
    assert (pam["time_vs_none"], pam["time_vs_none_low"], pam["time_vs_none_high"]) == (4, 2, 6)
    assert pam["flops_vs_none"] == none["flops"] / pam["flops"]
    assert pam["time_vs_mtz"] is None and other["time_vs_none"] is None


def test_the_interval_of_a_median_narrows_with_rounds():
    few, many = ([1.0, 2.0, 3.0] * times for times in (1, 40))
    assert median_interval(few) == (3, 2.0, 1.0, 3.0)
    n, median, low, high = median_interval(many)
    assert (n, median) == (120, 2.0) and 1.0 < low <= high < 3.0
    assert median_interval([5.0])[:2] == (1, 5.0) and np.isnan(median_interval([5.0]).low)
    assert median_interval(many) == median_interval(many)


BAD = {
    "nothing": ([], "name a run with --results, or files with --networks"),
    "no run": (["--results", "nowhere"], "nowhere/operating_points.csv does not exist"),
    "experiment": (["--results", "RUN", "--experiment", "fahion"], "did you mean 'fashion'?"),
    "pruning": (["--results", "RUN", "--pruning", "taylor"], "unknown pruning 'taylor'"),
    "seed": (["--results", "RUN", "--seed", 7], "unknown seed '7'; known: 0, 1"),
    "delta": (["--results", "RUN", "--delta", 3], "unknown delta '3'; known: 0.5, 1, 2"),
    "backend": (["--results", "RUN", "--backends", "tvm"], "unknown backend 'tvm'"),
    "tasks": (["--results", "RUN", "--combinations", "A&C"], "unknown task 'C'"),
    "threads": (["--results", "RUN", "--threads", 0], "--threads: needs a whole number above 0"),
    "images": (["--results", "RUN", "--batch-sizes", 10**14], "at most 1000000, not"),
    "rounds": (["--results", "RUN", "--rounds", 0], "--rounds: needs a whole number above 0"),
    "suffix": (["--results", "RUN", "--out", "x.txt"], "--out must end in .csv"),
    "no file": (["--networks", "nowhere"], "nowhere does not exist"),
    "several": (["--networks", "FAMILY"], "give :STRENGTH: 0.25, 0.5"),
    "no number": (["--networks", "FAMILY:half"], "'half' is no strength"),
    "strength": (["--networks", "FAMILY:7"], "no network of strength 7"),
    "twice": (["--networks", "FAMILY:1", "FAMILY:1"], "is named twice"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(run, tmp_path, capsys, case):
    words, sentence = BAD[case]
    family = Paths(str(run)).artefact(Cell.of("prune", "fashion", "none", "vibnet", 0))

    def real(text):
        return str(text).replace("RUN", str(run)).replace("FAMILY", family)

    try:
        code = bench("--out", tmp_path / "out.csv", *map(real, words))
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr().err
    assert code == 2 and real(sentence) in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_network_of_a_run_is_compared_with_its_record(run, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "run")
    path = Path(Paths(str(copy)).artefact(Cell.of("prune", "fashion", "none", "vibnet", 0)))
    provenance = {"artefacts": {"pruned/fashion/none-vibnet-0.json": rows_hash({})}}
    provenance["files"] = {"pruned/fashion/none-vibnet-0.safetensors": "0"}
    record = {"status": "ok", "reason": "", "rows": {}, "provenance": provenance}
    write_sealed(path.with_suffix(".json"), record)
    assert bench("--results", copy, "--out", tmp_path / "out.csv") == 2
    assert f"{path} is not what its record says" in capsys.readouterr().err


def test_several_prunings_must_be_told_apart(tmp_path):
    write_run(tmp_path, mergings=("none",), prunings=("vibnet", "taylor"), seeds=(0,))
    with pytest.raises(pam.ConfigError, match="several of --pruning: taylor, vibnet; name one"):
        networks_of_run(str(tmp_path))


def test_a_file_says_why_it_holds_no_network(tmp_path):
    path = tmp_path / "failed.safetensors"
    save_failure(path, Failure("collapsed", "nothing is left"))
    with pytest.raises(pam.DataError, match="holds no network: collapsed: nothing is left"):
        network_of_file(str(path))
    single = tmp_path / "single.safetensors"
    make_network().save(single)
    with pytest.raises(pam.ConfigError, match="was not pruned: it has no :STRENGTH"):
        network_of_file(f"{single}:1")


def test_a_busy_machine_is_said(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    for load, threads, busy in ((0.3, 4, False), (2.0, 2, False), (3.0, 2, True), (9.0, 1, True)):
        monkeypatch.setattr("os.getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert bool(_busy(threads)) == busy
