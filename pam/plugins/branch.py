"""A branched tree: tasks share layers up to where what they represent differs.

Vandenhende et al., "Branched Multi-Task Networks: Deciding What Layers to Share", BMVC 2020. Two
tasks are as alike at a depth as their representation dissimilarity matrices (RDM) over the same
images: one minus Pearson's correlation for every pair of images, compared by Spearman's. Tasks in
one block share a layer; blocks only split with depth, so groups are nested and a block reads its
parent alone.

Our own implementation from the idea. Choices where it leaves room:

- A depth is a layer, or the layers of a residual stage that read one another, whose affinities are
  averaged. The dissimilarity of a block is that of its least alike pair, of a depth the mean over
  its blocks; the sum over depths is minimised exactly.
- A block starts from the task that is most like its other tasks there. Where parent and child come
  from different networks, units are matched by correlation, and weights moved accordingly.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from torch import Tensor

from pam.data import MultitaskDataset
from pam.errors import ConfigError, DataError, ShapeError
from pam.merging import Forecast, register, sample_index
from pam.merging import retrain as train_lightly
from pam.networks import IMAGE, Assembly, Group, GroupedNetwork, SingleTaskNetwork, layer_steps
from pam.ranges import LayerName, Samples, ScheduleSettings, Share

MOST_TASKS = 7
"""Beyond, there are thousands of partitions, and millions of ways to refine them."""
TIE_DECIMALS = 9
"""Correlations that agree to so many decimals have one rank: rounding must not decide it."""
BATCH_SIZE = 32

Partition = tuple[Group, ...]


class View(NamedTuple):
    """What a network makes of some images in one layer.

    Attributes:
        dissimilarity: 1 - correlation of every pair of images, float64 (pairs,).
        units: maxima over positions, float64 (units, samples).
    """

    dissimilarity: Tensor
    units: Tensor


Views = Mapping[str, Mapping[str, View]]
"""Task -> layer -> what its network makes of the images."""

Starts = Mapping[str, Mapping[Group, str]]
"""Layer -> block -> the task whose network it starts from."""


@register(
    "branch",
    title="branched",
    paper="Vandenhende et al., BMVC 2020",
    order=5,
    forecast=lambda options, architecture: Forecast("zipped", "side_by_side"),
)
def branch(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    budget: Share = 0.5,
    split_after: LayerName | None = None,
    samples: Samples = 200,
    retrain: ScheduleSettings | None = None,
) -> GroupedNetwork:
    """Grow the tree of least dissimilarity that a budget allows, and retrain it lightly.

    Args:
        networks: task -> trained network, all of the same widths.
        data: ``train`` gives the images that are compared, and the retraining.
        seed: of the choice of images and of the retraining.
        budget: of multiplications in hidden layers if all tasks run, in [0, 1]: 0 allows one
            trunk for all tasks, 1 a network for each.
        split_after: the last layer that all tasks share, every later one being their own; the
            budget then does not count.
        samples: number of training images; the default is all if there are fewer.
        retrain: schedule of the light retraining.

    Raises:
        ConfigError: for more than seven tasks without ``split_after``.
        DataError: if an activation is NaN or infinite.
        ShapeError: if the networks differ in width.
    """
    parts = {task: Assembly.of(network) for task, network in networks.items()}
    first = next(iter(parts.values()))
    hidden = first.architecture.hidden_layers
    if any(len({len(part.groups[layer]) for part in parts.values()}) > 1 for layer in hidden):
        raise ShapeError("branch: the networks differ in width, so no layer of one fits another")
    images = data.normalise(data.train.images[sample_index(data, samples, seed)])
    views = {task: view(network, images) for task, network in networks.items()}
    steps = layer_steps(first.architecture)
    affinity = [
        torch.stack([affinities([v[layer] for v in views.values()]) for layer in step]).mean(0)
        for step in steps
    ]
    if split_after is None:
        tree = best_tree(
            list(networks), [multiplications(first, s) for s in steps], affinity, budget
        )
    else:
        alone = tuple(frozenset([task]) for task in networks)
        trunk = next(depth for depth, step in enumerate(steps) if split_after in step)
        tree = [(frozenset(networks),) if depth <= trunk else alone for depth in range(len(steps))]
    starts: dict[str, dict[Group, str]] = {}
    for step, partition, alike in zip(steps, tree, affinity, strict=True):
        chosen = {block: most_alike(block, list(networks), alike) for block in partition}
        starts |= dict.fromkeys(step, chosen)
    starts[first.architecture.output] = {frozenset([task]): task for task in networks}
    network = planted(parts, starts, views).network()
    network.notes["branch"] = {
        layer: {network.group_name(block): start for block, start in starts[layer].items()}
        for layer in hidden
    }
    return train_lightly(network, data, retrain, seed, "retrain branch")


def view(network: GroupedNetwork, images: Tensor) -> dict[str, View]:
    """Return hidden layer -> what the network makes of normalised images there.

    Raises:
        DataError: if an activation is NaN or infinite.
    """
    network.eval()
    layer_at = {network.architecture.activation(layer): layer for layer in network.hidden_layers}
    seen: dict[str, list[Tensor]] = {layer: [] for layer in network.hidden_layers}

    def observe(node: str, group: Group, tensor: Tensor) -> None:
        if node in layer_at:
            seen[layer_at[node]].append(tensor.reshape(*tensor.shape[:2], -1))

    with torch.inference_mode():
        for some in images.split(BATCH_SIZE):
            network(some, observe=observe)
    views = {}
    pairs = torch.triu_indices(len(images), len(images), offset=1)
    for layer in network.hidden_layers:
        values = torch.cat(seen.pop(layer)).double().cpu()
        if not bool(values.isfinite().all()):
            raise DataError(f"activations of layer '{layer}' hold NaN or infinity")
        rdm = 1 - correlation(values.flatten(1)).round(decimals=TIE_DECIMALS)
        views[layer] = View(rdm[pairs[0], pairs[1]], values.amax(2).T)
    return views


def correlation(rows: Tensor) -> Tensor:
    """Return Pearson's correlation of every two rows, 0 with a row that is constant."""
    return torch.corrcoef(rows).reshape(len(rows), len(rows)).nan_to_num(0.0)


def affinities(views: Sequence[View]) -> Tensor:
    """Return Spearman's correlation of the dissimilarities of every two tasks, (tasks, tasks)."""
    ranks = rankdata([one.dissimilarity for one in views], axis=1)
    return correlation(torch.from_numpy(ranks))


def multiplications(part: Assembly, layers: Sequence[str]) -> int:
    """Return the multiply-accumulates that make some layers of one network."""
    signals = part.architecture.signals
    nodes = [node for layer in layers for node in part.nodes_making(layer)]
    return sum(part.weights[n.name].numel() * signals[n.name].positions for n in nodes)


def partitions(tasks: Sequence[str]) -> list[Partition]:
    """Return every partition of the tasks into blocks, all in one block first."""
    if not tasks:
        return [()]
    *others, last = tasks
    grown: list[Partition] = []
    for smaller in partitions(others):
        for place, block in enumerate(smaller):
            grown.append((*smaller[:place], block | {last}, *smaller[place + 1 :]))
        grown.append((*smaller, frozenset([last])))
    return grown


def dissimilarity(partition: Partition, tasks: Sequence[str], affinity: Tensor) -> float:
    """Return the mean over blocks of one minus the affinity of the least alike tasks in it."""
    least = []
    for block in partition:
        index = [place for place, task in enumerate(tasks) if task in block]
        # A task is wholly like itself, whatever its own entry says of a dead layer.
        pairs = [1 - float(affinity[a, b]) for a in index for b in index if a < b]
        least.append(max(pairs, default=0.0))
    return sum(least) / len(least)


def best_tree(
    tasks: Sequence[str], macs: Sequence[int], affinity: Sequence[Tensor], budget: float
) -> list[Partition]:
    """Return the partition at every depth, later ones refining earlier ones.

    Of all such trees within the budget, one of least dissimilarity in all, and of those one of
    least computation. Of the trees that end in the same partition, only those stay that nothing
    beats in both, which is exact.

    Args:
        tasks: at most ``MOST_TASKS``.
        macs: multiply-accumulates of one block, per depth.
        affinity: of every two tasks, float (tasks, tasks) per depth.
        budget: share of the way from one trunk to one network for every task, in [0, 1].

    Raises:
        ConfigError: for more tasks.
    """
    if len(tasks) > MOST_TASKS:
        raise ConfigError(
            f"branch: {len(tasks)} tasks are too many to search for a tree of at most "
            f"{MOST_TASKS}; say where it splits by 'split_after'"
        )
    known = partitions(tasks)
    parents = [
        [
            place
            for place, coarser in enumerate(known)
            if all(any(b <= c for c in coarser) for b in one)
        ]
        for one in known
    ]
    limit = sum(macs) * (1 + budget * (len(tasks) - 1))
    # Per last partition: (dissimilarity, computation, path of partitions).
    ends: list[list[tuple[float, int, tuple[int, ...]]]] = [[(0.0, 0, ())] for _ in known]
    for depth, alike in enumerate(affinity):
        grown = []
        for place, partition in enumerate(known):
            apart, blocks = dissimilarity(partition, tasks, alike), len(partition)
            trees = sorted(
                (total + apart, cost + blocks * macs[depth], (*path, place))
                for before in (parents[place] if depth else [place])
                for total, cost, path in ends[before]
                if cost + blocks * sum(macs[depth:]) <= limit
            )
            front: list[tuple[float, int, tuple[int, ...]]] = []
            for tree in trees:
                if not front or tree[1] < front[-1][1]:
                    front.append(tree)
            grown.append(front)
        ends = grown
    *_, path = min(tree for front in ends for tree in front)
    return [known[place] for place in path]


def most_alike(block: Group, tasks: Sequence[str], affinity: Tensor) -> str:
    """Return the task of a block with the highest mean affinity to its others."""
    index = [place for place, task in enumerate(tasks) if task in block]
    inside = affinity[index][:, index]
    return tasks[index[int((inside.sum(1) - inside.diagonal()).argmax())]]


def planted(parts: Mapping[str, Assembly], starts: Starts, views: Views) -> Assembly:
    """Return the tree as one network.

    Args:
        parts: task -> its network, laid out.
        starts: of the layer of outputs as well.
        views: what units are matched by where a block and its parent are of different networks.
    """
    architecture = next(iter(parts.values())).architecture

    def reading(weight: Tensor, source: str, block: Group, task: str) -> Tensor:
        """Return a block's weights, with a column per unit of the layer that it reads."""
        columns = []
        for parent, origin in starts[source].items():
            if not block <= parent:
                columns.append(torch.zeros_like(weight))
            elif origin == task:
                columns.append(weight)
            else:
                order = matched(views[origin][source].units, views[task][source].units)
                columns.append(weight[:, order])
        return torch.cat(columns, dim=1)

    groups: dict[str, list[Group]] = {}
    weights, biases, norms = {}, {}, {}
    for node in architecture.weighted.values():
        layer, source = node.layer, architecture.source_layer(node)
        blocks = starts[layer]
        groups[layer] = [b for b, task in blocks.items() for _ in parts[task].groups[layer]]
        rows = {block: parts[task].weights[node.name] for block, task in blocks.items()}
        if source != IMAGE:
            rows = {b: reading(own, source, b, blocks[b]) for b, own in rows.items()}
        weights[node.name] = torch.cat(list(rows.values()))
        if node.bias:
            own_biases = [parts[task].biases[node.name] for task in blocks.values()]
            biases[node.name] = torch.cat(own_biases)
    for name in architecture.norms:
        chosen = starts[architecture.signals[name].layer].values()
        norms[name] = torch.cat([parts[task].norms[name] for task in chosen], dim=1)
    tasks = {task: part.tasks[task] for task, part in parts.items()}
    return Assembly(architecture, tasks, groups, weights, biases, norms)


def matched(ones: Tensor, others: Tensor) -> list[int]:
    """Return for each unit its partner among others, such that their correlations sum to the most.

    Args:
        ones: float (units, samples).
        others: float (units, samples).
    """
    between = correlation(torch.cat([ones, others]))[: len(ones), len(ones) :]
    return linear_sum_assignment(between.numpy(), maximize=True)[1].tolist()
