"""When merging pays, and what ratios hang on, of made-up costs of experiments nearly alike."""

from math import nan

import pytest
from matplotlib.collections import LineCollection

from pam import ConfigError, DataError
from pam.reporting.figures import overview, style, sweeps
from pam.reporting.pages.beside import settings_sentence
from pam.reporting.pages.variants import _is_outside, protocol_tables, sweep_tables
from pam.reporting.schema import TABLES
from pam.reporting.statistics import claims, settings, variants
from pam.reporting.statistics.intervals import Estimate
from pam.reporting.statistics.matched import NOT_REACHED
from pam.reporting.statistics.standings import Standing
from pam.reporting.statistics.variants import protocols, varied
from pam.reporting.storage import write_rows
from tests import reporting_fixtures

ALIKE = {"dataset": "cartoon_faces", "tasks": ["A", "B"], "network": {"widths": [8, 20]}}
OVERLAPS = {f"overlap_{x}": ALIKE | {"data": {"overlap": x / 100}} for x in (0, 50, 100)}
WIDTHS = {
    f"width_{x}": ALIKE | {"data": {"overlap": 0.0}, "network": {"widths": [x, 20]}}
    for x in (16, 32)
}
ROWS = (("none", "vibnet", 2e6), ("all_shared", "vibnet_readers", 1e6))
NETWORK = {"dataset": "cartoon_faces", "architecture": "lenet5", "strength": 1, "seed": 0}
NETWORK |= {"combination": "A", "n_tasks": 1, "status": "ok", "accuracy": 0.9}
NETWORK |= {"flops": 2, "macs": 1, "parameters": 1}


def run_of(folder, experiments, costs=ROWS):
    """A run in which B1 costs 2 MFLOPs and another row 1, times the number of tasks that run."""
    requests = [
        {"experiment": name, "pruning": pruning, "merging": merging, "n_tasks": n_tasks}
        | {"requirement": "mean", "delta": 1.0, "combinations": 1, "status": "ok", "n": 6}
        | {"crossed": 6, "flops_mean": cost * (n_tasks or 1.5)}
        | {"flops_low": cost * (n_tasks or 1.5) / 2, "flops_high": cost * (n_tasks or 1.5) * 2}
        for name in experiments
        for merging, pruning, cost in costs
        for n_tasks in (1, 2, None)
    ]
    measurements = [
        NETWORK | {"experiment": name, "merging": merging, "pruning": "vibnet"}
        for name in experiments
        for merging in ("none", "all_shared")
    ]
    run = reporting_fixtures.run_of(folder, requests=requests, measurements=measurements)
    # Of the manifest only the configuration is read; hashes of the files are no matter here.
    run.__dict__["manifest"] = type("M", (), {"config": {"experiments": experiments}})()
    run.__dict__["is_aggregated"] = True
    return run


@pytest.fixture(autouse=True)
def without_hashes(monkeypatch):
    monkeypatch.setattr("pam.reporting.run.check_csv", lambda *_: None)
    # They are computed from the networks of paths, which these runs do not have.
    monkeypatch.setattr("pam.reporting.pages.requests.standings", lambda *_: {})


def test_every_sweep_has_a_row_of_panels(tmp_path):
    run = run_of(tmp_path, OVERLAPS | WIDTHS)
    with style.house_style():
        figure = sweeps.draw(run, "overlap_0")
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["one task", "any request", "all tasks", "", "", ""]
    lines = {
        round(line.get_ydata()[0], 3) for line in figure.axes[0].lines if len(line.get_xdata())
    }
    assert lines == {2.0, 1.0}
    assert list(figure.axes[0].get_xticks()) == [0, 50, 100]
    assert list(figure.axes[3].get_xticks()) == [8, 16, 32]
    assert sweeps.draw(run, "overlap_50") is None
    (said,) = sweeps.notes(run, "overlap_0")
    assert said == "2 tasks · pruned by VIBNet (P1) where nothing else is named"


def test_a_merging_pruned_twice_has_two_looks(tmp_path):
    run = run_of(tmp_path, OVERLAPS, (*ROWS, ("all_shared", "vibnet", 3e6)))
    with style.house_style():
        figure = sweeps.draw(run, "overlap_0")
    told = {text.get_text() for text in figure.legends[0].get_texts()}
    assert told == {"B1 none", "all shared", "all shared + VIBNet readers"}
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata())]
    assert sorted(line.get_ydata()[0] for line in lines) == [1.0, 2.0, 3.0]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 3


def test_labels_in_common_are_counted_where_a_profile_names_them(tmp_path):
    """Three sets of three tasks differ in labels alone; with two tasks there is another number."""
    hat, beard = ["hat", "scarf"], ["beard", "smiling"]
    labels = {
        "common_0": {"A": hat, "B": beard, "C": ["glasses", "earrings"]},
        "common_50": {"A": hat, "B": ["hat", "beard"], "C": ["hat", "earrings"]},
        "common_100": {"A": hat, "B": hat, "C": hat},
        "two_0": {"A": hat, "B": beard},
        "two_of_three": {"A": hat, "B": ["hat", "beard"], "C": ["earrings", "beard"]},
    }
    experiments = {
        name: ALIKE | {"tasks": [*tasks], "data": {"size": 20, "tasks": tasks}}
        for name, tasks in labels.items()
    }
    three = [name for name in experiments if name.startswith("common")]
    assert variants.sweeps(
        run_of(tmp_path, {name: experiments[name] for name in (*three, "two_0")})
    ) == {"labels in common (%)": dict(zip(three, (0.0, 50.0, 100.0), strict=True))}
    # What only some tasks have in common is nothing that all have.
    only = {name: experiments[name] for name in ("common_50", "common_100", "two_of_three")}
    assert variants.sweeps(run_of(tmp_path, only))["labels in common (%)"]["two_of_three"] == 0


def test_controls_of_one_experiment_leave_it_in_the_sweep(tmp_path):
    rows = {"merging": {"pam": {"samples": 8}}, "pruning": {"vibnet": {"mergings": ["pam"]}}}
    sections = {name: one | rows for name, one in OVERLAPS.items()}
    controls = {"merging": rows["merging"] | {"pam_again": {"repeat": 1}}}
    controls |= {"pruning": {"vibnet": {"mergings": ["pam", "pam_again"]}, "scratch": {}}}
    sections["overlap_50"] = sections["overlap_50"] | controls
    (places,) = variants.sweeps(run_of(tmp_path / "one", sections)).values()
    assert [*places] == [*OVERLAPS]
    sections["overlap_50"] = sections["overlap_50"] | {"merging": {"pam": {"samples": 9}}}
    assert variants.sweeps(run_of(tmp_path / "other", sections)) == {}


def test_of_two_experiments_with_one_value_the_first_is_in_the_sweep(tmp_path):
    labels = {"hat": ["hat"], "beard": ["beard"]}
    again = {"again": OVERLAPS["overlap_50"] | {"data": {"overlap": 0.5, "tasks": labels}}}
    run = run_of(tmp_path, OVERLAPS | again)
    assert {*variants.sweeps(run)["labels in common (%)"]} == {*OVERLAPS}
    assert varied(run) == {*OVERLAPS}


def test_experiments_that_differ_in_more_are_no_sweep(tmp_path):
    other = {"other": OVERLAPS["overlap_0"] | {"dataset": "lfw", "data": {"overlap": 0.2}}}
    two = {name: OVERLAPS[name] for name in ("overlap_0", "overlap_50")}
    assert sweeps.draw(run_of(tmp_path, two | other), "other") is None


SLOW, FAST = ({"vibnet": {"path": {"start": 2, "step": step}}} for step in (1.05, 1.1))
PROTOCOLS = {
    name: ALIKE | {"data": {}, "merging": {"none": {}, "pam": {"samples": 8}}, "pruning": pruning}
    for name, pruning in {"fast": FAST, "slow": SLOW}.items()
}


def test_experiments_with_other_schedules_alone_are_protocols(tmp_path):
    other_merger = PROTOCOLS["fast"] | {"merging": {"none": {}, "mtz": {}}}
    other_data = PROTOCOLS["fast"] | {"data": {"size": 16}}
    trained = PROTOCOLS["fast"] | {"train": {"batch_size": 8}}
    common = PROTOCOLS["fast"] | {"init": "common"}
    every = PROTOCOLS | {"mtz": other_merger, "small": other_data, "long": trained, "start": common}
    run = run_of(tmp_path, every)
    assert protocols(run) == [["fast", "slow", "long", "start"]]
    assert varied(run) == {"fast", "slow", "long", "start"}


def test_a_title_says_what_networks_start_from(tmp_path):
    starts = {"own": "independent", "same": "common", "trunk": {"pretrained": {"data": {}}}}
    run = run_of(tmp_path, {name: ALIKE | {"init": start} for name, start in starts.items()})
    assert [run.title(name).partition(", ")[2] for name in starts] == [
        *("", "from the same weights", "from one trunk")
    ]


PLACES = {
    "requests": {"n_tasks": None, "combinations": 3},
    "matched": {"combination": "A&B"},
}


def ratios(run, table, rows, **where):
    """The run with these rows of a table, each a ratio to B1 with its interval.

    ``where`` holds for all rows; a row may end with cells of its own.
    """
    own = [
        {"experiment": experiment, "pruning": pruning, "requirement": "mean", "delta": 1.0}
        | {"merging": merging, "status": "ok", "n": 6, "crossed": 6, "flops_mean": 1e6}
        | {f"flops_vs_none_{part}": value for part, value in zip(PARTS, ratio, strict=True)}
        | PLACES[table]
        | where
        | dict(*cells)
        for experiment, merging, pruning, ratio, *cells in rows
    ]
    columns = TABLES[table].columns
    write_rows(run.folder, TABLES[table], [dict.fromkeys(columns) | row for row in own])
    return run


def ratio(mean, low, high, p=0.03):
    return mean, low, high, p, p


PARTS = ("mean", "low", "high", "p", "p_holm")
ITSELF, UNKNOWN = (1,) * len(PARTS), (None,) * len(PARTS)
LESS = ratio(0.8, 0.7, 0.9)


def beside_none(names, **ratios):
    """Rows of every experiment under VIBNet: of B1, and of these mergers with a ratio to it."""
    every = {"none": ITSELF, **ratios}
    return [(name, one, "vibnet", every[one]) for name in names for one in every]


def test_the_cheapest_row_of_every_protocol_is_told(tmp_path, monkeypatch):
    first = Standing("vibnet", "pam", 1e6, Estimate(6, *[nan] * 3), nan, nan)
    monkeypatch.setattr(
        "pam.reporting.pages.requests.standings",
        lambda _, name, __: {"vibnet": [first]} if name == "slow" else {},
    )
    rows = beside_none(PROTOCOLS, pam=ITSELF)
    _, table = protocol_tables(ratios(run_of(tmp_path, PROTOCOLS), "requests", rows))
    assert table.rows == [["`slow`", "PAM", *["—"] * 4, "none"]]


def test_ratios_outside_the_interval_of_the_first_protocol_are_bold(tmp_path):
    rows = [
        *beside_none(PROTOCOLS),
        ("fast", "pam", "vibnet", ratio(0.9, 0.8, 1.0)),
        ("slow", "pam", "vibnet", ratio(1.1, 1.0, 1.2)),
        *((name, "pam", "vibnet_readers", ratio(0.7, 0.5, 0.9)) for name in PROTOCOLS),
        ("another", "pam", "l1", ratio(0.9, 0.8, 1.0)),
    ]
    (table,) = protocol_tables(ratios(run_of(tmp_path, PROTOCOLS), "requests", rows, n_tasks=2))
    assert table.rows == [
        ["1", "VIBNet (P1)", "2 tasks", "PAM", "0.90 [0.80, 1.00]", "1.10 [1.00, 1.20]"],
        ["1", "VIBNet readers", "2 tasks", "PAM", *["0.70 [0.50, 0.90]"] * 2],
    ]
    assert table.strong == {(0, 5)}
    assert any(note.startswith("1 of 2 ratios lie within") for note in table.notes)


def test_a_pruner_with_other_settings_stands_beside_itself(tmp_path):
    slow = {"vibnet_slow": {"method": "vibnet", "beside": "vibnet"}}
    experiments = {"overlap_0": OVERLAPS["overlap_0"] | {"pruning": slow}}
    rows = [
        ("overlap_0", "none", "vibnet", ITSELF),
        ("overlap_0", "none", "vibnet_slow", ratio(1.5, 1.2, 1.9)),
        ("overlap_0", "pam", "vibnet", ratio(1.1, 1.0, 1.2)),
        ("overlap_0", "pam", "vibnet_slow", LESS),
        ("overlap_0", "mtz", "vibnet_slow", LESS),
        ("overlap_0", "all_shared", "vibnet", LESS),
        ("overlap_0", "all_shared", "vibnet_readers", LESS),
    ]
    (table,) = protocol_tables(ratios(run_of(tmp_path, experiments), "requests", rows))
    assert table.header[2:] == ["VIBNet (P1)", "VIBNet (P1) slow"]
    assert table.rows == [
        ["overlap_0", "B1 none", "1", "1.50 [1.20, 1.90]"],
        ["overlap_0", "B2 MTZ", "–", "0.80 [0.70, 0.90]"],
        ["overlap_0", "PAM", "1.10 [1.00, 1.20]", "0.80 [0.70, 0.90]"],
    ]
    assert table.strong == {(2, 3)}


def test_a_sweep_has_a_row_for_every_merger_request_and_value(tmp_path, monkeypatch):
    half = Standing("vibnet", "none", 2e6, Estimate(6, 0.5, 0.4, 0.6), 0.031, 0.031)
    first = Standing("vibnet_readers", "all_shared", 1e6, Estimate(6, *[nan] * 3), nan, nan)
    ranked = {"overlap_50": {"vibnet": [first, half]}}
    monkeypatch.setattr(
        "pam.reporting.pages.requests.standings", lambda _, name, __: ranked.get(name, {})
    )
    rows = [
        (*row, {"n_tasks": n_tasks})
        for row in (
            *((name, "none", "vibnet", ITSELF) for name in OVERLAPS),
            *((name, "all_shared", "vibnet_readers", LESS) for name in OVERLAPS),
            ("overlap_50", "pam_again", "vibnet", LESS),
        )
        for n_tasks in (1, 2, None)
    ]
    table, first_table = sweep_tables(ratios(run_of(tmp_path, OVERLAPS), "requests", rows))
    assert table.header[:3] == ["merging", "request", "labels in common (%)"]
    assert len(table.rows) == 3 * 3 + 3
    assert table.rows[0][:4] == [
        *("all shared + VIBNet readers", "one task", "0", "0.80 [0.70, 0.90]"),
    ]
    assert (0, 3) in table.strong
    assert first_table.header[2] == "/ B1 none (p)"
    assert first_table.rows == [
        ["50", "all shared + VIBNet readers", "0.50 [0.40, 0.60] (0.031)", *["—"] * 3, "none"]
    ]


def test_a_ratio_to_a_bound_is_not_bold(tmp_path):
    """At least 0.8 of a baseline may be more than the whole of it."""
    first, *rows = beside_none(OVERLAPS, pam=LESS)
    rows = [(*first, {"status": "bound"}), *rows]
    (table,) = sweep_tables(ratios(run_of(tmp_path, OVERLAPS), "requests", rows, n_tasks=1))
    assert [row[3] for row in table.rows[:3]] == ["≥ 0.80", *["0.80 [0.70, 0.90]"] * 2]
    assert table.strong == {(1, 3), (2, 3)}


def test_pam_is_set_against_the_cheaper_of_both_baselines(tmp_path):
    """B2 costs 1.5 of B1, then half of it, then never comes within delta."""
    ends = zip(OVERLAPS, ((3e6, "ok"), (1e6, "ok"), (None, NOT_REACHED)), strict=True)
    of_b2 = {f"flops_vs_mtz_{part}": 1.25 for part in PARTS[:3]}
    rows = [
        row
        for name, (cost, status) in ends
        for row in (
            (name, "none", "vibnet", ITSELF, {"flops_mean": 2e6}),
            (name, "mtz", "vibnet", UNKNOWN, {"flops_mean": cost, "status": status}),
            (name, "pam", "vibnet", ratio(1.1, 1.1, 1.1, 1), of_b2),
        )
    ]
    (table,) = sweep_tables(ratios(run_of(tmp_path, OVERLAPS), "requests", rows))
    assert (
        "PAM, any request, of the cheaper of the two: at 0 1.10 [1.10, 1.10] of B1; "
        "at 50 1.25 [1.25, 1.25] of B2; at 100 1.10 [1.10, 1.10] of B1." in table.notes
    )
    rows = [(*row[:4], row[4] | {"status": "bound"}) if row[1] == "mtz" else row for row in rows]
    (table,) = sweep_tables(ratios(run_of(tmp_path, OVERLAPS), "requests", rows))
    assert not any("the cheaper of the two" in note for note in table.notes)


@pytest.mark.parametrize("which", [None, (0, 0), (0, 1), (1, 0), (1, 1)])
def test_of_a_bound_nobody_knows_whether_it_lies_outside(which):
    names = [f"flops_vs_none_{end}" for end in ("mean", "low", "high")]
    pairs = [
        [dict(zip(names, ends, strict=True)) | {"status": "ok"} for _ in range(2)]
        for ends in ((0.9, 0.8, 1.0), (0.6, 0.5, 0.8))
    ]
    if which:
        pairs[which[0]][which[1]]["status"] = "bound"
    assert _is_outside(*pairs) is (None if which else True)


def test_every_setting_is_drawn_in_its_sweeps_and_counted_once(tmp_path):
    """B2 costs less, PAM not surely, learned groups more; the row of a sweep's start is in two."""
    told = {
        ("mtz", "vibnet"): LESS,
        ("pam", "vibnet"): ratio(0.8, 0.7, 0.9, 0.06),
        ("all_shared", "vibnet_readers"): ratio(1.4, 1.2, 1.6),
        ("mtz", "vibnet_readers"): ratio(0.5, 0.4, 0.6),
    }
    rows = [
        (name, *row, one)
        for name in OVERLAPS | WIDTHS
        for row, one in ((("none", "vibnet"), ITSELF), *told.items())
    ]
    run = ratios(run_of(tmp_path, OVERLAPS | WIDTHS), "requests", rows)
    every = settings.any_requests([run])
    assert [*every["place"].unique()] == ["0", "50", "100", "8", "16", "32"]
    assert every["group"].nunique() == 2 and {*every["method"]} == {"mtz", "pam", "learned"}
    counts = settings.outcomes(every)
    assert counts.loc["mtz"].tolist() == [5, 0, 5]
    assert counts.loc["pam"].tolist() == [0, 0, 5]
    assert counts.loc["learned"].tolist() == [0, 5, 5]
    assert "B2 MTZ costs less in 5 of 5 and more in 0;" in settings_sentence([run])


def test_a_row_beside_another_is_compared_with_its_baselines_in_a_place_of_its_own(tmp_path):
    rows = {"vibnet": {}, "vibnet_slow": {"method": "vibnet", "beside": "vibnet"}}
    rows |= {"vibnet_fast": {"method": "vibnet"}, "vibnet_readers": {}}
    faces = ALIKE | {"data": {}, "pruning": rows}
    told = [("faces", "none" if row == "vibnet" else "all_shared", row, LESS) for row in rows]
    run = ratios(run_of(tmp_path, {"faces": faces}), "requests", told)
    names = {one: run.names.beside(one, rows) for one in rows}
    assert names == dict.fromkeys(rows, "vibnet") | {"vibnet_fast": "vibnet_fast"}
    assert run.names.beside("vibnet_slow", ["vibnet_slow", "taylor"]) == "vibnet_slow"
    every = settings.any_requests([run])
    assert dict(zip(every["place"], every["method"], strict=True)) == {
        "VIBNet (P1)": "learned",
        "VIBNet (P1) fast": "all_shared",
        "VIBNet (P1) slow": "all_shared",
    }
    assert settings._places(run.names, "50", [*rows]) == {
        **{"vibnet": "50", "vibnet_slow": "50, slow", "vibnet_fast": "50, fast"},
        "vibnet_readers": "50, VIBNet readers",
    }


def test_what_two_runs_measured_alike_counts_once(tmp_path):
    """A second profile has the same row of PAM, and one under a pruner of its own."""
    rows = [
        ("faces", merging, pruning, LESS)
        for pruning in ("vibnet", "taylor")
        for merging in ("none", "pam")
    ]

    def run_with(name, some, config_hash="as before"):
        """A run with these rows of requests, whose networks have settings of this hash."""
        run = run_of(tmp_path / name, {"faces": ALIKE | {"data": {}}})
        columns = dict.fromkeys(TABLES["measurements"].columns)
        measured = [
            columns
            | NETWORK
            | {"experiment": "faces", "merging": merging, "pruning": pruning}
            | {"config_hash": f"{config_hash} {merging} {pruning}"}
            for _, merging, pruning, _ in some
        ]
        write_rows(run.folder, TABLES["measurements"], measured)
        return ratios(run, "requests", some)

    runs = [run_with("first", rows[:2]), run_with("second", rows)]
    every = settings.any_requests(runs)
    assert [*every["place"]] == ["VIBNet (P1)", "Taylor (P2)"]
    assert settings.outcomes(every).loc["pam"].tolist() == [2, 0, 2]
    pairs = zip(runs, (rows[:2], rows), strict=True)
    places = [(ratios(run, "matched", some), "faces") for run, some in pairs]
    assert [(one.run, one.pruning) for one in claims.ratios(places, claims.B1, alone=False)] == [
        (runs[0], "vibnet"),
        (runs[1], "taylor"),
    ]
    other = run_with("third", rows[:2], "of another batch size")
    assert len(settings.any_requests([*runs, other])) == 3


@pytest.mark.parametrize("bound", ["none", "pam"])
def test_a_bound_is_no_outcome(tmp_path, bound):
    rows = [
        (*row, {"status": "bound" if bound in row else "ok"})
        for row in beside_none(OVERLAPS, pam=LESS)
    ]
    every = settings.any_requests([ratios(run_of(tmp_path, OVERLAPS), "requests", rows)])
    assert every["bound"].all()
    assert settings.outcomes(every).loc["pam"].tolist() == [0, 0, 3]
    with style.house_style():
        axes = overview._draw(every).axes[0]
    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    assert not any(one.get_segments() for one in lines)


def test_without_a_ratio_there_is_no_picture_and_no_sentence(tmp_path):
    run = run_of(tmp_path, OVERLAPS)
    assert settings_sentence([run]) == ""
    with pytest.raises(DataError, match="nothing to draw"):
        overview.render([run], tmp_path / "picture.png")
    with pytest.raises(ConfigError, match=r"ends with \.png"):
        overview.render([run], tmp_path / "picture.svg")
    assert not [*tmp_path.glob("picture*")]


def test_experiments_that_stand_alone_with_one_title_are_told_apart(tmp_path):
    def run_with(name):
        rows = beside_none([name], pam=LESS)
        return ratios(run_of(tmp_path / name, {name: ALIKE | {"data": {}}}), "requests", rows)

    one, other = map(run_with, ("faces_20", "faces_28"))
    title = one.title("faces_20")
    assert {*settings.any_requests([one])["group"]} == {title}
    both = {*settings.any_requests([one, other])["group"]}
    assert both == {f"{title}: faces_20", f"{title}: faces_28"}
