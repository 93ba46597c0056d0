"""Which units to pair, and the weights that a pair shares: the mathematics of zipping.

Source: He, Zhou and Thiele, "Multi-Task Zipping via Layer-wise Neuron Sharing", NeurIPS 2018,
equations 8-12. A pair (i, j) may change its weights ``w_i`` and ``w_j`` until they agree; the
cheapest agreement ``w*`` and its cost ``d``, the quadratic increase of both layer errors, are

    w* = (H_A + H_B)^+ (H_A w_i + H_B w_j)
    d  = 1/2 (w_i - w_j)^T P (w_i - w_j),    P = H_A (H_A + H_B)^+ H_B.

``P`` is the parallel sum of the Hessians, the paper's ``(H_A^-1 + H_B^-1)^-1`` where the inverses
exist (Anderson and Duffin, 1969). This form stays the optimum with inputs that are dead for one
task. All weight vectors end with the bias, as the Hessians do.
"""

import torch
from torch import Tensor

from pam.errors import ShapeError
from pam.merging.zipping.hessian import Hessian

TIE_TOLERANCE = 1e-12
"""Costs closer than this share of the largest one are tied, and decided by index."""


def parallel_sum(hessian_a: Hessian, hessian_b: Hessian) -> Hessian:
    """Return ``P = H_A (H_A + H_B)^+ H_B``, itself as a Hessian.

    With ``G`` the stacked factors of both, ``P`` is the squared length of the part of
    ``[F_A; 0] (w_i - w_j)`` that no common change of both weights can remove, the part
    orthogonal to the columns of ``G``. Multiples of one matrix ``aH`` and ``bH`` give
    ``ab / (a + b) H``.
    """
    if hessian_a.factor is hessian_b.factor:
        a, b = hessian_a.weight, hessian_b.weight
        return Hessian(hessian_a.factor, a * b / (a + b))
    rows = hessian_a.scaled_factor
    stacked = torch.cat([rows, hessian_b.scaled_factor])
    left, values, _ = torch.linalg.svd(stacked, full_matrices=False)
    tolerance = max(stacked.shape) * torch.finfo(stacked.dtype).eps * values.max()
    # An orthonormal basis of what the columns span.
    basis = left[:, values > tolerance]
    removable = basis @ (basis[: len(rows)].T @ rows)
    remaining = -removable
    remaining[: len(rows)] += rows
    return Hessian(remaining)


def pair_costs(
    weights_a: Tensor, weights_b: Tensor, hessian_a: Hessian, hessian_b: Hessian
) -> Tensor:
    """Return the cost of sharing for every pair of units, never negative (equation 11).

    Args:
        weights_a: incoming weights and bias of A's units, (units of A, inputs + 1).
        weights_b: the same of B, (units of B, inputs + 1).
        hessian_a: of A's inputs, weighted.
        hessian_b: of B's inputs, weighted.

    Returns:
        float64 (units of A, units of B): half the weighted mean squared change of the two
        pre-activations.
    """
    factor = parallel_sum(hessian_a, hessian_b).scaled_factor
    seen_a, seen_b = weights_a.double() @ factor.T, weights_b.double() @ factor.T
    # Differences first, squares later: the expanded square would leave rounding where d is 0.
    return torch.cdist(seen_a, seen_b, compute_mode="donot_use_mm_for_euclid_dist").square() / 2


def zipped_weights(
    weights_a: Tensor, weights_b: Tensor, hessian_a: Hessian, hessian_b: Hessian
) -> Tensor:
    """Return the weights that pairs of units share (equations 9 and 10).

    Where neither task's inputs decide, the mean weighted by the tasks' weights is kept.

    Args:
        weights_a: (pairs, inputs + 1), row k being A's unit of pair k.
        weights_b: (pairs, inputs + 1).
        hessian_a: of A's inputs, weighted.
        hessian_b: of B's inputs, weighted.

    Returns:
        float64 (pairs, inputs + 1).
    """
    a, b = hessian_a.weight, hessian_b.weight
    weights_a, weights_b = weights_a.double(), weights_b.double()
    mean = (a * weights_a + b * weights_b) / (a + b)
    if hessian_a.factor is hessian_b.factor:
        return mean
    rows_a, rows_b = hessian_a.scaled_factor, hessian_b.scaled_factor
    wanted = torch.cat([rows_a @ (weights_a - mean).T, rows_b @ (weights_b - mean).T])
    return mean + (torch.linalg.pinv(torch.cat([rows_a, rows_b])) @ wanted).T


def greedy_pairs(costs: Tensor, n: int) -> list[tuple[int, int]]:
    """Return the first ``n`` pairs of the greedy one-to-one pairing, cheapest first.

    All pairs are visited in ascending order of cost, ties by lowest (row, column); a pair is kept
    if both its units are still free (the authors' rule).

    Args:
        costs: float64 (units of A, units of B), finite, not negative.
        n: number of pairs.

    Raises:
        ShapeError: if there are fewer than ``n`` units on a side.
    """
    if n > min(costs.shape):
        raise ShapeError(f"{tuple(costs.shape)} units cannot make {n} pairs")
    largest = float(costs.max()) if costs.numel() else 0.0
    steps = (costs / (TIE_TOLERANCE * largest)).round() if largest > 0 else costs
    columns = costs.shape[1]
    free_rows, free_columns = [True] * costs.shape[0], [True] * columns
    pairs: list[tuple[int, int]] = []
    for position in steps.flatten().argsort(stable=True).tolist():
        if len(pairs) == n:
            break
        row, column = divmod(position, columns)
        if free_rows[row] and free_columns[column]:
            free_rows[row] = free_columns[column] = False
            pairs.append((row, column))
    return pairs


def pair_units(
    incoming: list[dict[str, Tensor]], hessians: list[dict[str, Hessian]], count: int
) -> tuple[list[list[int]], float]:
    """Pair the units of a layer, one network after the other.

    Args:
        incoming: per deciding node, task -> float64 (units of the task, inputs + 1).
        hessians: per deciding node, task -> weighted Hessian of its inputs.
        count: units to share.

    Returns:
        Per shared unit its member in every task, and the sum of the costs of all pairs.
    """
    first, *others = incoming[0]
    joint = [rows[first] for rows in incoming]
    joint_hessians = [hessian[first] for hessian in hessians]
    members = [[unit] for unit in range(len(joint[0]))]
    total = 0.0
    for task in others:
        next_rows = [rows[task] for rows in incoming]
        next_hessians = [hessian[task] for hessian in hessians]
        sides = list(zip(joint, next_rows, joint_hessians, next_hessians, strict=True))
        costs = torch.stack([pair_costs(*side) for side in sides]).sum(dim=0)
        pairs = greedy_pairs(costs, count)
        rows, columns = (list(side) for side in zip(*pairs, strict=True))
        total += float(costs[rows, columns].sum())
        joint = [zipped_weights(a[rows], b[columns], h, g) for a, b, h, g in sides]
        joint_hessians = [h + g for _, _, h, g in sides]
        members = [[*members[row], column] for row, column in pairs]
    return members, total
