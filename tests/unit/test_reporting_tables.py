import numpy as np
import pandas as pd
import pytest

from pam import ConfigError
from pam.groups import all_combinations, combination_name
from pam.reporting.aggregate import aggregate
from pam.reporting.names import Names
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.schema import TABLES
from pam.reporting.statistics.points import Networks, Part
from pam.reporting.storage import read_table, read_text_table, select
from pam.reporting.tables import SOURCES, render_tables
from pam.reporting.tables.cell_text import BOLD_NOTE, noted_table, number, p_cell, ratio_cell
from pam.reporting.tables.comparison import _cheapest, _introduction, _single_task_accuracies
from pam.reporting.tables.networks import cheapest_networks
from pam.reporting.tables.text_table import TextTable, latex
from tests.reporting_fixtures import FIVE_TASKS, fail, write_records, write_run
from tests.validation_fixtures import write_validation_records


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("run"))
    return folder, render_tables(folder)


def test_every_table_with_rows_in_three_formats(run):
    folder, paths = run
    names = set(SOURCES) - {"relatedness", "exclusivity", "redundancy"}
    assert {path.name for path in paths} == {
        f"{name}.{suffix}" for name in names for suffix in ("csv", "md", "tex")
    }
    assert all(path.parent == folder / "tables" and path.read_text() for path in paths)


def test_every_csv_file_is_read_once(run, tmp_path, monkeypatch):
    reads = []

    def counted(folder, name):
        reads.append(name)
        return read_text_table(folder, name)

    monkeypatch.setattr("pam.reporting.run.read_text_table", counted)
    render_tables(run[0], tmp_path)
    assert len(reads) == len(set(reads)) > 8


def test_every_table_says_where_its_methods_were_published(run):
    texts = [path.read_text() for path in run[1] if path.suffix in (".md", ".tex")]
    assert all("Sources: LeNet-5 (LeCun et al., Proc. IEEE 1998), " in text for text in texts)
    comparison = (run[0] / "tables" / "comparison.md").read_text()
    assert "PAM (He et al., KDD 2021), VIBNet (P1) (Dai et al., ICML 2018), Taylor" in comparison


def test_rows_are_as_wide_as_their_header(run):
    for path in run[1]:
        if path.suffix == ".md":
            for block in path.read_text().split("\n\n"):
                lines = [line for line in block.splitlines() if line.startswith("|")]
                assert len({len(line) for line in lines}) <= 1


def test_paper_stands_beside_the_measured_figures(run):
    text = (run[0] / "tables" / "comparison.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("| VIBNet (P1) | A "))
    assert [cell.strip() for cell in line.split("|")[-4:-1]] == ["28.34", "52.58", "28.49"]
    numbers = pd.read_csv(run[0] / "tables" / "comparison.csv")
    paper = numbers.set_index(["pruning", "combination", "merging"])["paper_flops"]
    assert paper["vibnet", "A&B", "pam"] == 48_680_000
    assert pd.isna(paper["taylor", "A&B", "none"])


def test_other_settings_have_no_paper_columns(tmp_path):
    write_run(tmp_path, mergings=("none", "pam"), prunings=("vibnet",), seeds=(0,))
    path = tmp_path / "measurements.csv"
    path.write_text(path.read_text().replace("fashion_mnist", "digits"))
    render_tables(tmp_path)
    text = (tmp_path / "tables" / "comparison.md").read_text()
    assert "paper PAM" not in text and "LeNet-5 on digits" in text


def test_failed_and_unreached_cells_are_dashes_with_a_note(tmp_path):
    mergings = ("none", "mtz", "pam")
    records = write_records(tmp_path, mergings=mergings, prunings=("vibnet",), seeds=(0, 1))
    for seed in (0, 1):
        fail(tmp_path / "measured" / "fashion" / f"mtz-vibnet-{seed}.json")
    aggregate(records, tmp_path, deltas=(-5.0, 1.0))
    render_tables(tmp_path)
    comparison = (tmp_path / "tables" / "comparison.md").read_text()
    assert "—‡" in comparison and "‡ failed" in comparison
    sensitivity = (tmp_path / "tables" / "sensitivity.md").read_text()
    assert "—†" in sensitivity and "† not reached" in sensitivity


def test_ratios_of_what_is_unreached_or_only_a_bound():
    name = "flops_vs_mtz"
    numbers = {"mean": 0.5, "low": 0.4, "high": 0.6, "p": 0.03, "p_holm": 0.09}
    ok, bound = (
        {"status": status} | {f"{name}_{part}": value for part, value in numbers.items()}
        for status in ("ok", "bound")
    )
    unreached = {"status": "not reached"}
    none = ok | {f"{name}_mean": float("nan")}
    cells = {
        (ratio_cell(one, other, name), p_cell(one, other, name))
        for one, other in ((ok, ok), (bound, ok), (ok, bound), (bound, bound))
    }
    assert cells == {
        *(("0.50 [0.40, 0.60]", "0.03 (0.09)"), ("≤ 0.50", "—"), ("≥ 0.50", "—"), ("(0.50)", "—"))
    }
    assert ratio_cell(none, unreached, name) == "—†"
    assert ratio_cell(None, ok, name) == "–"


def row_of_costs(merging, mean, high, n=6, status="ok"):
    row = {"merging": merging, "flops_mean": mean, "flops_low": 0.9 * mean, "flops_high": high}
    return row | {"n": n, "status": status}


@pytest.mark.parametrize(
    ("rows", "strong"),
    [
        ([("a", 1.0, 1.5), ("b", 2.0, 3.0)], [0]),
        ([("a", 3.0, 3.5), ("b", 2.0, 2.9), None], [1]),
        ([("a", 1.0, 2.5), ("b", 2.0, 3.0)], []),
        ([("a", 1.0, 1.5, 2), ("b", 2.0, 3.0, 2)], []),
        ([("a", 4.0, 4.5, 6, "bound"), ("b", 1.0, 1.5), ("c", 2.0, 3.0)], []),
    ],
)
def test_only_what_the_interval_tells_from_the_next_is_bold(rows, strong):
    assert _cheapest([row and row_of_costs(*row) for row in rows]) == strong


def test_bold_is_explained_where_it_is_used():
    table = noted_table("t", ["a", "x"], [["p", "1"]], 1, strong=[(0, 1)])
    assert table.notes == [BOLD_NOTE]
    assert noted_table("t", ["a", "x"], [["p", "1"]], 1).notes == []


@pytest.mark.parametrize(
    ("value", "text"), [(110.4, "110"), (1234.0, "1230"), (0.5, "0.500"), (float("nan"), "—")]
)
def test_numbers_have_no_stray_point_or_exponent(value, text):
    assert number(value, "#.3g") == text


def test_networks_as_measured_stand_beside_fitted_costs(run):
    text = (run[0] / "tables" / "comparison.md").read_text()
    block = text.partition("### Computation of the cheapest network measured")[2]
    cells = [
        line.split("|")[1:-1] for line in block.partition("###")[0].splitlines() if "|" in line
    ]
    merging = [cell.strip() for cell in cells[0]].index("PAM")
    where = {"pruning": "vibnet", "merging": "pam", "combination": "A", "delta": 1.0}
    points = select(pd.read_csv(run[0] / "operating_points.csv"), **where)
    assert (points["status"] == "ok").all()
    mean = 1e-6 * np.exp(np.log(points["flops"]).mean())
    assert cells[2][merging].split()[0] == number(mean, "#.3g")


def test_fewer_seeds_are_named_and_experiments_have_their_own_files(tmp_path):
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet",), "seeds": (0, 1)}
    records = [path for name in ("one", "two") for path in write_records(tmp_path, name, **axes)]
    fail(tmp_path / "measured" / "two" / "pam-vibnet-1.json")
    aggregate(records, tmp_path)
    names = {path.name for path in render_tables(tmp_path)}
    assert {"one-comparison.md", "two-comparison.md"} <= names
    one, two = ((tmp_path / "tables" / f"{n}-comparison.md").read_text() for n in ("one", "two"))
    assert "(n = 1)" in two and "(n = 1)" not in one


def test_all_measured_seeds_of_a_row_count_for_its_cheapest_networks(tmp_path):
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet",), "seeds": (0, 1)}
    run = Run(write_run(tmp_path, failed=("none-vibnet-1",), **axes))
    for row in cheapest_networks(run, "fashion").rows:
        none, pam = row[2:]
        assert none.endswith(" (n = 1)") and "(n" not in pam and "†" not in none + pam


def test_the_length_of_a_path_is_that_of_a_part(tmp_path):
    networks = [Part(("A",), np.ones(3), *[None] * 3), Part(("B",), np.ones(5), *[None] * 3)]
    every = [Networks("e", "vibnet", ["A", "B"], {"none": {0: networks}})]
    measured = pd.DataFrame({"seed": [0], "status": ["ok"]})
    assert "(3 to 5 networks a path)" in _introduction(measured, every, "")


def test_single_tasks_are_asked_for_as_often_as_their_mergers():
    rows = [("A", 1, 0.8), ("B", 1, 0.9), ("A&B", 2, 0.85)]
    measured = pd.DataFrame(rows, columns=["combination", "n_tasks", "single_task_accuracy"])
    found = _single_task_accuracies(measured.assign(seed=0), {"A": 3.0, "B": 1.0})
    assert found == pytest.approx(
        {"A": 0.8, "B": 0.9, "A&B": 0.85, "1 task": 0.825, "any request": 0.825}
    )


def test_repeated_words_are_left_blank_only_under_the_same_words():
    table = TextTable("t", ["a", "b", "x"], [["p", "q", "1"], ["p", "r", "2"], ["s", "r", "3"]], 2)
    assert [row[:2] for row in table.sparse()] == [["p", "q"], ["", "r"], ["s", "r"]]


def test_latex_is_escaped():
    assert latex("A&B ≤ 5 %_") == r"A\&B $\leq$ 5 \%\_"


def test_display_names_in_order():
    names = Names()
    rows = ["pam_gain", "pam", "random", "zipit", "all_shared", "mtz", "none", "another_one"]
    assert [names.merging(row) for row in names.order_mergings(rows)] == [
        *("B1 none", "B2 MTZ", "all shared", "ZipIt!", "random (control)", "another one"),
        *("PAM", "PAM gain"),
    ]
    rows = ["another_one", "random", "l1", "taylor", "vibnet"]
    assert [names.pruning(row) for row in names.order_prunings(rows)] == [
        *("VIBNet (P1)", "Taylor (P2)", "L1 norm", "random (control)", "another one")
    ]


def test_published_figures():
    table = published("comparison").set_index(["pruning", "combination", "merging"])
    ratio = table["flops"]["vibnet", "B", "mtz"] / table["flops"]["vibnet", "B", "pam"]
    assert ratio == pytest.approx(published("headline").set_index("against")["factor"]["mtz"], 1e-3)
    with pytest.raises(ConfigError, match="'nothing'"):
        published("nothing")


def test_five_tasks_are_summed_up_by_how_many_run(tmp_path):
    axes = {"mergings": ("none", "mtz", "pam"), "prunings": ("vibnet",), "seeds": (0, 1)}
    render_tables(write_run(tmp_path, tasks=FIVE_TASKS, **axes))
    text = (tmp_path / "tables" / "comparison.md").read_text()
    summary, whole = text.split("### Computation (MFLOPs)\n")
    assert "### Computation (MFLOPs), mean over combinations" in summary
    for size in ("1 task", "2 tasks", "3 tasks", "4 tasks", "5 tasks", "any request"):
        assert f"| {size} " in summary
    lines = [line for line in whole.split("###")[0].splitlines() if line.startswith("|")]
    combinations = [combination_name(one) for one in all_combinations(FIVE_TASKS)]
    assert [line.split("|")[2].strip() for line in lines[2:]] == combinations
    points = (tmp_path / "tables" / "operating_points.md").read_text()
    assert "MFLOPs 5 tasks" in points and "MFLOPs A&B" not in points


def test_conditions_have_their_tables(tmp_path):
    aggregate(write_validation_records(tmp_path), tmp_path)
    names = {path.name for path in render_tables(tmp_path) if path.suffix == ".md"}
    assert names == {"related-relatedness.md", "fashion-exclusivity.md", "fashion-redundancy.md"}


def test_no_records_give_empty_files_and_no_tables(tmp_path):
    aggregate([], tmp_path)
    assert all(len(read_table(tmp_path, name)) == 0 for name in TABLES)
    assert render_tables(tmp_path) == []
