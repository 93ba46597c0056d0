"""From a grouped network to the plain dense module of one task combination."""

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor, fx, nn

if TYPE_CHECKING:
    from pam.networks.grouped import GroupedNetwork


class _Running(nn.Module):
    """A network together with the tasks to run: what the tracer unrolls into a straight line."""

    def __init__(self, network: "GroupedNetwork", tasks: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.running = tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.network(images, tasks=self.running)


def extract(network: "GroupedNetwork", tasks: Iterable[str]) -> fx.GraphModule:
    """Return the module that runs ``tasks``: only their groups, with a copy of their weights.

    The wiring rule and the loop over groups are unrolled by symbolic tracing, so the result is
    ordinary torch code and needs nothing of this project. Groups that the outputs of ``tasks`` do
    not depend on are left out.
    """
    module = fx.symbolic_trace(_Running(network, tuple(tasks)))
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    return copy.deepcopy(module).train(network.training)
