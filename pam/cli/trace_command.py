"""The arguments of ``pam trace``."""

import argparse

from pam.cli.arguments import Commands, add_command


def add_trace(commands: Commands) -> None:
    """Add ``trace``."""
    parser = add_command(
        commands,
        "trace",
        "show everything behind a figure, table, CSV file or row, network or record",
        "pam trace results/reference/cartoon/measurements.csv --row 12",
    )
    parser.add_argument("target", metavar="TARGET", help="a file")
    parser.add_argument(
        "--row",
        type=_row,
        metavar="N",
        help="one row of a CSV file; 1 follows the header",
    )
    parser.add_argument(
        "--where",
        nargs="+",
        default=[],
        metavar="COLUMN=VALUE",
        help="the rows of a CSV file with these values, e.g. merging=pam seed=0 'combination=A&B'",
    )
    parser.add_argument(
        "--results", metavar="FOLDER", help="folder of the run, if the target lies elsewhere"
    )
    parser.add_argument("--full", action="store_true", help="whole hashes, settings and versions")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _row(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a row is a whole number >= 1, not '{text}'")
    return int(text)
