"""What a combination of tasks costs: from the widths of its groups alone, and traced by fvcore.

Counts from widths walk the same links: a group of a weighted node, the inputs it reads, the units
it makes. Where tasks are named, an empty combination and an unknown task raise a ConfigError.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Integral

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from pam.errors import ConfigError, ShapeError
from pam.groups import SHARED, Group, parse_combination, reads, runs
from pam.networks import Architecture, GroupedNetwork, Widths
from pam.networks import architecture as build_architecture
from pam.networks.architecture import IMAGE, AveragePool, Norm, Weighted
from pam.networks.wiring import executed

WidthTable = Mapping[str, Mapping[str, int]]

# Additions, pooling and activations that fvcore has no count for. (It passes by itself over
# aten::relu and over operators that only move values, such as aten::flatten and aten::cat.)
FREE_OPERATORS = frozenset(
    f"aten::{name}" for name in ("add", "add_", "avg_pool2d", "max_pool2d", "sigmoid", "tanh")
)


@dataclass(frozen=True)
class Link:
    """One group of one weighted node that runs.

    Attributes:
        inputs: weights of one unit: units read, times kernel (or flattened map) positions.
        units: units made.
        positions: map positions at which each unit is computed, before pooling; 1 if fully
            connected.
        bias: whether each unit adds a bias.
    """

    inputs: int
    units: int
    positions: int
    bias: bool = True

    @property
    def weights(self) -> int:
        """Weights without biases."""
        return self.inputs * self.units

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations."""
        return self.weights * self.positions

    @property
    def paper_flops(self) -> int:
        """Multiplications and additions; biases are not counted, and nothing read costs nothing."""
        return max(2 * self.inputs - 1, 0) * self.units * self.positions


def links(architecture: Architecture, widths: Widths, tasks: Iterable[str]) -> Iterator[Link]:
    """Yield the links of all groups that meet ``tasks``, the paper's rule of what is run."""
    running = tuple(tasks)
    for node in architecture.weighted.values():
        for group in widths[node.layer]:
            if runs(group, running):
                yield _link(architecture, widths, node, group)


def _link(architecture: Architecture, widths: Widths, node: Weighted, group: Group) -> Link:
    source = architecture.source_layer(node)
    read = (
        architecture.input_shape[0]
        if source == IMAGE
        else sum(n for other, n in widths[source].items() if reads(group, other))
    )
    positions = architecture.signals[node.name].positions
    return Link(read * architecture.taps(node), widths[node.layer][group], positions, node.bias)


def _executed(
    network: GroupedNetwork, tasks: str | Iterable[str]
) -> tuple[dict[str, set[Group]], list[Link]]:
    """Return node -> groups that the outputs of some tasks depend on, and the links of these."""
    architecture, widths = network.architecture, network.widths
    needed = executed(architecture, widths, parse_combination(tasks, list(network.tasks)))
    return needed, [
        _link(architecture, widths, node, group)
        for node in architecture.weighted.values()
        for group in needed[node.name]
    ]


def paper_flops(network: GroupedNetwork, tasks: str | Iterable[str]) -> int:
    """Return the FLOPs of running ``tasks``, in the convention of He et al. (KDD 2021).

    A k x k convolution of n_in inputs and n_out outputs on an H x W map (before pooling) costs
    ``(2 k^2 n_in - 1) H W n_out``, a fully connected layer ``(2 n_in - 1) n_out``; biases,
    activations, pooling, normalisation and additions cost nothing. Every convolution of a
    residual network counts, those of the shortcuts included. All groups that meet ``tasks`` run.
    """
    combination = parse_combination(tasks, list(network.tasks))
    run = links(network.architecture, network.widths, combination)
    return sum(link.paper_flops for link in run)


def analytic_macs(network: GroupedNetwork, tasks: str | Iterable[str]) -> int:
    """Return the operations of running ``tasks`` as fvcore counts them, from the widths alone.

    Multiply-accumulates ``k^2 n_in H W n_out`` of what the outputs depend on, two operations per
    value for a batch normalisation and one for average pooling.
    """
    architecture = network.architecture
    needed, run = _executed(network, tasks)
    total = sum(link.macs for link in run)
    for node in architecture.nodes:
        if isinstance(node, Norm | AveragePool):
            source = architecture.signals[node.sources[0]]
            units = sum(network.widths[source.layer][group] for group in needed[node.name])
            total += (2 if isinstance(node, Norm) else 1) * units * source.positions
    return total


def parameters(network: GroupedNetwork, tasks: str | Iterable[str]) -> int:
    """Return the number of trained values that running ``tasks`` needs.

    Weights and biases, and weight and bias of batch normalisations.
    """
    needed, run = _executed(network, tasks)
    total = sum(link.weights + link.bias * link.units for link in run)
    for name in network.architecture.norms:
        widths = network.widths[network.architecture.signals[name].layer]
        total += 2 * sum(widths[group] for group in needed[name])
    return total


def paper_flops_of_widths(
    architecture: str | Architecture,
    widths: WidthTable,
    tasks: str | Iterable[str],
    input_shape: tuple[int, int, int],
) -> int:
    """Return :func:`paper_flops` from a table of widths, without a network.

    Args:
        architecture: a registered name, or an architecture made for ``input_shape``.
        widths: layer -> group name -> units, for every layer, the output layer included
            (``{"A": 5, "B": 5}``). A group is named by its tasks, ``"A"`` or ``"A&C"``;
            ``"shared"`` is the group of all tasks of the network, also of those that the table
            leaves out (the table may be that of one combination).
        tasks: the combination that runs, ``"A&B"`` or task names; any name will do if the table
            has only shared groups.
        input_shape: (channels, height, width).

    Raises:
        ConfigError: for an unknown architecture or task, an empty combination, a missing or
            unknown layer, or a width that is not a whole number of at least 0.
        ShapeError: for an impossible input shape, or one the architecture is not made for.
    """
    table = _links_of_table(architecture, widths, tasks, input_shape)
    return sum(link.paper_flops for link in table)


def paper_parameters_of_widths(
    architecture: str | Architecture,
    widths: WidthTable,
    tasks: str | Iterable[str],
    input_shape: tuple[int, int, int],
) -> int:
    """Return the parameters as He et al. count them (weights, no biases) from a table of widths.

    Arguments and errors are those of :func:`paper_flops_of_widths`.
    """
    table = _links_of_table(architecture, widths, tasks, input_shape)
    return sum(link.weights for link in table)


def _links_of_table(
    architecture: str | Architecture,
    widths: WidthTable,
    tasks: str | Iterable[str],
    input_shape: tuple[int, int, int],
) -> Iterator[Link]:
    if isinstance(architecture, str):
        architecture = build_architecture(architecture, input_shape)
    elif architecture.input_shape != tuple(input_shape):
        raise ShapeError(
            f"'{architecture.name}' is made for images of {architecture.input_shape}, "
            f"not {tuple(input_shape)}"
        )
    asked = tasks.split("&") if isinstance(tasks, str) else list(tasks)
    named = {name for groups in widths.values() for name in groups} - {SHARED}
    # A table without any task's name is that of an all-shared network, which every task runs.
    known = sorted(
        {task for name in named for task in name.split("&")} or set(asked) - {"", SHARED}
    )
    table = _parse_table(architecture, widths, known)
    return links(architecture, table, parse_combination(asked, known))


def _parse_table(architecture: Architecture, widths: WidthTable, tasks: list[str]) -> Widths:
    for layer in [*architecture.layers, *widths]:
        if layer not in widths or layer not in architecture.layers:
            said = "lacks" if layer not in widths else "has an unknown"
            raise ConfigError(
                f"the width table {said} layer '{layer}'; the layers of '{architecture.name}' "
                f"are {', '.join(architecture.layers)}"
            )
    table: Widths = {layer: {} for layer in architecture.layers}
    for layer, groups in widths.items():
        for name, units in groups.items():
            if not isinstance(units, Integral) or units < 0:
                raise ConfigError(
                    f"the width of group '{name}' in layer '{layer}' must be a whole number of at "
                    f"least 0, not {units!r}"
                )
            # The extra member keeps the shared group apart from a group that names every task
            # of the table: the network may have tasks that the table leaves out.
            group = frozenset([*tasks, SHARED] if name == SHARED else name.split("&"))
            table[layer][group] = table[layer].get(group, 0) + int(units)
    return table


def macs(module: nn.Module, input_shape: Sequence[int]) -> int:
    """Return the multiply-accumulates of one forward pass on one image; 1 MAC counts 1.

    Args:
        module: returns a tensor, a tuple of tensors or a dict of tensors; it is left as it was.
        input_shape: (channels, height, width).

    Raises:
        ConfigError: for an operator that is neither counted nor known to be free.
        ShapeError: if the module cannot run on such an image.
    """
    return int(_counted(module, input_shape).total())


def macs_of_parts(
    whole: nn.Module, parts: Iterable[nn.Module], input_shape: Sequence[int]
) -> list[int]:
    """Return the multiply-accumulates of each part of a module, which is traced once.

    Args:
        whole: as for :func:`macs`, errors too; what it computes with is in submodules, e.g. the
            sub-network of all tasks.
        parts: hold some of the submodules of ``whole``, by the same names, and call each with an
            input of the same shape as ``whole`` does, e.g. the sub-networks of combinations.
        input_shape: (channels, height, width).
    """
    counts = _counted(whole, input_shape).by_module()
    return [
        sum(
            int(counts[f"module.{name}"])
            for name, module in part.named_modules()
            if not any(module.children())
        )
        for part in parts
    ]


def _counted(module: nn.Module, input_shape: Sequence[int]) -> FlopCountAnalysis:
    """Return fvcore's analysis, traced and free of operators of unknown cost."""
    # A copy: fvcore hangs hooks on the module and leaves them there when tracing fails.
    traced = _TensorOutputs(copy.deepcopy(module).eval())
    like = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    images = torch.zeros(1, *input_shape, dtype=like.dtype, device=like.device)
    analysis = FlopCountAnalysis(traced, images)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    try:
        analysis.total()  # traces; every count is read from it
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise ShapeError(
            f"the network cannot run on {tuple(input_shape)} images: {first}"
        ) from error
    unknown = sorted(set(analysis.unsupported_ops()) - FREE_OPERATORS)
    if unknown:
        raise ConfigError(
            f"operator '{unknown[0]}' is not counted by fvcore and not known to be free of cost"
        )
    return analysis


class _TensorOutputs(nn.Module):
    """A module whose dict of outputs becomes a tuple, which is what the tracer takes."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        outputs = self.module(images)
        return tuple(outputs.values()) if isinstance(outputs, dict) else outputs
