"""Data and networks so small that a whole method runs in a second."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch
from torch import Tensor

from pam.conformance.checklist import refuse_access
from pam.data import MultitaskDataset, Split
from pam.networks import Assembly, Group, GroupedNetwork, SingleTaskNetwork, build

TASKS = {"A": [0, 1], "B": [2], "C": [1, 3, 4], "D": [3], "E": [0, 4]}
SHAPE = (1, 12, 16)
WIDTHS = (2, 3, 6, 5)
TRAIN_SAMPLES = 512  # What mergers sample by default.
OTHER_SAMPLES = 32


class UnseenPart:
    """Stands in for the test part: whoever asks it for anything fails the check."""

    def __getattr__(self, name: str) -> NoReturn:
        refuse_access("test")

    def __len__(self) -> NoReturn:
        refuse_access("test")


def squares(tasks: Iterable[str]) -> MultitaskDataset:
    """Return noisy bright and dark squares; label ``i`` is whether square ``i`` is bright.

    The test part raises on access.

    Args:
        tasks: of ``A`` to ``E``; some share labels.
    """
    generator = torch.Generator().manual_seed(11)

    def split(samples: int) -> Split:
        bright = torch.rand(samples, 1, 3, 4, generator=generator) < 0.5
        clean = (60 + 120 * bright).repeat_interleave(4, 2).repeat_interleave(4, 3)
        noisy = clean + torch.randint(-40, 41, clean.shape, generator=generator)
        labels = torch.where(bright.flatten(1)[:, :5], 1, -1)
        return Split(noisy.to(torch.uint8), labels.to(torch.int8))

    data = MultitaskDataset(
        name="squares",
        train=split(TRAIN_SAMPLES),
        validation=split(OTHER_SAMPLES),
        test=split(OTHER_SAMPLES),
        tasks={task: TASKS[task] for task in tasks},
        label_names=[f"square {i}" for i in range(5)],
        mean=[0.5],
        std=[0.3],
    )
    # The data set is frozen, and checks its parts only when it is made.
    object.__setattr__(data, "test", UnseenPart())
    return data


def images(shape: Sequence[int] = SHAPE, samples: int = 4) -> Tensor:
    """Return random normalised images, float32 (samples, channels, height, width)."""
    return torch.randn(samples, *shape, generator=torch.Generator().manual_seed(3))


def lenets(tasks: Iterable[str]) -> dict[str, SingleTaskNetwork]:
    """Return task -> a tiny LeNet-5 of its own, for :func:`squares`."""
    return {
        task: with_biases(
            build("lenet5", SHAPE, len(TASKS[task]), task=task, seed=seed, widths=WIDTHS), seed
        )
        for seed, task in enumerate(tasks)
    }


def with_biases(network: SingleTaskNetwork, seed: int) -> SingleTaskNetwork:
    """Draw biases, in place: a fresh network has none, which would hide mistakes with them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(".bias"):
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network


@dataclass(frozen=True)
class Grouping:
    """A way to group the units of networks side by side.

    Attributes:
        name: in words.
        group: from (number of the unit in its network, task, all tasks) to a group.
    """

    name: str
    group: Callable[[int, str, tuple[str, ...]], Group]

    def of(self, networks: Mapping[str, GroupedNetwork]) -> GroupedNetwork:
        """Return the grouped network; weights that its wiring does not allow are left out."""
        assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
        tasks = tuple(networks)
        groups: dict[str, list[Group]] = dict(assembly.groups)
        for layer in assembly.architecture.hidden_layers:
            owners = [next(iter(group)) for group in assembly.groups[layer]]
            numbers = [owners[:unit].count(owner) for unit, owner in enumerate(owners)]
            groups[layer] = [
                self.group(number, owner, tasks)
                for number, owner in zip(numbers, owners, strict=True)
            ]
        return replace(assembly, groups=groups).network().eval()


def _every_kind(number: int, owner: str, tasks: tuple[str, ...]) -> Group:
    """First unit of a network shared by all, second exclusive, third of two tasks, and again."""
    following = tasks[(tasks.index(owner) + 1) % len(tasks)]
    return (frozenset(tasks), frozenset({owner}), frozenset({owner, following}))[number % 3]


SEPARATE = Grouping("nothing shared", lambda number, owner, tasks: frozenset({owner}))
SHARED = Grouping("everything shared", lambda number, owner, tasks: frozenset(tasks))
MIXED = Grouping("shared, exclusive and partly shared groups", _every_kind)


def tensors_of(network: GroupedNetwork) -> dict[str, Any]:
    """Return a copy of a network's tensors."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
