"""The arguments of ``pam bench`` and of each of its benchmarks."""

import argparse

from pam.cli.arguments import Commands, add_command


def add_bench(commands: Commands) -> None:
    """Add ``bench``."""
    parser = add_command(
        commands,
        "bench",
        "time what a run made",
        "pam bench latency --results results/quick --experiment digits_lenet5 --pruning taylor \\\n"
        "    --out latency.csv",
    )
    benchmarks = parser.add_subparsers(dest="benchmark", metavar="BENCHMARK", required=True)
    _latency(benchmarks)


def _latency(benchmarks: Commands) -> None:
    parser = add_command(
        benchmarks,
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
    parser.add_argument("--seed", type=int, metavar="N", help="default: the lowest of the run")
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
    counts = {"nargs": "+", "type": _count, "metavar": "N"}
    parser.add_argument("--batch-sizes", default=[1, 64], help="default: 1 64", **counts)
    parser.add_argument("--threads", default=[1], help="default: 1", **counts)
    parser.add_argument(
        "--backends",
        nargs="+",
        default=["torch"],
        metavar="NAME",
        help="torch, compile, onnxruntime; default: torch",
    )
    parser.add_argument(
        "--rounds", type=_count, default=30, metavar="N", help="timed rounds; default: 30"
    )
    parser.add_argument(
        "--warmup", type=_count, default=3, metavar="N", help="rounds before; default: 3"
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda", "auto"),
        default="cpu",
        help="where the networks run; default: cpu",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="every timing (.csv)")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"needs a whole number >= 1, not '{text}'")
    return int(text)
