"""Data sets with several binary labels, their labels split into tasks."""

from pam.data import (  # noqa: F401 - their import registers them
    cartoon_faces,
    celeba,
    cifar10_attributes,
    digits,
    fashion_mnist,
    image_attributes,
    lfw,
)
from pam.data.dataset import MultitaskDataset, Split
from pam.data.registry import DATASETS, load, register
from pam.data.store import data_hash, load_dataset, save_dataset

__all__ = [
    "DATASETS",
    "MultitaskDataset",
    "Split",
    "data_hash",
    "load",
    "load_dataset",
    "register",
    "save_dataset",
]
