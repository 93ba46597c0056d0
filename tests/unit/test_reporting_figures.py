import os
import struct

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection

from pam import ConfigError
from pam.reporting.aggregate import aggregate
from pam.reporting.figures import FIGURES, frontier, groups, in_processes, render_figures, style
from pam.reporting.figures.panels import facets, spread, twins
from pam.reporting.figures.ratios import _ratios
from pam.reporting.names import Names
from pam.reporting.run import Run
from pam.reporting.storage import read_table, select
from tests.reporting_fixtures import FIVE_TASKS, write_records, write_run
from tests.validation_fixtures import write_validation_records

OF_THE_CONDITIONS = ("relatedness", "exclusivity", "redundancy")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), prunings=("vibnet",))


@pytest.fixture(scope="module")
def drawn(run):
    return render_figures(run, run / "figures")


def names_of(paths):
    """File names of PNGs without suffix; every one must have its SVG."""
    names = {suffix: {p.stem for p in paths if p.suffix == suffix} for suffix in (".png", ".svg")}
    assert names[".png"] == names[".svg"]
    return names[".png"]


def test_every_figure_with_data_in_two_formats(drawn):
    assert names_of(drawn) == set(FIGURES) - {*OF_THE_CONDITIONS, "tasks", "sweeps"}


def test_pictures_are_bounded(drawn):
    for path in drawn:
        if path.suffix == ".png":
            width, height = struct.unpack(">II", path.read_bytes()[16:24])
            assert max(width, height) <= 2800
        assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("names", [["ratios"], ["information", "groups"]])
def test_same_data_same_bytes_in_any_number_of_processes(run, drawn, tmp_path, names):
    again = render_figures(run, tmp_path, only=names, processes=len(names))
    assert len(again) == 2 * len(names)
    before = {path.name: path.read_bytes() for path in drawn}
    assert [path.read_bytes() for path in again] == [before[path.name] for path in again]


def test_every_figure_says_where_its_methods_were_published(run, tmp_path, monkeypatch):
    stamped = []
    monkeypatch.setattr(style, "stamp", lambda figure, *lines: stamped.append(" ".join(lines)))
    assert len(render_figures(run, tmp_path, only=["ratios", "training"])) == 2 * len(stamped) == 4
    assert all("Sources: LeNet-5 (LeCun et al., Proc. IEEE 1998)" in text for text in stamped)
    assert all("PAM (He et al., KDD 2021)" in text for text in stamped)


def test_unknown_figure_is_named(run, tmp_path):
    with pytest.raises(ConfigError, match="'pie'"):
        render_figures(run, tmp_path, only=["pie"])


def test_no_data_no_figure(tmp_path):
    records = write_records(tmp_path, mergings=("none",), prunings=("vibnet",), seeds=(0,))
    measured = [path for path in records if path.parent.parent.name == "measured"]
    aggregate(measured, tmp_path)
    with pytest.warns(UserWarning, match="no data for figure 'exclusivity' of fashion"):
        assert render_figures(tmp_path, tmp_path, only=["exclusivity"]) == []


def test_several_experiments_have_their_own_files(tmp_path):
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet",), "seeds": (0,)}
    records = [path for name in ("one", "two") for path in write_records(tmp_path, name, **axes)]
    aggregate(records, tmp_path)
    names = {path.name for path in render_figures(tmp_path, tmp_path, only=["ratios"])}
    assert names == {f"{one}-ratios.{kind}" for one in ("one", "two") for kind in ("png", "svg")}


def test_conditions_have_their_figures_without_any_comparison(tmp_path):
    aggregate(write_validation_records(tmp_path, seeds=(0, 1)), tmp_path)
    names = names_of(render_figures(tmp_path, tmp_path))
    assert names == {"related-relatedness", "fashion-exclusivity", "fashion-redundancy"}


def test_a_group_that_is_pruned_away_from_every_network_has_no_panel(tmp_path):
    aggregate(write_validation_records(tmp_path, seeds=(0,)), tmp_path)
    for name in ("redundancy", "redundancy_samples"):
        path = tmp_path / f"{name}.csv"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if ",2.000000," not in line))
    drawn = render_figures(tmp_path, tmp_path, only=["redundancy"])
    assert "fashion-redundancy" in names_of(drawn)


@pytest.mark.more
def test_five_tasks_have_every_figure_at_a_legible_size(tmp_path):
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet",), "seeds": (0,)}
    drawn = render_figures(write_run(tmp_path, tasks=FIVE_TASKS, **axes), tmp_path)
    assert names_of(drawn) == set(FIGURES) - {*OF_THE_CONDITIONS, "sweeps"}
    test_pictures_are_bounded(drawn)


def test_a_merger_without_networks_leaves_the_others_drawn(tmp_path):
    axes = {"mergings": ("none", "mtz", "pam"), "prunings": ("vibnet",), "seeds": (0, 1)}
    write_run(tmp_path, failed=("mtz-vibnet-0", "mtz-vibnet-1"), tasks=("A", "B", "C"), **axes)
    only = ["ratios", "tasks"]
    assert names_of(render_figures(tmp_path, tmp_path, only=only)) == set(only)


def test_marks_lie_on_the_curves_that_they_are_read_from(run, monkeypatch):
    monkeypatch.setattr(frontier, "_MOST_CURVES", 99)
    with style.house_style():
        panels = frontier.draw(Run(run), "fashion").axes
    matched = select(read_table(run, "matched"), requirement="mean", delta=1.0, status="ok")
    shown = 0
    for axes in panels:
        thick = [line.get_xydata() for line in axes.lines if line.get_linewidth() == 1.8]
        (seeds,) = (one for one in axes.collections if isinstance(one, LineCollection))
        curves = {30: thick, 9: seeds.get_segments()}
        scattered = [one for one in axes.collections if isinstance(one, PathCollection)]
        for marks in (one for one in scattered if one.get_sizes()[0] in curves):
            for x, y in marks.get_offsets():
                near = [
                    np.exp(np.interp(y, curve[:, 1], np.log(curve[:, 0])))
                    for curve in curves[marks.get_sizes()[0]]
                ]
                assert y == pytest.approx(1.0) and min(abs(np.array(near) / x - 1)) < 1e-4
                if marks.get_sizes()[0] == 30:
                    shown += 1
                    assert min(abs(matched["flops_mean"] - 1e6 * x)) < 1
    assert shown == len(matched)


def test_the_legend_promises_a_line_only_of_what_has_one(run, monkeypatch):
    monkeypatch.setattr(frontier, "_MOST_CURVES", 0)
    curves = frontier._curves

    def without_a_mean(networks):
        """As of a merger whose seeds have no loss in common."""
        for row in curves(networks):
            yield row | {"x": np.nan} if (row["merging"], row["kind"]) == ("pam", "mean") else row

    monkeypatch.setattr(frontier, "_curves", without_a_mean)
    with style.house_style():
        legend = frontier.draw(Run(run), "fashion").legends[0]
    styles = {one.get_label(): one.get_linestyle() for one in legend.legend_handles}
    assert styles["PAM"] == "None" and styles["B1 none"] == "-"


def test_a_cost_read_in_a_gap_has_a_mark_where_no_network_is_in_sight(run, monkeypatch):
    rows = frontier._rows

    def without_networks(networks):
        for row in rows(networks):
            yield row | {"x": np.nan} if row["merging"] == "pam" else row

    monkeypatch.setattr(frontier, "_rows", without_networks)
    with style.house_style():
        legend = frontier.draw(Run(run), "fashion").legends[0]
    assert "PAM" in [text.get_text() for text in legend.get_texts()]


def test_the_ratio_plot_has_the_paper_beside_and_leaves_infinity_out(run):
    found = _ratios(Run(run), "fashion").set_index(["against", "pruning", "combination", "merging"])
    assert not found["mean"].isna().any() and "none" not in set(
        found.loc["against B1 none"].index.get_level_values(-1)
    )
    pam = found.loc["against B1 none", "vibnet", "A&B", "pam"]
    assert pam["paper"] == pytest.approx(48.68 / 56.69, abs=1e-3)
    assert {*found.index.get_level_values("combination")} == {"A", "B", "A&B", "any request"}


@pytest.mark.parametrize(
    ("most", "chosen"), [(2, "ag"), (3, "adg"), (4, "aceg"), (7, "abcdefg"), (9, "abcdefg")]
)
def test_layers_are_spread_evenly_with_both_ends(most, chosen):
    layers = pd.DataFrame({"layer": list("gfedcba")})
    assert sorted(spread(layers, most)["layer"]) == list(chosen)


def test_there_is_a_spare_look_even_where_all_are_taken():
    looks = style.merging_looks(Names(), ["none", "mtz", "pam", *(f"mine_{i}" for i in range(8))])
    spare = style.spare_looks([looks["B1 none"]])
    assert next(spare)[1:] != looks["B1 none"][1:]
    assert next(style.spare_looks(looks.values())).marker


def test_a_merging_looks_the_same_whether_the_baselines_are_shown_or_not():
    every = style.merging_looks(Names(), ["none", "mtz", "all_shared", "pam", "pam_zip"])
    some = style.merging_looks(Names(), ["pam_zip", "pam", "all_shared"])
    assert some.items() <= every.items()
    assert list(some) == ["all shared", "PAM", "PAM zip"]
    assert len({(look.colour, look.marker) for look in every.values()}) == 5


def test_layers_of_one_size_in_every_network_are_no_column(run, tmp_path):
    for name in groups.SOURCES:
        (tmp_path / f"{name}.csv").write_bytes((run / f"{name}.csv").read_bytes())
    table = pd.read_csv(run / "groups.csv")
    networks = table.drop_duplicates(["merging", "pruning", "strength", "seed", "stage"])
    outputs = networks.assign(layer="output", group="A", neurons=3)
    pd.concat([table, outputs]).to_csv(tmp_path / "groups.csv", index=False)
    with style.house_style():
        panels = groups.draw(Run(tmp_path), "fashion").axes
    titles = {axes.get_title(loc="left") for axes in panels} - {""}
    assert titles == set(table["layer"])


def test_lines_are_about_equally_long_and_none_begins_with_a_dot():
    words = "lines: mean over seeds · bands: 95 % interval, of two seeds their range"
    lines = style._fill(words, 66).splitlines()
    assert len(lines) == 2 and max(map(len, lines)) - min(map(len, lines)) < 12
    assert not any(line.startswith("·") for line in style._fill(words, 24).splitlines())
    assert style._fill("short", 66) == "short"


def test_of_curves_that_coincide_one_is_drawn_under_all_names():
    rows = pd.DataFrame(
        {"merging": ["a", "a", "b", "b", "c", "c"], "x": [1, 2] * 3, "y": [3, 4, 3, 4, 3, 5]}
    )
    assert twins(rows, "merging") == {"a": "a, b", "c": "c"}


def test_a_panel_without_data_says_so_and_keeps_the_label_of_its_row():
    data = pd.DataFrame({"down": ["r", "s"], "across": ["p", "q"], "x": [1, 2]})
    panels = facets(data, "down", "across", (2, 2), ("cost", ""), "no data")
    for axes, rows in panels:
        axes.plot(rows["x"], rows["x"])
    shown = {(axes.get_ylabel(), axes.get_xlabel()) for axes, *_ in panels.panels}
    assert shown == {("r", "cost"), ("", "cost")}
    blank = [axes for axes in panels.grid.flat if axes.texts]
    assert [axes.texts[0].get_text() for axes in blank] == ["no data"] * 2
    assert [axes.get_ylabel() for axes in blank] == ["", "s"]


def test_an_error_in_a_process_is_that_of_the_caller():
    def work(number):
        if number == 2:
            raise ConfigError("no 2")
        return number, os.getpid()

    found = in_processes(work, [(0,), (1,), (3,)], 2)
    assert [number for number, _ in found] == [0, 1, 3]
    assert os.getpid() not in {process for _, process in found}
    with pytest.raises(ConfigError, match="no 2"):
        in_processes(work, [(1,), (2,)], 2)
