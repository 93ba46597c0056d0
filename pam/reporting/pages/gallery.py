"""The gallery: what every figure asks, how to read it, and what it shows of the committed runs."""

from collections import defaultdict
from pathlib import Path, PurePath

from pam.errors import DataError
from pam.reporting.figures import figure_modules
from pam.runs.origins import FigureOrigin, read_origins
from pam.runs.paths import ORIGINS
from pam.runs.stages import STAGES

_INTRODUCTION = """\
# Gallery

Every figure, drawn from the committed CSV files of the reference runs. `make figures` draws them
again and writes this page. A figure without data is not drawn.
"""


def gallery_page(folder: Path, link: PurePath) -> str:
    """Return the page (Markdown) of the figures of several runs.

    Args:
        folder: has a folder of figures per run.
        link: how the page gets there.

    Raises:
        DataError: if there are no figures, or what they are made from is damaged.
    """
    tables = STAGES["tables"].folder
    runs = sorted(one for one in folder.glob(f"*/{ORIGINS}") if one.parent.name != tables)
    if not runs:
        raise DataError(f"{folder} has no figures of a run; make figures draws them")
    shown: dict[str, list[str]] = defaultdict(list)
    for path in runs:
        for stem, origin in sorted(read_origins(path.parent, FigureOrigin).items()):
            where = f"{origin.profile}/{origin.experiment}"
            picture = link / path.parent.name / f"{stem}.png"
            shown[origin.figure] += [f"\n**{where}**\n", f"![{stem}: {where}]({picture})"]
    parts = [_INTRODUCTION]
    for name, module in figure_modules().items():
        if shown[name]:
            note = module.NOTE[0].upper() + module.NOTE[1:]
            parts.append(f"## {module.TITLE}\n\nHow to read `{name}`: {note}.")
            parts.append("\n".join(shown[name]) + "\n")
    return "\n".join(parts)
