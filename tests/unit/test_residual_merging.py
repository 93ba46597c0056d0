"""Merging residual networks without retraining: what must not change, and what is refused."""

import pytest
import torch

from pam.errors import ConfigError
from pam.merging import merge
from pam.networks import build
from tests.small import STILL, make_data


@pytest.fixture
def data():
    return make_data(tasks="ABC")


@pytest.fixture
def networks(data):
    made = {}
    for seed, (task, columns) in enumerate(data.tasks.items()):
        network = build(
            "resnet18", data.input_shape, len(columns), task=task, seed=seed, width=0.06
        )
        images = data.normalise(data.train.images)
        with torch.no_grad():
            network.train()(images)
        made[task] = network.eval()
    return made


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("none", {}),
        ("all_shared", {"retrain": STILL}),
        ("pam", {"retrain": STILL, "alpha": 0, "removed": "share", "samples": 24}),
    ],
)
def test_moving_units_together_keeps_every_output(method, options, networks, data):
    images = data.normalise(data.test.images)
    merged = merge(networks, method, data, **options)
    scores = merged(images)
    for task, network in networks.items():
        torch.testing.assert_close(scores[task], network(images)[task], atol=1e-4, rtol=0)


def test_layerwise_search_is_refused(networks, data):
    with pytest.raises(ConfigError, match="follow one another"):
        merge(networks, "pam", data, samples=24, layerwise=True, retrain=STILL)
