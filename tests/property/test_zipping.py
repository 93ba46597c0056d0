"""The mathematics of zipping against a slow reference, and the properties that define it."""

from dataclasses import dataclass
from itertools import permutations
from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from pam import ShapeError
from pam.merging.zipping.hessian import Hessian, input_rows
from pam.merging.zipping.pairing import greedy_pairs, pair_costs, parallel_sum, zipped_weights
from pam.networks.architecture import Conv, Linear
from tests.examples import examples
from tests.reference import zipping_reference as reference

moderate = examples(40)


@dataclass
class Problem:
    """Two layers to zip: units' weights, inputs (samples, dims) and weight of each task."""

    weights: list
    inputs: list
    alpha: float

    @property
    def task_weights(self):
        return [self.alpha, 1 - self.alpha]

    @property
    def hessians(self):
        return [hessian_of(x, a) for x, a in zip(self.inputs, self.task_weights, strict=True)]

    @property
    def tensors(self):
        return [torch.tensor(w) for w in self.weights]

    @property
    def costs(self):
        return pair_costs(*self.tensors, *self.hessians).numpy()

    def shared(self, i, j):
        a, b = self.tensors
        return zipped_weights(a[i : i + 1], b[j : j + 1], *self.hessians)[0].numpy()

    def error(self, new, i, j):
        a, b = self.weights
        return reference.joint_error(new, a[i], b[j], *self.inputs, *self.task_weights)

    @property
    def scale(self):
        """What rounding is relative to: the size of the pre-activations."""
        sizes = [np.square(x).sum(1).mean() for x in self.inputs]
        return max(sizes) * max(np.square(w).sum(1).max() for w in self.weights)


def hessian_of(inputs, weight):
    return Hessian(torch.tensor(inputs) / sqrt(len(inputs)), weight)


@st.composite
def problems(draw, deficient=True):
    """Random layers; with ``deficient`` also fewer samples than inputs and dead inputs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dims = draw(st.integers(1, 5))
    least = 1 if deficient else 3 * dims + 3
    inputs = []
    for _ in range(2):
        x = rng.normal(size=(draw(st.integers(least, 20 + 3 * dims)), dims))
        dead = draw(st.sets(st.integers(0, dims - 1))) if deficient else set()
        x[:, sorted(dead)] = 0
        inputs.append(np.column_stack([x, np.ones(len(x))]))
    weights = [rng.normal(size=(draw(st.integers(1, 4)), dims + 1)) for _ in range(2)]
    return Problem(weights, inputs, draw(st.floats(0.05, 0.95)))


def each_pair(problem):
    return [(i, j) for i in range(len(problem.weights[0])) for j in range(len(problem.weights[1]))]


@moderate
@given(problems())
def test_predicted_cost_is_the_measured_one_and_the_lagrangian_optimum(problem):
    costs = problem.costs
    assert (costs >= 0).all()
    matrices = [
        reference.hessian(x, a) for x, a in zip(problem.inputs, problem.task_weights, strict=True)
    ]
    for i, j in each_pair(problem):
        measured = problem.error(problem.shared(i, j), i, j)
        a, b = problem.weights[0][i], problem.weights[1][j]
        optimum, least = reference.lagrange(a, b, *matrices)
        assert costs[i, j] == pytest.approx(measured, rel=1e-9, abs=1e-12 * problem.scale)
        assert costs[i, j] == pytest.approx(least, rel=1e-9, abs=1e-10 * problem.scale)
        assert problem.error(optimum, i, j) == pytest.approx(measured, abs=1e-10 * problem.scale)


@moderate
@given(problems(deficient=False))
def test_shared_weights_equal_the_lagrangian_solution_where_it_is_unique(problem):
    matrices = [h.matrix.numpy() for h in problem.hessians]
    for i, j in each_pair(problem):
        a, b = problem.weights[0][i], problem.weights[1][j]
        shared = problem.shared(i, j)
        assert shared == pytest.approx(reference.lagrange(a, b, *matrices)[0], rel=1e-7, abs=1e-8)
        gradient = matrices[0] @ (shared - a) + matrices[1] @ (shared - b)
        assert gradient == pytest.approx(np.zeros_like(a), abs=1e-10 * problem.scale)


@moderate
@given(problems(deficient=False))
def test_equal_units_cost_nothing_and_different_ones_something(problem):
    a, _ = problem.tensors
    costs = pair_costs(a, a, *problem.hessians)
    assert float(costs.diagonal().max()) <= 1e-28 * problem.scale
    different = ~torch.eye(len(a), dtype=torch.bool)
    assert bool((costs[different] > 1e-9).all())


@moderate
@given(problems(), st.booleans())
def test_equal_inputs_give_the_weighted_mean(problem, same_object):
    a, b = problem.tensors
    one, _ = problem.hessians
    alpha, beta = problem.task_weights
    other = one.weighted(beta) if same_object else Hessian(one.factor.clone(), beta)
    n = min(len(a), len(b))
    shared = zipped_weights(a[:n], b[:n], one, other)
    torch.testing.assert_close(shared, alpha * a[:n] + beta * b[:n], rtol=1e-9, atol=1e-9)
    difference = a[:, None] - b[None]
    moment = one.matrix / alpha
    expected = alpha * beta / 2 * torch.einsum("ijk,kl,ijl->ij", difference, moment, difference)
    assert pair_costs(a, b, one, other).numpy() == pytest.approx(
        expected.numpy(), rel=1e-9, abs=1e-12 * problem.scale
    )


@moderate
@given(problems(deficient=False))
def test_one_task_that_counts_alone_keeps_its_weights(problem):
    small = 1e-9
    for alpha, winner in ((1 - small, 0), (small, 1)):
        extreme = Problem(problem.weights, problem.inputs, alpha)
        assert extreme.costs.max() <= 10 * small * problem.scale
        assert extreme.shared(0, 0) == pytest.approx(problem.weights[winner][0], abs=1e-4)


@moderate
@given(problems(), st.floats(0.01, 100))
def test_scaling_both_hessians_scales_the_costs_alone(problem, factor):
    a, b = (hessian.weighted(hessian.weight * factor) for hessian in problem.hessians)
    costs = pair_costs(*problem.tensors, a, b).numpy()
    assert costs == pytest.approx(
        factor * problem.costs, rel=1e-9, abs=1e-12 * factor * problem.scale
    )
    first = [w[:1] for w in problem.tensors]
    shared = zipped_weights(*first, a, b)[0].numpy()
    assert shared == pytest.approx(problem.shared(0, 0), rel=1e-8, abs=1e-8)


def test_an_input_dead_for_one_task_keeps_the_other_tasks_weight():
    rng = np.random.default_rng(3)
    inputs = [rng.choice([-1.0, 1.0], size=(4000, 3)) for _ in range(2)]
    for x in inputs:
        x -= x.mean(0)
        x[:] = np.linalg.qr(x)[0]
    inputs[0][:, 1] = 0
    problem = Problem([np.array([[1.0, 2, 3]]), np.array([[4.0, 5, 6]])], inputs, 0.5)
    assert problem.shared(0, 0) == pytest.approx([2.5, 5, 4.5])


def test_inputs_dead_for_both_tasks_keep_the_weighted_mean():
    inputs = [np.eye(3)[:1], np.eye(3)[:1]]
    problem = Problem([np.array([[1.0, 2, 3]]), np.array([[5.0, 6, 7]])], inputs, 0.75)
    assert problem.shared(0, 0) == pytest.approx([2, 3, 4])


@moderate
@given(problems())
def test_parallel_sum_is_below_both(problem):
    hessians = problem.hessians
    middle = parallel_sum(*hessians).matrix
    for hessian in hessians:
        gap = torch.linalg.eigvalsh(hessian.matrix - middle)
        assert float(gap.min()) >= -1e-12 * float(hessian.matrix.trace())


@moderate
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.booleans())
def test_one_after_another_reaches_the_optimum_of_all_in_any_order(seed, tasks, common):
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=(20, 4)) for _ in range(tasks)]
    if common:
        inputs = [inputs[0]] * tasks
    factor = hessian_of(inputs[0], 1.0)
    alphas = rng.uniform(0.2, 1, size=tasks)
    hessians = [
        factor.weighted(a) if common else hessian_of(x, a)
        for x, a in zip(inputs, alphas, strict=True)
    ]
    weights = [torch.tensor(rng.normal(size=(1, 4))) for _ in range(tasks)]
    total = sum(h.matrix for h in hessians)
    pull = sum(h.matrix @ w.T for h, w in zip(hessians, weights, strict=True))
    optimum = torch.linalg.solve(total, pull).T
    for order in permutations(range(tasks)):
        joint, hessian = weights[order[0]], hessians[order[0]]
        for task in order[1:]:
            joint = zipped_weights(joint, weights[task], hessian, hessians[task])
            hessian = hessian + hessians[task]
        torch.testing.assert_close(joint, optimum, rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(hessian.matrix, total)


def test_a_network_zipped_with_itself_never_moves():
    rng = np.random.default_rng(5)
    weights, joint = (torch.tensor(rng.normal(size=(3, 4))),) * 2
    hessian = joint_hessian = hessian_of(rng.normal(size=(9, 4)), 1.0)
    for _ in range(4):
        joint = zipped_weights(joint, weights, joint_hessian, hessian)
        joint_hessian = joint_hessian + hessian
    torch.testing.assert_close(joint, weights, rtol=1e-14, atol=1e-15)


costs_drawn = st.tuples(
    st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1), st.booleans()
).map(
    lambda drawn: (
        np.random.default_rng(drawn[2]).integers(0, 4, size=drawn[:2]).astype(float)
        if drawn[3]
        else np.random.default_rng(drawn[2]).random(drawn[:2])
    )
)


@moderate
@given(costs_drawn)
def test_greedy_pairs_equal_the_reference_and_are_prefixes_of_one_another(costs):
    longest = reference.greedy(costs, min(costs.shape))
    for n in range(min(costs.shape) + 1):
        assert greedy_pairs(torch.tensor(costs), n) == longest[:n]


def test_costs_apart_by_rounding_alone_are_decided_by_index():
    costs = torch.tensor([[1e-16, 0.0], [0.0, 1.0]], dtype=torch.float64)
    assert greedy_pairs(costs, 2) == [(0, 0), (1, 1)]


def test_too_many_pairs_are_refused():
    with pytest.raises(ShapeError, match="cannot make 3 pairs"):
        greedy_pairs(torch.zeros(2, 5), 3)


@moderate
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(3, 6),
    st.integers(3, 6),
    st.integers(0, 2**32 - 1),
)
def test_rows_of_a_convolution_are_its_full_patches(kernel, stride, padding, height, width, seed):
    rng = np.random.default_rng(seed)
    images, filters = rng.normal(size=(2, 3, height, width)), rng.normal(size=(4, 3 * kernel**2))
    node = Conv("c", ("x",), "c", 4, kernel, stride, padding)
    rows = input_rows(node, torch.tensor(images))
    slow = np.concatenate([reference.patches(x, kernel, stride, padding) for x in images])
    assert rows[:, :-1].numpy() == pytest.approx(slow, abs=0)
    assert bool((rows[:, -1] == 1).all())
    maps = F.conv2d(
        torch.tensor(images),
        torch.tensor(filters).reshape(4, 3, kernel, kernel),
        stride=stride,
        padding=padding,
    )
    by_rows = rows[:, :-1] @ torch.tensor(filters).T
    torch.testing.assert_close(by_rows, maps.permute(0, 2, 3, 1).reshape(-1, 4))


def test_a_1x1_convolution_sees_what_a_linear_layer_sees_on_stacked_pixels():
    maps = torch.randn(3, 5, 4, 2, generator=torch.Generator().manual_seed(0))
    stacked = maps.permute(0, 2, 3, 1).reshape(-1, 5)
    convolved = input_rows(Conv("c", ("x",), "c", 4, 1), maps)
    assert torch.equal(convolved, input_rows(Linear("f", ("x",), "f", 4), stacked))
