"""How fast units are cut out of a network, and that the outputs are those of Torch-Pruning's.

Run ``python -m benchmarks.slicing [--out CSV]``, in the environment of ``requirements-bench.lock``.
A VGG-16 loses the same random units of every hidden layer twice: by ``pam.pruning.units.remove``,
which leaves the network as it was and returns a new one, and by Torch-Pruning's dependency graph,
which traces the plain module and cuts it in place; a copy for it is made before the clock starts.
``difference`` is the largest between the outputs of the two cut networks for the same images, as a
share of the largest output.
"""

import copy
from collections.abc import Iterator, Sequence
from importlib.metadata import version

import torch
import torch_pruning
from torch import Tensor, nn

from benchmarks.inputs import plain_module
from benchmarks.rows import Case, Row, command_line, save, times_faster
from benchmarks.timing import interleaved, timed
from pam.networks import SingleTaskNetwork, build
from pam.pruning.units import PerUnit, remove, unit_keys

LABELS = 20
IMAGES = 4
WANTED = "difference<=1e-5"


def kept_units(network: SingleTaskNetwork, fraction: float) -> PerUnit:
    """Return a random choice of a fraction of every hidden layer's units, bool (units,)."""
    generator = torch.Generator().manual_seed(1)
    keep = {}
    for key, units in unit_keys(network):
        mask = torch.zeros(units, dtype=torch.bool)
        mask[torch.randperm(units, generator=generator)[: max(1, round(fraction * units))]] = True
        keep[key] = mask
    return keep


def slice_by_graph(module: nn.Module, gone: dict[str, list[int]], images: Tensor) -> None:
    """Cut units out of a plain module in place, by Torch-Pruning.

    Args:
        module: see :func:`benchmarks.inputs.plain_module`.
        gone: layer -> its units that are cut out.
        images: what the module can run on.
    """
    graph = torch_pruning.DependencyGraph().build_dependency(module, example_inputs=images)
    for layer, units in gone.items():
        part = module.get_submodule(layer)
        if isinstance(part, nn.Conv2d):
            cut = torch_pruning.prune_conv_out_channels
        else:
            cut = torch_pruning.prune_linear_out_channels
        graph.get_pruning_group(part, cut, idxs=units).prune()


def measure(fraction: float, pixels: int, width: float, rounds: int, threads: int) -> Row:
    """Return how many times longer Torch-Pruning takes to keep a fraction of all units."""
    network = build("vgg16", (3, pixels, pixels), LABELS, task="A", seed=0, width=width)
    images = torch.randn(
        IMAGES, *network.architecture.input_shape, generator=torch.Generator().manual_seed(0)
    )
    keep = kept_units(network, fraction)
    gone = {layer: (~mask).nonzero().flatten().tolist() for (layer, _), mask in keep.items()}
    plain = plain_module(network).eval()
    made: dict[str, nn.Module] = {}

    def theirs() -> float:
        made["theirs"] = copy.deepcopy(plain)
        return timed(lambda: slice_by_graph(made["theirs"], gone, images[:1]))()

    ours = timed(lambda: made.update(ours=remove(network, keep)))
    own, peer = interleaved([ours, theirs], rounds)
    with torch.inference_mode():
        outputs, expected = made["ours"](images)["A"], made["theirs"](images)
    difference = (outputs - expected).abs().max() / expected.abs().max()
    varied = {"kept": fraction, "width": width, "pixels": pixels}
    case = Case("slicing", "VGG-16", varied, threads, WANTED)
    named = f"torch-pruning {version('torch-pruning')}"
    return times_faster(case, own, named, peer, difference=float(difference))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = command_line("slicing", __doc__, rounds=9)
    parser.add_argument("--kept", type=float, nargs="+", default=[0.75, 0.5, 0.25])
    parser.add_argument("--pixels", type=int, default=72, help="on a side of an image")
    parser.add_argument("--width", type=float, default=1.0, help="multiplier of the channels")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)

    def rows() -> Iterator[Row]:
        for fraction in given.kept:
            yield measure(fraction, given.pixels, given.width, given.rounds, given.threads)

    save(given.out, rows())


if __name__ == "__main__":
    main()
