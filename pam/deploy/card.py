"""The card of an exported file: what it answers, how well, at what cost, and its origin."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import yaml

from pam.cost import macs, paper_flops, parameters
from pam.data import MultitaskDataset
from pam.deploy.exported import Model
from pam.deploy.source import Source
from pam.files import file_hash
from pam.networks import GroupedNetwork
from pam.runs.machine import environment

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


class TaskResult(NamedTuple):
    """Accuracy on the test part: of a file, of always answering no, of the single-task network.

    The last one is None if it is not known.
    """

    task: str
    accuracy: float
    always_no: float
    single_task: float | None


def card_of(path: Path) -> Path:
    """Return the card of a file; of another format in the same folder it is another one."""
    return path.with_name(f"{path.name}.md")


def model_card(
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


def _cost(network: GroupedNetwork, tasks: Sequence[str]) -> dict[str, int]:
    return {
        "FLOPs (paper's convention)": paper_flops(network, tasks),
        "MACs (fvcore)": macs(network.subnetwork(tasks), network.architecture.input_shape),
        "parameters": parameters(network, tasks),
    }


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
