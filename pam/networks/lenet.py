"""LeNet-5 as the PAM experiments use it (facts of the authors' runs: He et al., KDD 2021)."""

from pam.networks.architecture import Architecture
from pam.networks.chain import Chain
from pam.networks.registry import register
from pam.ranges import Count


@register(
    "lenet5",
    title="LeNet-5",
    paper="LeCun et al., Proc. IEEE 1998",
    layers="c1 c2 f3 f4",
)
def lenet5(
    input_shape: tuple[int, int, int],
    widths: tuple[Count, Count, Count, Count] = (6, 16, 120, 84),
) -> Architecture:
    """Two 5 x 5 convolutions, each pooled, and two hidden fully connected layers.

    Args:
        input_shape: (channels, height, width); at least 4 x 4.
        widths: units of c1, c2, f3 and f4.
    """
    chain = Chain()
    for index, layer in enumerate(("c1", "c2")):
        chain.conv(layer, widths[index], kernel=5)
        chain.pool(f"p{index + 1}")
    chain.flatten()
    chain.linear("f3", widths[2])
    chain.linear("f4", widths[3])
    chain.output("f5")
    return Architecture("lenet5", input_shape, chain.nodes, {"widths": list(widths)})
