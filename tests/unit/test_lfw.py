"""Labeled Faces in the Wild in its real on-disk formats, at a tiny size."""

import hashlib
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pam
from pam.data.lfw import split_people
from pam.torchvision_shim import torchvision
from tests.picture_files import decode, encode, pixels, refused, same_data, smaller, write_tar

NAMES = [f"Attribute {i}" for i in range(73)]
PEOPLE = {f"Given{i} Al Name-{i}": 1 + i % 3 for i in range(20)}
IMAGES = [(person, number) for person in PEOPLE for number in range(1, PEOPLE[person] + 1)]
HEADER = "# LFW attributes, version 1\n#\tperson\timagenum\t" + "\t".join(NAMES) + "\n"


def score(row, column):
    return 0.0 if (row + column) % 7 == 0 else ((row * 5 + column * 3) % 11 - 5.5) / 3


def file_of(person, number):
    name = person.replace(" ", "_")
    return f"{name}/{name}_{number:04d}.jpg"


def contents():
    return {file_of(*image): encode(pixels(i, 250, 250)) for i, image in enumerate(IMAGES)}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "lfw-py"
    rows = [
        "\t".join([person, str(number), *(repr(score(i, c)) for c in range(73))])
        for i, (person, number) in enumerate(IMAGES)
    ]
    for file, content in contents().items():
        path = folder / "lfw-deepfunneled" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "lfw_attributes.txt").write_text(HEADER + "\n".join(rows) + "\n")
    return tmp_path


@pytest.fixture
def packed_root(tmp_path_factory, root, monkeypatch):
    """The same images in the archive, beside the same attributes."""
    folder = tmp_path_factory.mktemp("packed") / "lfw-py"
    folder.mkdir()
    text = (root / "lfw-py" / "lfw_attributes.txt").read_text()
    (folder / "lfw_attributes.txt").write_text(text)
    path = folder / "lfw-deepfunneled.tgz"
    write_tar(path, "lfw-deepfunneled", dict(reversed(contents().items())))
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    entry = {"deepfunneled": ("lfw-deepfunneled", path.name, md5)}
    monkeypatch.setattr(torchvision().datasets.LFWPeople, "file_dict", entry)
    return folder.parent


def rewrite(root, old, new):
    path = root / "lfw-py" / "lfw_attributes.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def rows_of(dataset):
    """Part -> rows of the attribute file, told by their labels."""
    labels = {tuple(1 if score(i, c) > 0 else -1 for c in range(73)): i for i in range(len(IMAGES))}
    assert len(labels) == len(IMAGES)
    parts = ("train", "validation", "test")
    return {p: [labels[tuple(row)] for row in getattr(dataset, p).labels.tolist()] for p in parts}


def test_five_tasks_and_every_image_once(root):
    dataset = pam.data.load("lfw", root)
    assert dataset.input_shape == (3, 72, 72)
    assert [len(columns) for columns in dataset.tasks.values()] == [15, 15, 15, 15, 13]
    assert list(chain(*dataset.tasks.values())) == list(range(73))
    assert dataset.label_names == NAMES
    rows = rows_of(dataset)
    assert sorted(chain(*rows.values())) == list(range(len(IMAGES)))
    assert all(found == sorted(found) for found in rows.values())


def test_no_person_is_in_two_parts_and_the_seed_moves_none_into_the_test(root):
    people = []
    for seed in (0, 1):
        rows = rows_of(pam.data.load("lfw", root, seed=seed))
        people.append({part: {IMAGES[i][0] for i in found} for part, found in rows.items()})
        assert sum(len(those) for those in people[-1].values()) == len(PEOPLE)
    assert [len(people[0][part]) for part in ("train", "validation", "test")] == [13, 3, 4]
    assert people[0]["test"] == people[1]["test"]
    assert people[0]["validation"] != people[1]["validation"]


@given(
    people=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 5),
)
def test_people_are_split_without_loss(people, fraction, seed):
    parts = split_people(people, fraction, seed)
    assert sorted(torch.cat(list(parts.values())).tolist()) == list(range(len(people)))
    whose = [{people[i] for i in rows.tolist()} for rows in parts.values()]
    assert sum(map(len, whose)) == len(set(people))


def test_images_are_the_centre_made_smaller(root):
    dataset = pam.data.load("lfw", root, crop=100, size=25)
    for image, row in zip(dataset.test.images, rows_of(dataset)["test"], strict=True):
        centre = decode(encode(pixels(row, 250, 250)))[:, 75:175, 75:175]
        assert float((smaller(centre, 25) - image).abs().max()) <= 1.01


def test_the_archive_is_read_as_the_folder(root, packed_root):
    unpacked, packed = (pam.data.load("lfw", one, size=24) for one in (root, packed_root))
    assert same_data(packed, unpacked)
    names = sorted(path.name for path in (packed_root / "lfw-py").iterdir())
    assert names == ["lfw-deepfunneled.tgz", "lfw_attributes.txt"]


def test_another_archive_is_refused(packed_root):
    path = packed_root / "lfw-py" / "lfw-deepfunneled.tgz"
    path.write_bytes(path.read_bytes()[:-1])
    assert f"{path} is damaged or another file" in refused("lfw", packed_root)
    path.unlink()
    assert "fetch lfw-deepfunneled.tgz" in refused("lfw", packed_root)


def test_fewer_images_are_among_more(root):
    two, five = (rows_of(pam.data.load("lfw", root, size=8, train_images=n)) for n in (2, 5))
    assert len(two["train"]) == 2 and len(five["train"]) == 5
    assert set(two["train"]) < set(five["train"])
    assert two["test"] == five["test"]


def test_names_without_a_comment_sign_are_found(root):
    expected = pam.data.load("lfw", root, size=8)
    rewrite(root, "#\tperson", "person")
    assert torch.equal(pam.data.load("lfw", root, size=8).train.labels, expected.train.labels)


def test_the_attribute_file_is_explained_when_missing(root):
    path = root / "lfw-py" / "lfw_attributes.txt"
    path.unlink()
    said = refused("lfw", root)
    assert f"{path} does not exist" in said and "Kumar et al." in said and "put it there" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("imagenum", "image", "no line of names"),
        ("\tAttribute 5\t", "\t", "names 72 attributes, not 73"),
        ("Given0 Al Name-0\t1", "Given0 Al Name-0\tone", "line 3: not a person"),
        ("Given0 Al Name-0\t1\t0.0", "Given0 Al Name-0\t1\tmale", "line 3: not a person"),
        ("Given0 Al Name-0\t1\t0.0", "Given0 Al Name-0\t1\tnan", "line 3: a score is not finite"),
        ("Given0 Al Name-0\t1\t0.0", "Given0 Al Name-0\t1", "line 3: 72 values"),
        ("Given0 Al Name-0\t1\t", "Given0 Al Name-0\n", "line 3: not a person"),
        ("Given1 Al Name-1\t2", "Given1 Al Name-1\t1", "is already in line 4"),
        ("Given1 Al Name-1\t2", "Given1 Al Name-1\t9", "Given1_Al_Name-1_0009.jpg does not exist"),
    ],
)
def test_bad_lines_are_named(root, old, new, said):
    rewrite(root, old, new)
    found = refused("lfw", root, size=8)
    assert said in found and "lfw_attributes.txt" in found


def test_undecodable_and_small_images_are_named(root):
    path = root / "lfw-py" / "lfw-deepfunneled" / file_of(*IMAGES[4])
    path.write_bytes(b"\xff\xd8 no more")
    assert f"{path} cannot be decoded as an image" in refused("lfw", root)
    path.write_bytes(encode(pixels(0, 250, 100)))
    assert f"{path} is 100 x 250 pixels, too small to crop to 150" in refused("lfw", root)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"validation_images": 10_000}, "'validation_images' is 10000"),
        ({"tasks": {"A": [73]}}, "label column 73"),
    ],
)
def test_bad_options_are_named(root, options, named):
    assert named in refused("lfw", root, pam.ConfigError, **options)
