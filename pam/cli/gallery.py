"""``pam gallery``: one page with the figures of several runs."""

import os
from argparse import Namespace
from pathlib import Path, PurePath

from pam.cli.arguments import Parser
from pam.files import write_text

HELP = "write a page with the figures of several runs, and how to read them"
EXAMPLE = "pam gallery --figures figures/reference --out docs/gallery.md"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--figures", required=True, metavar="FOLDER", help="has a folder of figures per run"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="page (Markdown)")


def run(arguments: Namespace) -> int:
    """Write the page."""
    from pam.reporting.pages.gallery import gallery_page

    link = os.path.relpath(arguments.figures, Path(arguments.out).parent)
    write_text(arguments.out, gallery_page(Path(arguments.figures), PurePath(link)))
    return 0
