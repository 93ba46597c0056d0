"""The report of a run: complete, self-contained, and it works in a browser."""

import base64
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pam import DataError
from pam.cli.main import main
from pam.files import read_json, write_json
from pam.reporting.aggregate import aggregate
from pam.reporting.pages.report import CATEGORIES, order, report_page
from pam.reporting.run import Run
from pam.reporting.schema import TABLES
from pam.reporting.statistics.resources import duration
from pam.reporting.tables.render import documents
from pam.source.modules import ROOT
from tests.browser import browser, executable
from tests.reporting_fixtures import fail, write_records

RUN = ROOT / "results" / "reference" / "cartoon"
FIGURES = ROOT / "figures" / "reference" / "cartoon"
VOID = {"meta", "img", "rect", "br"}


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
    return report_page(RUN, FIGURES)


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_every_element_is_closed_and_every_figure_is_there_with_caption_and_n(page):
    assert page.open == []
    stems = {path.stem for path in FIGURES.glob("*.png")}
    shown = {figure["id"].removeprefix("figure-") for figure in page.all("figure")}
    assert shown == stems
    images = [image for image in page.all("img") if "src" in image]
    assert len(images) == len(stems)
    assert all("n = 3 seeds" in image["alt"] and ".csv" in image["alt"] for image in images)
    assert page.said("figcaption").count("n = 3") == len(stems)


def test_an_embedded_figure_is_the_file(page):
    image = next(image for image in page.all("img") if "Training" in (image.get("alt") or ""))
    kind, _, content = image["src"].partition(";base64,")
    # `make figures` in this checkout draws vector files beside those that are committed.
    suffix = {"data:image/png": "png", "data:image/svg+xml": "svg"}[kind]
    original = FIGURES / f"cartoon_conditions-training.{suffix}"
    assert base64.b64decode(content) == original.read_bytes()


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
        "all 261 jobs ended well",
        job["code_hash"],
        job["environment"]["git"]["commit"][:12],
        manifest["aggregated_on"]["packages"]["torch"],
        "cartoon_lenet5",
        "B1 none, B2 MTZ, all shared",
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
    assert not re.search(r"url\(|@import|https?://|fetch\(|XMLHttpRequest", page.said("style"))
    assert "default-src 'none'" in text
    assert not any("style" in attributes for _, attributes in page.tags)


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
    write_json(tmp_path / "manifest.json", {"config": {}, "jobs": jobs})
    (tmp_path / "figures").mkdir()
    return tmp_path


def test_failures_are_shown_and_never_run(failed_run):
    text = report_page(failed_run, failed_run / "figures")
    assert text == report_page(failed_run, failed_run / "figures")
    assert "<script>alert" not in text
    page = Page(text)
    assert "<script>alert(1)</script> & more" in page.said("td")
    assert "jobs2failed1" in re.sub(r"\s", "", page.said("dl"))
    assert "There are no figures." in page.said("p")


def test_rows_of_earlier_code_are_named(failed_run):
    stale = {("fashion", "matched"): "merge pam"}
    page = Page(report_page(failed_run, failed_run / "figures", stale))
    assert "From rows of earlier code: fashion." in page.said("p")
    assert "Stale: from rows of earlier code (merge pam)." in page.said("p")


@pytest.mark.parametrize(("size", "kind"), [(300_000, "svg+xml"), (300_001, "png")])
def test_a_drawing_goes_in_unless_it_is_large(failed_run, size, kind):
    figures = failed_run / "figures"
    shutil.copy(FIGURES / "cartoon_conditions-ratios.png", figures / "ratios.png")
    (figures / "ratios.svg").write_text("<svg/>".ljust(size))
    (image,) = (one for one in Page(report_page(failed_run, figures)).all("img") if "src" in one)
    assert image["src"].startswith(f"data:image/{kind};base64,")


def test_a_picture_that_is_no_figure_is_shown_too(failed_run):
    figures = failed_run / "figures"
    shutil.copy(FIGURES / "cartoon_conditions-ratios.png", figures / "my_samples.png")
    page = Page(report_page(failed_run, figures))
    assert [figure["id"] for figure in page.all("figure")] == ["figure-my_samples"]
    assert "other pictures" in page.said("h3")


def test_the_command_writes_the_page_beside_the_results(failed_run, capsys):
    write_json(failed_run / "manifest.json", {"config": {"experiments": {}}, "jobs": {}})
    words = ["report", "--results", str(failed_run), "--figures", str(failed_run / "figures")]
    assert main(words) == 0
    assert (failed_run / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert main([*words[:-1], str(failed_run / "none")]) == 2
    assert "is no folder of figures; draw them first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda made: made.pop("jobs"), "is no manifest: jobs: Field required"),
        (lambda made: made["jobs"]["a.json"].update(rule=3), "is no manifest: jobs.a.json.rule"),
        (lambda made: made.update(config=3), "is no manifest: config"),
    ],
)
def test_a_wrong_manifest_is_named(failed_run, change, says):
    path = failed_run / "manifest.json"
    manifest = read_json(path)
    change(manifest)
    write_json(path, manifest)
    with pytest.raises(DataError, match=says):
        report_page(failed_run, failed_run / "figures")


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


@pytest.mark.more
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
def test_in_a_browser(text, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(text)
    with browser(executable()) as page:
        page.open(path)
        widths = page.evaluate(
            "[...document.querySelectorAll('figure img')].map(i => i.naturalWidth)"
        )
        assert len(widths) == len({one.stem for one in FIGURES.glob("*.png")})
        assert min(widths) > 100

        page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
        for anchor in CATEGORIES:
            page.click(f"nav a[href='#{anchor}']")
            assert page.evaluate("location.hash") == f"#{anchor}"
            seen = page.evaluate(
                f"""new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {{
                    const box = document.querySelector('#{anchor} h2').getBoundingClientRect();
                    const now = [...document.querySelectorAll('nav a.category[aria-current]')];
                    done([box.top >= 0 && box.bottom <= innerHeight, now.map(one => one.hash)]);
                }})))"""
            )
            assert seen == [True, [f"#{anchor}"]]

        first = "[...document.querySelectorAll('#summary table.sortable td:nth-child(3)')]"
        values = f"{first}.map(one => parseFloat(one.textContent)).filter(one => one)"
        header = "#summary table.sortable th:nth-child(3)"
        page.click(f"{header} button")
        assert page.evaluate(values) == sorted(page.evaluate(values))
        page.click(f"{header} button")
        assert page.evaluate(values) == sorted(page.evaluate(values), reverse=True)

        page.click("#unfold")
        assert page.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")
        page.click("#figure-cartoon_conditions-ratios .zoom")
        assert page.evaluate("document.querySelector('dialog[open] img').naturalWidth") > 100
        page.click("dialog button")
        assert not page.evaluate("document.getElementById('enlarged').open")

        page.open(path, width=400, height=800)
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        assert set(page.requests) == {path.as_uri()}
        assert page.problems == []


@pytest.mark.more
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
def test_the_browser_sees_what_a_page_does_wrong(tmp_path):
    path = tmp_path / "wrong.html"
    path.write_text("<img src='http://pam.invalid/x.png'><script>nothing.here()</script>")
    with browser(executable()) as page:
        page.open(path)
        assert page.requests == [path.as_uri(), "http://pam.invalid/x.png"]
        assert any("nothing is not defined" in problem for problem in page.problems)
