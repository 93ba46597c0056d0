"""The page of all benchmarks, made from their CSV files and nothing else.

Run ``python -m benchmarks.page [--folder docs/performance] [--out PAGE]``. A CSV of a benchmark
that is not known here gets a section too; one of other columns is shown as it is.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks import curves
from benchmarks.rows import FIELDS, FOLDER, Row, sizes, varying, verdicts
from pam.files import write_text
from pam.reporting.tables.text_table import TextTable

SECTIONS = {
    "regrouping": (
        "Regrouping",
        "The greedy search for irrelevant neurons, until all are taken. Peers compute every "
        "candidate set anew: with one density estimate per class, as the PAM authors' code does, "
        "or with one kernel. The difference counts places where the orders differ.",
    ),
    "training": (
        "Training",
        "An epoch of LeNet-5 with validation, one thread, against a plain PyTorch loop (a "
        "`DataLoader` of float32 images, `.item()` in every step; worker processes come on top) "
        "and against the bare steps on batches in memory.",
    ),
    "zipping": (
        "Zipping",
        "Multi-Task Zipping of two VGG-16 without retraining, every run in a process of its own.",
    ),
    "pruning": (
        "Gates and importance",
        "A training step with the gates of a pruner against one without, and importance taken up "
        "in the training's own backward pass against a second pass for it.",
    ),
    "slicing": (
        "Slicing",
        "Cutting the same units out of the same VGG-16: ours returns a new network, Torch-Pruning "
        "cuts the plain module in place. The difference is of outputs, as a share of the largest.",
    ),
    "counting": (
        "Counting operations",
        "Multiply-accumulates of every task combination, by one trace of fvcore and by the closed "
        "form, against torch's `FlopCounterMode` on every sub-network. The difference is in "
        "operations.",
    ),
    "information": (
        "Mutual information",
        "One Gaussian activation whose mean depends on a binary label. Ours is a difference of two "
        "upper bounds on entropies, so its error need not vanish with more samples. Differences "
        "are root mean squared errors in nats.",
    ),
    "latency": (
        "Latency",
        "Milliseconds of sub-networks, by `pam bench latency` ([latency.md](latency.md)); ratios "
        "and intervals are in [latency.csv](performance/latency.csv).",
    ),
    "commands": (
        "Commands that compute nothing",
        "Wall clock of planning, of a run that is done, and of redrawing. Of a run of 2,004 "
        "finished jobs (400 seeds), `make reproduce DRY_RUN=1` takes 1.9 s of processor time and "
        "`make status` 2.4 s; 7.7 and 4.3 s before records were compared with files, and before a "
        "dry run with nothing left made no estimate (medians of n = 3 interleaved rounds on a busy "
        "machine).",
    ),
}
"""Benchmark -> title, and what is compared, in the order of the page."""

WHOLE_RUNS = "whole_runs"

INTRO = """\
<!-- Made by `python -m benchmarks.page` from docs/performance/*.csv; do not edit. -->
# Performance

What `make bench` measured, in interleaved rounds on one machine: medians over n rounds, ratios
with 95 % bootstrap intervals. Tables show what has a limit and the largest of what has none;
figures show all (red: limits).
"""

WHOLE_RUNS_INTRO = """\
Where the time of whole runs goes, as their jobs measured it themselves. Pruning is the largest
part: it trains a network once per strength, all tasks at once
([decision 14](decisions/0014-fused-step.md)).
"""

COLUMNS = {
    "case": "case",
    "peer": "peer",
    "seconds": "ours (s)",
    "peer_seconds": "peer (s)",
    "ratio_of": "ratio of",
    "ratio": "ratio",
    "n": "n",
    "value": "ours",
    "peer_value": "peer",
    "true_value": "known",
    "difference": "difference",
    "peer_difference": "peer's difference",
    "peak_gib": "peak (GiB)",
    "wanted": "limit",
}
"""Column of the rows -> of the tables; those without a value in any row are left out."""

_WORDS = ("case", "peer", "ratio_of")


def page(folder: Path) -> str:
    """Return the page in Markdown, and draw its figures into the folder of the CSV files."""
    found = {path.stem: path for path in sorted(folder.glob("*.csv")) if path.stem != WHOLE_RUNS}
    order = [*(name for name in SECTIONS if name in found), *sorted(set(found) - set(SECTIONS))]
    parts = [INTRO, *(section(name, found[name]) for name in order)]
    whole = folder / f"{WHOLE_RUNS}.csv"
    if whole.exists():
        parts.append(_whole_runs(whole))
    missing = [name for name in SECTIONS if name not in found and name != "latency"]
    if missing:
        parts.append(f"Not measured yet: {', '.join(missing)}.\n")
    return "\n".join(parts)


def section(name: str, path: Path) -> str:
    """Return the section of one benchmark."""
    title, intro = SECTIONS.get(name, (name.replace("_", " ").capitalize(), ""))
    fields, rows = read(path)
    head = "\n".join([f"## {title}\n", *([f"{intro}\n"] if intro else [])])
    if name == "latency":
        return f"{head}\n{_latency(rows)}"
    if tuple(fields) != FIELDS:
        return f"{head}\n{_as_it_is(fields, rows)}"
    figures = [
        f"![{title}: {Path(file).stem.partition('_')[2]}]({path.parent.name}/{file})\n"
        for file in curves.draw(name, rows, path.parent)
    ]
    return "\n".join([head, *figures, table(rows), conditions(name, path, rows)])


def read(path: Path) -> tuple[list[str], list[Row]]:
    """Return columns and rows of a CSV file."""
    with open(path, newline="") as handle:
        reader = csv.DictReader(handle)
        rows = list(reader)
        return list(reader.fieldnames or []), rows


def table(rows: Sequence[Row]) -> str:
    """Return the table of a benchmark: rows with a limit, of others the last of each case."""
    varied = varying(rows)
    last = {(row["case"], row["peer"]): row for row in rows}
    rows = [row for row in rows if row["wanted"] or row is last[row["case"], row["peer"]]]
    shown = [name for name in COLUMNS if any(row[name] for row in rows)]
    words = [name for name in shown if name in _WORDS]
    numbers = [name for name in shown if name not in _WORDS]
    cells = [
        [
            *(row[name] for name in words),
            *(sizes(row).get(name, "") for name in varied),
            *(_cell(row, name) for name in numbers),
        ]
        for row in rows
    ]
    header = [*(COLUMNS[name] for name in words), *varied, *(COLUMNS[name] for name in numbers)]
    return TextTable("", header, cells, len(words)).to_markdown()


def _cell(row: Row, name: str) -> str:
    if name == "ratio":
        return f"{row['ratio']} [{row['low']}, {row['high']}]"
    return verdicts(row) if name == "wanted" else row[name]


def conditions(name: str, path: Path, rows: Sequence[Row]) -> str:
    """Return where and how the rows were measured, and what was the same in all of them."""
    different = dict.fromkeys((row["machine"], row["threads"], row["torch"]) for row in rows)
    places = "; ".join(
        f"{machine}, {threads} thread{'s' if threads != '1' else ''} of torch {version}"
        for machine, threads, version in different
    )
    varied = varying(rows)
    same = ", ".join(f"{n} {value}" for n, value in sizes(rows[0]).items() if n not in varied)
    throughout = f" Throughout: {same}." if same else ""
    rest = f"[All rows]({path.parent.name}/{path.name}), by `python -m benchmarks.{name}`"
    return f"{rest}, on {places}.{throughout}\n"


def _latency(rows: Sequence[Row]) -> str:
    """Return the medians: a row per merger and combination, a column per backend and batch."""
    settings = sorted({(row["backend"], int(row["batch_size"])) for row in rows})
    cells: dict[tuple[str, ...], dict[tuple[str, int], str]] = {}
    for row in rows:
        of_one = cells.setdefault((row["merging"], row["combination"], row["flops"]), {})
        of_one[row["backend"], int(row["batch_size"])] = row["median_ms"]
    header = [
        "merging",
        "combination",
        "flops",
        *(f"{name}, batch {size}" for name, size in settings),
    ]
    body = [[*what, *(found.get(one, "") for one in settings)] for what, found in cells.items()]
    return TextTable("", header, body, 2).to_markdown()


def _whole_runs(path: Path) -> str:
    picture = path.with_suffix(".svg")
    shown = f"![Whole runs]({path.parent.name}/{picture.name})\n\n" if picture.exists() else ""
    return f"## Whole runs\n\n{WHOLE_RUNS_INTRO}\n{shown}{_as_it_is(*read(path))}"


def _as_it_is(fields: Sequence[str], rows: Sequence[Row]) -> str:
    """Return all rows; a column that is the same in several rows is said once, below them."""
    same = [name for name in fields if len(rows) > 1 and len({row[name] for row in rows}) == 1]
    shown = [name for name in fields if name not in same]
    cells = TextTable("", shown, [[row[name] for name in shown] for row in rows], 1).to_markdown()
    said = ", ".join(f"{name} {rows[0][name]}" for name in same)
    return f"{cells}\nThroughout: {said}.\n" if same else cells


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=FOLDER, help="where the CSV files are")
    parser.add_argument("--out", help="page to write, by default beside the folder")
    given = parser.parse_args(arguments)
    folder = Path(given.folder)
    out = Path(given.out) if given.out else folder.with_suffix(".md")
    write_text(out, page(folder))
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
