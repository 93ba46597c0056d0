"""``pam samples``: a picture grid of a data set, images with each label beside images without."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from pam.cli.arguments import Parser, utf8
from pam.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from pam.data import MultitaskDataset, Split

MOST_ROWS = 20
IMAGES_PER_SIDE = 4
# Data sets whose images are drawn by a program and must not be taken for photographs.
SYNTHETIC = ("cartoon_faces",)
_ROW_INCHES = 0.62
_WHITE = 255

HELP = "draw images of a data set, with each label and without it"
EXAMPLE = "pam samples --data results/quick/data/digits_lenet5 --out digits_lenet5.png"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--data", required=True, metavar="FOLDER", help="data set made by `pam prepare`"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="picture (.png)")
    parser.add_argument(
        "--title", type=utf8, metavar="TEXT", help="title; the data set's name by default"
    )


def run(arguments: Namespace) -> int:
    """Draw the grid and write it."""
    from pam.data import load_dataset
    from pam.files import atomic_path
    from pam.reporting.figures.style import DPI, house_style

    path = Path(arguments.out)
    if path.suffix != ".png":
        raise ConfigError(f"--out {path} must end in .png")
    dataset = load_dataset(arguments.data)
    with house_style(), atomic_path(path) as temporary:
        figure = draw_samples(dataset, arguments.title)
        figure.savefig(temporary, dpi=DPI, metadata={"Software": None})
    return 0


def draw_samples(dataset: "MultitaskDataset", title: str | None = None) -> "Figure":
    """Return a figure with one row per label, of the first 20 labels.

    Left are four training images with the label, right four without it; fewer where there are
    fewer.
    """
    from pam.reporting.figures.style import new_figure

    names = dataset.label_names[:MOST_ROWS]
    _, height, width = dataset.input_shape
    row_width = 2 * IMAGES_PER_SIDE * min(width / height, 2.5) * _ROW_INCHES
    figure = new_figure(row_width + 1.4, len(names) * _ROW_INCHES + 0.8)
    panels = figure.subplots(len(names), 2, squeeze=False)
    for row, (name, sides) in enumerate(zip(names, panels, strict=True)):
        for axes, label in zip(sides, (1, -1), strict=True):
            axes.imshow(side_by_side(choose(dataset.train, row, label)), interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        sides[0].set_ylabel(name, rotation=0, ha="right", va="center", parse_math=False)
    panels[0, 0].set_title("with the label")
    panels[0, 1].set_title("without it")
    figure.suptitle(make_title(dataset, title), parse_math=False)
    return figure


def choose(split: "Split", column: int, label: int) -> "Tensor":
    """Return up to four images with this value of a label column, other ones in other rows."""
    indices = (split.labels[:, column] == label).nonzero().flatten()
    shown = indices.roll(-IMAGES_PER_SIDE * column)[:IMAGES_PER_SIDE]
    return split.images[shown]


def side_by_side(images: "Tensor") -> "Tensor":
    """Return up to four images in one row on white ground, uint8 (height, width, 3)."""
    from torch.nn.functional import pad

    gap = max(1, images.shape[-1] // 16)
    missing = IMAGES_PER_SIDE - len(images)
    framed = pad(images.expand(-1, 3, -1, -1), (0, gap, 0, 0, 0, 0, 0, missing), value=_WHITE)
    return framed.permute(2, 0, 3, 1).flatten(1, 2)[:, :-gap]


def make_title(dataset: "MultitaskDataset", title: str | None) -> str:
    """Return the title, which always says so if the images are synthetic."""
    labels = len(dataset.label_names)
    some = f", first {MOST_ROWS} of {labels} labels" if labels > MOST_ROWS else ""
    text = f"{dataset.name}: training images{some}" if title is None else title
    return f"{text} (synthetic)" if dataset.name in SYNTHETIC else text
