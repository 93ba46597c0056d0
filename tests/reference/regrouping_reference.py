"""The greedy regrouping written out: every candidate set is evaluated from its activations."""

import numpy as np

from tests.reference.information_reference import slow_mutual_information

TIE = 1e-12


def slow_irrelevant(activations, labels, threshold, noise_variance=0.1):
    """Return (order, curve, refused) of one task; ``refused`` is None if all were taken."""
    order, curve = [], []
    free = list(range(activations.shape[1]))
    while free:
        joint = [
            slow_mutual_information(activations[:, [*order, neuron]], labels, noise_variance)
            for neuron in free
        ]
        lowest = min(joint)
        best = next(k for k, value in enumerate(joint) if value <= lowest + TIE)
        if joint[best] > threshold + TIE:
            return order, curve, joint[best]
        curve.append(joint[best])
        order.append(free.pop(best))
    return order, curve, None


def slow_groups(irrelevant, n_neurons):
    """Return (shared, exclusive, removed) by asking of every neuron which tasks need it."""
    shared, removed = [], []
    exclusive = {task: [] for task in irrelevant}
    for neuron in range(n_neurons):
        needing = [task for task, neurons in irrelevant.items() if neuron not in neurons]
        if not needing:
            removed.append(neuron)
        elif len(needing) == 1:
            exclusive[needing[0]].append(neuron)
        else:
            shared.append(neuron)
    return shared, exclusive, removed


def slow_regroup(activations, labels, thresholds, noise_variance=0.1):
    """Return (shared, exclusive, removed, irrelevant) for thresholds per task."""
    activations = np.asarray(activations, dtype=np.float64)
    irrelevant = {
        task: slow_irrelevant(activations, np.asarray(y), thresholds[task], noise_variance)[0]
        for task, y in labels.items()
    }
    return *slow_groups(irrelevant, activations.shape[1]), irrelevant
