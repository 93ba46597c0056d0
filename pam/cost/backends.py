"""What runs a sub-network: torch call by call, torch's compiler, or ONNX Runtime.

A backend makes a call without arguments out of a sub-network and a batch of images. What has to be
done once (recording, compiling, reading weights) is done by the first call at the latest.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pam.errors import ConfigError
from pam.networks import GroupedNetwork
from pam.networks.subnetwork import IMAGES, onnx_model, part_of, view

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto
    from onnxruntime import InferenceSession

Call = Callable[[], "Sequence[Tensor | np.ndarray]"]
"""Runs a sub-network and returns the scores of its tasks, (batch, outputs) each, in their order."""


class Backend:
    """A way to run sub-networks: torch, one operator after the other, unless a subclass differs."""

    def missing(self, device: str) -> str | None:
        """Return why it cannot run on this machine and device, in one sentence; None if it can."""
        return None

    def call(
        self, network: GroupedNetwork, tasks: Sequence[str], images: Tensor, threads: int
    ) -> Call:
        """Return what runs the sub-network of some tasks.

        Args:
            network: in evaluation mode.
            tasks: in the order of the network's.
            images: normalised float32 images (batch, channels, height, width), on the network's
                device.
            threads: as many as torch is set to.
        """
        return _waiting(view(network, tasks), images)


class Compiled(Backend):
    """A sub-network that ``torch.compile`` translated, for one batch size and number of threads."""

    def __init__(self) -> None:
        self._compiles_for: tuple[torch.Size, int] | None = None

    def missing(self, device: str) -> str | None:
        return _compiler_fault(device)

    def call(
        self, network: GroupedNetwork, tasks: Sequence[str], images: Tensor, threads: int
    ) -> Call:
        if self._compiles_for != (images.shape, threads):
            # What was compiled for others counts towards torch's limit of variants.
            torch.compiler.reset()
            self._compiles_for = (images.shape, threads)
        # The whole graph, or an error: never a part of it that falls back to eager unnoticed.
        module = torch.compile(view(network, tasks), fullgraph=True, dynamic=False)
        return _waiting(module, images)


class OnnxRuntime(Backend):
    """ONNX Runtime on the CPU; a network is recorded once, combinations are parts of that."""

    def __init__(self) -> None:
        self._models: weakref.WeakKeyDictionary[GroupedNetwork, ModelProto] = (
            weakref.WeakKeyDictionary()
        )

    def missing(self, device: str) -> str | None:
        return None if device == "cpu" else "runs on the CPU only"

    def call(
        self, network: GroupedNetwork, tasks: Sequence[str], images: Tensor, threads: int
    ) -> Call:
        if network not in self._models:
            shape = network.architecture.input_shape
            with torch.inference_mode(False):
                whole = network.subnetwork(network.tasks)
                self._models[network] = onnx_model(whole, shape, network.tasks)
        session = onnx_session(part_of(self._models[network], tasks), threads)
        names, fed = list(tasks), {IMAGES: images.numpy()}
        return lambda: session.run(names, fed)


BACKENDS: dict[str, Callable[[], Backend]] = {
    "torch": Backend,
    "compile": Compiled,
    "onnxruntime": OnnxRuntime,
}


def make_backend(name: str) -> Backend:
    """Return a backend.

    Raises:
        ConfigError: if there is none of this name.
    """
    if name not in BACKENDS:
        raise ConfigError(f"unknown backend '{name}'; known: {', '.join(BACKENDS)}")
    return BACKENDS[name]()


def usable_backends(names: Iterable[str], device: str = "cpu") -> tuple[list[str], list[str]]:
    """Return those backends that run here, and a sentence for each that does not.

    Args:
        names: keys of :data:`BACKENDS`.
        device: ``"cpu"`` or ``"cuda"``, where the networks are.

    Raises:
        ConfigError: for an unknown name.
    """
    missing = {name: make_backend(name).missing(device) for name in names}
    usable = [name for name, why in missing.items() if why is None]
    return usable, [f"backend '{name}' {why}: not timed" for name, why in missing.items() if why]


def onnx_session(model: "ModelProto", threads: int = 1) -> "InferenceSession":
    """Return an ONNX Runtime session on the CPU whose threads sleep while nothing runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads would spin, on the cores that what is timed next needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Give torch so many threads inside the block, and as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _waiting(module: nn.Module, images: Tensor) -> Call:
    """Return a call of a module that ends when the device has done the work."""
    if not images.is_cuda:
        return lambda: tuple(module(images).values())

    def run() -> tuple[Tensor, ...]:
        scores = tuple(module(images).values())
        torch.cuda.synchronize(images.device)
        return scores

    return run


@cache
def _compiler_fault(device: str) -> str | None:
    """Return why torch cannot compile here, found out by compiling the smallest of functions."""
    double = torch.compile(lambda x: x + x, fullgraph=True, dynamic=False)
    try:
        double(torch.ones(1, device=device))
    except Exception as error:
        # Whatever is missing (compiler, headers, Triton, a writable cache) has an error of its own.
        said = next((line for line in str(error).splitlines() if line), type(error).__name__)
        return f"does not work here ({said})"
    return None
