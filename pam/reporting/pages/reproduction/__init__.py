"""One page: every table of the paper, reported beside measured."""

from collections.abc import Iterable
from pathlib import Path

from pam.reporting.pages.reproduction import sections
from pam.reporting.pages.reproduction.references import read_references, runs_table
from pam.reporting.statistics.matched import DEFAULT_DELTA

_INTRO = f"""\
# Reported and measured

<!-- Made by `pam reproduction`; words of judgement are in reproduction_notes.md. -->

Every table of the paper (He et al., KDD 2021, arXiv 1905.09676) beside what was run here.

- *reported*: as printed, or as it follows from what the authors recorded; "not known" where
  neither is.
- *measured*: FLOPs where the worst task has lost {DEFAULT_DELTA:g} percentage point of validation
  accuracy against the single-task networks, and test accuracy there; in square brackets the 95 %
  bootstrap interval over n seeds. FLOPs in the paper's convention, multiplications and additions
  counted.
- *difference*: measured against reported, FLOPs in percent, accuracy in percentage points. Where
  sizes or schedules are not the paper's, as in every small profile, it tells how far the settings
  lie apart; whether the method gains as much as reported is told by the ratios.
"""


def reproduction_page(folders: Iterable[str | Path], notes: str = "") -> str:
    """Return the page in Markdown.

    Args:
        folders: runs, each with the CSV files and the manifest of one profile.
        notes: Markdown that is put at the end as it is.

    Raises:
        DataError: if a folder holds no run, or one of its files is missing or damaged.
    """
    references = read_references(folders)
    parts = [
        _INTRO,
        sections.headline(references),
        sections.two_tasks("fashion_mnist", references),
        sections.two_tasks("celeba", references),
        sections.five_tasks("lfw", references),
        sections.stand_ins(references),
        sections.others(references),
        sections.label_relatedness(references),
        sections.conditions(references),
    ]
    if references:
        parts.append("## Where it ran\n\n" + runs_table(references).to_markdown())
    if notes:
        parts.append(f"## Notes\n\n{notes.strip()}\n")
    return "\n".join(part.rstrip() + "\n" for part in parts if part)
