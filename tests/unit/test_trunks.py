"""One trunk per task: groups are the tasks that need a unit by the authors' wiring."""

from itertools import product

import pytest
import torch

from pam.errors import ConfigError
from pam.merging import merge
from pam.merging.trunks import separate_trunks
from pam.networks import Assembly, build
from tests.small import STILL, make_data, make_networks


def united(tasks):
    parts = [
        build("resnet18", (1, 32, 32), 2, task=t, seed=i, width=0.05) for i, t in enumerate(tasks)
    ]
    return Assembly.unite([Assembly.of(part) for part in parts])


def classes(assembly, seed):
    """Random classes by relevance: exclusive to a task, shared, or removed."""
    generator = torch.Generator().manual_seed(seed)
    tasks = list(assembly.tasks)
    kinds = [frozenset([t]) for t in tasks] + [frozenset(tasks), frozenset(tasks), None]
    return {
        layer: [kinds[i] for i in torch.randint(len(kinds), (len(units),), generator=generator)]
        for layer, units in assembly.groups.items()
        if layer != assembly.architecture.output
    }


def slow_needs(assembly, relevance, task):
    """The units that a task needs, unit by unit, from facts about stages and blocks alone."""
    origin = {
        (layer, i): next(iter(g)) for layer, gs in assembly.groups.items() for i, g in enumerate(gs)
    }
    trunk = {f"s{k}" for k in range(1, 5)}
    edges = {}
    for layer, i in origin:
        for k, b in product(range(1, 5), range(1, 3)):
            inner, before = f"s{k}_{b}", f"s{k - 1}" if b == 1 and k > 1 else f"s{k}"
            if layer == f"s{k}":
                edges.setdefault((layer, i), []).extend(
                    (inner, j)
                    for j, r in enumerate(relevance[inner])
                    if r is not None and origin[layer, i] in r
                )
                if b == 1 and k > 1:
                    edges[layer, i].extend(
                        (before, j)
                        for j in range(len(relevance[before]))
                        if origin[before, j] == origin[layer, i]
                    )
            elif layer == inner and relevance[layer][i] is not None:
                edges.setdefault((layer, i), []).extend(
                    (before, j)
                    for j, r in enumerate(relevance[before])
                    if r is not None and relevance[layer][i] <= r
                )
    waiting = [("s4", i) for i in range(len(relevance["s4"])) if origin["s4", i] == task]
    assert trunk < set(relevance)
    found = set()
    while waiting:
        unit = waiting.pop()
        if unit not in found:
            found.add(unit)
            waiting += edges.get(unit, [])
    return found


@pytest.mark.parametrize(("tasks", "seed"), [("AB", 0), ("AB", 1), ("ABC", 2), ("ABC", 3)])
def test_groups_are_the_tasks_that_need_a_unit(tasks, seed):
    assembly = united(tasks)
    relevance = classes(assembly, seed)
    needs = {task: slow_needs(assembly, relevance, task) for task in tasks}
    for layer, groups in separate_trunks(assembly, relevance).items():
        for unit, group in enumerate(groups):
            wanted = {task for task in tasks if (layer, unit) in needs[task]}
            assert (group or frozenset()) == wanted


def test_without_shared_units_every_task_keeps_its_own_trunk():
    assembly = united("AB")
    own = {layer: list(groups) for layer, groups in assembly.groups.items() if layer != "fc"}
    assert separate_trunks(assembly, own) == own


def test_a_task_alone_executes_part_of_the_other_trunk():
    data = make_data()
    networks = {
        task: build("resnet18", data.input_shape, len(columns), task=task, seed=i, width=0.06)
        for i, (task, columns) in enumerate(data.tasks.items())
    }
    merged = merge(networks, "pam", data, samples=24, trunks="separate", retrain=STILL)
    everyone = frozenset(data.tasks)
    for stage in ("s1", "s2", "s3"):
        assert merged.widths[stage][everyone] > 0
    first = next(iter(data.tasks))
    assert sum(merged.widths["s4"].values()) == 2 * networks[first].architecture.units["s4"]


def test_a_chain_has_no_trunks():
    with pytest.raises(ConfigError, match="residual"):
        merge(make_networks(), "pam", make_data(), samples=24, trunks="separate", retrain=STILL)
