"""VGG-16 (Simonyan and Zisserman, 2015) with the small hidden layers of the PAM experiments."""

from pam.networks.architecture import Architecture
from pam.networks.chain import Chain
from pam.networks.registry import register
from pam.ranges import Count, Positive

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


@register(
    "vgg16",
    title="VGG-16",
    paper="Simonyan and Zisserman, ICLR 2015",
    layers="c1_1 c1_2 c2_1 c2_2 c3_1 c3_2 c3_3 c4_1 c4_2 c4_3 c5_1 c5_2 c5_3 f6 f7",
)
def vgg16(
    input_shape: tuple[int, int, int], hidden: Count = 512, width: Positive = 1.0
) -> Architecture:
    """Thirteen 3 x 3 convolutions in five pooled blocks and two hidden fully connected layers.

    Args:
        input_shape: (channels, height, width); at least 32 x 32.
        hidden: units of f6 and f7 (the paper uses 512 and 128).
        width: multiplier of the convolutions' channels, rounded, at least 1 channel.
    """
    chain = Chain()
    for block, channels in enumerate(BLOCKS, start=1):
        for index, units in enumerate(channels, start=1):
            chain.conv(f"c{block}_{index}", max(1, round(units * width)), kernel=3)
        chain.pool(f"p{block}")
    chain.flatten()
    chain.linear("f6", hidden)
    chain.linear("f7", hidden)
    chain.output("f8")
    options = {"hidden": hidden, "width": width}
    return Architecture("vgg16", input_shape, chain.nodes, options, gain=2.0)
