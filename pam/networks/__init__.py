"""Architectures, single-task networks, and the grouped network that everything else works on."""

from pam.groups import Group, Widths
from pam.networks import lenet, resnet, vgg  # noqa: F401 - their import registers them
from pam.networks.architecture import (
    IMAGE,
    Add,
    Architecture,
    AveragePool,
    Conv,
    Flatten,
    Gate,
    Linear,
    MaxPool,
    Norm,
    Output,
    Relu,
    Tanh,
)
from pam.networks.assembly import Assembly
from pam.networks.chain import Chain
from pam.networks.grouped import GroupedNetwork, ReaderGate, SingleTaskNetwork
from pam.networks.initial import build, draw_weights
from pam.networks.registry import ARCHITECTURES, architecture, register
from pam.networks.wiring import layer_steps

__all__ = [
    "ARCHITECTURES",
    "IMAGE",
    "Add",
    "Architecture",
    "Assembly",
    "AveragePool",
    "Chain",
    "Conv",
    "Flatten",
    "Gate",
    "Group",
    "GroupedNetwork",
    "Linear",
    "MaxPool",
    "Norm",
    "Output",
    "ReaderGate",
    "Relu",
    "SingleTaskNetwork",
    "Tanh",
    "Widths",
    "architecture",
    "build",
    "draw_weights",
    "layer_steps",
    "register",
]
