"""The look of every figure: theme, colours and markers, and files that are the same every time."""

import hashlib
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pam.files import atomic_path
from pam.reporting.names import Names
from pam.reporting.statistics.matched import REFERENCES
from pam.reporting.statistics.points import SHARED

# Okabe and Ito's palette: told apart by people with any common colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT, DARK = "#8A8A8A", "#B5B5B5", "#444444"

REMOVED = "removed"
DPI = 200
MAX_INCHES = 14.0
NOTE_LETTERS_PER_INCH = 21
TITLE_LETTERS_PER_INCH = 12


class Look(NamedTuple):
    """How a merging, a task or a group is drawn; marker and hatch do without colour."""

    label: str
    colour: str
    marker: str
    hatch: str = ""


_FAMILIES = {"pam": (VERMILION, "o", "")}
"""Family -> colour, marker and hatch of the first of its mergings; the others count on."""

_MERGINGS = (
    *((BLACK, "s", ""), (ORANGE, "^", "///"), (SKY, "D", "..."), (BLUE, "v", "\\\\\\")),
    *((GREEN, "P", "xxx"), (PURPLE, "X", "+++"), ("#7A5C00", "<", "ooo"), ("#004B35", ">", "---")),
)
_TASKS = (
    *((BLUE, "^", "////"), (ORANGE, "v", "\\\\\\\\"), (GREEN, "P", "....")),
    *((PURPLE, "X", "xxxx"), (VERMILION, "<", "++++"), (SKY, "D", "oooo")),
    *(("#7A5C00", "s", "oo"), ("#004B35", ">", "--")),
)

_SETTINGS = {
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.7,
    "axes.edgecolor": BLACK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.3,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "pam",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw what is inside in the style of the project, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        sns.set_theme(context="paper", style="ticks", font_scale=0.83, rc=_SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of at most 14 inches a side, laid out so that nothing overlaps."""
    size = (min(width, MAX_INCHES), min(height, MAX_INCHES))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def merging_looks(names: Names, mergings: Iterable[str]) -> dict[str, Look]:
    """Return display name -> look of mergings, in table order, dealt out in that order.

    The baselines have theirs whether they are shown or not, and so has the head of a family, so
    that a merging looks the same in most figures.
    """
    shown = set(mergings)
    free = iter(_MERGINGS * (len(shown) + 1))
    families, looks = dict(_FAMILIES), {}
    for row in names.order_mergings({*shown, *REFERENCES}):
        look = families.pop(names.family(row), None) or next(free)
        looks[row] = Look(names.merging(row), *look)
    return {look.label: look for row, look in looks.items() if row in shown}


def spare_looks(looks: Iterable[Look]) -> Iterator[Look]:
    """Yield looks of mergings that none of these has, without a name; any look if all are taken.

    Those that :func:`merging_looks` deals out last come first.
    """
    taken = {look[1:] for look in looks}
    spare = [one for one in reversed(_MERGINGS) if one not in taken] or _MERGINGS
    return cycle(Look("", *one) for one in spare)


def group_looks(groups: Iterable[str]) -> dict[str, Look]:
    """Return the look of every group: tasks first, what is shared and what is removed last.

    Where there are more groups than looks, those that as many tasks share have one in common.
    """
    common = {SHARED: Look("shared by all tasks", LIGHT, "o"), REMOVED: Look(REMOVED, BLACK, "d")}
    own = sorted({*groups} - {*common}, key=lambda name: (name.count("&"), name))
    many = len(own) > len(_TASKS)
    labels = {name: _group_label(name, many) for name in own}
    looks = dict(zip(dict.fromkeys(labels.values()), cycle(_TASKS), strict=False))
    of_groups = {name: Look(label, *looks[label]) for name, label in labels.items()}
    return of_groups | {name: look for name, look in common.items() if name in {*groups}}


def _group_label(name: str, many: bool) -> str:
    if "&" not in name:
        return f"exclusive to {name}"
    return f"shared by {name.count('&') + 1} tasks" if many else f"shared by {name}"


def marks(looks: Iterable[Look], line: str = "-") -> list[Artist]:
    """Return legend entries of what is drawn as markers, joined by lines."""
    look = {"ms": 5, "ls": line}
    every = dict.fromkeys(looks)
    return [Line2D([], [], color=c, marker=m, label=label, **look) for label, c, m, _ in every]


def patches(looks: Iterable[Look]) -> list[Artist]:
    """Return legend entries of what is drawn as bars."""
    look = {"lw": 0, "edgecolor": "white"}
    every = dict.fromkeys(looks)
    return [Patch(label=label, facecolor=c, hatch=h, **look) for label, c, _, h in every]


def top_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put a legend above the panels, where it covers no data, in rows as wide as the figure."""
    inches = 0.55 + 0.06 * max(len(handle.get_label()) for handle in handles)
    rows = -(-len(handles) // max(1, int(figure.get_figwidth() / inches)))
    columns = -(-len(handles) // rows)
    _make_room(figure, 0.17 * (rows - 1))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.4)


def entitle(figure: Figure, question: str, setting: str) -> None:
    """Write what a figure answers, and of what, above its legend."""
    letters = int(figure.get_figwidth() * TITLE_LETTERS_PER_INCH)
    text = f"{question} · {setting}"
    if len(text) > letters:
        text = "\n".join(_fill(part, letters) for part in (question, setting))
    # Not a title of the figure, on which the layout puts the legend.
    legend = figure.legends[0]
    legend.set_title(text, {"size": 9, "weight": "bold"})
    legend.get_title().set_multialignment("center")


def stamp(figure: Figure, *lines: str) -> None:
    """Write what is drawn and where it comes from in small grey letters under the figure."""
    letters = int(figure.get_figwidth() * NOTE_LETTERS_PER_INCH)
    text = "\n".join(_fill(line, letters) for line in lines)
    _make_room(figure, 0.09 * text.count("\n"))
    # Not figure.text: the supxlabel is the only free text that the layout makes room for.
    figure.supxlabel(text, fontsize=5.5, color="#666666", x=0.995, ha="right")


def _make_room(figure: Figure, inches: float) -> None:
    """Make a figure higher for what stands around its panels, so that these keep their size."""
    figure.set_figheight(min(figure.get_figheight() + inches, MAX_INCHES))


def _fill(text: str, width: int) -> str:
    """Return text in as few lines as fit a width, about equally long; no line begins with a dot."""
    tied = text.replace(" ·", "\N{NO-BREAK SPACE}·")
    lines = textwrap.wrap(tied, width)
    while (narrower := textwrap.wrap(tied, width := width - 1)) and len(narrower) == len(lines):
        lines = narrower
    return "\n".join(lines)


def source_hash(folder: str | Path, names: Sequence[str]) -> str:
    """Return the first 10 hex digits of the sha256 of the CSV files a figure is drawn from."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update((Path(folder) / f"{name}.csv").read_bytes())
    return digest.hexdigest()[:10]


def save(
    figure: Figure, stem: Path, origin: Mapping[str, object], suffixes: Sequence[str]
) -> list[Path]:
    """Write ``<stem>.png``, ``<stem>.svg`` or both, without dates or versions; return the paths.

    They carry ``origin`` as JSON in their metadata, under "Description".
    """
    text = {"Description": json.dumps(origin, sort_keys=True)}
    metadata = {"png": {**text, "Software": None}, "svg": {**text, "Date": None, "Creator": None}}
    # One layout for both files, as it is most of the work, with letters as wide as in the PNG.
    figure.set_dpi(DPI)
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in suffixes]
    for path in paths:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=DPI, metadata=metadata[path.suffix[1:]])
    return paths
