"""The commands that make the files of one cell, each with an example that works."""

from pam.cli.arguments import (
    CELL,
    DATA,
    Commands,
    add_cell,
    add_checkpoints,
    add_command,
    add_log,
    add_networks,
    add_networks_of_stages,
    add_outputs,
    add_record,
)

NETWORKS = "results/quick/networks/digits_lenet5"
MERGED = "results/quick/merged/digits_lenet5"
PRUNED = "results/quick/pruned/digits_lenet5"
MEASURED = "results/quick/measured/digits_lenet5"
SMOKE = "results/smoke"
SMOKE_CELL = (
    "--config workflow/config/smoke.yaml --experiment digits_lenet5 --merging pam --seed 0 \\\n"
    f"    --data {SMOKE}/data/digits_lenet5"
)


def add_stage_commands(commands: Commands) -> None:
    """Add ``prepare``, ``train``, ``merge``, ``prune``, ``measure``, ``relate``, ``analyse``."""
    for add in (_prepare, _train, _merge, _prune, _measure, _relate, _analyse):
        add(commands)


def _prepare(commands: Commands) -> None:
    parser = add_command(
        commands,
        "prepare",
        "make the data set of an experiment",
        f"pam prepare {CELL} --out results/quick/data/digits_lenet5",
    )
    add_cell(parser, "config", "experiment")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the data set goes")
    parser.add_argument("--root", metavar="FOLDER", help="folder of raw data already on disk")
    parser.add_argument("--download", action="store_true", help="fetch raw data that is missing")
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="if the data cannot be had, write files that say so: the jobs that follow fail as "
        "cells, and other experiments go on",
    )
    add_log(parser)


def _train(commands: Commands) -> None:
    parser = add_command(
        commands,
        "train",
        "train the single-task network of one task",
        f"pam train {CELL} --task A --seed 0 {DATA} \\\n"
        f"    --out {NETWORKS}/A-0.safetensors --record {NETWORKS}/A-0.json",
    )
    add_cell(parser, "config", "experiment", "task", "seed", "data")
    add_outputs(parser)


def _merge(commands: Commands) -> None:
    parser = add_command(
        commands,
        "merge",
        "merge the single-task networks of one seed",
        f"pam merge {CELL} --merging pam --seed 0 {DATA} \\\n"
        f"    --networks {NETWORKS}/A-0.safetensors {NETWORKS}/B-0.safetensors \\\n"
        f"    --out {MERGED}/pam-0.safetensors --record {MERGED}/pam-0.json",
    )
    add_cell(parser, "config", "experiment", "merging", "seed", "data")
    add_networks(parser)
    add_outputs(parser)


def _prune(commands: Commands) -> None:
    parser = add_command(
        commands,
        "prune",
        "prune a merged network at every strength of the configuration",
        f"pam prune {CELL} --merging pam --pruning taylor --seed 0 {DATA} \\\n"
        f"    --network {MERGED}/pam-0.safetensors \\\n"
        f"    --out {PRUNED}/pam-taylor-0.safetensors --record {PRUNED}/pam-taylor-0.json",
    )
    add_cell(parser, "config", "experiment", "merging", "pruning", "seed", "data")
    parser.add_argument(
        "--network", required=True, metavar="FILE", help="merged network made by `pam merge`"
    )
    add_outputs(parser)


def _measure(commands: Commands) -> None:
    parser = add_command(
        commands,
        "measure",
        "measure accuracy and cost of every task combination of a cell",
        f"pam measure {CELL} --merging pam --pruning taylor --seed 0 {DATA} \\\n"
        f"    --networks {NETWORKS}/A-0.safetensors {NETWORKS}/B-0.safetensors \\\n"
        f"    --merged {MERGED}/pam-0.safetensors --pruned {PRUNED}/pam-taylor-0.safetensors \\\n"
        f"    --record {MEASURED}/pam-taylor-0.json",
    )
    add_cell(parser, "config", "experiment", "merging", "pruning", "seed", "data")
    add_networks(parser)
    add_networks_of_stages(parser)
    add_record(parser)


def _relate(commands: Commands) -> None:
    networks = f"{SMOKE}/networks/digits_lenet5"
    parser = add_command(
        commands,
        "relate",
        "count what the network of the first task shares with every other one",
        f"pam relate {SMOKE_CELL} \\\n"
        f"    --networks {networks}/A-0.safetensors {networks}/B-0.safetensors \\\n"
        f"    --control {networks}/A-1.safetensors \\\n"
        f"    --record {SMOKE}/related/digits_lenet5/pam-0.json",
    )
    add_cell(parser, "config", "experiment", "merging", "seed", "data")
    add_networks(parser)
    parser.add_argument(
        "--control",
        required=True,
        metavar="FILE",
        help="a second network of the first task, e.g. that of the next seed",
    )
    add_record(parser)
    add_checkpoints(parser)


def _analyse(commands: Commands) -> None:
    parser = add_command(
        commands,
        "analyse",
        "tell which units of pruned networks are in fact exclusive or redundant",
        f"pam analyse {SMOKE_CELL} --pruning taylor \\\n"
        f"    --merged {SMOKE}/merged/digits_lenet5/pam-0.safetensors \\\n"
        f"    --pruned {SMOKE}/pruned/digits_lenet5/pam-taylor-0.safetensors \\\n"
        f"    --record {SMOKE}/analysed/digits_lenet5/pam-taylor-0.json",
    )
    add_cell(parser, "config", "experiment", "merging", "pruning", "seed", "data")
    add_networks_of_stages(parser)
    add_record(parser)
