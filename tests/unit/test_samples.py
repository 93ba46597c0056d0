"""The picture grid of a data set."""

from dataclasses import replace

import pytest
import torch

from pam.cli.main import main
from pam.cli.samples import MOST_ROWS, choose, draw_samples, make_title, side_by_side
from pam.data import Split, load, save_dataset
from tests.small import make_data


def tiny_faces():
    sizes = {"train_images": 40, "validation_images": 2, "test_images": 2}
    return load("cartoon_faces", size=16, **sizes)


def test_a_grid_is_written_the_same_twice_and_nothing_else(tmp_path):
    save_dataset(tiny_faces(), tmp_path / "data")
    paths = [tmp_path / "pictures" / name for name in ("one.png", "two.png")]
    for path in paths:
        assert main(["samples", "--data", str(tmp_path / "data"), "--out", str(path)]) == 0
    one, two = (path.read_bytes() for path in paths)
    assert one == two and one.startswith(b"\x89PNG")
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["one.png", "two.png"]


@pytest.mark.parametrize("title", [None, "People"])
def test_drawn_faces_are_always_called_synthetic(title):
    data = tiny_faces()
    figure = draw_samples(data, title)
    assert "synthetic" in figure.get_suptitle()
    assert figure.get_suptitle().startswith(title or "cartoon_faces")
    assert "synthetic" not in make_title(make_data(), title)


def test_one_named_row_per_label_of_at_most_twenty():
    data = make_data()
    rows = [axes.get_ylabel() for axes in draw_samples(data).axes]
    assert [name for name in rows if name] == data.label_names
    wide = {
        part: Split(split.images, split.labels.repeat(1, 5))
        for part, split in (("train", data.train), ("validation", data.validation))
    }
    many = replace(data, **wide, test=wide["validation"], label_names=[f"l{i}" for i in range(25)])
    figure = draw_samples(many)
    assert len(figure.axes) == 2 * MOST_ROWS
    assert figure.get_suptitle().endswith("first 20 of 25 labels")


def test_images_are_chosen_by_their_label():
    images = torch.arange(30, dtype=torch.uint8).view(30, 1, 1, 1)
    labels = torch.tensor([[1, -1, 1]] * 2 + [[-1, -1, -1]] * 28, dtype=torch.int8)
    split = Split(images, labels)
    assert choose(split, 0, 1).flatten().tolist() == [0, 1]
    assert choose(split, 0, -1).flatten().tolist() == [2, 3, 4, 5]
    assert choose(split, 1, -1).flatten().tolist() == [4, 5, 6, 7]
    assert choose(split, 1, 1).shape == (0, 1, 1, 1)


def test_missing_images_leave_white_ground_and_grey_becomes_colour():
    row = side_by_side(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))
    assert row.shape == (8, 4 * 8 + 3, 3)
    assert not row[:, :8].any() and bool((row[:, 8] == 255).all()) and not row[:, 9:17].any()
    assert bool((row[:, 17:] == 255).all())
    assert bool((side_by_side(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)) == 255).all())
