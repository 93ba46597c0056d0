"""Cartoon faces as a data set: parts, tasks, options, normalisation."""

import re

import numpy as np
import pytest
import torch

from pam.config.loading import known_tasks
from pam.data import data_hash, load, load_dataset, save_dataset
from pam.data.cartoon_drawing import ATTRIBUTES
from pam.data.dataset import channel_statistics
from pam.errors import ConfigError

PARTS = ("train", "validation", "test")
SMALL = {"size": 16, "train_images": 70, "validation_images": 30, "test_images": 20}


def faces(**options):
    return load("cartoon_faces", **(SMALL | options))


def test_shapes_and_default_tasks():
    data = faces()
    assert [len(getattr(data, part)) for part in PARTS] == [70, 30, 20]
    assert data.input_shape == (3, 16, 16)
    assert data.label_names == list(ATTRIBUTES)
    assert len(set(ATTRIBUTES)) == 15
    assert {task: len(columns) for task, columns in data.tasks.items()} == dict.fromkeys("ABCDE", 3)
    assert [column for columns in data.tasks.values() for column in columns] == list(range(15))


def test_same_seed_same_bytes(tmp_path):
    hashes = [save_dataset(faces(seed=seed), tmp_path / str(n)) for n, seed in enumerate((3, 3, 4))]
    assert hashes[0] == hashes[1] != hashes[2]
    assert data_hash(tmp_path / "0") == hashes[0]
    again = load_dataset(tmp_path / "0")
    assert torch.equal(again.train.images, faces(seed=3).train.images)


def test_parts_are_independent():
    data = faces(validation_images=70, test_images=70)
    labels = [getattr(data, part).labels.float() for part in PARTS]
    for one in range(3):
        for other in range(one):
            agreement = float((labels[one] == labels[other]).float().mean())
            assert abs(agreement - 0.5) < 0.1


def test_size_noise_and_correlation_change_only_what_they_say():
    plain = faces(correlation=0.0)
    for changed in (faces(correlation=0.0, size=24), faces(correlation=0.0, noise=0.0)):
        assert torch.equal(changed.test.labels, plain.test.labels)
        assert changed.test.images.shape != plain.test.images.shape or not torch.equal(
            changed.test.images, plain.test.images
        )
    assert not torch.equal(faces(correlation=0.9).test.labels, plain.test.labels)


def test_noise_has_the_stated_strength():
    clean, noisy = faces(noise=0.0).train.images, faces(noise=0.1).train.images
    difference = noisy.double() - clean.double()
    # Far from black and white, where nothing is cut off.
    inner = (clean > 80) & (clean < 175)
    assert float(difference[inner].std() / 255) == pytest.approx(0.1, rel=0.05)


def test_tasks_by_name_by_column_and_with_common_attributes():
    named = faces(tasks={"A": ["hat", "earrings"], "B": ["earrings", "hat"], "same": ["hat", 14]})
    assert named.tasks == {"A": [0, 14], "B": [14, 0], "same": [0, 14]}
    a, b = (named.task_labels(named.train, task) for task in "AB")
    assert torch.equal(a, b.flip(1))
    assert torch.equal(named.train.images, faces().train.images)


@pytest.mark.parametrize("quarters", range(5))
def test_tasks_that_overlap_have_so_many_labels_in_common(quarters):
    data = faces(overlap=quarters / 4, correlation=0.0)
    assert list(data.tasks) == ["A", "B"]
    assert [len(set(columns)) for columns in data.tasks.values()] == [4, 4]
    assert len({*data.tasks["A"]} & {*data.tasks["B"]}) == quarters
    assert torch.equal(data.train.images, faces(correlation=0.0).train.images)
    if quarters == 4:
        assert data.tasks["A"] == data.tasks["B"]


def test_a_configuration_knows_the_tasks_that_overlap():
    assert known_tasks("cartoon_faces", {"overlap": 0.5}) == ["A", "B"]
    assert known_tasks("cartoon_faces", {}) == list("ABCDE")


def test_options_that_are_not_given_leave_no_trace():
    assert "overlap" not in faces().options
    assert faces(overlap=0.5).options["overlap"] == 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"correlation": float("nan")}, "correlation: must be less than 1, not nan"),
        ({"tasks": {"A": ["hut"]}}, "option 'tasks': task 'A' names the column 'hut'; known: hat"),
        ({"tasks": {"A": ["hat", 0]}}, "option 'tasks': task 'A' names a label column twice"),
        ({"tasks": {"A": "hat"}}, "tasks.A: must be a list, not 'hat'"),
        ({"tasks": ["hat"]}, "tasks: must be a mapping of keys to values, not ['hat']"),
        ({"tasks": {"A": [15]}}, "is outside 0..14"),
        ({"overlap": 0.3}, "overlap: must be a multiple of 0.25, not 0.3"),
        ({"overlap": 0, "tasks": {"A": [1]}}, "options 'overlap' and 'tasks' both name the tasks"),
    ],
)
def test_bad_options_are_named(options, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        faces(**options)


def test_normalisation_is_exact():
    data = faces(train_images=300)
    pixels = data.train.images.numpy().astype(np.float64) / 255
    assert data.mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-12)
    assert data.std == pytest.approx(pixels.std((0, 2, 3)), rel=1e-12)
    normal = data.normalise(data.train.images).double()
    assert normal.mean((0, 2, 3)).numpy() == pytest.approx(np.zeros(3), abs=1e-5)
    assert normal.std((0, 2, 3), correction=0).numpy() == pytest.approx(np.ones(3), abs=1e-5)


def test_statistics_of_one_colour():
    images = torch.tensor([51, 102, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(4, 3, 2, 2)
    assert channel_statistics(images) == ([0.2, 0.4, 1.0], [0.0, 0.0, 0.0])
