"""Prepared data come back as they went to disk, or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import pam
import pam.files
from pam.data import MultitaskDataset, Split, data_hash, load_dataset, save_dataset
from tests.examples import examples

FILES = ("train.safetensors", "validation.safetensors", "test.safetensors", "dataset.json")


def random_split(seed: int, n: int, channels: int = 2) -> Split:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, channels, 3, 4), generator=generator).to(torch.uint8)
    labels = torch.randint(0, 2, (n, 3), generator=generator).to(torch.int8) * 2 - 1
    return Split(images, labels)


@pytest.fixture
def dataset() -> MultitaskDataset:
    return MultitaskDataset(
        name="random",
        train=random_split(0, 7),
        validation=random_split(1, 3),
        test=random_split(2, 5),
        tasks={"Z": [0, 1], "A": [1, 2]},
        label_names=["red", "green", "blue"],
        mean=[0.1, 1 / 3],
        std=[1.0, 0.25],
        options={"seed": 3, "tile": 28},
    )


@pytest.fixture
def folder(dataset: MultitaskDataset, tmp_path: Path) -> Path:
    save_dataset(dataset, tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("verify", [True, False])
def test_round_trip(dataset: MultitaskDataset, folder: Path, verify: bool) -> None:
    loaded = load_dataset(folder, verify=verify)
    for part in ("train", "validation", "test"):
        before, after = getattr(dataset, part), getattr(loaded, part)
        assert (after.images.dtype, after.labels.dtype) == (torch.uint8, torch.int8)
        assert torch.equal(after.images, before.images)
        assert torch.equal(after.labels, before.labels)
    assert list(loaded.tasks.items()) == list(dataset.tasks.items())
    for name in ("name", "label_names", "mean", "std", "options"):
        assert getattr(loaded, name) == getattr(dataset, name)


def test_same_data_give_the_same_bytes(dataset: MultitaskDataset, tmp_path: Path) -> None:
    first = save_dataset(dataset, tmp_path / "a")
    assert save_dataset(dataset, tmp_path / "b") == first == data_hash(tmp_path / "a")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_hash_changes_with_every_field(dataset: MultitaskDataset, tmp_path: Path) -> None:
    images = dataset.test.images.clone()
    images[0, 0, 0, 0] ^= 1
    variants = [
        dataset,
        replace(dataset, test=Split(images, dataset.test.labels)),
        replace(dataset, validation=Split(dataset.validation.images, -dataset.validation.labels)),
        replace(dataset, tasks={"A": [1, 2], "Z": [0, 1]}),
        replace(dataset, tasks={"Z": [0], "A": [1, 2]}),
        replace(dataset, label_names=["red", "green", "grey"]),
        replace(dataset, mean=[0.1, 0.3]),
        replace(dataset, std=[1.0, 0.5]),
        replace(dataset, options={"seed": 4, "tile": 28}),
    ]
    hashes = [save_dataset(variant, tmp_path / str(i)) for i, variant in enumerate(variants)]
    assert len(set(hashes)) == len(variants)


def test_record_counts_samples_and_labels(dataset: MultitaskDataset, folder: Path) -> None:
    parts = pam.files.read_json(folder / "dataset.json")["parts"]
    for part in ("train", "validation", "test"):
        labels = getattr(dataset, part).labels.tolist()
        assert parts[part]["samples"] == len(labels)
        expected = [sum(row[c] == 1 for row in labels) / len(labels) for c in range(3)]
        assert parts[part]["label_frequencies"] == pytest.approx(expected)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(pam.DataError) as caught:
        load_dataset(folder)
    assert str(folder / name) in str(caught.value)
    assert "pam prepare" in str(caught.value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("verify", [True, False])
def test_truncated_file_is_named(folder: Path, name: str, share: float, verify: bool) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(pam.DataError) as caught:
        load_dataset(folder, verify=verify)
    assert str(folder / name) in str(caught.value)


@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", ["train.safetensors", "test.safetensors"])
def test_any_flipped_bit_is_found(folder: Path, name: str, position: float, bit: int) -> None:
    path = folder / name
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[int(position * len(content))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        with pytest.raises(pam.DataError) as caught:
            load_dataset(folder)
        assert str(path) in str(caught.value)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("before", "after"), [('"A"', '"B"'), ("0.25", "0.26"), ("green", "greed"), ("28", "29")]
)
def test_changed_record_is_refused(folder: Path, before: str, after: str) -> None:
    path = folder / "dataset.json"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    for read in (load_dataset, data_hash):
        with pytest.raises(pam.DataError, match=r"dataset\.json is damaged"):
            read(folder)


@pytest.mark.parametrize("text", ["[]", "{}", "null", "not json", '{"data_hash": 1}'])
def test_record_of_another_kind_is_refused(folder: Path, text: str) -> None:
    (folder / "dataset.json").write_text(text)
    with pytest.raises(pam.DataError, match=r"dataset\.json"):
        data_hash(folder)


def test_file_of_another_data_set_is_refused(
    dataset: MultitaskDataset, folder: Path, tmp_path: Path
) -> None:
    save_dataset(replace(dataset, test=random_split(9, 5)), tmp_path / "other")
    (folder / "test.safetensors").write_bytes((tmp_path / "other/test.safetensors").read_bytes())
    with pytest.raises(pam.DataError, match=r"test\.safetensors does not belong"):
        load_dataset(folder, verify=False)


def test_file_that_cannot_be_written_is_named(dataset: MultitaskDataset, tmp_path: Path) -> None:
    (tmp_path / "train.safetensors").mkdir()
    with pytest.raises(pam.DataError, match=r"cannot write .*train\.safetensors"):
        save_dataset(dataset, tmp_path)


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"test": random_split(2, 5, channels=1)}, pam.ShapeError, "different shapes"),
        ({"mean": [0.1]}, pam.ShapeError, "mean and std"),
        ({"std": [1.0, 0.0]}, pam.DataError, "std"),
        ({"tasks": {}}, pam.DataError, "no tasks"),
        ({"tasks": {"A": [3]}}, pam.ShapeError, "'A'"),
        ({"label_names": ["one"]}, pam.ShapeError, "1 label names"),
    ],
)
def test_inconsistent_data_set_is_refused(
    dataset: MultitaskDataset, changes: dict, error: type[pam.PamError], named: str
) -> None:
    with pytest.raises(error, match=named):
        replace(dataset, **changes)
