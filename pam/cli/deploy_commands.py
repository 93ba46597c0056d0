"""The commands that take networks away: export files of them, and run such a file."""

import argparse

from pam.cli.arguments import Commands, add_cell, add_command

SMOKE = "results/smoke"
FORMATS = ("onnx", "torchscript", "state_dict")


def add_deploy_commands(commands: Commands) -> None:
    """Add ``export`` and ``predict``."""
    _export(commands)
    _predict(commands)


def _export(commands: Commands) -> None:
    parser = add_command(
        commands,
        "export",
        "write the sub-network of a task combination as a file that runs elsewhere, and its card",
        f"pam export --network {SMOKE}/pruned/digits_lenet5/pam-taylor-0.safetensors \\\n"
        '    --strength 0.5 --combination "A&B" --format onnx \\\n'
        f"    --data {SMOKE}/data/digits_lenet5 --out exported",
    )
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
    add_cell(parser, "data")
    parser.add_argument(
        "--out",
        required=True,
        metavar="PATH",
        help="folder, or the file itself if it ends in .onnx, .ts, .pt or .safetensors",
    )
    parser.add_argument(
        "--rounds", type=_count, default=50, metavar="N", help="timed rounds; default: 50"
    )
    parser.add_argument(
        "--threads", type=_count, default=1, metavar="N", help="threads to time with; default: 1"
    )


def _predict(commands: Commands) -> None:
    parser = add_command(
        commands,
        "predict",
        "show the labels that an exported network finds in images, per task",
        "pam predict --model exported/pam-taylor-0-0.5-A+B.onnx pictures/ --csv labels.csv",
    )
    parser.add_argument("--model", required=True, metavar="FILE", help="file made by `pam export`")
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="image files, or folders of image files"
    )
    parser.add_argument("--scores", action="store_true", help="show the score of every label")
    parser.add_argument("--csv", metavar="FILE", help="write a row per image, task and label")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, not '{text}'")
    return int(text)
