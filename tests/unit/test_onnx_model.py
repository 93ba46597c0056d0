"""A sub-network as ONNX computes what it computes in torch; one model holds all combinations."""

import numpy as np
import onnxruntime
import pytest
import torch

from pam.networks import SingleTaskNetwork, architecture
from pam.networks.resnet import residual_network
from pam.networks.subnetwork import IMAGES, onnx_model, part_of
from tests.small import share_some

ARCHITECTURES = {
    "chain": architecture("lenet5", (1, 28, 28), widths=[2, 3, 5, 4]),
    # Half as deep as ResNet-18: an export takes seconds, and longer the more nodes there are.
    "residual": residual_network("residual", (1, 1, 1, 1), (3, 32, 32), 0.05, "imagenet"),
}


@pytest.fixture(scope="module", params=["chain", pytest.param("residual", marks=pytest.mark.more)])
def network(request):
    design = ARCHITECTURES[request.param]
    torch.manual_seed(0)
    networks = {
        task: SingleTaskNetwork(
            design, {task: 2}, {layer: {frozenset(task): n} for layer, n in design.units.items()}
        )
        for task in "AB"
    }
    return share_some(networks).eval()


def test_every_combination_is_a_part_of_the_whole(network):
    shape = network.architecture.input_shape
    whole = onnx_model(network.subnetwork("A&B"), shape, "AB")
    images = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    for combination in network.combinations():
        part = part_of(whole, combination)
        session = onnxruntime.InferenceSession(part.SerializeToString())
        scores = session.run(list(combination), {IMAGES: images.numpy()})
        with torch.inference_mode():
            wanted = network.subnetwork(combination)(images)
        assert [output.name for output in session.get_outputs()] == list(combination)
        for task, score in zip(combination, scores, strict=True):
            np.testing.assert_allclose(score, wanted[task].numpy(), atol=1e-5)
        # The export of all tasks is the whole again, and every other one takes seconds.
        if combination == ("A",):
            direct = onnx_model(network.subnetwork(combination), shape, combination)
            operations = [node.op_type for node in direct.graph.node]
            assert [node.op_type for node in part.graph.node] == operations
