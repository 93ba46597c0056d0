"""CelebA in its real on-disk formats, at a tiny size."""

import hashlib
import shutil
import zipfile

import pytest
import torch

import pam
from pam.data.celeba import read_attributes
from pam.torchvision_shim import torchvision
from tests.picture_files import decode, encode, pixels, refused, same_data, smaller

NAMES = [f"Attribute_{i}" for i in range(40)]
PARTITION = [0, 0, 2, 1, 0, 1, 2, 0]
FILES = [f"{i + 1:06d}.jpg" for i in range(len(PARTITION))]
ATTRIBUTES, SPLITS = "list_attr_celeba.txt", "list_eval_partition.txt"


def value(row, column):
    return 1 if (row * 7 + column * 3) % 5 < 2 else -1


def bless(monkeypatch, folder):
    """Let torchvision know the files of a folder as the true ones."""
    found = [
        (f"id of {path.name}", hashlib.md5(path.read_bytes()).hexdigest(), path.name)
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    monkeypatch.setattr(torchvision().datasets.CelebA, "file_list", found)


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "celeba"
    folder.mkdir()
    rows = [
        "  ".join([file, *(f"{value(i, c):2d}" for c in range(40))]) for i, file in enumerate(FILES)
    ]
    text = "\n".join([str(len(FILES)), " ".join(NAMES) + " ", *rows, ""])
    (folder / ATTRIBUTES).write_text(text)
    partition = "".join(f"{file} {part}\n" for file, part in zip(FILES, PARTITION, strict=True))
    (folder / SPLITS).write_text(partition)
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for i, file in enumerate(FILES):
            archive.writestr(f"img_align_celeba/{file}", encode(pixels(i, 218, 178)))
    bless(monkeypatch, folder)
    return tmp_path


def unpack(root):
    with zipfile.ZipFile(root / "celeba" / "img_align_celeba.zip") as archive:
        archive.extractall(root / "celeba")
    (root / "celeba" / "img_align_celeba.zip").unlink()
    return root / "celeba" / "img_align_celeba"


def edit(root, monkeypatch, name, old, new):
    path = root / "celeba" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    bless(monkeypatch, path.parent)


def test_the_official_parts_with_their_labels(root):
    dataset = pam.data.load("celeba", root)
    assert dataset.input_shape == (3, 72, 72)
    assert dataset.tasks == {"A": list(range(20)), "B": list(range(20, 40))}
    assert dataset.label_names == NAMES
    for number, part in enumerate(("train", "validation", "test")):
        rows = [i for i, found in enumerate(PARTITION) if found == number]
        expected = [[value(row, column) for column in range(40)] for row in rows]
        assert getattr(dataset, part).labels.tolist() == expected


def test_images_are_the_whole_faces_made_smaller(root):
    images = pam.data.load("celeba", root).test.images
    for image, row in zip(images, (2, 6), strict=True):
        whole = decode(encode(pixels(row, 218, 178)))
        assert float((smaller(whole, 72) - image).abs().max()) <= 1.01


def test_normalisation_is_that_of_the_training_part(root):
    dataset = pam.data.load("celeba", root)
    train = dataset.normalise(dataset.train.images).double()
    assert train.mean((0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-5)
    assert train.std((0, 2, 3), correction=0).tolist() == pytest.approx([1] * 3, abs=1e-5)


def test_a_folder_of_images_and_the_archive_are_the_same(root):
    packed = pam.data.load("celeba", root)
    unpack(root)
    assert same_data(packed, pam.data.load("celeba", root))


def test_the_first_images_of_each_part(root):
    whole = pam.data.load("celeba", root, size=24)
    few = pam.data.load("celeba", root, size=24, train_images=2, test_images=1)
    assert [len(few.train), len(few.validation), len(few.test)] == [2, 2, 1]
    assert torch.equal(few.train.images, whole.train.images[:2])
    assert torch.equal(few.test.labels, whole.test.labels[:1])
    sizes = {"train_images": 2, "validation_images": None, "test_images": 1}
    assert few.options == {"size": 24, **sizes}


def test_download_fetches_only_what_is_missing(root, tmp_path_factory, monkeypatch):
    server = tmp_path_factory.mktemp("server")
    shutil.copytree(root / "celeba", server, dirs_exist_ok=True)
    (root / "celeba" / "img_align_celeba.zip").unlink()
    fetched = []

    def fetch(file_id, folder, name, md5):
        if not (root / "celeba" / name).is_file():
            shutil.copy(server / name, folder)
            fetched.append((file_id, name))

    utils = torchvision().datasets.utils
    monkeypatch.setattr(utils, "download_file_from_google_drive", fetch)
    dataset = pam.data.load("celeba", root, download=True)
    assert fetched == [("id of img_align_celeba.zip", "img_align_celeba.zip")]
    assert len(dataset.train) == 4


def test_a_refused_download_says_what_to_fetch_by_hand(root, monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("Too many users have\nviewed this file")

    utils = torchvision().datasets.utils
    monkeypatch.setattr(utils, "download_file_from_google_drive", refuse)
    said = refused("celeba", root, download=True)
    assert "Too many users have viewed this file" in said
    assert f"fetch {ATTRIBUTES} in a browser" in said and str(root / "celeba") in said


@pytest.mark.parametrize("name", [ATTRIBUTES, SPLITS, "img_align_celeba.zip"])
def test_missing_and_damaged_files_are_named(root, name):
    path = root / "celeba" / name
    path.write_bytes(path.read_bytes() + b" ")
    assert f"{path} is damaged or another file" in refused("celeba", root)
    path.unlink()
    said = refused("celeba", root)
    assert f"{path} does not exist; pass download: true, or fetch {name} in a browser" in said


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (ATTRIBUTES, "Attribute_0 ", "", "line 2: 39 attribute names, not 40"),
        (ATTRIBUTES, "Attribute_0 ", "Attribute_1 ", "attributes 1 and 2 are both called"),
        (ATTRIBUTES, "000003.jpg", "000002.jpg", "line 5: 000002.jpg is already in line 4"),
        (ATTRIBUTES, "000002.jpg", "000002.jpg 1", "line 4: 41 values for the 40 attributes"),
        (ATTRIBUTES, "000002.jpg", "000002.jpg 0", "line 4: the value '0' is neither -1 nor 1"),
        (ATTRIBUTES, "8\n", "9\n", "announces 9 images but has 8"),
        (ATTRIBUTES, "000002.jpg", "x.jpg", "does not name x.jpg"),
        (SPLITS, "000004.jpg 1", "000004.jpg 3", "line 4: not an image and its part"),
        (SPLITS, "000004.jpg 1\n", "", "does not name 000004.jpg"),
        (SPLITS, "000004.jpg 1", "000003.jpg 1", "line 4: 000003.jpg is already in line 3"),
    ],
)
def test_bad_lines_are_named(root, monkeypatch, name, old, new, said):
    edit(root, monkeypatch, name, old, new)
    found = refused("celeba", root)
    assert said in found and name in found


def test_an_attribute_file_without_lines(tmp_path):
    (tmp_path / ATTRIBUTES).write_text("")
    with pytest.raises(pam.DataError, match="line 2: 0 attribute names"):
        read_attributes(tmp_path / ATTRIBUTES)


def test_a_part_without_images(root, monkeypatch):
    for file in ("000004.jpg", "000006.jpg"):
        edit(root, monkeypatch, SPLITS, f"{file} 1", f"{file} 0")
    assert "the validation part has no images" in refused("celeba", root)


def test_missing_and_undecodable_images_are_named(root):
    image = unpack(root) / "000003.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    assert f"{image} cannot be decoded as an image" in refused("celeba", root)
    image.unlink()
    said = refused("celeba", root)
    assert f"line 5: {image} does not exist" in said and ATTRIBUTES in said


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"train_images": 5}, "'train_images' is 5, but the train part has only 4 images"),
        ({"tasks": {"A": [40]}}, "label column 40"),
        ({"crop": 3}, "'crop'"),
    ],
)
def test_bad_options_are_named(root, options, named):
    assert named in refused("celeba", root, pam.ConfigError, **options)
