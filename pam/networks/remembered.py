"""Networks that take long to make, kept in the journal of a job."""

from collections.abc import Callable

from pam.durable.checkpoints import step
from pam.networks.grouped import GroupedNetwork


def remember_network(name: str, make: Callable[[], GroupedNetwork]) -> GroupedNetwork:
    """Return what ``make`` returns, or the network it made in an earlier run of the same job.

    A network from the journal lies on the CPU and is in evaluation mode.

    Args:
        name: what is done to make it.
        make: deterministic; all that it changes is in the network and its notes.
    """
    with step(name) as opened:
        if opened.found is not None:
            state, value = opened.found
            network = GroupedNetwork.from_description(value["network"], state)
            network.notes = value["notes"]
            return network
        network = make()
        opened.finish(
            lambda: (
                network.state_dict(),
                {"network": network.describe(), "notes": network.notes},
            )
        )
        return network
