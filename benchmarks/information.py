"""How good and how fast our estimate of mutual information is where the value is known.

Run ``python -m benchmarks.information [--out CSV]``. A binary label moves the mean of a Gaussian
activation. Ours estimates the information of the activation plus Gaussian noise (variance 0.1)
about the label, and adds that noise by itself, analytically; so the others are given activations to
which such noise was added, and ``true_value`` is the information of that sum, by integration. Where
the noise is small beside the distances of the samples, ours is no estimate for the bare activation.

``value`` and ``peer_value`` are means over the draws in nats, the differences root mean squared
errors over the draws. Each draw is timed once, in interleaved order: ``n`` draws.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.spatial import cKDTree
from scipy.special import digamma
from scipy.stats import norm
from sklearn.feature_selection import mutual_info_classif

from benchmarks.rows import Case, Row, command_line, save, times_faster
from pam.information import DEFAULT_NOISE_VARIANCE, mutual_information

SPREAD = 0.5
"""Standard deviation of the activation within a class, before the noise."""

NEIGHBOURS = 3
THREADS = 1

Array = np.ndarray[Any, np.dtype[Any]]


def draw(samples: int, distance: float, seed: int) -> tuple[Array, Array, Array]:
    """Return activations, the same plus noise, and labels of -1 and +1, each (samples,)."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.where(np.arange(samples) % 2, 1, -1))
    activations = labels * distance / 2 + SPREAD * generator.standard_normal(samples)
    noise = math.sqrt(DEFAULT_NOISE_VARIANCE) * generator.standard_normal(samples)
    return activations, activations + noise, labels


def known_value(distance: float) -> float:
    """Return the information in nats of the noisy activation about the label, by integration."""
    spread = math.sqrt(SPREAD**2 + DEFAULT_NOISE_VARIANCE)
    centre, far = distance / 2, distance / 2 + 12 * spread

    def integrand(x: float) -> float:
        above, below = (float(norm.pdf(x, side * centre, spread)) for side in (1, -1))
        mean = (above + below) / 2
        return sum(p / 2 * math.log(p / mean) for p in (above, below) if p > 0)

    return float(quad(integrand, -far, far, limit=200)[0])


def nearest_neighbours(noisy: Array, labels: Array) -> float:
    """Return the information in nats from distances to neighbours, as npeet's ``micd`` does.

    The entropy of Kozachenko and Leonenko of all samples, less its mean over the classes.
    """

    def entropy(x: Array) -> float:
        points = x[:, None]
        distance = cKDTree(points).query(points, NEIGHBOURS + 1)[0][:, -1]
        constant = float(digamma(len(x)) - digamma(NEIGHBOURS)) + math.log(2)
        return constant + float(np.log(distance).mean())

    classes = [noisy[labels == value] for value in (-1, 1)]
    return entropy(noisy) - sum(len(x) / len(noisy) * entropy(x) for x in classes)


def by_scikit_learn(noisy: Array, labels: Array) -> float:
    """Return the information in nats by scikit-learn's estimate (Ross, 2014)."""
    return float(
        mutual_info_classif(noisy[:, None], labels, n_neighbors=NEIGHBOURS, random_state=0)[0]
    )


PEERS: dict[str, Callable[[Array, Array], float]] = {
    f"scikit-learn {version('scikit-learn')}": by_scikit_learn,
    "npeet-like, scipy's cKDTree": nearest_neighbours,
}


def measure(samples: int, distance: float, draws: int) -> Iterator[Row]:
    """Yield a row per peer."""
    values: dict[str, list[float]] = {name: [] for name in ("ours", *PEERS)}
    seconds: dict[str, list[float]] = {name: [] for name in values}

    def record(name: str, estimate: Callable[[Array, Array], float], x: Array, y: Array) -> None:
        start = time.perf_counter()
        values[name].append(estimate(x, y))
        seconds[name].append(time.perf_counter() - start)

    activations, noisy, labels = draw(samples, distance, seed=draws)
    for estimate in (mutual_information, *PEERS.values()):
        estimate(noisy, labels)
    for seed in range(draws):
        activations, noisy, labels = draw(samples, distance, seed)
        record("ours", mutual_information, activations, labels)
        for name, estimate in PEERS.items():
            record(name, estimate, noisy, labels)
    true = known_value(distance)
    varied = {"samples": samples, "distance": distance}
    case = Case("information", "Gaussian mixture", varied, THREADS)
    for name in PEERS:
        yield times_faster(
            case,
            seconds["ours"],
            name,
            seconds[name],
            value=statistics.fmean(values["ours"]),
            peer_value=statistics.fmean(values[name]),
            true_value=true,
            difference=_error(values["ours"], true),
            peer_difference=_error(values[name], true),
        )


def _error(values: Sequence[float], true: float) -> float:
    return math.sqrt(statistics.fmean((value - true) ** 2 for value in values))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = command_line("information", __doc__, rounds=50)
    parser.add_argument("--samples", type=int, nargs="+", default=[128, 512, 2048])
    parser.add_argument(
        "--distances",
        type=float,
        nargs="+",
        default=[0.0, 0.5, 1.0, 2.0],
        help="between the means of the classes",
    )
    given = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)

    def rows() -> Iterator[Row]:
        for samples in given.samples:
            for distance in given.distances:
                yield from measure(samples, distance, given.rounds)

    save(given.out, rows())


if __name__ == "__main__":
    main()
