"""Where and how a job computes: device, threads, determinism. Called before torch is imported."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from pam.errors import ConfigError

if TYPE_CHECKING:
    from pam.data import MultitaskDataset

_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR")


def job_environment(threads: int) -> dict[str, str]:
    """Return the environment variables that decide how the libraries below torch compute.

    glibc gives the memory of a freed tensor back at once, and the next step faults it in again: 2 s
    of system time in a job of half a minute. A limit of 1 GiB keeps it.
    """
    return {f"{library}_NUM_THREADS": str(threads) for library in _LIBRARIES} | {
        f"MALLOC_{limit}_THRESHOLD_": str(2**30) for limit in ("MMAP", "TRIM")
    }


def set_up(threads: int, device: str) -> str:
    """Fix the number of threads, forbid nondeterministic operators, and return the device's type.

    Args:
        threads: of torch and of the linear algebra below it.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"`` (cuda where there is one).

    Raises:
        ConfigError: if cuda is asked for and there is none.
    """
    # Read once, when the libraries are loaded.
    os.environ.update(job_environment(threads))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.set_num_threads(threads)
    # Does what use_deterministic_algorithms(True) does, without importing torch's compiler.
    torch.set_deterministic_debug_mode("error")
    # TF32 would round float32 products to ten bits on some GPUs and not on others.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    present = torch.cuda.is_available()
    if device == "cuda" and not present:
        raise ConfigError("device is 'cuda', but this machine has none; write 'auto' or 'cpu'")
    return "cuda" if device != "cpu" and present else "cpu"


def device_model(device: str) -> str:
    """Return a device's type, of a GPU with its model."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


def on_device(dataset: "MultitaskDataset", device: str) -> "MultitaskDataset":
    """Return a data set whose images and labels lie on a device."""
    parts = {
        name: replace(part, images=part.images.to(device), labels=part.labels.to(device))
        for name in ("train", "validation", "test")
        for part in [getattr(dataset, name)]
    }
    return replace(dataset, **parts)
