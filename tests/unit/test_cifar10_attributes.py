"""CIFAR-10's attributes, from pictures and from the binary version, at a tiny size."""

import hashlib
import tarfile
from itertools import combinations

import numpy as np
import pytest
import torch

import pam
from pam.data import cifar10_attributes as cifar
from pam.data.cifar10_attributes import ATTRIBUTES, BATCHES, CLASSES, DEFAULT_TASKS
from pam.source.modules import ROOT
from tests.picture_files import encode

SIZES = {"train": 60, "test": 20}


def pictures(split):
    """Classes (n,) and pixels, uint8 (n, 32, 32, 3), of a split."""
    draw = np.random.default_rng(len(split))
    n = SIZES[split]
    return np.arange(n) % 10, draw.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def shown(dataset, part):
    split = getattr(dataset, part)
    return [
        (image.numpy().tobytes(), label.numpy().tobytes())
        for image, label in zip(split.images, split.labels, strict=True)
    ]


@pytest.fixture
def binary(tmp_path):
    folder = tmp_path / "binary" / cifar.RECORDS
    folder.mkdir(parents=True)
    for split, names in BATCHES.items():
        classes, images = pictures(split)
        planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        records = np.concatenate([classes[:, None].astype(np.uint8), planes], axis=1)
        for name, batch in zip(names, np.split(records, len(names)), strict=True):
            (folder / name).write_bytes(batch.tobytes())
    return folder.parent


@pytest.fixture
def folder(tmp_path):
    for split in BATCHES:
        place = tmp_path / "pictures" / cifar.PICTURES / split
        (place / "images").mkdir(parents=True)
        # The columns in another order than CIFAR-10 numbers its classes.
        columns = sorted(CLASSES, reverse=True)
        lines = [",".join(["file", *columns])]
        for number, (label, image) in enumerate(zip(*pictures(split), strict=True)):
            (place / "images" / f"{number}.png").write_bytes(encode(image, "PNG"))
            has = ["01"[CLASSES[label] == name] for name in columns]
            lines.append(",".join([f"{number}.png", *has]))
        (place / "attributes.csv").write_text("\n".join(lines))
    return tmp_path / "pictures"


def load(root, **options):
    return pam.data.load("cifar10_attributes", root, **options)


def test_every_attribute_joins_classes_and_none_says_the_same_as_another():
    joined = [frozenset(members) for members in ATTRIBUTES.values()]
    assert all(members < set(CLASSES) and 2 <= len(members) <= 8 for members in joined)
    for one, other in combinations(joined, 2):
        assert one not in (other, set(CLASSES) - other)
    used = [name for names in DEFAULT_TASKS.values() for name in names]
    assert len(used) == len(set(used)) == 15
    assert all(len(names) == 3 for names in DEFAULT_TASKS.values())


def test_the_page_has_the_table_of_attributes():
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    for name, members in ATTRIBUTES.items():
        task = next((task for task, names in DEFAULT_TASKS.items() if name in names), "")
        assert f"| `{name}` | {task} | {', '.join(members)} | {10 * len(members)} % |" in page


def test_labels_follow_the_classes(binary):
    dataset = load(binary)
    classes, images = pictures("test")
    assert dataset.tasks == {task: [3 * i, 3 * i + 1, 3 * i + 2] for i, task in enumerate("ABCDE")}
    assert dataset.input_shape == (3, 32, 32)
    assert np.array_equal(dataset.test.images, images.transpose(0, 3, 1, 2))
    for column, members in enumerate(ATTRIBUTES.values()):
        due = [1 if CLASSES[label] in members else -1 for label in classes]
        assert dataset.test.labels[:, column].tolist() == due


def test_pictures_and_binary_version_give_the_same_data(binary, folder):
    options = {"train_images": 20, "validation_images": 5, "half": "second", "seed": 3}
    one, other = load(binary, **options), load(folder, **options)
    assert [len(one.train), len(one.validation), len(one.test)] == [20, 5, 20]
    for part in ("train", "validation", "test"):
        assert shown(one, part) == shown(other, part)


def test_halves_share_no_image(binary):
    halves = [load(binary, half=half) for half in ("first", "second")]
    first, second, whole = (
        set(shown(dataset, "train") + shown(dataset, "validation"))
        for dataset in (*halves, load(binary))
    )
    assert not first & second
    assert first | second == whole
    assert [len(d.train) for d in halves] == [24, 24]


def test_the_archive_is_read_in_place_and_checked(binary, monkeypatch):
    archive = binary / cifar.ARCHIVE
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(binary / cifar.RECORDS, cifar.RECORDS)
    unpacked = load(binary)
    (binary / cifar.RECORDS).rename(binary / "away")
    with pytest.raises(pam.DataError, match=r"cifar-10-binary\.tar\.gz is damaged .* md5"):
        load(binary)
    monkeypatch.setattr(cifar, "MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert torch.equal(load(binary).train.images, unpacked.train.images)


def test_what_is_missing_or_damaged_is_named(binary, folder, tmp_path):
    with pytest.raises(pam.DataError, match="neither cifar10_attributes/ nor cifar-10-binary"):
        load(tmp_path)
    batch = binary / cifar.RECORDS / "data_batch_2.bin"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(pam.DataError, match=r"data_batch_2\.bin is damaged: 36875 bytes"):
        load(binary)
    batch.write_bytes(b"\x0a" + bytes(3072))
    with pytest.raises(pam.DataError, match=r"data_batch_2\.bin is damaged: it has a class above"):
        load(binary)
    batch.unlink()
    with pytest.raises(pam.DataError, match=r"data_batch_2\.bin does not exist"):
        load(binary)
    table = folder / cifar.PICTURES / "train" / "attributes.csv"
    table.write_text(table.read_text().replace("\n1.png,0,0", "\n1.png,1,1"))
    with pytest.raises(pam.DataError, match="line 3: an image of 3 classes, not of 1"):
        load(folder)
    table.write_text("file,cat\n0.png,1\n")
    with pytest.raises(pam.DataError, match="must have one column per class: airplane"):
        load(folder)
    with pytest.raises(pam.ConfigError, match="task 'A' names the column 'horns'"):
        load(folder, tasks={"A": ["horns"]})
