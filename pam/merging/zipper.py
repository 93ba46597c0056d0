"""Zipping networks step by step: the machinery of Multi-Task Zipping (He et al., NeurIPS 2018).

In every layer some units of each network are paired one-to-one with units of the others; a pair
becomes one unit of the group shared by all tasks, with the compromise of
:mod:`pam.merging.zipping` as its incoming weights. What read one of the two reads the shared unit
with unchanged weights. Then the network is retrained lightly, and the next layer is zipped with the
inputs that the retrained network gives it. Layers of a residual stage that read one another are
zipped in one step (:mod:`pam.merging.zip_steps`), with one pairing for all that makes a layer.

Choices where the source leaves room:

- Shared units read shared units only: the wiring rule of grouped networks knows no weights from
  exclusive to shared units. With full sharing there are none; with partial sharing they are
  dropped, before pairing, and the retraining has to make up for them.
- Convolutions use the Hessian of full patches, zero padding included; biases are a constant input.
- All tasks see the same images here, so their Hessians are multiples of one second moment.
- More than two networks are added one at a time, the Hessian of the joint network being the sum of
  those of its parts; the result is then the optimum of all for the chosen pairs.
- The channels of a residual stage are paired by the sum of the costs at the convolutions that read
  earlier steps: in the first stage the stem, in the others the shortcut and the first block. The
  other blocks read these channels, so what they need is known only once the channels are paired.
- Within a step every node is zipped with the inputs that the nodes zipped before it give it.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pam.data import MultitaskDataset
from pam.merging.activations import sample_index
from pam.merging.retraining import retrain as train_lightly
from pam.merging.zip_step import LayerPlan, StepZipper
from pam.merging.zip_steps import zip_steps
from pam.networks import Assembly, GroupedNetwork, SingleTaskNetwork
from pam.networks.remembered import remember_network
from pam.seeds import derive_seed


def zip_networks(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    plan: Mapping[str, LayerPlan],
    weights: Mapping[str, float],
    *,
    samples: int,
    retrain: Mapping[str, Any] | None,
    seed: int,
) -> GroupedNetwork:
    """Zip networks step by step; ``notes["zipped"]`` tells which units were joined.

    The note of a layer holds ``"pairs"``, per shared unit its member in every task, and ``"cost"``,
    the sum of the costs by which they were chosen.

    Args:
        networks: task -> trained network.
        data: ``train`` gives the layers' inputs and the light retraining.
        plan: hidden layer -> what to zip; the layers of a step are all zipped or all left.
        weights: task -> weight of its error; they sum to 1.
        samples: training images that the Hessians are taken from, at least 2 (all if there are
            fewer).
        retrain: schedule of the light retraining after each zipped step.
        seed: of the choice of images and of the retraining.

    Raises:
        ConfigError: for a value outside its range, or an architecture that cannot be zipped.
        DataError: if a weight or an activation is NaN or infinite.
        DivergenceError: if retraining diverges.
    """
    network = Assembly.unite([Assembly.of(part) for part in networks.values()]).network().eval()
    index = sample_index(data, samples, seed)
    images = data.train.images[index.to(data.train.images.device)]
    network.notes["zipped"] = {}
    for step in zip_steps(network.architecture):
        if all(plan[layer].count for layer in step):
            zipper = StepZipper(network, {name: plan[name] for name in step}, weights, data, images)
            made = remember_network(f"zip {step[0]}", partial(_zipped, zipper, network.notes))
            network = made.to(images.device)
            step_seed = derive_seed("mtz", step[0], seed)
            network = train_lightly(network, data, retrain, step_seed, f"zip {step[0]}")
    return network


def _zipped(zipper: StepZipper, notes: Mapping[str, Any]) -> GroupedNetwork:
    network = zipper.zip().network().eval()
    network.notes = {**notes, "zipped": {**notes["zipped"], **zipper.notes}}
    return network
