"""Zipping by the book: numpy, one pair at a time, the constrained problem as it is stated."""

import numpy as np


def layer_error(inputs, old, new, weight):
    """Half the weighted mean squared change of a unit's pre-activation; inputs (samples, dims)."""
    changes = [float(x @ (new - old)) ** 2 for x in inputs]
    return 0.5 * weight * sum(changes) / len(changes)


def joint_error(new, old_a, old_b, inputs_a, inputs_b, weight_a, weight_b):
    """The error of giving both units of a pair the same weights."""
    error_a = layer_error(inputs_a, old_a, new, weight_a)
    return error_a + layer_error(inputs_b, old_b, new, weight_b)


def hessian(inputs, weight):
    """Weighted uncentred second moment, entry by entry."""
    dims = len(inputs[0])
    matrix = np.zeros((dims, dims))
    for x in inputs:
        for row in range(dims):
            for column in range(dims):
                matrix[row, column] += weight * x[row] * x[column] / len(inputs)
    return matrix


def lagrange(old_a, old_b, hessian_a, hessian_b):
    """The cheapest common weights and their cost, from the stationary point of the Lagrangian.

    Unknowns: the changes of both weight vectors and one multiplier per weight; the constraint is
    that the changed vectors agree.
    """
    dims = len(old_a)
    zero, one = np.zeros((dims, dims)), np.eye(dims)
    system = np.block([[hessian_a, zero, one], [zero, hessian_b, -one], [one, -one, zero]])
    right = np.concatenate([np.zeros(2 * dims), old_b - old_a])
    solution = np.linalg.lstsq(system, right, rcond=1e-13)[0]
    change_a, change_b = solution[:dims], solution[dims : 2 * dims]
    cost = 0.5 * (change_a @ hessian_a @ change_a + change_b @ hessian_b @ change_b)
    return old_a + change_a, cost


def greedy(costs, n):
    """Take the cheapest free pair n times, looking at all of them every time."""
    pairs = []
    for _ in range(n):
        best = None
        for row in range(costs.shape[0]):
            for column in range(costs.shape[1]):
                taken = any(row == r or column == c for r, c in pairs)
                if not taken and (best is None or costs[row, column] < costs[best]):
                    best = row, column
        pairs.append(best)
    return pairs


def patches(image, kernel, stride, padding):
    """What a convolution's unit sees at every position: (positions, channels * kernel ** 2)."""
    channels, height, width = image.shape
    seen = []
    for top in range(-padding, height + padding - kernel + 1, stride):
        for left in range(-padding, width + padding - kernel + 1, stride):
            patch = []
            for channel in range(channels):
                for row in range(top, top + kernel):
                    for column in range(left, left + kernel):
                        inside = 0 <= row < height and 0 <= column < width
                        patch.append(image[channel, row, column] if inside else 0.0)
            seen.append(patch)
    return np.array(seen)
