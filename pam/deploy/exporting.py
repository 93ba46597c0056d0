"""From a network to files that run elsewhere: written, checked, and each with its card."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pam
from pam.cost import macs, paper_flops, parameters
from pam.data import MultitaskDataset
from pam.deploy.about import About
from pam.deploy.card import card_text
from pam.deploy.measuring import IMAGES, accuracies, check, time_model
from pam.deploy.model import FORMATS, Model, format_module, open_model
from pam.errors import ShapeError
from pam.files import atomic_path
from pam.networks import GroupedNetwork


@dataclass(frozen=True)
class Source:
    """A network that is to be exported, and what is known of it.

    Attributes:
        network: it.
        name: what files of it are called.
        origin: cell and hashes, JSON-able.
        merged: the merged network that it was pruned from, if it is at hand.
        config: what of the configuration it depends on, if known.
        accuracies: task -> test accuracy as far as measured before.
        measured_in: where those accuracies are from.
    """

    network: GroupedNetwork
    name: str
    origin: Mapping[str, Any] = field(default_factory=dict)
    merged: GroupedNetwork | None = None
    config: Mapping[str, Any] | None = None
    accuracies: Mapping[str, float] = field(default_factory=dict)
    measured_in: str = ""


@dataclass(frozen=True)
class Exported:
    """A file that was written, and its card.

    Attributes:
        path: the file.
        card: what there is to know of it, Markdown.
        difference: largest difference between its scores and the network's.
    """

    path: Path
    card: Path
    difference: float


def export(
    source: Source,
    dataset: MultitaskDataset,
    combinations: Sequence[Sequence[str]],
    format: str,
    out: str | Path,
    *,
    rounds: int = 50,
    threads: int = 1,
) -> Iterator[Exported]:
    """Write the sub-network of each combination and its card; yield each when it is there.

    A file is opened again and compared with the network on test images before it gets its name.

    Args:
        source: the network, on the CPU.
        dataset: the data that it was made with.
        combinations: tasks in the order of the network's.
        format: a key of :data:`pam.deploy.FORMATS`.
        out: a folder, or the file for a single combination if it ends as files of the format do.
        rounds: of timing one image.
        threads: of timing.

    Raises:
        DataError: if a file differs from the network, or cannot be written; it is not kept.
        ShapeError: if the network does not fit the data set.
    """
    _check_fit(source.network, dataset)
    network = source.network.eval()
    some = {task for combination in combinations for task in combination}
    pack = format_module(format).packer(network, [task for task in network.tasks if task in some])
    for combination in combinations:
        path = path_of(out, format, source.name, combination)
        about, card = _about(source, dataset, combination), card_of(path)
        with atomic_path(path) as temporary, atomic_path(card) as temporary_card:
            temporary.write_bytes(pack(combination, about))
            model = open_model(temporary, threads)
            difference = check(model, network, dataset, path)
            facts = _facts(source, dataset, combination, model) | {
                "format": format,
                "file": path.name,
                "written": temporary,
                "difference": difference,
                "timing": time_model(model, rounds, threads),
                "rounds": rounds,
                "threads": threads,
            }
            temporary_card.write_text(card_text(facts), encoding="utf-8")
        yield Exported(path, card, difference)


def path_of(out: str | Path, format: str, name: str, combination: Iterable[str]) -> Path:
    """Return the file of a combination: ``out`` itself, or ``<name>-A+C`` in the folder ``out``."""
    out = Path(out)
    if out.suffix in FORMATS[format]:
        return out
    return out / f"{name}-{'+'.join(combination)}{FORMATS[format][0]}"


def card_of(path: Path) -> Path:
    """Return the card of a file; of another format in the same folder it is another one."""
    return path.with_name(f"{path.name}.md")


def _check_fit(network: GroupedNetwork, dataset: MultitaskDataset) -> None:
    expected = network.architecture.input_shape
    if tuple(expected) != dataset.input_shape:
        raise ShapeError(
            f"the network takes images of {tuple(expected)}, those of data set '{dataset.name}' "
            f"are {dataset.input_shape}"
        )
    for task, outputs in network.tasks.items():
        if task not in dataset.tasks:
            raise ShapeError(f"data set '{dataset.name}' has no task '{task}'")
        if len(dataset.tasks[task]) != outputs:
            raise ShapeError(
                f"task '{task}' has {outputs} outputs in the network, but "
                f"{len(dataset.tasks[task])} labels in data set '{dataset.name}'"
            )


def _about(source: Source, dataset: MultitaskDataset, combination: Sequence[str]) -> About:
    labels = {
        task: [dataset.label_names[column] for column in dataset.tasks[task]]
        for task in combination
    }
    return About(
        input_shape=dataset.input_shape,
        mean=dataset.mean,
        std=dataset.std,
        tasks=labels,
        version=pam.__version__,
        origin={**source.origin, "combination": "&".join(combination)},
    )


def _facts(
    source: Source, dataset: MultitaskDataset, combination: Sequence[str], model: Model
) -> dict[str, Any]:
    """Return what the card says besides what the file is called, and how it was checked."""
    if set(combination) <= source.accuracies.keys():
        accuracy, measured = source.accuracies, source.measured_in
    else:
        accuracy, measured = accuracies(model, dataset), "measured with this file"
    cost = partial(_cost, tasks=combination)
    return {
        "source": source,
        "model": model,
        "about": model.about,
        "accuracies": {task: accuracy[task] for task in combination},
        "measured": measured,
        "dataset": dataset.name,
        "images": len(dataset.test),
        "checked": min(IMAGES, len(dataset.test)),
        "cost": cost(source.network),
        "cost_before": cost(source.merged) if source.merged else None,
    }


def _cost(network: GroupedNetwork, tasks: Sequence[str]) -> dict[str, int]:
    return {
        "FLOPs (paper's convention)": paper_flops(network, tasks),
        "MACs (fvcore)": macs(network.subnetwork(tasks), network.architecture.input_shape),
        "parameters": parameters(network, tasks),
    }
