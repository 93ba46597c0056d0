"""``pam predict``: the labels that an exported network finds in image files."""

import csv
import io
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from pam.cli.arguments import Parser
from pam.errors import ConfigError, PamError
from pam.files import write_text

if TYPE_CHECKING:
    from pam.deploy.predicting import Prediction

DAMAGED = 2
COLUMNS = ("image", "task", "label", "score", "predicted")
_NO_LABEL = "-"

HELP = "show the labels that an exported network finds in images, per task"
EXAMPLE = "pam predict --model exported/pam-taylor-0-0.5-A+B.onnx pictures/ --csv labels.csv"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", required=True, metavar="FILE", help="file made by `pam export`")
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="image files, or folders of image files"
    )
    parser.add_argument("--scores", action="store_true", help="show the score of every label")
    parser.add_argument("--csv", metavar="FILE", help="write a row per image, task and label")


def run(arguments: Namespace) -> int:
    """Print a line per image and task; an image that cannot be read costs only its own lines.

    Returns 2 if there was such an image.
    """
    from pam.deploy import open_model
    from pam.deploy.predicting import image_files, predict

    out = arguments.csv
    if out and Path(out).suffix != ".csv":
        raise ConfigError(f"--csv '{out}' must end in .csv")
    model = open_model(arguments.model)
    files = list(image_files(arguments.images))
    if out and Path(out).resolve() in {file.resolve() for file in files}:
        raise ConfigError(f"--csv {out} is one of the images; name another file")
    silent = len(files) == 1 or not sys.stderr.isatty()
    made: list[Prediction] = []
    for one in tqdm(predict(model, files), "predict", len(files), unit="image", disable=silent):
        if isinstance(one, PamError):
            tqdm.write(f"pam: error: {one}", sys.stderr)
            continue
        if one.resized and not any(earlier.resized for earlier in made):
            _, height, width = model.about.input_shape
            said = f"images of other sizes are resized to {width} x {height} pixels"
            tqdm.write(f"pam predict: {said}, the first is {one.file}", sys.stderr)
        made.append(one)
    threshold = model.about.threshold
    for line in aligned(_lines(made, threshold, arguments.scores)):
        print(line)
    if out:
        write_text(out, _csv(made, threshold))
    return DAMAGED if len(made) < len(files) else 0


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines whose columns stand below one another, two blanks apart."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _lines(
    made: "Iterable[Prediction]", threshold: float, with_scores: bool
) -> Iterator[tuple[str, ...]]:
    """Yield image, task, labels found and, if asked for, the score of every label."""
    yield ("image", "task", "labels", *(["scores"] if with_scores else []))
    for one in made:
        for task, scores in one.scores.items():
            found = ", ".join(one.found(task, threshold)) or _NO_LABEL
            shown = ", ".join(f"{label} {score:+.2f}" for label, score in scores.items())
            yield (str(one.file), task, found, *([shown] if with_scores else []))


def _csv(made: "Iterable[Prediction]", threshold: float) -> str:
    """Return a row per image, task and label; ``predicted`` is 1 or -1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in made:
        for task, scores in one.scores.items():
            for label, score in scores.items():
                predicted = 1 if score > threshold else -1
                writer.writerow((one.file, task, label, f"{score:.6f}", predicted))
    # Names of files need not be UTF-8.
    return text.getvalue().encode(errors="backslashreplace").decode()
