"""From a network to files that run elsewhere: written, checked, and each with its card."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
import yaml

import pam
from pam.cost import macs, paper_flops, parameters
from pam.data import MultitaskDataset
from pam.deploy.measuring import IMAGES, accuracies, check, time_model
from pam.deploy.model import FORMATS, About, Model, format_module, open_trusted
from pam.deploy.source import Source
from pam.errors import ConfigError, ShapeError
from pam.files import atomic_path, file_hash
from pam.networks import GroupedNetwork
from pam.runs.machine import environment

_TEMPLATES = Path(__file__).parent / "templates"
_CELL = ("experiment", "dataset", "architecture", "task", "merging", "pruning", "strength", "seed")
_HASHES = {
    "network_sha256": "tensors of the source network",
    "data_hash": "data set",
    "config_hash": "configuration",
    "code_hash": "code that made the network",
}


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
        ConfigError: if ``out`` is a file of another format, or one file for several combinations.
        DataError: if a file differs from the network, or cannot be written; it is not kept.
        ShapeError: if the network does not fit the data set.
    """
    _check_out(Path(out), format, len(combinations))
    _check_fit(source.network, dataset)
    network = source.network.eval()
    some = {task for combination in combinations for task in combination}
    pack = format_module(format).packer(network, [task for task in network.tasks if task in some])
    for combination in combinations:
        path = path_of(out, format, source.name, combination)
        about, card = _about(source, dataset, combination), card_of(path)
        with atomic_path(path) as temporary, atomic_path(card) as temporary_card:
            temporary.write_bytes(pack(combination, about))
            model = open_trusted(temporary, format, threads)
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
            temporary_card.write_text(_card(facts), encoding="utf-8")
        yield Exported(path, card, difference)


def path_of(out: str | Path, format: str, name: str, combination: Iterable[str]) -> Path:
    """Return the file of a combination: ``out`` itself, or ``<name>-A+C`` in the folder ``out``."""
    out = Path(out)
    if out.suffix == FORMATS[format]:
        return out
    return out / f"{name}-{'+'.join(combination)}{FORMATS[format]}"


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


def _card(facts: Mapping[str, Any]) -> str:
    """Return the card of a file as Markdown."""
    written: Path = facts["written"]
    source, machine = facts["source"], environment()
    origin = source.origin
    template = _templates().get_template("card.md")
    return template.render(
        **facts,
        bytes=written.stat().st_size,
        sha256=file_hash(written),
        cell={name: origin[name] for name in _CELL if origin.get(name) not in (None, "")},
        hashes={said: origin[name] for name, said in _HASHES.items() if origin.get(name)},
        config=_yaml(source.config) if source.config else None,
        machine=machine,
        date=datetime.now(UTC).date().isoformat(),
    )


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, default_flow_style=None, width=100).strip()


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
