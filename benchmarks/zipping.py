"""How long zipping two untrained VGG-16 takes without retraining, and its peak memory.

python -m benchmarks.zipping --width 1 --samples 256 --threads 2
"""

import argparse
import resource
import time

import torch

from pam.data import MultitaskDataset, Split
from pam.merging.mtz import mtz
from pam.networks import build


def noise(samples: int, shape: tuple[int, int, int]) -> MultitaskDataset:
    """Return random images with two tasks of one random label each."""
    generator = torch.Generator().manual_seed(0)

    def split(n: int) -> Split:
        images = torch.randint(0, 256, (n, *shape), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 2, (n, 2), generator=generator) * 2 - 1
        return Split(images, labels.to(torch.int8))

    parts = split(samples), split(2), split(2)
    statistics = [0.5] * shape[0], [0.3] * shape[0]
    return MultitaskDataset("noise", *parts, {"A": [0], "B": [1]}, ["a", "b"], *statistics)


def main() -> None:
    """Zip once and print seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=float, default=1.0, help="multiplier of the channels")
    parser.add_argument("--size", type=int, default=32, help="pixels on a side")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    shape = (3, given.size, given.size)
    networks = {
        task: build("vgg16", shape, 1, task=task, seed=seed, width=given.width)
        for seed, task in enumerate("AB")
    }
    data = noise(given.samples, shape)
    start = time.perf_counter()
    mtz(networks, data, seed=0, samples=given.samples, retrain={"stages": []})
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{seconds:.1f} s, {memory:.2f} GiB at peak")


if __name__ == "__main__":
    main()
