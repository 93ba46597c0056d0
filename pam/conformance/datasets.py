"""What is asked of a data set."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from pam.conformance.checklist import (
    NAME_OPTIONS,
    SEED_ALL,
    WRITE_NAME,
    Checklist,
    ensure,
    ensure_refused,
)
from pam.data import MultitaskDataset, Split, data_hash, load, load_dataset, save_dataset
from pam.networks import build
from pam.provenance import code_hash

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class DatasetCase:
    """A data set under examination.

    Attributes:
        name: registered name.
        options: passed to it.
        root: folder of its raw files, if it has any.
    """

    name: str
    options: Mapping[str, Any]
    root: str | None = None

    def load(self, **more: Any) -> MultitaskDataset:
        """Make the data set."""
        return load(self.name, self.root, **self.options, **more)

    @cached_property
    def data(self) -> MultitaskDataset:
        """The data set, made once."""
        return self.load()

    @property
    def parts(self) -> dict[str, Split]:
        """Its three parts by name."""
        return {part: getattr(self.data, part) for part in PARTS}


DATASET: Checklist[DatasetCase] = Checklist()
check = DATASET.check


@check("take (root=None, *, ...) and return MultitaskDataset(name, train, validation, test, ...)")
def makes_a_dataset(case: DatasetCase) -> None:
    """It makes a MultitaskDataset: uint8 images and labels -1 or +1."""
    made = type(case.data).__name__
    ensure(isinstance(case.data, MultitaskDataset), f"it returns {made}, not a MultitaskDataset")


@check("set `name` to the registered name")
def carries_its_name(case: DatasetCase) -> None:
    """It carries the name it is registered under."""
    ensure(case.data.name == case.name, f"the name of what it returns is '{case.data.name}'")


@check("call labels.to(torch.int8)")
def labels_are_int8(case: DatasetCase) -> None:
    """Labels are int8."""
    for part, split in case.parts.items():
        ensure(split.labels.dtype == torch.int8, f"labels of {part} are {split.labels.dtype}")


@check("split items, people or scenes first, and make every image from items of one part")
def parts_are_disjoint(case: DatasetCase) -> None:
    """No image is in two parts."""
    seen = {part: _fingerprints(split) for part, split in case.parts.items()}
    for one, other in combinations(PARTS, 2):
        common = len(seen[one] & seen[other])
        ensure(not common, f"{common} images of {one} are in {other} too")


@check("leave out label columns that never change")
def labels_vary(case: DatasetCase) -> None:
    """Every label is +1 for some training images and -1 for others."""
    labels = case.data.train.labels
    constant = (labels == labels[:1]).all(dim=0).tolist()
    names = [n for n, still in zip(case.data.label_names, constant, strict=True) if still]
    ensure(not names, f"label '{names[0] if names else ''}' is the same for all training images")


@check("name tasks with letters, digits and '_'; offer `tasks` as an option")
def has_tasks(case: DatasetCase) -> None:
    """There are at least two tasks, and a network takes their names."""
    ensure(len(case.data.tasks) >= 2, f"the only tasks are {list(case.data.tasks)}")
    for task in case.data.tasks:
        build("lenet5", (1, 8, 8), 1, task=task)


@check("give mean and std per channel, of the training part, as fractions of 255")
def is_normalised(case: DatasetCase) -> None:
    """Normalised training images have a mean near 0 and a standard deviation near 1."""
    some = case.data.normalise(case.data.train.images[:1000])
    mean, std = float(some.mean()), float(some.std())
    ensure(abs(mean) < 1 and 0.3 < std < 3, f"mean {mean:.2g}, standard deviation {std:.2g}")


@check(SEED_ALL)
def is_deterministic(case: DatasetCase) -> None:
    """Making it twice gives the same bytes, whatever was drawn before."""
    hashes = []
    for state in (1, 2):
        torch.manual_seed(state)
        np.random.seed(state)
        random.seed(state)
        with TemporaryDirectory() as folder:
            hashes.append(save_dataset(case.load(), folder))
    ensure(hashes[0] == hashes[1], "two calls give different data")


@check("put nothing but dicts, lists, texts and numbers into `options`")
def saves(case: DatasetCase) -> None:
    """It is stored and read back as it was."""
    json.dumps(case.data.options)
    with TemporaryDirectory() as folder:
        stored = save_dataset(case.data, folder)
        back = load_dataset(folder)
        again = save_dataset(back, Path(folder) / "again")
        ensure(stored == data_hash(folder) == again, "what is read back is another data set")


@check(NAME_OPTIONS)
def refuses_unknown_options(case: DatasetCase) -> None:
    """An unknown option is refused with a ConfigError."""
    ensure_refused(case.load)


@check(WRITE_NAME)
def code_is_found(case: DatasetCase) -> None:
    """The workflow finds its code, so that a change of it runs its cells again."""
    code_hash("prepare", dataset=case.name)


def _fingerprints(split: Split) -> set[bytes]:
    images = split.images.cpu().contiguous()
    return {hashlib.sha256(image.numpy().tobytes()).digest() for image in images}
