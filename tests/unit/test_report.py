"""The report of a run: complete, self-contained, and it works in a browser."""

import base64
import gzip
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from pam.cli.main import main
from pam.files import read_json, write_sealed
from pam.reporting.aggregate import aggregate
from pam.reporting.pages.explorer import COSTS, NETWORKS
from pam.reporting.pages.report import CATEGORIES, is_current, order, report_page
from pam.reporting.run import Run
from pam.reporting.schema import TABLES
from pam.reporting.statistics.latency import duration
from pam.reporting.storage import select
from pam.reporting.tables import documents
from pam.source.modules import ROOT
from tests.browser import browser, executable
from tests.reporting_fixtures import fail, write_records

RUN = ROOT / "results" / "reference" / "quick"
VOID = {"meta", "rect", "input"}


class Page(HTMLParser):
    """What of a page the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.texts.setdefault(tag, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def said(self, tag: str) -> str:
        return "".join(self.texts.get(tag, []))


@pytest.fixture(scope="module")
def text() -> str:
    return report_page(RUN)


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_a_run_whose_name_is_no_utf8_has_one_to_show():
    assert Run(os.fsdecode(b"results/q\xff")).profile == r"q\udcff"


def test_every_element_is_closed(page):
    assert page.open == []


def test_every_table_is_there(page):
    folded = page.said("summary")
    ids = {heading.get("id") for heading in page.all("h4")}
    cells = page.texts["td"]
    for experiment, name, document in documents(Run(RUN)):
        assert f"table-{experiment}-{name}" in ids
        for table in document.tables:
            assert table.title in folded
            assert table.rows[-1][-1] in cells


def test_every_category_and_what_it_must_hold(page):
    ids = {attributes.get("id") for _, attributes in page.tags}
    links = {link["href"] for link in page.all("a")}
    assert links <= {f"#{one}" for one in ids if one}
    assert {f"#{anchor}" for anchor in CATEGORIES} <= links
    words = page.said("main")
    manifest = read_json(RUN / "manifest.json")
    job = next(iter(manifest["jobs"].values()))
    for said in (
        f"all {len(manifest['jobs'])} jobs ended well",
        job["code_hash"],
        job["environment"]["git"]["commit"][:12],
        manifest["aggregated_on"]["packages"]["torch"],
        "digits_lenet5",
        "B1 none, B2 MTZ, PAM",
        *(f"{name}.csv" for name in TABLES),
    ):
        assert said in words, said
    assert "batch_size: 32" in page.said("pre")


def test_nothing_is_loaded_from_elsewhere(text, page):
    loads = [
        (tag, attributes[name])
        for tag, attributes in page.tags
        for name in ("src", "href", "srcset", "poster", "data", "action")
        if attributes.get(name) and not attributes[name].startswith(("#", "data:"))
    ]
    assert loads == []
    assert not re.search(r"url\(|@import|https?://", page.said("style"))
    assert "default-src 'none'" in text
    assert len(text) < 4_000_000


@pytest.fixture(scope="module")
def data(text) -> dict:
    """What the page embeds, tables as frames."""
    packed = re.search(r'<script id="data" type="text/plain">(.*?)</script>', text).group(1)
    data = json.loads(gzip.decompress(base64.b64decode(packed)))
    return {
        name: pd.DataFrame(one["rows"], columns=one["columns"])
        if isinstance(one, dict) and "rows" in one
        else one
        for name, one in data.items()
    }


def test_what_is_drawn_is_what_the_csv_files_say(data):
    run = Run(RUN)
    measured = run.table("measurements")
    measured = measured[(measured["status"] == "ok") & (measured["strength"] != 0)]
    same = [name for name in NETWORKS if name != "validation_drop"]
    pd.testing.assert_frame_equal(
        data["networks"][same], measured[same].reset_index(drop=True), check_dtype=False
    )
    matched = data["costs"][data["costs"]["combination"].isin(measured["combination"])]
    csv = run.table("matched")
    order = ["experiment", "pruning", "requirement", "delta", "merging", "combination"]
    one, other = (
        rows[COSTS].sort_values(order, kind="stable").reset_index(drop=True)
        for rows in (matched, csv)
    )
    pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert len(data["costs"]) == len(csv) + len(run.table("requests"))


def test_a_loss_is_that_of_the_tasks_that_run(data):
    rated = Run(RUN).table("accuracies")
    axes = ("experiment", "merging", "pruning", "seed", "strength")
    for row in data["networks"].iloc[::97].to_dict("records"):
        cell = select(rated, **{name: row[name] for name in axes}).set_index("task")
        tasks = cell.loc[row["combination"].split("&")]
        lost = tasks["single_task_validation_accuracy"] - tasks["validation_accuracy"]
        assert row["validation_drop"] == pytest.approx(100 * lost.mean(), abs=2e-4)


def test_a_network_is_called_by_what_exports_it(data):
    row = next(data["networks"].itertuples())
    path = data["network"].format(**row._asdict())
    file = f"{row.experiment}/{row.merging}-{row.pruning}-{row.seed}.safetensors"
    assert path == f"results/quick/pruned/{file}"
    assert data["data"].format(**row._asdict()) == f"results/quick/data/{row.experiment}"


@pytest.fixture
def failed_run(tmp_path) -> Path:
    """A run of which one cell failed, with a reason that looks like HTML."""
    records = write_records(tmp_path, seeds=(0,))
    broken = next(path for path in records if path.parent.parent.name == "measured")
    fail(broken, reason="<script>alert(1)</script> & more")
    aggregate(records, tmp_path)
    job = {"status": "ok", "rule": "measure", "started": "2026-01-01T10:00:00+00:00"}
    job |= {"ended": "yesterday", "code_hash": "c0de", "config_hash": "c0ffee"}
    job |= {"data_hash": "da7a", "environment": {}}
    jobs = {"a.json": job, "b.json": {**job, "status": "diverged"}}
    write_sealed(tmp_path / "manifest.json", {"config": {}, "jobs": jobs})
    return tmp_path


def test_failures_are_shown_and_never_run(failed_run):
    text = report_page(failed_run)
    assert text == report_page(failed_run)
    assert "<script>alert" not in text
    page = Page(text)
    assert "<script>alert(1)</script> & more" in page.said("td")
    assert "jobs2failed1" in re.sub(r"\s", "", page.said("dl"))


def test_rows_of_earlier_code_are_named(failed_run):
    stale = {("fashion", "matched"): "merge pam"}
    page = Page(report_page(failed_run, stale))
    assert "From rows of earlier code: fashion." in page.said("p")
    assert "Stale: from rows of earlier code (merge pam)." in page.said("p")


def test_the_command_writes_the_page_beside_the_results(failed_run, capsys):
    write_sealed(failed_run / "manifest.json", {"config": {"experiments": {}}, "jobs": {}})
    assert main(["report", "--results", str(failed_run)]) == 0
    page = failed_run / "report.html"
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert is_current(page, failed_run)
    for damaged in (text.replace("0.9", "0.8", 1), text[:-9], ""):
        page.write_text(damaged)
        assert not is_current(page, failed_run)
    page.write_text(text)
    with (failed_run / "manifest.json").open("a") as manifest:
        manifest.write("\n")
    assert not is_current(page, failed_run)
    assert main(["report", "--results", str(failed_run / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1,234 [1, 2]", "1234"), ("≤ 0.50", "0.50"), ("−3", "-3")),
        *(("—†", "nan"), ("∞", "inf"), ("–", "nan")),
    ],
)
def test_numbers_are_sorted_by_value(text, value):
    assert order(text) == value


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(3.21, "3.2 s"), (65.4, "1 min 05 s"), (7320, "2 h 02 min"), (float("nan"), "–")],
)
def test_durations(seconds, says):
    assert duration(seconds) == says


DRAWN = """new Promise(async (done) => {{
    while (!(+document.getElementById('explorer').dataset.drawn >= {times}))
        await new Promise((on) => setTimeout(on, 50));
    done(); }})"""


@pytest.mark.more
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
def test_in_a_browser(text, tmp_path):
    path, run = tmp_path / "report.html", Run(RUN)
    path.write_text(text)
    choose = """(() => {{ const one = document.getElementById('choices').elements['{name}'];
        one.value = '{value}'; one.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"""
    where = {"experiment": "digits_lenet5", "pruning": "taylor", "combination": "A&B"}
    with browser(executable()) as page:
        page.open(path)
        page.evaluate(DRAWN.format(times=1))
        for times, (name, value) in enumerate(where.items(), 2):
            page.evaluate(choose.format(name=name, value=value))
            page.evaluate(DRAWN.format(times=times))

        shown = pd.DataFrame(page.evaluate("views.costs.data('costs')"))
        for merging, rows in run.rows("matched", **where, requirement="mean", delta=1).groupby(
            "merging"
        ):
            bar = shown[(shown["merging"] == merging) & (shown["combination"] == "A&B")]
            assert list(bar["mflops"]) == list(rows["flops_mean"].dropna() / 1e6)

        mark = "#chart-frontier path[aria-roledescription='point']"
        box = page.evaluate(
            f'(() => {{ const mark = document.querySelector("{mark}");'
            "mark.scrollIntoView({ block: 'center', behavior: 'instant' });"
            "const box = mark.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2, mark.__data__.datum]; })()"
        )
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
        seen = page.evaluate("document.getElementById('command').textContent")
        network = box[2]
        assert seen == network["command"] and "--combination 'A&B'" in seen
        cell = {name: network[name] for name in ("merging", "seed", "strength")}
        row = run.rows("measurements", **where, **cell)
        assert list(row["flops"]) == [network["flops"]]
        assert f"{100 * row['accuracy'].item():.2f} %" in page.evaluate(
            "document.getElementById('network').textContent"
        )

        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        first = "[...document.querySelectorAll('#networks td:nth-child(4)')]"
        values = f"{first}.map((one) => Number(one.dataset.order))"
        page.click("#networks th:nth-child(4) button")
        assert page.evaluate(values) == sorted(page.evaluate(values))
        page.click("#networks th:nth-child(4) button")
        assert page.evaluate(values) == sorted(page.evaluate(values), reverse=True)
        assert page.evaluate(
            "(() => { const one = document.querySelector('#networks input');"
            "one.value = 'pam zip'; one.dispatchEvent(new Event('input'));"
            "return [...document.querySelectorAll('#networks tbody tr:not([hidden])')]"
            ".every((row) => row.cells[0].textContent === 'PAM zip'); })()"
        )
        page.open(path, width=400, height=800)
        page.evaluate(DRAWN.format(times=1))
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        assert set(page.requests) == {path.as_uri()}
        assert page.problems == []


UNNAMED = """[...document.querySelectorAll('input, select, button, summary, [role=region]')]
    .filter((one) => !(one.labels?.length || one.ariaLabel || one.title || one.textContent.trim()))
    .map((one) => one.outerHTML.slice(0, 120))"""
REPEATED = """[...document.querySelectorAll('[id]')].map((one) => one.id)
    .filter((id, place, all) => all.indexOf(id) !== place)"""
# As WCAG defines it: 4.5 for letters of this size. Letters in a chart stand on white.
FAINT = """(() => {
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (part) =>
        (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const [r, g, b, alpha = 1] = rgb(getComputedStyle(one).backgroundColor);
            if (alpha) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const faint = new Set();
    while (words.nextNode()) {
        const one = words.currentNode.parentElement;
        if (!words.currentNode.data.trim() || !one.getClientRects().length) continue;
        const style = getComputedStyle(one);
        const fill = one.closest('svg') ? style.fill : style.color;
        if (!/\\d/.test(fill)) continue;
        const [a, b] = [luminance(rgb(fill)), luminance(behind(one))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.add(`${one.tagName} ${one.className.baseVal ?? one.className}: `
            + `${words.currentNode.data.trim().slice(0, 30)}, ${contrast.toFixed(2)}`);
    }
    return [...faint].slice(0, 10); })()"""


@pytest.mark.more
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_and_operate_it(text, tmp_path, scheme):
    path = tmp_path / "report.html"
    path.write_text(text)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    with browser(executable()) as page:
        page.call("Emulation.setEmulatedMedia", features=features)
        page.call("Performance.enable", timeDomain="threadTicks")
        page.open(path)
        page.evaluate(DRAWN.format(times=1))
        figures = {
            one["name"]: one["value"] for one in page.call("Performance.getMetrics")["metrics"]
        }
        # Seconds of a processor, so that it does not matter what else runs.
        assert figures["TaskDuration"] < 2
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert page.evaluate(FAINT) == []
        assert page.evaluate(UNNAMED) == []
        assert page.evaluate(REPEATED) == []


@pytest.mark.more
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
def test_the_browser_sees_what_a_page_does_wrong(tmp_path):
    path = tmp_path / "wrong.html"
    path.write_text("<img src='http://pam.invalid/x.png'><script>nothing.here()</script>")
    with browser(executable()) as page:
        page.open(path)
        assert page.requests == [path.as_uri(), "http://pam.invalid/x.png"]
        assert any("nothing is not defined" in problem for problem in page.problems)
