"""LeNet-5 as the PAM experiments use it (facts of the authors' runs: He et al., KDD 2021)."""

from pam.errors import ConfigError
from pam.networks.architecture import Architecture
from pam.networks.chain import Chain
from pam.networks.registry import register


@register("lenet5")
def lenet5(
    input_shape: tuple[int, int, int], widths: tuple[int, int, int, int] = (6, 16, 120, 84)
) -> Architecture:
    """Two 5 x 5 convolutions, each pooled, and two hidden fully connected layers.

    Args:
        input_shape: (channels, height, width); at least 4 x 4.
        widths: units of c1, c2, f3 and f4.
    """
    if len(widths) != 4 or any(int(width) != width or width < 1 for width in widths):
        raise ConfigError(f"lenet5 needs four positive widths, not {widths!r}")
    chain = Chain()
    for index, layer in enumerate(("c1", "c2")):
        chain.conv(layer, int(widths[index]), kernel=5)
        chain.pool(f"p{index + 1}")
    chain.flatten()
    chain.linear("f3", int(widths[2]))
    chain.linear("f4", int(widths[3]))
    chain.output("f5")
    return Architecture("lenet5", input_shape, chain.nodes, {"widths": list(map(int, widths))})
