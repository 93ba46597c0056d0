"""From a network to files that run elsewhere: written, checked, timed, and each with its card."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import pam
from pam.cost import Spread, time_interleaved, torch_threads
from pam.data import MultitaskDataset
from pam.deploy.card import card_of, model_card
from pam.deploy.exported import FORMATS, About, Model, format_module, open_trusted
from pam.deploy.exported import IMAGES as INPUT
from pam.deploy.source import Source
from pam.deploy.state_dict_file import STEPS
from pam.errors import ConfigError, DataError, ShapeError
from pam.files import atomic_path, read_meta
from pam.networks import GroupedNetwork
from pam.runs.paths import NETWORK

TOLERANCE = 1e-5
"""Largest difference between a score of a file and the network's."""

IMAGES = 64
"""How many test images a file is compared on, one at a time and all at once."""


class Exported(NamedTuple):
    """A file that was written, its card, and how far its scores are from the network's."""

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
        out: a folder for files like ``<name>-A+C.onnx``, or, if it ends as files of the format
            do, the file of the only combination.
        rounds: of timing one image.
        threads: of timing.

    Raises:
        ConfigError: if ``out`` is a file of another format, or one file for several combinations,
            if a file would replace a network, or any tensors, that no export wrote, or if a task
            is called as the input is.
        DataError: if a file differs from the network, or cannot be written; it is not kept.
        ShapeError: if the network does not fit the data set.
    """
    paths = [_path(Path(out), format, source.name, one) for one in combinations]
    _check_out(Path(out), format, paths)
    _check_fit(source.network, dataset)
    network = source.network.eval()
    if INPUT in network.tasks:
        raise ConfigError(
            f"{source.name} has a task called '{INPUT}', as the input of an exported network is; "
            "give it another name"
        )
    some = [task for task in network.tasks if any(task in one for one in combinations)]
    pack = format_module(format).packer(network, some)
    for combination, path in zip(combinations, paths, strict=True):
        about = About(
            input_shape=dataset.input_shape,
            mean=dataset.mean,
            std=dataset.std,
            tasks={t: [dataset.label_names[i] for i in dataset.tasks[t]] for t in combination},
            version=pam.__version__,
            origin={**source.origin, "combination": "&".join(combination)},
        )
        card = card_of(path)
        with atomic_path(path) as temporary, atomic_path(card) as temporary_card:
            temporary.write_bytes(pack(combination, about))
            model = open_trusted(temporary, format, threads)
            difference = _check(model, network, dataset, path)
            text = model_card(
                source,
                dataset,
                model,
                temporary,
                format=format,
                file=path.name,
                difference=difference,
                timing=_time(model, rounds, threads),
                rounds=rounds,
                threads=threads,
                checked=min(IMAGES, len(dataset.test)),
            )
            temporary_card.write_text(text, encoding="utf-8")
        yield Exported(path, card, difference)


def _path(out: Path, format: str, name: str, combination: Sequence[str]) -> Path:
    if out.suffix == FORMATS[format]:
        return out
    return out / f"{name}-{'+'.join(combination)}{FORMATS[format]}"


def _check_out(out: Path, format: str, paths: Sequence[Path]) -> None:
    if out.suffix == FORMATS[format] and len(paths) > 1:
        raise ConfigError(f"--out {out} is one file, but --combination all makes {len(paths)}")
    for other, suffix in FORMATS.items():
        if other != format and out.suffix == suffix:
            raise ConfigError(f"--out {out} ends as files of {other}, but --format is {format}")
    for path in paths:
        if path.suffix == NETWORK and path.is_file() and not _is_exported(path):
            raise ConfigError(
                f"--out would overwrite {path}, which is no exported file; name another"
            )


def _is_exported(path: Path) -> bool:
    try:
        return STEPS in read_meta(path)
    except DataError:
        return False


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


def _check(model: Model, network: GroupedNetwork, dataset: MultitaskDataset, path: Path) -> float:
    """Return the largest difference between the scores of a file and those of its network.

    Both see the same batches of test images; the file gets pixels. ``path`` is for the error.
    """
    largest = 0.0
    for size in (1, IMAGES):
        batches = dataset.test.images[:IMAGES].split(size)
        made = [model.scores(batch.numpy()) for batch in batches]
        with torch.inference_mode():
            wanted = [
                network(dataset.normalise(batch), list(model.about.tasks)) for batch in batches
            ]
        for task in model.about.tasks:
            differences = [
                np.abs(ours[task] - theirs[task].numpy()).max()
                for ours, theirs in zip(made, wanted, strict=True)
            ]
            difference = float(np.max(differences))
            # A score that is no number must not pass.
            if not difference <= TOLERANCE:
                raise DataError(
                    f"{path} is not kept: at batch size {size} a score of task '{task}' differs "
                    f"from the network's by {difference:.1e}, more than {TOLERANCE:.0e}"
                )
            largest = max(largest, difference)
    return largest


def _time(model: Model, rounds: int, threads: int) -> Spread:
    """Return how long a file takes for one image; ONNX Runtime got its threads before."""
    shape = (1, *model.about.input_shape)
    image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with torch_threads(threads), torch.inference_mode():
        times = time_interleaved({"file": lambda: model.run(image)}, rounds=rounds)
    return times["file"].spread
