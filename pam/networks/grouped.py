"""The grouped network: one tensor per group flows, only weighted nodes know the wiring rule."""

import keyword
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from pam.errors import CollapseError, DataError, PamError, ShapeError
from pam.files import read_tensors, write_tensors
from pam.groups import (
    Group,
    Widths,
    all_combinations,
    check_task_name,
    group_name,
    parse_combination,
    reads,
    runs,
    sorted_groups,
)
from pam.networks.architecture import IMAGE, Add, Architecture, AveragePool, Gate, Norm, Weighted
from pam.networks.registry import NOT_A_DESCRIPTION, check_weights, parse_description

Stream = dict[Group, Tensor]
GateFunction = Callable[[str, Group, Tensor], Tensor]
Observer = Callable[[str, Group, Tensor], None]
Blocks = Mapping[str, Mapping[str, Callable[[Any], Any]]]


class ReaderGate:
    """Base class of what a pruner passes as ``gate`` to act on every reader of a unit by itself.

    It is not asked at the gates of a layer but at every weighted node, once for each group that
    is read and each group that reads it.
    """

    def read(self, layer: str, group: Group, reader: Group, tensor: Tensor) -> Tensor:
        """Return what ``reader`` sees of the units of a group of a hidden layer.

        Args:
            layer: of the units that are read.
            group: of these units.
            reader: the group of the weighted node's layer that reads them.
            tensor: float (samples, units, ...), or (samples, units * positions) where a map has
                been flattened, the positions of a unit side by side.
        """
        raise NotImplementedError


# A block is an attribute of a ModuleDict and is called by generated code. No group ends like this.
_MARK = "&"
_EMPTY = nn.ModuleDict()


class GroupedNetwork(nn.Module):
    """A network for several tasks whose units are split into groups (He et al., KDD 2021, sec. 4).

    Group ``U`` reads group ``V`` of the layer before iff ``U <= V``; the output of a task reads
    every group that contains it; running some tasks executes the groups that meet them.

    Attributes:
        architecture: the operations.
        tasks: task name -> number of outputs.
        widths: layer -> group -> units, the output layer included; groups of no units are absent.
        blocks: node -> block name of a group -> what computes: ``nn.Conv2d`` or ``nn.Linear`` of a
            weighted node, ``nn.BatchNorm2d`` of a batch normalisation, ``nn.AdaptiveAvgPool2d``.
        notes: facts for the record, JSON-able: ``"curve"`` (epochs of
            training) and ``"rows"`` (CSV name -> rows).
    """

    def __init__(
        self, architecture: Architecture, tasks: Mapping[str, int], widths: Widths
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.tasks = {check_task_name(task): count for task, count in tasks.items()}
        self.notes: dict[str, Any] = {}
        outputs = {frozenset([task]): count for task, count in self.tasks.items()}
        table = {**widths, architecture.output: outputs}
        _check_table(table, architecture, set(self.tasks))
        self.widths: Widths = {
            layer: {
                group: table[layer][group]
                for group in sorted_groups(table[layer], list(self.tasks))
                if table[layer][group] > 0
            }
            for layer in architecture.layers
        }
        self.blocks = nn.ModuleDict()
        for node in architecture.nodes:
            if isinstance(node, Weighted | Norm | AveragePool):
                widths = self.widths[architecture.signals[node.name].layer]
                self.blocks[node.name] = nn.ModuleDict(
                    {self.block_name(g): self._block(node, g, n) for g, n in widths.items()}
                )

    def _block(self, node: Weighted | Norm | AveragePool, group: Group, units: int) -> nn.Module:
        if isinstance(node, AveragePool):
            return nn.AdaptiveAvgPool2d(1)
        if isinstance(node, Norm):
            return nn.BatchNorm2d(units)
        sources = self.sources(node, group)
        n_inputs = sum(sources.values())
        if not n_inputs:
            raise CollapseError(
                f"group '{self.group_name(group)}' of layer '{node.layer}' has nothing to read "
                f"in layer '{self.architecture.source_layer(node)}'"
            )
        return node.module(n_inputs, units, self.architecture.taps(node))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers in order, the output layer last."""
        return self.architecture.layers

    @property
    def hidden_layers(self) -> tuple[str, ...]:
        """Names of all layers but the output layer."""
        return self.architecture.hidden_layers

    def group_name(self, group: Group) -> str:
        """Name of a group: ``A``, ``A&C`` or ``shared``."""
        return group_name(group, list(self.tasks))

    def block_name(self, group: Group) -> str:
        """Name of a group's blocks in :attr:`blocks`: the group's, marked if torch has it taken."""
        name = self.group_name(group)
        return name + _MARK if keyword.iskeyword(name) or hasattr(_EMPTY, name) else name

    def groups(self) -> dict[str, dict[str, int]]:
        """Return the width table by name: layer -> group name -> units, output layer included."""
        return {
            layer: {self.group_name(group): units for group, units in groups.items()}
            for layer, groups in self.widths.items()
        }

    def combinations(self) -> list[tuple[str, ...]]:
        """Return all non-empty task combinations, smaller ones first."""
        return all_combinations(list(self.tasks))

    def sources(self, node: Weighted, group: Group) -> dict[Group, int]:
        """Return the groups (and units) that a group reads at a weighted node, in order."""
        layer = self.architecture.source_layer(node)
        if layer == IMAGE:
            return {frozenset(self.tasks): self.architecture.input_shape[0]}
        return {source: n for source, n in self.widths[layer].items() if reads(group, source)}

    def forward(
        self,
        images: Tensor,
        tasks: Iterable[str] | None = None,
        gate: GateFunction | ReaderGate | None = None,
        observe: Observer | None = None,
        blocks: Blocks | None = None,
    ) -> dict[str, Tensor]:
        """Return task -> scores in (-1, 1), float (samples, outputs of the task).

        Args:
            images: normalised float images (samples, channels, height, width).
            tasks: the tasks to run; all by default.
            gate: called as ``gate(layer, group, tensor)`` at every gate of a hidden layer; what
                it returns flows on. A :class:`ReaderGate` acts on what each group reads instead.
            observe: called as ``observe(node, group, tensor)`` with all that is computed.
            blocks: node -> group name -> what computes in the place of :attr:`blocks`.
        """
        running = set(self.tasks) if tasks is None else set(tasks)
        reader_gate = gate if isinstance(gate, ReaderGate) else None
        blocks = self.blocks if blocks is None else blocks
        streams: dict[str, Stream] = {IMAGE: {frozenset(self.tasks): images}}
        for node in self.architecture.nodes:
            source = streams[node.sources[0]]
            match node:
                case Weighted():
                    stream = self._mix(node, blocks[node.name], source, running, reader_gate)
                case Norm() | AveragePool():
                    per_group = blocks[node.name]
                    stream = {g: per_group[self.block_name(g)](x) for g, x in source.items()}
                case Add():
                    other = streams[node.sources[1]]
                    stream = {g: x + other[g] for g, x in source.items()}
                case Gate():
                    layer = self.architecture.signals[node.name].layer
                    stream = source
                    if gate is not None and reader_gate is None:
                        stream = {g: gate(layer, g, x) for g, x in source.items()}
                case _:
                    stream = {g: node.apply(x) for g, x in source.items()}
            streams[node.name] = stream
            if observe is not None:
                for group, tensor in stream.items():
                    observe(node.name, group, tensor)
        outputs = streams[self.architecture.nodes[-1].name]
        return {task: outputs[frozenset([task])] for task in self.tasks if task in running}

    def _mix(
        self,
        node: Weighted,
        blocks: Mapping[str, Callable[[Tensor], Tensor]],
        source: Stream,
        running: Set[str],
        gate: ReaderGate | None,
    ) -> Stream:
        stream: Stream = {}
        layer = self.architecture.source_layer(node)
        for group in self.widths[node.layer]:
            if runs(group, running):
                read = [source[g] for g in self.sources(node, group)]
                if gate is not None and layer != IMAGE:
                    sources = zip(self.sources(node, group), read, strict=True)
                    read = [gate.read(layer, g, group, x) for g, x in sources]
                block = blocks[self.block_name(group)]
                stream[group] = block(read[0] if len(read) == 1 else torch.cat(read, dim=1))
        return stream

    def subnetwork(self, tasks: str | Iterable[str]) -> nn.Module:
        """Return what a combination of tasks needs, as a plain dense module with its own weights.

        The module is a ``torch.fx.GraphModule`` of ``nn.Conv2d``, ``nn.BatchNorm2d``,
        ``nn.AdaptiveAvgPool2d`` and ``nn.Linear``, named as in :attr:`blocks`; it maps normalised
        images to task -> scores, like :meth:`forward`.

        Raises:
            ConfigError: if the combination is empty or names an unknown task.
        """
        from pam.networks.subnetwork import extract

        return extract(self, parse_combination(tasks, list(self.tasks)))

    def for_task(self, task: str) -> "GroupedNetwork":
        """Return a network of a single task under another name, with a copy of its weights.

        Raises:
            ShapeError: if the network has several tasks.
        """
        if len(self.tasks) != 1:
            raise ShapeError(f"the network given for task '{task}' has {list(self.tasks)}")
        if task in self.tasks:
            return self
        group = frozenset([task])
        widths = {layer: {group: sum(self.widths[layer].values())} for layer in self.hidden_layers}
        renamed = type(self)(self.architecture, {task: sum(self.tasks.values())}, widths)
        with torch.no_grad():
            tensors = zip(self.state_dict().values(), renamed.state_dict().values(), strict=True)
            for weight, copy in tensors:
                copy.copy_(weight)
        return renamed.train(self.training)

    def save(self, path: str | Path, meta: Mapping[str, Any] | None = None) -> None:
        """Write weights and description to one safetensors file, atomically."""
        write_tensors(path, self.tensors(), {**(meta or {}), "network": self.describe()})

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights as files name them: ``blocks.<node>.<group>.<parameter>``."""
        return {_stored(name): tensor for name, tensor in self.state_dict().items()}

    def describe(self) -> dict[str, Any]:
        """Return what is needed, besides the weights, to rebuild the network (JSON-able)."""
        return {
            "architecture": self.architecture.describe(),
            "tasks": list(self.tasks.items()),
            "widths": {layer: self.groups()[layer] for layer in self.hidden_layers},
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any], state: Mapping[str, Tensor]) -> Self:
        """Rebuild a network from :meth:`describe` and its weights, in evaluation mode.

        Raises:
            DataError: if it is no such description, or a weight is not finite.
            ShapeError: if the weights do not fit the description.
        """
        try:
            architecture, tasks, widths = parse_description(description)
            # Takes no memory: a description is not believed before the weights agree with it.
            with torch.device("meta"):
                described = cls(architecture, tasks, widths).tensors()
        except NOT_A_DESCRIPTION as error:
            first = repr(error).splitlines()[0]
            raise DataError(f"the description of a network is incomplete: {first}") from error
        check_weights(state, described)
        network = cls(architecture, tasks, widths)
        network.load_state_dict({name: state[_stored(name)] for name in network.state_dict()})
        return network.eval()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a network written by :meth:`save`.

        Raises:
            DataError: if the file is missing, damaged or holds no network, or a weight is not
                finite.
            ShapeError: if its weights do not fit its description.
        """
        tensors, meta = read_tensors(path)
        if not isinstance(meta, dict) or "network" not in meta:
            raise DataError(f"{path} holds no network")
        try:
            return cls.from_description(meta["network"], tensors)
        except PamError as error:
            raise type(error)(f"{path}: {error}") from error


class SingleTaskNetwork(GroupedNetwork):
    """A network of one task: every layer is one group."""

    @property
    def task(self) -> str:
        """Name of the task."""
        return next(iter(self.tasks))


def _stored(name: str) -> str:
    """Return how a file names a tensor: without the marks of blocks, whatever torch has taken."""
    return name.replace(f"{_MARK}.", ".")


def _check_table(widths: Widths, architecture: Architecture, tasks: set[str]) -> None:
    """Refuse a width table of other layers or other tasks, with a ShapeError."""
    odd = set(widths).symmetric_difference(architecture.layers)
    if odd:
        raise ShapeError(
            f"the width table does not fit '{architecture.name}': layer '{min(odd)}' is "
            f"{'unknown' if min(odd) in widths else 'missing'}"
        )
    for layer, groups in widths.items():
        for group in groups:
            if not group or not group <= tasks:
                raise ShapeError(f"layer '{layer}' has a group of unknown tasks {sorted(group)}")
