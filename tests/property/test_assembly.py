"""Surgery keeps what it should: outputs, weights, and the order of units."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.errors import CollapseError, ShapeError
from pam.networks import Assembly, build
from tests.examples import examples
from tests.random_networks import LAYERS, assemblies, images_for

few = examples(30)


@few
@given(st.integers(2, 4), st.integers(0, 1000), st.data())
def test_united_networks_keep_their_outputs_bit_for_bit(n_tasks, seed, data):
    widths = data.draw(st.lists(st.integers(1, 5), min_size=4, max_size=4))
    singles = [
        build("lenet5", (1, 9, 12), 1 + i, task=task, seed=seed + i, widths=tuple(widths))
        for i, task in enumerate("ABCD"[:n_tasks])
    ]
    united = Assembly.unite([Assembly.of(single) for single in singles]).network()
    images = images_for(united)
    scores = united(images)
    for single in singles:
        assert torch.equal(scores[single.task], single(images)[single.task])
    assert sum(p.numel() for p in united.parameters()) == sum(
        p.numel() for single in singles for p in single.parameters()
    )


@few
@given(assemblies(largest=3), st.sampled_from(LAYERS))
def test_a_group_without_inputs_is_a_collapse(assembly, layer):
    with pytest.raises(CollapseError, match=f"nothing to read in layer '{layer}'"):
        assembly.take(layer, []).network()


def test_a_restricted_network_gives_the_scores_of_its_tasks():
    singles = [build("lenet5", (1, 8, 8), 2, task=t, seed=i) for i, t in enumerate("ABC")]
    united = Assembly.unite([Assembly.of(single) for single in singles])
    for tasks in ("A", "CB"):
        part = united.restrict(tasks).network()
        assert list(part.tasks) == sorted(tasks)
        images = images_for(part)
        whole = united.network()(images)
        assert all(torch.equal(s, whole[task]) for task, s in part(images).items())
    shared = united.regroup({"f4": [frozenset("AB")] * len(united.groups["f4"])})
    with pytest.raises(ShapeError, match="share units of 'f4'"):
        shared.restrict("A")


def test_networks_that_do_not_fit_are_not_united():
    one = Assembly.of(build("lenet5", (1, 8, 8), 2, task="A"))
    with pytest.raises(ShapeError, match="task 'A' occurs in two"):
        Assembly.unite([one, one])
    other = Assembly.of(build("lenet5", (1, 8, 12), 2, task="B"))
    with pytest.raises(ShapeError, match="cannot put together"):
        Assembly.unite([one, other])
    with pytest.raises(ShapeError, match="3 groups for the 6 units of 'c1'"):
        one.regroup({"c1": [frozenset("A")] * 3})
