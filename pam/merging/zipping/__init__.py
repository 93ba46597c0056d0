"""Multi-Task Zipping, layer by layer (He et al., NeurIPS 2018).

In every layer some units of each network are paired one-to-one with units of the others; a pair
becomes one unit of the group shared by all tasks, with the compromise of
:mod:`pam.merging.zipping.pairing` as its incoming weights. What read one of the two reads the
shared unit with unchanged weights. Then the network is retrained lightly, and the next layer is
zipped with the inputs that the retrained network gives it. Layers of a residual stage that read one
another are zipped in one step (:func:`zip_steps`), with one pairing for all that makes a layer.

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

from pam.merging.zipping.zipper import LayerPlan, zip_networks, zip_steps

__all__ = ["LayerPlan", "zip_networks", "zip_steps"]
