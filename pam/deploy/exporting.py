"""From a network to files that run elsewhere: written, checked, timed, and each with its card."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import torch
import yaml

import pam
from pam.cost import Spread, macs, paper_flops, parameters, time_interleaved, torch_threads
from pam.data import MultitaskDataset
from pam.deploy.model import FORMATS, About, Model, format_module, open_trusted
from pam.deploy.model import IMAGES as INPUT
from pam.deploy.source import Source
from pam.errors import ConfigError, DataError, ShapeError
from pam.files import atomic_path, file_hash
from pam.networks import GroupedNetwork
from pam.runs.machine import environment

TOLERANCE = 1e-5
"""Largest difference between a score of a file and the network's."""

IMAGES = 64
"""How many test images a file is compared on, one at a time and all at once."""

_BATCH = 128
_TEMPLATES = Path(__file__).parent / "templates"
_CELL = ("experiment", "dataset", "architecture", "task", "merging", "pruning", "strength", "seed")
_LIBRARIES = {"onnx": "onnx", "pt2": "pytorch", "state_dict": "safetensors"}
"""What Hugging Face calls the library of a format."""

_HASHES = {
    "network_sha256": "tensors of the source network",
    "data_hash": "data set",
    "config_hash": "configuration",
    "code_hash": "code that made the network",
}


class Exported(NamedTuple):
    """A file that was written, its card, and how far its scores are from the network's."""

    path: Path
    card: Path
    difference: float


class TaskResult(NamedTuple):
    """Accuracy on the test part: of a file, of always answering no, of the single-task network.

    The last one is None if it is not known.
    """

    task: str
    accuracy: float
    always_no: float
    single_task: float | None


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
            or if a task is called as the input is.
        DataError: if a file differs from the network, or cannot be written; it is not kept.
        ShapeError: if the network does not fit the data set.
    """
    _check_out(Path(out), format, len(combinations))
    _check_fit(source.network, dataset)
    network = source.network.eval()
    if INPUT in network.tasks:
        raise ConfigError(
            f"{source.name} has a task called '{INPUT}', as the input of an exported network is; "
            "give it another name"
        )
    some = [task for task in network.tasks if any(task in one for one in combinations)]
    pack = format_module(format).packer(network, some)
    for combination in combinations:
        path = Path(out)
        if path.suffix != FORMATS[format]:
            path /= f"{source.name}-{'+'.join(combination)}{FORMATS[format]}"
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
            text = _card(
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
            )
            temporary_card.write_text(text, encoding="utf-8")
        yield Exported(path, card, difference)


def card_of(path: Path) -> Path:
    """Return the card of a file; of another format in the same folder it is another one."""
    return path.with_name(f"{path.name}.md")


def _check_out(out: Path, format: str, files: int) -> None:
    if out.suffix == FORMATS[format] and files > 1:
        raise ConfigError(f"--out {out} is one file, but --combination all makes {files}")
    for other, suffix in FORMATS.items():
        if other != format and out.suffix == suffix:
            raise ConfigError(f"--out {out} ends as files of {other}, but --format is {format}")


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


def _accuracies(model: Model, dataset: MultitaskDataset) -> dict[str, float]:
    """Return task -> accuracy of a file on the test part, as :func:`pam.cost.task_accuracy`."""
    right = dict.fromkeys(model.about.tasks, 0)
    split = dataset.test
    batches = zip(split.images.split(_BATCH), split.labels.split(_BATCH), strict=True)
    for images, labels in batches:
        for task, score in model.scores(images.numpy()).items():
            wanted = labels[:, dataset.tasks[task]].numpy()
            right[task] += int((score * wanted > 0).sum())
    return {task: n / (len(split) * len(dataset.tasks[task])) for task, n in right.items()}


def _time(model: Model, rounds: int, threads: int) -> Spread:
    """Return how long a file takes for one image; ONNX Runtime got its threads before."""
    shape = (1, *model.about.input_shape)
    image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with torch_threads(threads), torch.inference_mode():
        times = time_interleaved({"file": lambda: model.run(image)}, rounds=rounds)
    return times["file"].spread


def _cost(network: GroupedNetwork, tasks: Sequence[str]) -> dict[str, int]:
    return {
        "FLOPs (paper's convention)": paper_flops(network, tasks),
        "MACs (fvcore)": macs(network.subnetwork(tasks), network.architecture.input_shape),
        "parameters": parameters(network, tasks),
    }


def _card(
    source: Source, dataset: MultitaskDataset, model: Model, written: Path, **making: Any
) -> str:
    """Return the card of a file as Markdown; ``making`` is how it was made and checked."""
    combination, origin = list(model.about.tasks), source.origin
    if set(combination) <= source.accuracies.keys():
        accuracy, measured = source.accuracies, source.measured_in
    else:
        accuracy, measured = _accuracies(model, dataset), "measured with this file"
    config = dict(source.config or {})
    absent = {task: dataset.test.labels[:, dataset.tasks[task]] < 0 for task in combination}
    results = [
        TaskResult(task, accuracy[task], float(no.double().mean()), source.single_task.get(task))
        for task, no in absent.items()
    ]
    return (
        _templates()
        .get_template("card.md")
        .render(
            **making,
            model=model,
            about=model.about,
            results=results,
            header=_header(making["format"], making["file"], dataset.name, results),
            measured=measured,
            dataset=dataset.name,
            images=len(dataset.test),
            checked=min(IMAGES, len(dataset.test)),
            cost=_cost(source.network, combination),
            cost_before=_cost(source.merged, combination) if source.merged else None,
            bytes=written.stat().st_size,
            sha256=file_hash(written),
            cell={name: origin[name] for name in _CELL if origin.get(name) not in (None, "")},
            hashes={said: origin[name] for name, said in _HASHES.items() if origin.get(name)},
            config=yaml.safe_dump(
                config, sort_keys=False, default_flow_style=None, width=100
            ).strip()
            if config
            else None,
            machine=environment(),
            date=datetime.now(UTC).date().isoformat(),
        )
    )


def _header(format: str, file: str, dataset: str, results: Sequence[TaskResult]) -> str:
    """Return what Hugging Face reads of a card, as YAML."""
    measured = [
        {
            "task": {"type": "image-classification", "name": f"task {result.task}"},
            "dataset": {"type": dataset, "name": dataset, "split": "test"},
            "metrics": [{"type": "accuracy", "value": round(result.accuracy, 6)}],
        }
        for result in results
    ]
    header = {
        "license": "apache-2.0",
        "library_name": _LIBRARIES[format],
        "pipeline_tag": "image-classification",
        "tags": ["multitask", "network-merging", "network-pruning", "pam-bench"],
        "metrics": ["accuracy"],
        "model-index": [{"name": file, "results": measured}],
    }
    return yaml.safe_dump(header, sort_keys=False).strip()


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A bar would end the cell of a table.
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|")
    return environment
