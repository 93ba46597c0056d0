"""Strips of Fashion-MNIST items (Xiao, Rasul and Vollgraf, 2017), the paper's first data set."""

import gzip
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from pam.data.dataset import MultitaskDataset
from pam.data.download import fetch
from pam.data.idx import check_idx
from pam.data.registry import register
from pam.data.strips import ItemSource, StripOptions, Tile, make_dataset, strip_size
from pam.errors import DataError
from pam.files import atomic_path
from pam.ranges import Count, Fraction, Whole
from pam.runs.raw_data import DEFAULT_ROOT
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
    options = StripOptions(
        tile=tile,
        train_strips=train_strips,
        validation_strips=validation_strips,
        test_strips=test_strips,
        items_per_strip=items_per_strip,
        validation_fraction=validation_fraction,
        seed=seed,
    )
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
    _check_files(raw)
    try:
        train, test = (
            torchvision().datasets.FashionMNIST(str(root), train=train) for train in (True, False)
        )
        images = torch.cat([train.data, test.data])
        classes = torch.cat([train.targets, test.targets]).to(torch.int64)
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"Fashion-MNIST cannot be read from {raw}: {error}; pass --root FOLDER where "
            f"FOLDER/FashionMNIST/raw holds it"
        ) from error
    if int(classes.max()) >= len(CLASS_NAMES):
        raise DataError(f"a label file in {raw} has a class above {len(CLASS_NAMES) - 1}")
    indices = torch.arange(len(images))
    n_train = len(train.data)
    return ItemSource(images, classes, CLASS_NAMES, indices[:n_train], indices[n_train:])


def _fetch(raw: Path) -> None:
    """Download and unpack the files that are missing."""
    published = torchvision().datasets.FashionMNIST
    for name, md5 in published.resources:
        unpacked = raw / Path(name).stem
        if unpacked.is_file():
            continue
        try:
            fetch([f"{mirror}{name}" for mirror in published.mirrors], raw / name, md5)
        except DataError as error:
            raise DataError(
                f"{error}; or pass --root FOLDER where FOLDER/FashionMNIST/raw holds Fashion-MNIST"
            ) from error
        with (
            atomic_path(unpacked) as temporary,
            gzip.open(raw / name) as packed,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file)


def _check_files(raw: Path) -> None:
    """Refuse missing files and damaged ones."""
    for prefix in _PREFIXES:
        images, labels = raw / f"{prefix}-images-idx3-ubyte", raw / f"{prefix}-labels-idx1-ubyte"
        counts = {}
        for path, dimensions in ((images, 3), (labels, 1)):
            if path.is_file():
                counts[path] = check_idx(path, dimensions)[0]
            else:
                raise DataError(
                    f"{path} does not exist; pass download: true to fetch Fashion-MNIST, or "
                    f"--root FOLDER where FOLDER/FashionMNIST/raw holds it"
                )
        if len(set(counts.values())) > 1:
            raise DataError(
                f"{images} has {counts[images]} images but {labels} has {counts[labels]} labels; "
                f"delete both and download them again (download: true)"
            )
