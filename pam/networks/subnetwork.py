"""From a grouped network to the plain dense module of one task combination."""

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from torch import fx

if TYPE_CHECKING:
    from pam.networks.grouped import GroupedNetwork


def extract(network: "GroupedNetwork", tasks: Iterable[str]) -> fx.GraphModule:
    """Return the module that runs ``tasks``: only their groups, with a copy of their weights.

    The wiring rule and the loop over groups are unrolled into a straight line, so the result is
    ordinary torch code and needs nothing of this project. Groups that the outputs of ``tasks`` do
    not depend on are left out.
    """
    graph = _unrolled(network, tasks)
    used = [node.target for node in graph.nodes if node.op == "call_module"]
    blocks = {target: copy.deepcopy(network.get_submodule(target)) for target in used}
    return fx.GraphModule(blocks, graph).train(network.training)


def view(network: "GroupedNetwork", tasks: Iterable[str]) -> fx.GraphModule:
    """Return the same module as :func:`extract`, of the network's own blocks instead of copies."""
    return fx.GraphModule(network, _unrolled(network, tasks))


def _unrolled(network: "GroupedNetwork", tasks: Iterable[str]) -> fx.Graph:
    """Return the graph of all calls that the network makes to run some tasks."""
    graph = fx.Graph()
    # The calls of functions are recorded by what flows, those of blocks by their stand-ins.
    tracer = fx.proxy.GraphAppendingTracer(graph)
    images = fx.Proxy(graph.placeholder("images"), tracer)
    stand_ins = {
        node: {group: _recorded(tracer, f"blocks.{node}.{group}") for group in blocks}
        for node, blocks in network.blocks.items()
    }
    scores = network.forward(images, tasks, blocks=stand_ins)
    graph.output({task: score.node for task, score in scores.items()})
    graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
    return graph


def _recorded(tracer: fx.proxy.GraphAppendingTracer, name: str) -> Callable[[fx.Proxy], fx.Proxy]:
    return lambda x: fx.Proxy(tracer.graph.call_module(name, (x.node,)), tracer)
