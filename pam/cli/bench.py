"""``pam bench latency``: the networks of several mergers, timed in turn in one process."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from pam.cli.arguments import Parser, add_command, count, seed, threads, whole
from pam.errors import ConfigError
from pam.files import check_room
from pam.stages.device import set_up

if TYPE_CHECKING:
    from pam.bench import Contender
    from pam.cost import Timing


_SPARE = 0.5
"""Load that is not work: importing torch just now counts as well."""

_MOST_IMAGES = 10**6
_batch_size = whole(1, f"needs a whole number above 0, at most {_MOST_IMAGES}", _MOST_IMAGES)

HELP = "time what a run made"
EXAMPLE = (
    "pam bench latency --results results/quick --experiment digits_lenet5 --pruning taylor \\\n"
    "    --out latency.csv"
)


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser = add_command(
        parser.add_subparsers(dest="benchmark", metavar="BENCHMARK", required=True),
        "latency",
        "time the networks of several mergers in turn, for every combination of tasks",
        "pam bench latency --results results/quick --experiment digits_lenet5 \\\n"
        "    --pruning vibnet --combinations A 'A&B' --batch-sizes 1 64 --threads 1 2 \\\n"
        "    --backends torch compile onnxruntime --rounds 30 --out latency.csv\n"
        "  pam bench latency --out latency.csv \\\n"
        "    --networks results/quick/merged/digits_lenet5/pam-0.safetensors \\\n"
        "    results/quick/pruned/digits_lenet5/pam-taylor-0.safetensors:0.82",
    )
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        help="folder of a run, for the network of every merging at its operating point: the "
        "cheapest that is accurate enough with all tasks running",
    )
    parser.add_argument("--experiment", metavar="NAME", help="of the run; needed if it has several")
    parser.add_argument(
        "--pruning", metavar="NAME", help="a pruning row of it; needed if it has several"
    )
    parser.add_argument("--seed", type=seed, metavar="N", help="default: the lowest of the run")
    parser.add_argument(
        "--delta",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="accurate enough: validation accuracy so many percentage points below the "
        "single-task networks; one of the run's deltas; default: 1.0",
    )
    parser.add_argument(
        "--networks",
        nargs="+",
        default=[],
        metavar="FILE[:STRENGTH]",
        help="further networks, or networks without any run; pruned ones with their strength",
    )
    parser.add_argument(
        "--combinations", nargs="+", metavar="TASKS", help="such as A 'A&B'; default: all"
    )
    number = {"type": count, "metavar": "N"}
    parser.add_argument(
        "--batch-sizes",
        nargs="+",
        type=_batch_size,
        default=[1, 64],
        metavar="N",
        help="default: 1 64",
    )
    parser.add_argument(
        "--threads", nargs="+", type=threads, default=[1], metavar="N", help="default: 1"
    )
    parser.add_argument(
        "--backends",
        nargs="+",
        default=["torch"],
        metavar="NAME",
        help="torch, compile, onnxruntime; default: torch",
    )
    parser.add_argument("--rounds", default=30, help="timed rounds; default: 30", **number)
    parser.add_argument("--warmup", default=3, help="rounds before; default: 3", **number)
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda", "auto"),
        default="cpu",
        help="where the networks run; default: cpu",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="every timing (.csv)")


def run(arguments: Namespace) -> int:
    """Time the networks, print what was found, and write every timing to a CSV file."""
    if not arguments.results and not arguments.networks:
        raise ConfigError("nothing to time: name a run with --results, or files with --networks")
    if Path(arguments.out).suffix != ".csv":
        raise ConfigError(f"--out must end in .csv, not '{arguments.out}'")
    check_room(Path(arguments.out).parent)
    device = set_up(max(arguments.threads), arguments.device)
    from pam.bench import latency_rows, network_of_file, networks_of_run, printed, write
    from pam.cost import usable_backends

    backends, notes = usable_backends(dict.fromkeys(arguments.backends), device)
    _tell(notes)
    if not backends:
        raise ConfigError("no backend is left to time")
    chosen, notes = [], []
    if arguments.results:
        which = (arguments.experiment, arguments.pruning, arguments.seed, arguments.delta)
        chosen, notes = networks_of_run(arguments.results, *which)
    chosen += map(network_of_file, arguments.networks)
    if not chosen:
        reasons = "; ".join(notes)
        raise ConfigError(
            f"no merging of {arguments.results} is accurate enough to be timed: {reasons}"
        )
    names = [contender.name for contender in chosen]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(f"{name} is named twice")
    _tell(notes)
    for contender in chosen:
        contender.network.to(device)
    busy = _busy(max(arguments.threads))
    rows = latency_rows(chosen, _timed(arguments, chosen, backends), device)
    write(arguments.out, rows)
    _tell(busy)
    print(printed(rows))
    return 0


def _busy(threads: int) -> list[str]:
    """Return a sentence if the machine has other work than this, which shares its cores."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load + threads <= cores + _SPARE:
        return []
    return [
        f"the machine is busy: a load of {load:.1f} on {cores} cores before {threads} "
        f"thread{'s' * (threads > 1)} of timing; times cannot be trusted"
    ]


def _tell(notes: list[str]) -> None:
    for note in notes:
        print(f"pam bench latency: {note}", file=sys.stderr)


def _timed(
    arguments: Namespace, contenders: "list[Contender]", backends: list[str]
) -> "list[Timing]":
    from pam.cost import latencies

    networks = {contender.name: contender.network for contender in contenders}
    batch_sizes, threads = (
        list(dict.fromkeys(numbers)) for numbers in (arguments.batch_sizes, arguments.threads)
    )
    each = [len(arguments.combinations or one.combinations()) for one in networks.values()]
    steps = len(batch_sizes) * len(threads) * (sum(each) * len(backends) + arguments.rounds)
    with tqdm(total=steps, desc="latency", disable=not sys.stderr.isatty()) as bar:
        return latencies(
            networks,
            combinations=arguments.combinations,
            backends=backends,
            batch_sizes=batch_sizes,
            threads=threads,
            rounds=arguments.rounds,
            warmup=arguments.warmup,
            progress=bar.update,
        )
