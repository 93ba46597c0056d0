"""What any network that comes out of a plug-in must do."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from pam.conformance.checklist import ensure
from pam.conformance.examples import images, tensors_of
from pam.networks import GroupedNetwork

TOLERANCE = 1e-5


def ensure_same_bytes(one: GroupedNetwork, other: GroupedNetwork, missing: str) -> None:
    """Check that two networks have the same groups and exactly the same weights."""
    ours, theirs = tensors_of(one), tensors_of(other)
    same = one.widths == other.widths and ours.keys() == theirs.keys()
    ensure(same and all(torch.equal(ours[name], theirs[name]) for name in ours), missing)


def ensure_parts_equal_whole(network: GroupedNetwork) -> None:
    """Check that the sub-network of every combination computes what the whole network does."""
    network.eval()
    batch = images(network.architecture.input_shape)
    with torch.no_grad():
        whole = network(batch)
        for combination in network.combinations():
            for task, scores in network.subnetwork(combination)(batch).items():
                apart = float((scores - whole[task]).abs().max())
                ensure(
                    apart <= TOLERANCE,
                    f"the sub-network of {'&'.join(combination)} differs from the whole network "
                    f"by {apart:.2g} for task {task}",
                )


def ensure_saves_and_loads(network: GroupedNetwork) -> None:
    """Check that a network comes back from its file with the same bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        network.save(path)
        ensure_same_bytes(
            network, GroupedNetwork.load(path), "the network read from its file is another one"
        )
