"""``pam report``: everything of a run on one page."""

from argparse import Namespace
from pathlib import Path

from pam.files import write_text
from pam.status.stale import stale_tables


def run(arguments: Namespace) -> int:
    """Write the report from the CSV files, the manifest and the figures."""
    from pam.reporting.pages.report import report_page

    out = arguments.out or Path(arguments.results) / "report.html"
    write_text(
        out, report_page(arguments.results, arguments.figures, stale_tables(arguments.results))
    )
    return 0
