"""The commands around the cells: what is made of a run, and what checks it beforehand."""

import argparse
from math import inf

from pam.cli import bench, conform
from pam.cli.arguments import DATA, PROFILE, Commands, add_cell, add_command, add_results
from pam.cli.trace_command import add_trace


def add_run_commands(commands: Commands) -> None:
    """Add the commands that make tables, figures and pages, and those that check."""
    for add in (
        _aggregate,
        _tables,
        _figures,
        _report,
        _reproduction,
        _samples,
        _config,
        _plan,
        conform.add_parser,
    ):
        add(commands)
    _status(commands)
    _check(commands)
    add_trace(commands)
    bench.add_parser(commands)


def _aggregate(commands: Commands) -> None:
    parser = add_command(
        commands,
        "aggregate",
        "put the rows of all records into the CSV files of a run",
        f"pam aggregate --config {PROFILE} --results results/quick",
    )
    add_cell(parser, "config")
    add_results(parser)


def _tables(commands: Commands) -> None:
    parser = add_command(
        commands,
        "tables",
        "write the tables (CSV, Markdown, LaTeX) of a run",
        "pam tables --results results/quick --out results/quick/tables",
    )
    add_results(parser)
    parser.add_argument("--out", metavar="FOLDER", help="default: tables/ in the results")


def _figures(commands: Commands) -> None:
    parser = add_command(
        commands,
        "figures",
        "draw the figures of a run from its CSV files",
        "pam figures --results results/quick --out figures/quick",
    )
    add_results(parser)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the figures go")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="draw only these figures")


def _report(commands: Commands) -> None:
    parser = add_command(
        commands,
        "report",
        "put a run on one page (HTML) that needs no network: tables, figures, times, origins",
        "pam report --results results/quick --figures figures/quick",
    )
    add_results(parser)
    parser.add_argument(
        "--figures", required=True, metavar="FOLDER", help="figures made by `pam figures`"
    )
    parser.add_argument("--out", metavar="FILE", help="default: report.html in the results")


def _reproduction(commands: Commands) -> None:
    parser = add_command(
        commands,
        "reproduction",
        "write the page that sets the paper's tables beside what runs measured",
        "pam reproduction --results results/reference/{fashion_mnist,cartoon,cifar10} \\\n"
        "    --notes docs/reproduction_notes.md --out docs/reproduction.md",
    )
    parser.add_argument(
        "--results", required=True, nargs="+", metavar="FOLDER", help="folders of runs"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="page (Markdown)")
    parser.add_argument("--notes", metavar="FILE", help="Markdown that the page takes in as it is")


def _samples(commands: Commands) -> None:
    parser = add_command(
        commands,
        "samples",
        "draw images of a data set, with each label and without it",
        f"pam samples {DATA} --out figures/quick/digits_lenet5.png",
    )
    add_cell(parser, "data")
    parser.add_argument("--out", required=True, metavar="FILE", help="picture (.png)")
    parser.add_argument("--title", metavar="TEXT", help="title; the data set's name by default")


def _config(commands: Commands) -> None:
    parser = add_command(
        commands,
        "config",
        "check a configuration and print it with all its defaults",
        f"pam config --config {PROFILE} --check",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="FILE", help="configuration (YAML)")
    what.add_argument("--schema", action="store_true", help="print the JSON schema and stop")
    what.add_argument(
        "--explain",
        nargs="?",
        const="",
        metavar="KEY",
        help="print meaning, unit and default of a key or a method's option (all without KEY)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="also look up data sets, architectures and methods; print only the number of jobs",
    )


def _plan(commands: Commands) -> None:
    parser = add_command(
        commands,
        "plan",
        "print the jobs of a configuration and about how long they will take",
        "pam plan --config workflow/config/paper.yaml --rate 20",
    )
    add_cell(parser, "config")
    parser.add_argument(
        "--rate",
        type=_positive,
        metavar="TFLOPS",
        help="sustained speed of one job's training; default: 10 on a GPU, 0.03 on a CPU core",
    )
    parser.add_argument(
        "--launch-us",
        type=_positive,
        metavar="US",
        help="least microseconds of an operation of a step; default: 100 on a GPU, 60 on a CPU",
    )
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        help="folder of the run, for its prepared data; default: results/NAME of NAME.yaml",
    )


def _status(commands: Commands) -> None:
    parser = add_command(
        commands,
        "status",
        "say what of a profile is up to date, what would run again, and why",
        "pam status --profile quick",
    )
    parser.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help="name of a file in workflow/config/; default: quick",
    )
    parser.add_argument("--data", metavar="FOLDER", help="folder of raw data, to see their changes")


def _check(commands: Commands) -> None:
    parser = add_command(
        commands,
        "check",
        "compare the measurements of a run with those of a reference run",
        "pam check --results results/quick --reference results/reference/quick",
    )
    add_results(parser)
    parser.add_argument(
        "--reference", required=True, metavar="FOLDER", help="folder of the reference run"
    )
    parser.add_argument(
        "--level",
        type=_chance,
        default=0.01,
        metavar="P",
        help="share, at most, of the cells named that are named wrongly; default: 0.01",
    )
    parser.add_argument("--out", metavar="FILE", help="every cell with its test (CSV)")


def _chance(text: str) -> float:
    level = _positive(text)
    if level >= 1:
        raise argparse.ArgumentTypeError(f"needs a number between 0 and 1, not '{text}'")
    return level


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError(f"needs a number above 0, not '{text}'")
    return number
