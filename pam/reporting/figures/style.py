"""The look of every figure: colours, markers, sizes, and files that are the same byte for byte."""

import hashlib
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pam.files import atomic_path
from pam.reporting.names import merging_name, order_mergings

# Okabe and Ito's palette: told apart by people with any common colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY = "#8A8A8A"

_FIXED = {
    "none": (BLACK, "s"),
    "mtz": (ORANGE, "^"),
    "all_shared": (SKY, "D"),
    "pam": (VERMILION, "o"),
}
_FREE = [(BLUE, "v"), (GREEN, "P"), (PURPLE, "X"), ("#7A5C00", "<"), ("#004B35", ">")]

TASK_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
SHARED_COLOUR = "#B5B5B5"
PROCESSOR = "#555555"
HATCHES = ("////", "\\\\\\\\", "....", "xxxx", "++++", "oooo")

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.5,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "pam",
}
DPI = 200
MAX_INCHES = 14.0


@contextmanager
def house_style() -> Iterator[None]:
    """Draw what is inside in the style of the project, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of at most 14 inches a side, laid out so that nothing overlaps."""
    size = (min(width, MAX_INCHES), min(height, MAX_INCHES))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def merging_styles(mergings: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return (colour, marker) of every merger; the marker tells them apart in black and white."""
    free = iter(_FREE * len(list(mergings := order_mergings(mergings))))
    return {name: _FIXED.get(name) or next(free) for name in mergings}


def merging_handles(mergings: Sequence[str], **line: object) -> list[Line2D]:
    """Return legend entries of mergers."""
    return [
        Line2D([], [], color=colour, marker=marker, label=merging_name(name), ms=5, **line)
        for name, (colour, marker) in merging_styles(mergings).items()
    ]


def bar_handles(mergings: Sequence[str]) -> list[Patch]:
    """Return legend entries of mergers drawn as bars."""
    return [
        Patch(label=merging_name(name), **bar_style(name, colour))
        for name, (colour, _) in merging_styles(mergings).items()
    ]


def bar_style(merging: str, colour: str) -> dict[str, object]:
    """Return fill and hatch of a merger's bars; the hatch tells them apart in black and white."""
    hatch = {"none": "", "mtz": "///", "all_shared": "...", "pam": ""}.get(merging, "\\\\\\")
    return {"facecolor": colour, "edgecolor": "white", "hatch": hatch, "linewidth": 0.0}


def top_legend(figure: Figure, handles: Sequence[object], columns: int | None = None) -> None:
    """Put a legend above the panels, where it covers no data."""
    columns = columns or len(handles)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.4)


NOTE_LETTERS_PER_INCH = 21


def stamp(figure: Figure, *lines: str) -> None:
    """Write what is drawn and where it comes from in small grey letters under the figure."""
    letters = int(figure.get_figwidth() * NOTE_LETTERS_PER_INCH)
    text = "\n".join(textwrap.fill(line, letters) for line in lines)
    # Not figure.text: the supxlabel is the only free text that the layout makes room for.
    figure.supxlabel(text, fontsize=5.5, color="#666666", x=0.995, ha="right")


def spread(names: Sequence[str], most: int) -> list[str]:
    """Return at most ``most`` of the names, evenly spread, the first and the last among them."""
    if len(names) <= most:
        return list(names)
    return [names[round(index * (len(names) - 1) / (most - 1))] for index in range(most)]


def grid(axes: Axes, axis: str = "y") -> None:
    """Draw light lines behind the data, across one axis or both."""
    axes.grid(True, axis=axis)


def say_empty(axes: Axes, why: str) -> None:
    """Say in a panel without data why it has none; its upward axis would mean nothing."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color="#666666")
    axes.set_yticks([])


def source_hash(folder: str | Path, names: Sequence[str]) -> str:
    """Return the first 10 hex digits of the sha256 of the CSV files a figure is drawn from."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update((Path(folder) / f"{name}.csv").read_bytes())
    return digest.hexdigest()[:10]


def save(figure: Figure, stem: Path, origin: Mapping[str, object]) -> list[Path]:
    """Write ``<stem>.png`` and ``<stem>.svg`` without dates or versions; return the paths.

    Both carry ``origin`` as JSON in their metadata, under "Description".
    """
    said = {"Description": json.dumps(origin, sort_keys=True)}
    metadata = {"png": {**said, "Software": None}, "svg": {**said, "Date": None, "Creator": None}}
    # One layout for both files: it is most of the work.
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
    figure.set_layout_engine(None)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in metadata]
    for path in paths:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=DPI, metadata=metadata[path.suffix[1:]])
    return paths
