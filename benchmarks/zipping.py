"""How long zipping two untrained VGG-16 takes without retraining, and its peak memory.

Run ``python -m benchmarks.zipping [--out CSV]``. Width 1 has 512 channels in the widest layers.
Every run has a process of its own, for the memory's sake.
"""

from collections.abc import Iterator, Sequence

import torch

from benchmarks.inputs import noise
from benchmarks.rows import Case, Row, command_line, save, times_as_long
from benchmarks.timing import in_own_processes, timed
from pam.merging.mtz import mtz
from pam.networks import build

WANTED = {1.0: "seconds<=120; peak_gib<=6"}


def zip_once(width: float, hidden: int, pixels: int, samples: int, threads: int) -> float:
    """Return the seconds of zipping once."""
    torch.set_num_threads(threads)
    shape = (3, pixels, pixels)
    networks = {
        task: build("vgg16", shape, 1, task=task, seed=seed, width=width, hidden=hidden)
        for seed, task in enumerate("AB")
    }
    data = noise(samples, shape)
    return timed(lambda: mtz(networks, data, seed=0, samples=samples, retrain={"stages": []}))()


def growth(
    widths: Sequence[float], hidden: int, pixels: int, samples: int, rounds: int, threads: int
) -> Iterator[Row]:
    """Yield our time at every width over that at the first."""
    calls = [(width, hidden, pixels, samples, threads) for width in widths]
    measured = in_own_processes(zip_once, calls, rounds)
    for width, (own, peak) in zip(widths, measured, strict=True):
        varied = {"width": width, "hidden": hidden, "pixels": pixels, "samples": samples}
        wanted = WANTED.get(width, "")
        case = Case("zipping", "growth with width, VGG-16", varied, threads, wanted)
        yield times_as_long(case, own, f"width {widths[0]}", measured[0][0], peak_gib=peak)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = command_line("zipping", __doc__, rounds=3)
    parser.add_argument(
        "--widths",
        type=float,
        nargs="+",
        default=[0.125, 0.25, 0.5, 1.0],
        help="multipliers of the channels",
    )
    parser.add_argument("--hidden", type=int, default=512, help="units of f6 and f7")
    parser.add_argument("--pixels", type=int, default=32, help="on a side of an image")
    parser.add_argument("--samples", type=int, default=256, help="images for the Hessians")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    given = parser.parse_args(arguments)
    size = (given.widths, given.hidden, given.pixels, given.samples)
    save(given.out, growth(*size, given.rounds, given.threads))


if __name__ == "__main__":
    main()
