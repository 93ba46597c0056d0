"""The kernel density estimates written out sample by sample, with numpy alone."""

import numpy as np


def slow_entropy(x, noise_variance=0.1):
    """Return the entropy bound of x (samples, dims), in nats."""
    x = np.asarray(x, dtype=np.float64)
    samples, dims = x.shape
    total = 0.0
    for i in range(samples):
        distances = ((x - x[i]) ** 2).sum(axis=1)
        total += np.log(np.mean(np.exp(-distances / (2 * noise_variance))))
    return dims / 2 + dims / 2 * np.log(2 * np.pi * noise_variance) - total / samples


def slow_mutual_information(x, labels, noise_variance=0.1):
    """Return the sum over label columns of H(x) - sum_v p_v H(x | v), in nats."""
    x = np.asarray(x, dtype=np.float64)
    labels = np.asarray(labels)
    whole = slow_entropy(x, noise_variance)
    total = 0.0
    for column in labels.T:
        conditional = 0.0
        for value in (-1, 1):
            members = x[column == value]
            if len(members):
                conditional += len(members) / len(x) * slow_entropy(members, noise_variance)
        total += whole - conditional
    return total


def slow_label_entropy(labels):
    """Return the sum over label columns of the binary entropies, in nats."""
    total = 0.0
    for column in np.asarray(labels).T:
        for value in (-1, 1):
            share = np.mean(column == value)
            total -= share * np.log(share) if share > 0 else 0.0
    return total
