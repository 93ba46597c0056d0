"""The arguments of every command, each with an example that works."""

import argparse
from typing import NoReturn

import pam

PROFILE = "workflow/config/quick.yaml"
CELL = f"--config {PROFILE} --experiment digits_lenet5"
DATA = "--data results/quick/data/digits_lenet5"
NETWORKS = "results/quick/networks/digits_lenet5"
MERGED = "results/quick/merged/digits_lenet5"
PRUNED = "results/quick/pruned/digits_lenet5"
MEASURED = "results/quick/measured/digits_lenet5"

Commands = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong and where to read on."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"pam: error: {message}; see {self.prog} --help\n")


def make_parser() -> Parser:
    """Return the parser of ``pam`` and all its commands; ``command`` is the chosen one's name."""
    parser = Parser(
        prog="pam",
        description="Merge single-task networks, prune them, and count what every task\n"
        "combination costs. Every command below is one step of the workflow.",
        epilog=f"example:\n  pam config --config {PROFILE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pam {pam.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (
        *(_prepare, _train, _merge, _prune, _measure),
        *(_aggregate, _tables, _figures, _config),
    ):
        add(commands)
    return parser


def _command(commands: Commands, name: str, says: str, example: str) -> Parser:
    return commands.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a whole number >= 0, not '{text}'")
    return int(text)


_CELL_ARGUMENTS: dict[str, dict[str, object]] = {
    "config": {"metavar": "FILE", "help": "configuration (YAML)"},
    "experiment": {"metavar": "NAME", "help": "an experiment of the configuration"},
    "task": {"metavar": "NAME", "help": "a task of the experiment"},
    "merging": {"metavar": "NAME", "help": "a merging row of the experiment"},
    "pruning": {"metavar": "NAME", "help": "a pruning row of the experiment"},
    "seed": {"type": _natural, "metavar": "N", "help": "a seed of the configuration"},
    "data": {"metavar": "FOLDER", "help": "data set made by `pam prepare`"},
}


def _cell(parser: Parser, *names: str) -> None:
    for name in names:
        parser.add_argument(f"--{name}", required=True, **_CELL_ARGUMENTS[name])  # type: ignore[arg-type]


def _outputs(parser: Parser) -> None:
    parser.add_argument("--out", required=True, metavar="FILE", help="network (.safetensors)")
    _record(parser)


def _record(parser: Parser) -> None:
    parser.add_argument("--record", required=True, metavar="FILE", help="record of the job (.json)")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if the cell fails, e.g. diverges"
    )


def _networks(parser: Parser) -> None:
    parser.add_argument(
        "--networks",
        required=True,
        nargs="+",
        metavar="FILE",
        help="single-task network of every task, made by `pam train`",
    )


def _prepare(commands: Commands) -> None:
    parser = _command(
        commands,
        "prepare",
        "make the data set of an experiment",
        f"pam prepare {CELL} --out results/quick/data/digits_lenet5",
    )
    _cell(parser, "config", "experiment")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the data set goes")
    parser.add_argument("--root", metavar="FOLDER", help="folder of raw data already on disk")
    parser.add_argument("--download", action="store_true", help="fetch raw data that is missing")


def _train(commands: Commands) -> None:
    parser = _command(
        commands,
        "train",
        "train the single-task network of one task",
        f"pam train {CELL} --task A --seed 0 {DATA} \\\n"
        f"    --out {NETWORKS}/A-0.safetensors --record {NETWORKS}/A-0.json",
    )
    _cell(parser, "config", "experiment", "task", "seed", "data")
    _outputs(parser)


def _merge(commands: Commands) -> None:
    parser = _command(
        commands,
        "merge",
        "merge the single-task networks of one seed",
        f"pam merge {CELL} --merging pam --seed 0 {DATA} \\\n"
        f"    --networks {NETWORKS}/A-0.safetensors {NETWORKS}/B-0.safetensors \\\n"
        f"    --out {MERGED}/pam-0.safetensors --record {MERGED}/pam-0.json",
    )
    _cell(parser, "config", "experiment", "merging", "seed", "data")
    _networks(parser)
    _outputs(parser)


def _prune(commands: Commands) -> None:
    parser = _command(
        commands,
        "prune",
        "prune a merged network at every strength of the configuration",
        f"pam prune {CELL} --merging pam --pruning taylor --seed 0 {DATA} \\\n"
        f"    --network {MERGED}/pam-0.safetensors \\\n"
        f"    --out {PRUNED}/pam-taylor-0.safetensors --record {PRUNED}/pam-taylor-0.json",
    )
    _cell(parser, "config", "experiment", "merging", "pruning", "seed", "data")
    parser.add_argument(
        "--network", required=True, metavar="FILE", help="merged network made by `pam merge`"
    )
    _outputs(parser)


def _measure(commands: Commands) -> None:
    parser = _command(
        commands,
        "measure",
        "measure accuracy and cost of every task combination of a cell",
        f"pam measure {CELL} --merging pam --pruning taylor --seed 0 {DATA} \\\n"
        f"    --networks {NETWORKS}/A-0.safetensors {NETWORKS}/B-0.safetensors \\\n"
        f"    --merged {MERGED}/pam-0.safetensors --pruned {PRUNED}/pam-taylor-0.safetensors \\\n"
        f"    --record {MEASURED}/pam-taylor-0.json",
    )
    _cell(parser, "config", "experiment", "merging", "pruning", "seed", "data")
    _networks(parser)
    parser.add_argument(
        "--merged", required=True, metavar="FILE", help="merged network made by `pam merge`"
    )
    parser.add_argument(
        "--pruned", required=True, metavar="FILE", help="pruned networks made by `pam prune`"
    )
    _record(parser)


def _aggregate(commands: Commands) -> None:
    parser = _command(
        commands,
        "aggregate",
        "put the rows of all records into the CSV files of a run",
        f"pam aggregate --config {PROFILE} --results results/quick",
    )
    _cell(parser, "config")
    _results(parser)


def _tables(commands: Commands) -> None:
    parser = _command(
        commands,
        "tables",
        "write the tables (CSV, Markdown, LaTeX) of a run",
        "pam tables --results results/reference --out results/reference/tables",
    )
    _results(parser)
    parser.add_argument("--out", metavar="FOLDER", help="default: tables/ in the results")


def _figures(commands: Commands) -> None:
    parser = _command(
        commands,
        "figures",
        "draw the figures of a run from its CSV files",
        "pam figures --results results/reference --out figures/reference",
    )
    _results(parser)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the figures go")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="draw only these figures")


def _results(parser: Parser) -> None:
    parser.add_argument("--results", required=True, metavar="FOLDER", help="folder of the run")


def _config(commands: Commands) -> None:
    parser = _command(
        commands,
        "config",
        "check a configuration and print it with all its defaults",
        f"pam config --config {PROFILE} --check",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="FILE", help="configuration (YAML)")
    what.add_argument("--schema", action="store_true", help="print the JSON schema and stop")
    what.add_argument(
        "--explain", metavar="KEY", help="print meaning, unit and default of a key and stop"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="also look up data sets, architectures and methods; print only the number of jobs",
    )
