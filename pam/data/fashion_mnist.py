"""Strips of Fashion-MNIST items (Xiao, Rasul and Vollgraf, 2017), the paper's first data set."""

import gzip
import struct
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from pam.data.dataset import MultitaskDataset
from pam.data.download import fetch
from pam.data.registry import register
from pam.data.strips import ItemSource, StripOptions, Tile, make_dataset, strip_size
from pam.errors import DataError
from pam.files import DEFAULT_ROOT
from pam.ranges import Count, Fraction, Whole
from pam.torchvision_shim import torchvision

CLASS_NAMES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
_PREFIXES = ("train", "t10k")
_UBYTE = 0x08
_MOST_BYTES = 2**28
"""Of an unpacked file; those of Fashion-MNIST have 47 MB at most."""


@register(
    "fashion_mnist",
    title="Fashion-MNIST",
    paper="Xiao, Rasul and Vollgraf, 2017",
    tasks=("A", "B"),
    train_size="train_strips",
    forecast=strip_size,
)
def fashion_mnist(
    root: Path | None = None,
    *,
    download: bool = False,
    tile: Tile = 28,
    train_strips: Count = 15_000,
    validation_strips: Count = 3_000,
    test_strips: Count = 5_000,
    items_per_strip: Count = 4,
    validation_fraction: Fraction = 0.2,
    seed: Whole = 0,
    tasks: Mapping[str, list[int]] | None = None,
) -> MultitaskDataset:
    """Return strips of Fashion-MNIST items; test strips show only its 10,000 test items.

    Args:
        root: folder that has (or gets) ``FashionMNIST/raw``, as torchvision lays it out; by
            default the folder ``data`` of the working folder.
        download: fetch what is missing, from where torchvision says it is.
        tile: height and width of an item in a strip, in pixels; the paper's is 124.
        train_strips: strips of the training part.
        validation_strips: strips of the validation part.
        test_strips: strips of the test part.
        items_per_strip: items side by side.
        validation_fraction: share of the 60,000 training items that are for validation.
        seed: decides the validation items and which items meet in a strip.
        tasks: task name -> classes; by default ``A`` has 0-4 and ``B`` 5-9, as in the paper.

    Raises:
        ConfigError: if an option is outside its range.
        DataError: if a file is missing or damaged, or the download fails.
    """
    counts = train_strips, validation_strips, test_strips
    options = StripOptions(tile, *counts, items_per_strip, validation_fraction, seed)
    source = fashion_items(DEFAULT_ROOT if root is None else root, download=download)
    return make_dataset("fashion_mnist", source, options, tasks)


def fashion_items(root: Path, *, download: bool = False) -> ItemSource:
    """Return the single items, the training items first, then the test items.

    Raises:
        DataError: if a file is missing or damaged, or the download fails.
    """
    raw = root / "FashionMNIST" / "raw"
    if download:
        _fetch(raw)
    (images, classes), (test_images, test_classes) = (_read_items(raw, p) for p in _PREFIXES)
    if test_images.shape[1:] != images.shape[1:]:
        raise DataError(
            f"the items in {raw} are of different sizes: {tuple(images.shape[1:])} and "
            f"{tuple(test_images.shape[1:])}; delete it and download it again (download: true)"
        )
    return ItemSource(
        torch.cat([images, test_images]),
        torch.cat([classes, test_classes]),
        CLASS_NAMES,
        torch.arange(len(images)),
        torch.arange(len(images), len(images) + len(test_images)),
    )


def _fetch(raw: Path) -> None:
    """Download the files that are missing."""
    published = torchvision().datasets.FashionMNIST
    for name, md5 in published.resources:
        if (raw / name).with_suffix("").is_file():
            continue
        try:
            fetch([f"{mirror}{name}" for mirror in published.mirrors], raw / name, md5)
        except DataError as error:
            raise DataError(
                f"{error}; or pass --root FOLDER where FOLDER/FashionMNIST/raw holds Fashion-MNIST"
            ) from error


def _read_items(raw: Path, prefix: str) -> tuple[Tensor, Tensor]:
    """Return the images, uint8 (items, height, width), and classes, int64 (items,), of a part."""
    image_file, label_file = (
        raw / f"{prefix}-images-idx3-ubyte",
        raw / f"{prefix}-labels-idx1-ubyte",
    )
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if len(images) != len(labels):
        raise DataError(
            f"{image_file} has {len(images)} images but {label_file} has {len(labels)} labels; "
            f"delete both and download them again (download: true)"
        )
    if int(labels.max()) >= len(CLASS_NAMES):
        raise DataError(f"{label_file} has a class above {len(CLASS_NAMES) - 1}")
    return images, labels.to(torch.int64)


def read_idx(path: Path, dimensions: int) -> Tensor:
    """Return the unsigned bytes in an idx file, the format of MNIST and its relatives.

    The header is a big-endian magic number (two zero bytes, the type 0x08, the number of
    dimensions) and one 32-bit size per dimension; then follows one byte per element.

    Args:
        path: an idx file; if there is none, the same name with ``.gz`` behind it is unpacked.
        dimensions: number of dimensions that the file should have.

    Raises:
        DataError: if the file is missing, is no such file, is empty, or is cut short or has bytes
            left over.
    """
    packed = path.with_name(f"{path.name}.gz")
    remedy = "delete it and download it again (download: true)"
    start = 4 * (1 + dimensions)
    try:
        if path.exists() or not packed.exists():
            content = path.read_bytes()
        else:
            path = packed
            with gzip.open(packed) as file:
                content = file.read(_MOST_BYTES)
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist; pass download: true to fetch Fashion-MNIST, or "
            f"--root FOLDER where FOLDER/FashionMNIST/raw holds it"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}; {remedy}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) < start or content[:4] != bytes([0, 0, _UBYTE, dimensions]):
        raise DataError(
            f"{path} is damaged: it has no idx header with {dimensions} dimensions; {remedy}"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) != start + prod(shape) or not prod(shape):
        raise DataError(
            f"{path} is damaged: {len(content)} bytes, but its header announces "
            f"{start + prod(shape)}; {remedy}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[start:].view(shape)
