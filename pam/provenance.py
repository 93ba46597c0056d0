"""Where a number comes from: the code of its stage, its slice of the config, and the machine.

Snakemake reruns a job when one of its ``params`` changes. The hashes here are those params: they
change exactly when what the stage computes may change, and not with a comment or a line break.
"""

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from pam.errors import ConfigError, DataError
from pam.files import json_hash, read_json, stored_hash
from pam.source.entry_points import plugin_modules, source_modules
from pam.source.modules import PACKAGE, REGISTER, ROOT
from pam.source.signatures import descriptions

HASH_LENGTH = 12


class Stage(NamedTuple):
    """What decides the output of one stage besides its inputs and config.

    Attributes:
        command: module of its command; what it imports is followed.
        method: package whose plug-in the stage calls by its ``method``, if any.
        architectures: whether networks are built or run, so that architectures count.
        datasets: whether data sets are made, so that their plug-ins count.
    """

    command: str
    method: str | None = None
    architectures: bool = False
    datasets: bool = False


STAGES = {
    "prepare": Stage("pam.cli.prepare", datasets=True),
    "train": Stage("pam.cli.train", architectures=True),
    "merge": Stage("pam.cli.merge", method="pam.merging", architectures=True),
    "prune": Stage("pam.cli.prune", method="pam.pruning", architectures=True),
    "measure": Stage("pam.cli.measure", architectures=True),
    "relate": Stage("pam.cli.relate", method="pam.merging", architectures=True),
    "analyse": Stage("pam.cli.analyse", architectures=True),
    "aggregate": Stage("pam.cli.aggregate"),
    "tables": Stage("pam.cli.tables"),
    "figures": Stage("pam.cli.figures"),
}

# Parsing arguments and config decides nothing that the config hash does not already say.
# Which module a plug-in's name leads to is looked up here, and that module counts.
OUTSIDE = frozenset(
    {
        "pam.cli.main",
        "pam.config",
        "pam.ranges",
        "pam.registry",
        "pam.source",
        "pam.provenance",
    }
)

NAMES = "pam.reporting.names"

# Their rows are never the same twice.
TIMINGS = ("latency", "resources")

PACKAGES = (
    "fvcore",
    "matplotlib",
    "numpy",
    "onnxruntime",
    "pandas",
    "pillow",
    "safetensors",
    "scikit-learn",
    "snakemake",
    "torch",
    "torchvision",
)


def code_hash(
    stage: str,
    *,
    method: str | None = None,
    architecture: str | None = None,
    dataset: str | None = None,
) -> str:
    """Return a short hash of the source that a stage runs.

    It covers the stage's command and every module of this package that it imports, directly or
    not, as syntax trees without docstrings. Plug-ins are picked by registered name; a kind that
    matters to the stage but is not named counts with all its plug-ins.

    Args:
        stage: a key of :data:`STAGES`.
        method: registered merger (stages ``merge`` and ``relate``) or pruner (stage ``prune``).
        architecture: registered architecture.
        dataset: registered data set.

    Returns:
        12 hexadecimal digits.

    Raises:
        ConfigError: for an unknown stage, or a name that no module registers.
    """
    modules = module_hashes(stage, method=method, architecture=architecture, dataset=dataset)
    text = "".join(f"{name}:{digest}\n" for name, digest in modules.items())
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def module_hashes(
    stage: str,
    *,
    method: str | None = None,
    architecture: str | None = None,
    dataset: str | None = None,
) -> dict[str, str]:
    """Return module -> hash, sorted, of what :func:`code_hash` covers: 12 hexadecimal digits."""
    covered = stage_modules(stage, method=method, architecture=architecture, dataset=dataset)
    hashes = {name: _module_hash(name)[:HASH_LENGTH] for name in covered}
    if NAMES in hashes:
        # What methods are called is read from where they are registered.
        hashes["descriptions"] = config_hash([repr(one) for one in descriptions()])
    return hashes


@cache
def stage_modules(
    stage: str,
    *,
    method: str | None = None,
    architecture: str | None = None,
    dataset: str | None = None,
) -> tuple[str, ...]:
    """Return the sorted names of the modules that :func:`code_hash` covers."""
    if stage not in STAGES:
        raise ConfigError(f"unknown stage '{stage}'; known: {', '.join(STAGES)}")
    of_stage = STAGES[stage]
    entries = {of_stage.command}
    if of_stage.method:
        entries |= plugin_modules(of_stage.method, method)
    if of_stage.architectures:
        entries |= plugin_modules("pam.networks", architecture)
    if of_stage.datasets:
        entries |= plugin_modules("pam.data", dataset)
    return tuple(sorted(source_modules().reachable(entries, without=OUTSIDE)))


def config_hash(value: Any) -> str:
    """Return a short hash (12 hexadecimal digits) of a JSON-able value, whatever its key order."""
    return json_hash(value)[:HASH_LENGTH]


def rows_hash(rows: Mapping[str, Any]) -> str:
    """Return the sha256 (hex) of the rows of a record, timings left out."""
    return json_hash({name: more for name, more in rows.items() if name not in TIMINGS})


def content_hash(path: str | Path) -> str:
    """Return the sha256 (hex) of what a file holds, whatever its bytes: an artefact's hash.

    That is the tensors of a network or a part of a data set, the rows of a record, or the data set
    that a description describes; the hash of one that could not be had is empty.

    Raises:
        DataError: if the file is missing, damaged or none of these.
    """
    if Path(path).suffix != ".json":
        return stored_hash(path)
    said = read_json(path)
    if not isinstance(said, dict) or not {"rows", "data_hash", "status"} & said.keys():
        raise DataError(f"{path} is neither a record nor the description of a data set")
    return rows_hash(said["rows"]) if "rows" in said else said.get("data_hash", "")


def environment(device: str = "cpu") -> dict[str, Any]:
    """Return what is known of the machine, the packages and the state of the sources.

    Args:
        device: where the job computes, e.g. ``"cpu"`` or ``"cuda"``; a GPU's model is looked up.

    Returns:
        A JSON-able dictionary; what cannot be found out is None.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "device": _device_model(device),
        "packages": {name: _version(name) for name in PACKAGES},
        "git": _git_state(),
    }


@cache
def _module_hash(name: str) -> str:
    module = source_modules().by_name[name]
    digest = hashlib.sha256(repr(_normalised(module.tree)).encode())
    # Tables shipped beside the modules of a package are as good as their constants.
    for path in sorted(module.path.parent.glob("*.csv")) if module.package else []:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _normalised(node: Any) -> Any:
    """Return a syntax tree as nested tuples without positions, docstrings and empty fields.

    Empty fields differ between Python versions, which must not change a hash. How a method
    describes itself decides nothing that it computes.
    """
    if isinstance(node, list):
        return tuple(_normalised(item) for item in node if not _is_docstring(item))
    if not isinstance(node, ast.AST):
        return node
    fields = [
        (name, _normalised(value))
        for name in node._fields
        if not (name == "keywords" and _registers(node))
        if (value := getattr(node, name, None)) is not None and value != []
    ]
    return (type(node).__name__, *fields)


def _registers(call: ast.AST) -> bool:
    return isinstance(call, ast.Call) and ast.unparse(call.func).endswith(REGISTER)


def _is_docstring(node: Any) -> bool:
    """Tell whether a node is a text that stands alone: of a module, a function or a constant."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or None


def _device_model(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


@cache
def _git_state() -> dict[str, Any] | None:
    """Return commit and cleanliness of the checkout that holds this package, if it is one."""
    if _git("rev-parse", "--show-toplevel") != str(ROOT):
        return None
    # A new file counts: a plug-in that is in no commit runs as well as one that is.
    changes = _git("status", "--porcelain", "--", PACKAGE, "workflow", "Snakefile")
    return {"commit": _git("rev-parse", "HEAD"), "dirty": bool(changes)}


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
