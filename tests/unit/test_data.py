"""Data sets by name: digits, Fashion-MNIST, their options and their errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pam
from pam.data.dataset import DISAGREEMENT, drop_error
from pam.data.digits import digit_items
from pam.data.fashion_mnist import CLASS_NAMES, fashion_items
from pam.data.strips import StripOptions, choose_items
from tests.picture_files import fashion_files, idx

SMALL = {"train_strips": 40, "validation_strips": 10, "test_strips": 20}
SIZES = TRAIN, TEST = 400, 120


@pytest.fixture
def fashion_root(tmp_path: Path) -> Path:
    """A tiny Fashion-MNIST of random items in the layout and format of the real one."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in fashion_files(*SIZES).items():
        (raw / name).write_bytes(content)
    return tmp_path


def test_importing_the_package_imports_neither_torchvision_nor_sklearn() -> None:
    code = "import sys, pam.data; print({'torchvision', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_torchvision_can_be_imported() -> None:
    from pam.torchvision_shim import torchvision

    assert torchvision().datasets.FashionMNIST.__name__ == "FashionMNIST"
    assert torchvision() is sys.modules["torchvision"]


def test_the_error_of_a_drop_is_that_of_simulated_networks() -> None:
    dataset = pam.data.load("digits", **{**SMALL, "validation_strips": 400})
    shape = (2000, 400, 5)
    differ = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    # Wrong only after pruning, right only after it, or the same: a drop of one point.
    lost = (differ < DISAGREEMENT / 2 + 0.005).float()
    won = (differ > 1 - DISAGREEMENT / 2 + 0.005).float()
    drops = 100 * (lost - won).mean((1, 2))
    assert float(drops.mean()) == pytest.approx(1, abs=0.05)
    assert drop_error(dataset) == pytest.approx(float(drops.std()), rel=0.05)


def test_digits_by_default() -> None:
    dataset = pam.data.load("digits")
    assert dataset.input_shape == (1, 16, 64)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [4000, 1000, 2000]
    assert dataset.tasks == {"A": [0, 1, 2, 3, 4], "B": [5, 6, 7, 8, 9]}
    assert dataset.label_names == [str(digit) for digit in range(10)]
    assert dataset.options["tile"] == 16
    # Four items of ten classes: a class is present with probability near 1 - 0.9^4 = 0.344.
    present = (dataset.train.labels == 1).double().mean(0)
    assert float((present - 0.344).abs().max()) < 0.03
    # Dark ink on white ground.
    assert dataset.mean[0] > 0.5
    assert int(dataset.train.images[:, :, 0, 0].max()) == 255


def test_digits_use_the_full_grey_range() -> None:
    images = digit_items().images
    assert (int(images.min()), int(images.max())) == (0, 255)


def test_test_items_of_digits_do_not_depend_on_the_seed() -> None:
    source, again = digit_items(), digit_items()
    assert torch.equal(source.test, again.test)
    assert not set(source.test.tolist()) & set(source.pool.tolist())
    assert len(source.test) + len(source.pool) == 1797
    first, other = (pam.data.load("digits", seed=seed, **SMALL) for seed in (1, 2))
    assert not torch.equal(first.test.images, other.test.images)


def test_tile_enlarges_and_items_per_strip_widens() -> None:
    dataset = pam.data.load("digits", tile=28, items_per_strip=3, **SMALL)
    assert dataset.input_shape == (1, 28, 84)


def test_tasks_may_be_chosen_and_may_overlap() -> None:
    tasks = {"even": [0, 2, 4, 6, 8], "small": [0, 1, 2], "C": [9]}
    dataset = pam.data.load("digits", tasks=tasks, **SMALL)
    assert list(dataset.tasks.items()) == list(tasks.items())
    expected = dataset.test.labels[:, [0, 1, 2]]
    assert torch.equal(dataset.task_labels(dataset.test, "small"), expected)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tiles": 28}, "'tiles'; did you mean 'tile'"),
        ({"colour": 1}, "'colour'; known: tile, train_strips"),
        ({"tile": 28.0}, "digits.tile: must be"),
        ({"tile": True}, "digits.tile: must be"),
        ({"tile": "28"}, "digits.tile: must be"),
        ({"test_strips": None}, "digits.test_strips: must be"),
        ({"items_per_strip": 1000}, "option 'items_per_strip' is 1000"),
        ({"validation_fraction": float("nan")}, "digits.validation_fraction: must be"),
        ({"validation_fraction": "half"}, "digits.validation_fraction: must be"),
        ({"validation_fraction": 1e-6}, "validation part has only 0 items"),
        ({"tasks": {}}, "option 'tasks' must map"),
        ({"tasks": [0, 1]}, "digits.tasks: must be"),
        ({"tasks": {"A": []}}, "'A'"),
        ({"tasks": {"A": 3}}, "digits.tasks.A: must be a list"),
        ({"tasks": {"A": [0, 10]}}, "label column 10"),
        ({"tasks": {"A": [-1]}}, "label column -1"),
        ({"tasks": {"A": [1, 1]}}, "twice"),
        ({"tasks": {"A": ["1"]}}, "digits.tasks.A[0]: must be a whole number, not '1'"),
        ({"tasks": {"A&B": [1]}}, "'A&B'"),
        ({"tasks": {"shared": [1]}}, "'shared'"),
        ({"tasks": {1: [1]}}, "1 cannot be the name"),
    ],
)
def test_bad_options_are_named(options: dict, named: str) -> None:
    with pytest.raises(pam.ConfigError) as caught:
        pam.data.load("digits", **options)
    assert named in str(caught.value)


def test_a_registered_dataset_is_found_and_its_options_checked(request) -> None:
    def make(root: Path | None, *, size: int, scale: int = 1) -> tuple:
        return root, size, scale

    pam.data.register("registered_here")(make)
    # Other tests of this process list the registry.
    request.addfinalizer(lambda: pam.data.DATASETS._entries.pop("registered_here"))
    assert pam.data.load("registered_here", "folder", size=3) == (Path("folder"), 3, 1)
    with pytest.raises(pam.ConfigError, match="needs the option 'size'"):
        pam.data.load("registered_here")
    with pytest.raises(
        pam.ConfigError,
        match=r"unknown option of data\.registered_here 'sizes'; did you mean 'size'",
    ):
        pam.data.load("registered_here", size=3, sizes=3)


def test_fashion_mnist_from_idx_files(fashion_root: Path) -> None:
    dataset = pam.data.load("fashion_mnist", str(fashion_root), **SMALL)
    assert dataset.input_shape == (1, 28, 112)
    assert dataset.label_names == CLASS_NAMES
    assert dataset.tasks == {"A": [0, 1, 2, 3, 4], "B": [5, 6, 7, 8, 9]}
    assert "download" not in dataset.options
    source = fashion_items(fashion_root)
    strips = choose_items(source, StripOptions(**dataset.options))
    assert int(strips["train"].max()) < TRAIN <= int(strips["test"].min())
    first = source.images[strips["test"][0, 0]]
    assert torch.equal(dataset.test.images[0, 0, :, :28], 255 - first)


@pytest.mark.parametrize("part", ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3"])
def test_missing_file_names_itself_and_the_way_out(fashion_root: Path, part: str) -> None:
    path = fashion_root / "FashionMNIST" / "raw" / f"{part}-ubyte"
    path.unlink()
    with pytest.raises(pam.DataError) as caught:
        pam.data.load("fashion_mnist", fashion_root, **SMALL)
    for text in (str(path), "download: true", "--root"):
        assert text in str(caught.value)


def test_without_a_root_the_folder_data_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pam.DataError, match="data/FashionMNIST/raw/train-images"):
        pam.data.load("fashion_mnist")


@pytest.mark.parametrize("part", ["train-images-idx3", "t10k-images-idx3", "t10k-labels-idx1"])
@pytest.mark.parametrize("keep", [0, 3, 10, -1])
def test_truncated_file_names_itself_and_the_way_out(
    fashion_root: Path, part: str, keep: int
) -> None:
    path = fashion_root / "FashionMNIST" / "raw" / f"{part}-ubyte"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(pam.DataError) as caught:
        pam.data.load("fashion_mnist", fashion_root, **SMALL)
    for text in (str(path), "damaged", "delete it"):
        assert text in str(caught.value)


NINES = torch.full((TRAIN,), 9, dtype=torch.uint8)
WRONG = {
    "another kind": ("t10k-images-idx3", NINES, "t10k-images-idx3-ubyte is damaged"),
    "another count": ("train-labels-idx1", NINES[:399], "400 images but .* has 399 labels"),
    "another size": (
        "t10k-images-idx3",
        NINES[:TEST, None, None].expand(-1, 20, 20),
        "are of different sizes",
    ),
    "a class above nine": ("train-labels-idx1", NINES + 1, "class above 9"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_does_not_fit_is_refused(fashion_root: Path, name: str) -> None:
    part, values, says = WRONG[name]
    (fashion_root / "FashionMNIST" / "raw" / f"{part}-ubyte").write_bytes(idx(values))
    with pytest.raises(pam.DataError, match=says):
        pam.data.load("fashion_mnist", fashion_root, **SMALL)


def test_download_must_be_a_truth_value(fashion_root: Path) -> None:
    with pytest.raises(pam.ConfigError, match="download: must be true or false"):
        pam.data.load("fashion_mnist", fashion_root, download="yes")


def test_failed_download_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pam.torchvision_shim import torchvision

    monkeypatch.setattr(torchvision().datasets.FashionMNIST, "mirrors", [])
    monkeypatch.setattr(torchvision().datasets.FashionMNIST, "resources", [("absent.gz", "0")])
    with pytest.raises(pam.DataError, match="--root FOLDER"):
        pam.data.load("fashion_mnist", tmp_path, download=True)


@pytest.mark.skipif("PAM_DATA" not in os.environ, reason="PAM_DATA names no folder of real data")
def test_real_fashion_mnist() -> None:
    dataset = pam.data.load("fashion_mnist", os.environ["PAM_DATA"], **SMALL)
    # The mean ink of Fashion-MNIST is 0.286, so inverted items have a mean near 0.714.
    assert dataset.mean[0] == pytest.approx(0.714, abs=0.03)
    source = fashion_items(Path(os.environ["PAM_DATA"]))
    assert torch.bincount(source.classes[source.test]).tolist() == [1000] * 10
    assert len(source.pool) == 60_000
