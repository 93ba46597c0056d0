"""Every combination of a random network, in the formats of torch, opened again: the same scores."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given

from pam.deploy import FORMATS, About
from pam.deploy.exported import format_module, open_trusted
from tests.examples import examples
from tests.random_networks import images_for, networks, residual_architectures


def about(network, combination):
    labels = {task: [f"{task}{i}" for i in range(network.tasks[task])] for task in combination}
    channels = network.architecture.input_shape[0]
    shape = network.architecture.input_shape
    return About(shape, [0.5] * channels, [0.25] * channels, labels, "0")


def check_format(network, name):
    pack = format_module(name).packer(network, list(network.tasks))
    images = images_for(network, samples=3)
    with TemporaryDirectory() as folder:
        for combination in network.combinations():
            said = about(network, combination)
            path = Path(folder, f"{'+'.join(combination)}{FORMATS[name]}")
            path.write_bytes(pack(combination, said))
            model = open_trusted(path, name)
            assert model.about == said
            for batch in (images[:1], images):
                with torch.inference_mode():
                    wanted = network(batch, combination)
                made = model.run(batch.numpy())
                assert list(made) == list(combination)
                for task, scores in made.items():
                    np.testing.assert_allclose(scores, wanted[task].numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["pt2", "state_dict"])
@examples(2)
@given(network=networks(3))
def test_formats_of_torch(name, network):
    check_format(network, name)


@examples(3)
@given(networks(2, residual_architectures()))
def test_residual_networks_step_by_step(network):
    check_format(network, "state_dict")
