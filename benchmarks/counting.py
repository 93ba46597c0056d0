"""How fast operations are counted, and that torch's own counter and the closed form agree.

Run ``python -m benchmarks.counting [--out CSV]``. What is counted is what every combination of
tasks executes, in a network where a third of the units is shared by all tasks. Ours traces the
network of all tasks once with fvcore; torch's ``FlopCounterMode`` runs the sub-network of every
combination, and counts two per multiply-accumulate of convolutions and products, nothing else.

- ``difference`` of ``FlopCounterMode``: largest over the combinations between its count and twice
  ours, which must have no other operators (chains have none).
- ``difference`` of ``closed form``: between its count and ``pam.cost.paper_flops`` plus one
  addition per value made, which the paper's convention ``2 n - 1`` leaves out.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inputs import Shape, partly_shared
from benchmarks.rows import Case, Row, command_line, save, times_faster
from benchmarks.timing import interleaved, timed
from pam.cost import paper_flops
from pam.cost.counting import links, macs_of_parts
from pam.networks import GroupedNetwork
from pam.networks.subnetwork import view

LABELS = 5
THREADS = 1
NETWORKS: dict[str, tuple[str, Shape, str]] = {
    "LeNet-5, 2 tasks": ("lenet5", (1, 28, 112), "AB"),
    "LeNet-5, 5 tasks": ("lenet5", (1, 28, 112), "ABCDE"),
    "VGG-16, 2 tasks": ("vgg16", (3, 72, 72), "AB"),
}
WANTED = "difference<=0"

Combination = tuple[str, ...]
Counts = dict[Combination, int]


def by_fvcore(parts: Mapping[Combination, nn.Module], shape: Shape) -> Counts:
    """Return the multiply-accumulates of all sub-networks, the last one being the whole."""
    whole = list(parts.values())[-1]
    return dict(zip(parts, macs_of_parts(whole, parts.values(), shape), strict=True))


def by_torch(parts: Mapping[Combination, nn.Module], shape: Shape) -> Counts:
    """Return the operations of all sub-networks by torch's own counter."""
    images = torch.zeros(1, *shape)
    counts = {}
    for combination, part in parts.items():
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            part(images)
        counts[combination] = counter.get_total_flops()
    return counts


def by_closed_form(network: GroupedNetwork) -> Counts:
    """Return the operations by the paper's convention, and one addition more per value made."""
    counts = {}
    for combination in network.combinations():
        made = links(network.architecture, network.widths, combination)
        values = sum(link.units * link.positions for link in made)
        counts[combination] = paper_flops(network, combination) + values
    return counts


def measure(name: str, rounds: int) -> Iterator[Row]:
    """Yield the rows of a network."""
    architecture, shape, tasks = NETWORKS[name]
    network = partly_shared(architecture, shape, LABELS, tasks, every=3)
    parts = {combination: view(network, combination) for combination in network.combinations()}
    counts: dict[str, Counts] = {}
    own, theirs, closed = interleaved(
        [
            timed(lambda: counts.update(fvcore=by_fvcore(parts, shape))),
            timed(lambda: counts.update(torch=by_torch(parts, shape))),
            timed(lambda: counts.update(closed_form=by_closed_form(network))),
        ],
        rounds,
    )
    case = Case("counting", name, {"combinations": len(parts)}, THREADS, WANTED)
    peer = "FlopCounterMode"
    expected = counts["torch"]
    twice = {combination: 2 * count for combination, count in counts["fvcore"].items()}
    yield times_faster(case, own, peer, theirs, difference=_largest(twice, expected))
    case = Case("counting", f"{name}, closed form", case.size, THREADS, WANTED)
    difference = _largest(counts["closed_form"], expected)
    yield times_faster(case, closed, peer, theirs, difference=difference)


def _largest(counts: Counts, expected: Counts) -> int:
    return max(abs(counts[combination] - expected[combination]) for combination in expected)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = command_line("counting", __doc__, rounds=9)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    given = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    save(given.out, (row for name in given.networks for row in measure(name, given.rounds)))


if __name__ == "__main__":
    main()
