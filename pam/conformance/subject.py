"""The plug-in that is examined, and with what.

Data and networks are so small that a whole method runs in a second.
"""

import random
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from pam.conformance import KINDS
from pam.data import DATASETS, MultitaskDataset, Split
from pam.errors import ConfigError
from pam.merging import MERGERS
from pam.networks import ARCHITECTURES, Assembly, Group, GroupedNetwork, SingleTaskNetwork, build
from pam.pruning import PRUNERS
from pam.source.options import check_call
from pam.text_files import parse_yaml

_REGISTRIES = dict(zip(KINDS, (MERGERS, PRUNERS, DATASETS, ARCHITECTURES), strict=True))

TASKS = {"A": [0, 1], "B": [2], "C": [1, 3, 4], "D": [3], "E": [0, 4]}
SHAPE = (1, 12, 16)
WIDTHS = (2, 3, 6, 5)
TOLERANCE = 1e-5
SEED = 7

# From (number of a unit in its network, task, all tasks) to the group that the unit joins.
GROUPINGS: dict[str, Callable[[int, str, Sequence[str]], Group]] = {
    "everything shared": lambda number, owner, tasks: frozenset(tasks),
    "nothing shared": lambda number, owner, tasks: frozenset({owner}),
    # First unit of a network shared by all, second exclusive, third of two tasks, and again.
    "groups of every kind": lambda number, owner, tasks: (
        frozenset(tasks),
        frozenset({owner}),
        frozenset({owner, tasks[(tasks.index(owner) + 1) % len(tasks)]}),
    )[number % 3],
}
SHARED, SEPARATE, MIXED = GROUPINGS


@dataclass(frozen=True)
class Subject:
    """A plug-in, and how it is examined.

    Attributes:
        kind: of :data:`pam.conformance.KINDS`.
        name: registered name.
        plugin: the registered function, called with the options.
        options: name -> value.
        root: folder of a data set's raw files.
        strengths: at which a pruner prunes, increasing.
        input_shape: (channels, height, width) of the images that an architecture is built for.
    """

    kind: str
    name: str
    plugin: Callable[..., Any]
    options: Mapping[str, Any]
    root: str | None
    strengths: list[float]
    input_shape: tuple[int, int, int]

    @classmethod
    def named(cls, arguments: Namespace) -> "Subject":
        """Return the plug-in that the arguments of a command line name.

        Raises:
            ConfigError: if they name none or several, it is unknown, or options do not fit it.
        """
        kinds = [kind for kind in KINDS if getattr(arguments, kind)]
        if len(kinds) != 1:
            raise ConfigError(f"name one plug-in: {', '.join(f'--{kind}' for kind in KINDS)}")
        (kind,) = kinds
        name = getattr(arguments, kind)
        plugin, options = _REGISTRIES[kind].get(name), parse_options(arguments.options)
        # Of a pruner the strengths are an option in a configuration, but not here.
        given = {"strengths": arguments.strengths} if kind == "pruner" else {}
        check_call(_REGISTRIES[kind], name, {**options, **given})
        shape = tuple(arguments.input_shape)
        return cls(kind, name, plugin, options, arguments.root, arguments.strengths, shape)


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """Return options given as ``key=value``, every value read as YAML, as in a configuration.

    Raises:
        ConfigError: for a word without ``=`` or a value that is not YAML.
    """
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ConfigError(f"--options takes key=value, not '{word}'")
        options[key] = parse_yaml(value, f"--options: the value of '{key}'")
    return options


class UnseenPart:
    """Stands in for the test part: whoever asks it for anything fails the test."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError("the test part of the data is looked at")

    def __len__(self) -> NoReturn:
        raise AssertionError("the test part of the data is looked at")


def squares(tasks: Iterable[str], samples: int = 128) -> MultitaskDataset:
    """Return data of :func:`noisy_squares`.

    The test part raises on access.

    Args:
        tasks: of ``A`` to ``E``; some share labels.
        samples: of the training part; mergers cap the number they sample by default.
    """
    generator = torch.Generator().manual_seed(11)
    parts = [noisy_squares(n, generator) for n in (samples, 32, 32)]
    columns = {task: TASKS[task] for task in tasks}
    names = [f"square {i}" for i in range(5)]
    data = MultitaskDataset("squares", *parts, columns, names, mean=[0.5], std=[0.3])
    # The data set is frozen, and checks its parts only when it is made.
    object.__setattr__(data, "test", UnseenPart())
    return data


def noisy_squares(samples: int, generator: torch.Generator) -> Split:
    """Return images of bright and dark squares; label ``i`` is whether square ``i`` is bright."""
    bright = torch.rand(samples, 1, 3, 4, generator=generator) < 0.5
    clean = (60 + 120 * bright).repeat_interleave(4, 2).repeat_interleave(4, 3)
    noisy = clean + torch.randint(-40, 41, clean.shape, generator=generator)
    labels = torch.where(bright.flatten(1)[:, :5], 1, -1)
    return Split(noisy.to(torch.uint8), labels.to(torch.int8))


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


def group(networks: Mapping[str, GroupedNetwork], grouping: str) -> GroupedNetwork:
    """Return one network of several; weights that its wiring does not allow are left out."""
    assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
    groups: dict[str, list[Group]] = dict(assembly.groups)
    for layer in assembly.architecture.hidden_layers:
        owners = [task for (task,) in assembly.groups[layer]]
        groups[layer] = [
            GROUPINGS[grouping](owners[:unit].count(owner), owner, list(networks))
            for unit, owner in enumerate(owners)
        ]
    return replace(assembly, groups=groups).network().eval()


def draw_before(seed: int) -> None:
    """Leave every global generator in a state of its own, as whatever ran before would."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def tensors_of(network: GroupedNetwork) -> dict[str, Tensor]:
    """Return a copy of a network's tensors."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same_tensors(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    """Return whether all tensors have the same names, in the same order, and bytes."""
    return [*ours] == [*theirs] and all(torch.equal(ours[n], theirs[n]) for n in ours)


def same_network(one: GroupedNetwork, other: GroupedNetwork) -> bool:
    """Return whether two networks have the same groups and exactly the same weights."""
    return one.widths == other.widths and same_tensors(one.state_dict(), other.state_dict())


def check_parts(network: GroupedNetwork) -> None:
    """Check that the sub-network of every combination computes what the whole network does."""
    network.eval()
    batch = images(network.architecture.input_shape)
    with torch.no_grad():
        whole = network(batch)
        for combination in network.combinations():
            for task, scores in network.subnetwork(combination)(batch).items():
                apart = float((scores - whole[task]).abs().max())
                assert apart <= TOLERANCE, (
                    f"the sub-network of {'&'.join(combination)} differs from the whole network "
                    f"by {apart:.2g} for task {task}"
                )


def check_file(network: GroupedNetwork, folder: Path) -> None:
    """Check that a network comes back from its file with the same bytes."""
    network.save(folder / "network.safetensors")
    again = GroupedNetwork.load(folder / "network.safetensors")
    assert same_network(network, again), "the network read from its file is another one"


def check_refused(call: Callable[..., object]) -> None:
    """Check that a plug-in, called with the options it is given as keywords, refuses one."""
    try:
        call(no_such_option=1)
    except ConfigError:
        return
    raise AssertionError("the option 'no_such_option' is accepted without a word")
