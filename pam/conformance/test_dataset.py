"""What is asked of a data set; docstrings say how to comply."""

import hashlib
import json
from itertools import combinations
from pathlib import Path

import pytest
import torch

from pam.conformance.subject import Subject, check_refused, draw_before
from pam.data import MultitaskDataset, Split, data_hash, load, load_dataset, save_dataset
from pam.networks import build
from pam.source.code import code_hash

PARTS = ("train", "validation", "test")


def run(subject: Subject, **more: object) -> MultitaskDataset:
    """Load the data set with the options of the subject, and more."""
    return load(subject.name, subject.root, **subject.options, **more)


@pytest.fixture(scope="module")
def data(subject: Subject) -> MultitaskDataset:
    """The data set, loaded once."""
    draw_before(1)
    return run(subject)


@pytest.fixture(scope="module")
def parts(data: MultitaskDataset) -> dict[str, Split]:
    """Its three parts by name."""
    return {part: getattr(data, part) for part in PARTS}


def test_it_is_a_multitask_dataset(data: MultitaskDataset) -> None:
    """Take (root=None, *, ...); return MultitaskDataset(name, train, validation, test, ...)."""
    name = type(data).__name__
    assert isinstance(data, MultitaskDataset), f"it returns {name}, not a MultitaskDataset"


def test_it_carries_its_registered_name(data: MultitaskDataset, subject: Subject) -> None:
    """Set `name` to the registered name."""
    assert data.name == subject.name, f"the name of what it returns is '{data.name}'"


def test_labels_are_int8(parts: dict[str, Split]) -> None:
    """Call labels.to(torch.int8)."""
    for part, split in parts.items():
        assert split.labels.dtype == torch.int8, f"labels of {part} are {split.labels.dtype}"


def test_no_image_is_in_two_parts(parts: dict[str, Split]) -> None:
    """Split items, people or scenes first, and make every image from items of one part."""
    seen = {part: _fingerprints(split) for part, split in parts.items()}
    for one, other in combinations(PARTS, 2):
        common = len(seen[one] & seen[other])
        assert not common, f"{common} images of {one} are in {other} too"


def _fingerprints(split: Split) -> set[bytes]:
    images = split.images.cpu().contiguous()
    return {hashlib.sha256(image.numpy().tobytes()).digest() for image in images}


def test_every_label_varies_among_training_images(data: MultitaskDataset) -> None:
    """Leave out label columns that never change."""
    constant = (data.train.labels == data.train.labels[:1]).all(dim=0).tolist()
    for name, same in zip(data.label_names, constant, strict=True):
        assert not same, f"label '{name}' is the same for all training images"


def test_there_are_two_tasks_whose_names_a_network_takes(data: MultitaskDataset) -> None:
    """Name tasks with letters, digits and '_'; offer `tasks` as an option."""
    assert len(data.tasks) >= 2, f"the only tasks are {list(data.tasks)}"
    for task in data.tasks:
        build("lenet5", (1, 8, 8), 1, task=task)


def test_normalised_images_have_mean_0_and_deviation_1(data: MultitaskDataset) -> None:
    """Give mean and std per channel, of the training part, as fractions of 255."""
    some = data.normalise(data.train.images[:1000])
    mean, std = float(some.mean()), float(some.std())
    assert abs(mean) < 1 and 0.3 < std < 3, f"mean {mean:.2g}, standard deviation {std:.2g}"


def test_two_calls_give_the_same_bytes(
    data: MultitaskDataset, subject: Subject, tmp_path: Path
) -> None:
    """Draw from torch.Generator().manual_seed(derive_seed(..., seed)), not from the global one."""
    draw_before(2)
    same = save_dataset(data, tmp_path / "one") == save_dataset(run(subject), tmp_path / "two")
    assert same, "two calls give different data"


def test_it_is_stored_and_read_back_as_it_was(data: MultitaskDataset, tmp_path: Path) -> None:
    """Put nothing but dicts, lists, texts and numbers into `options`."""
    json.dumps(data.options)
    stored = save_dataset(data, tmp_path / "one")
    again = save_dataset(load_dataset(tmp_path / "one"), tmp_path / "two")
    same = stored == data_hash(tmp_path / "one") == again
    assert same, "what is read back is another data set"


def test_unknown_options_are_refused(subject: Subject) -> None:
    """Name every option in the signature, or raise ConfigError for the rest."""
    check_refused(lambda **more: run(subject, **more))


def test_the_workflow_finds_its_code(subject: Subject) -> None:
    """Write the name as text, @register("mine"), in a module that the entry point names."""
    code_hash("pam.stages.prepare", {"pam.data": subject.name})
