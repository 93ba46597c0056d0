"""``pam export``: the sub-network of task combinations as files that run elsewhere."""

import sys
from argparse import Namespace

from tqdm import tqdm

from pam.cli.arguments import Parser, count, threads
from pam.deploy.exported import FORMATS
from pam.stages.device import set_up

SMOKE = "results/smoke"
ALL = "all"

HELP = "write the sub-network of a task combination as a file that runs elsewhere, and its card"
EXAMPLE = (
    f"pam export --network {SMOKE}/pruned/digits_lenet5/pam-taylor-0.safetensors \\\n"
    '    --strength 0.5 --combination "A&B" --format onnx \\\n'
    f"    --data {SMOKE}/data/digits_lenet5 --out exported"
)


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--network",
        required=True,
        metavar="FILE",
        help="network made by `pam prune`, `pam merge` or `pam train`",
    )
    parser.add_argument(
        "--strength", type=float, metavar="X", help="which of pruned networks, by its strength"
    )
    parser.add_argument(
        "--combination",
        required=True,
        metavar="TASKS",
        help='tasks that the file runs, e.g. "A" or "A&C"; all: one file for every combination',
    )
    parser.add_argument("--format", required=True, choices=FORMATS, help="kind of file")
    parser.add_argument(
        "--data", required=True, metavar="FOLDER", help="data set made by `pam prepare`"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="PATH",
        help=f"folder, or the file itself if it ends in {', '.join(FORMATS.values())}",
    )
    number = {"type": count, "metavar": "N"}
    parser.add_argument("--rounds", default=50, help="timed rounds; default: 50", **number)
    parser.add_argument(
        "--threads", type=threads, default=1, metavar="N", help="threads to time with; default: 1"
    )


def run(arguments: Namespace) -> int:
    """Write and check the files, each with its card, and print their names."""
    set_up(arguments.threads, "cpu")
    from pam.data import load_dataset
    from pam.deploy.exporting import export
    from pam.deploy.source import read_source
    from pam.groups import parse_combination

    source = read_source(arguments.network, arguments.strength, arguments.data)
    network, asked = source.network, arguments.combination
    combinations = network.combinations()
    if asked != ALL or ALL in network.tasks:
        combinations = [parse_combination(asked, list(network.tasks))]
    files = export(
        source,
        load_dataset(arguments.data),
        combinations,
        arguments.format,
        arguments.out,
        rounds=arguments.rounds,
        threads=arguments.threads,
    )
    silent = len(combinations) == 1 or not sys.stderr.isatty()
    for made in tqdm(files, "export", len(combinations), unit="file", disable=silent):
        tqdm.write(f"{made.path}: within {made.difference:.1e} of the network; see {made.card}")
    return 0
