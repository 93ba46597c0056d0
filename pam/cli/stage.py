"""The commands of the stages of cells: arguments and job follow from the table of stages."""

import os
from argparse import Namespace
from pathlib import Path

from pam.cli.arguments import (
    Commands,
    Parser,
    add_command,
    add_config,
    command_line,
    seconds,
    whole,
)
from pam.config import load_config
from pam.runs.cells import Cell, parent_cells
from pam.runs.paths import DESCRIPTION, NETWORK, Paths, record_of
from pam.runs.stages import AXES, STAGES, Parent, Stage

_EXAMPLE = {"task": "A", "merging": "pam", "pruning": "taylor", "relatedness": "pam", "seed": 0}
_EXPERIMENT, _TASKS = "digits_lenet5", ("A", "B")
_OPTIONS = ("root", "download", "allow_missing", "strict", "checkpoint_every")
"""Arguments of some stages that :func:`pam.stages.run.run` takes by the same name."""
_seed = whole(0, "a seed is a whole number >= 0")


def add_stage_parser(commands: Commands, name: str) -> None:
    """Add the command of a stage: its axes, what it reads, and where its files go."""
    stage = STAGES[name]
    parser = add_command(commands, name, stage.help, _example(name, stage))
    add_config(parser)
    parser.add_argument(
        "--experiment", required=True, metavar="NAME", help="an experiment of the configuration"
    )
    for axis in stage.axes or ():
        kind = {"type": _seed, "metavar": "N"} if axis == "seed" else {"metavar": "NAME"}
        names = dict.fromkeys([axis, AXES[axis].column or axis])
        flags = [f"--{one}" for one in names]
        parser.add_argument(*flags, dest=axis, required=True, help=AXES[axis].help, **kind)
    for parent in stage.parents:
        _add_parent(parser, parent)
    if "pam.data" in stage.plugins:
        parser.add_argument("--root", metavar="FOLDER", help="folder of raw data already on disk")
        parser.add_argument(
            "--download", action="store_true", help="fetch raw data that is missing"
        )
    if not stage.axes:
        parser.add_argument("--out", required=True, metavar="FOLDER", help="where the files go")
        _add_log(parser)
        parser.add_argument(
            "--allow-missing",
            action="store_true",
            help="if the data cannot be had, write files that say so: the jobs that follow fail "
            "as cells, and other experiments go on",
        )
        return
    if stage.suffix:
        parser.add_argument("--out", required=True, metavar="FILE", help="network (.safetensors)")
    parser.add_argument("--record", required=True, metavar="FILE", help="record of the job (.json)")
    _add_log(parser)
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if the cell fails, e.g. diverges"
    )
    parser.add_argument(
        "--checkpoint-every",
        type=seconds,
        default=os.environ.get("PAM_CHECKPOINT_EVERY", "60"),
        metavar="SECONDS",
        help="how often to store how far the job came, so that it can go on from there; "
        "0: at every step; default: PAM_CHECKPOINT_EVERY of the environment, or 60",
    )
    if name == "prune":
        parser.add_argument(
            "--measured",
            metavar="FILE",
            help="also do what `pam measure` does, with its record here, and prune only if the "
            "files are not those of this very job already",
        )


def run(arguments: Namespace) -> int:
    """Do the job of one cell; prune, then measure if asked to: libraries and data load once."""
    name, measured = arguments.command, getattr(arguments, "measured", None)
    code = _run_stage(name, arguments, only_if_changed=bool(measured))
    if code or not measured:
        return code
    names = {"merged": arguments.network, "pruned": arguments.out, "record": measured}
    return _run_stage("measure", Namespace(**{**vars(arguments), **names, "out": ""}))


def _run_stage(name: str, arguments: Namespace, only_if_changed: bool = False) -> int:
    """Do the job that the arguments of a stage's command ask for, and return the exit code."""
    from pam.stages.run import run

    given, stage = vars(arguments), STAGES[name]
    cell = Cell(name, arguments.experiment, **{axis: given[axis] for axis in stage.axes or ()})
    flags = [parent.flag for parent in stage.parents if given[parent.flag]]
    files = {flag: [given[flag]] if isinstance(given[flag], str) else given[flag] for flag in flags}
    if files:
        files["data"] = [Path(arguments.data) / DESCRIPTION]
    out = given.get("out") or arguments.record
    return run(
        load_config(arguments.config),
        cell,
        files,
        out,
        given.get("record") or record_of(Path(out) / DESCRIPTION),
        where=arguments.config,
        log=arguments.log,
        command=command_line(arguments.words),
        only_if_changed=only_if_changed,
        **{name: given[name] for name in _OPTIONS if name in given},
    )


def _add_log(parser: Parser) -> None:
    parser.add_argument(
        "--log",
        default="",
        metavar="FILE",
        help="where what this job says is kept; only noted in the record",
    )


def _add_parent(parser: Parser, parent: Parent) -> None:
    helps = {
        "prepare": "data set made by `pam prepare`",
        "pretrain": "network that all tasks start from, made by `pam pretrain`, if the experiment "
        "has one",
        "train": "single-task network of every task, made by `pam train`",
    }
    parser.add_argument(
        f"--{parent.flag}",
        # Only some experiments have what is asked for.
        required=not STAGES[parent.stage].asks,
        metavar="FOLDER" if parent.stage == "prepare" else "FILE",
        nargs="+" if parent.stage == "train" else None,
        help=helps.get(parent.stage, f"networks made by `pam {parent.stage}`"),
    )


def _example(name: str, stage: Stage) -> str:
    """Return a command line that works after a run of the profile it names."""
    profile = "smoke" if stage.asks or "relatedness" in (stage.axes or ()) else "quick"
    paths = Paths(f"results/{profile}")
    cell = Cell(name, _EXPERIMENT, **{axis: _EXAMPLE[axis] for axis in stage.axes or ()})
    lines = [
        f"pam {name} --config workflow/config/{profile}.yaml "
        + " ".join(f"--{axis} {value}" for axis, value in cell.axes.items())
    ]
    for parent in stage.parents:
        files = [paths.artefact(one) for one in parent_cells(cell, parent, _TASKS)]
        if parent.stage == "prepare":
            files = [str(Path(files[0]).parent)]
        lines.append(f"--{parent.flag} {' '.join(files)}")
    if stage.suffix == NETWORK:
        lines.append(f"--out {paths.artefact(cell)}")
    if stage.axes:
        lines.append(f"--record {paths.record(cell)}")
    else:
        lines.append(f"--out {Path(paths.record(cell)).parent}")
    return " \\\n    ".join(lines)
