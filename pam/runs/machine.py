"""What is known of the machine, the packages and the state of the sources."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pam.source.modules import PACKAGE, ROOT

PACKAGES = (
    "fvcore",
    "matplotlib",
    "numpy",
    "onnxruntime",
    "pandas",
    "pillow",
    "safetensors",
    "scikit-learn",
    "seaborn",
    "snakemake",
    "torch",
    "torchvision",
)


def environment(device: str = "cpu") -> dict[str, Any]:
    """Return what is known of machine, packages and sources, JSON-able; None where nothing is."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "device": device,
        "packages": {name: _version(name) for name in PACKAGES},
        "git": _git_state(),
    }


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        completed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout.strip()
