"""VGG-16 by the authors' formulas, written out layer by layer, for any widths."""

from hypothesis import given
from hypothesis import strategies as st

from pam.cost import paper_flops_of_widths, paper_parameters_of_widths
from tests.examples import examples
from tests.small import VGG_CONVOLUTIONS as CONVOLUTIONS

LAYERS = (*CONVOLUTIONS, "f6", "f7", "f8")
POOLED = ("c1_2", "c2_2", "c3_3", "c4_3", "c5_3")
WIDTHS = st.lists(st.integers(1, 600), min_size=15, max_size=15)


def by_hand(widths, labels, channels, height, width):
    """Return (FLOPs, weights) of one dense network: 3 x 3 filters, floors after each pooling."""
    flops = weights = 0
    n_in = channels
    for layer, n_out in zip(LAYERS, [*widths, labels], strict=True):
        if layer in CONVOLUTIONS:
            flops += (2 * 9 * n_in - 1) * height * width * n_out
            weights += 9 * n_in * n_out
        else:
            flops += (2 * n_in - 1) * n_out
            weights += n_in * n_out
        n_in = n_out
        if layer in POOLED:
            height, width = height // 2, width // 2
        if layer == "c5_3":
            n_in *= height * width
    return flops, weights


def costs(table, tasks, shape):
    return (
        paper_flops_of_widths("vgg16", table, tasks, shape),
        paper_parameters_of_widths("vgg16", table, tasks, shape),
    )


@examples(50)
@given(WIDTHS, st.integers(1, 40), st.integers(1, 4), st.integers(32, 100), st.integers(32, 100))
def test_any_width_table_of_one_task(widths, labels, channels, height, width):
    table = {layer: {"A": n} for layer, n in zip(LAYERS, [*widths, labels], strict=True)}
    expected = by_hand(widths, labels, channels, height, width)
    assert costs(table, "A", (channels, height, width)) == expected


@examples(50)
@given(WIDTHS, WIDTHS, st.data())
def test_a_shared_trunk_and_two_columns(shared, own, data):
    """Group A reads A and shared, shared reads shared: counted link by link."""
    other = data.draw(WIDTHS)
    shape = (3, 72, 72)
    columns = zip(LAYERS, shared, own, other, strict=False)
    table = {layer: {"shared": s, "A": a, "B": b} for layer, s, a, b in columns}
    table["f8"] = {"A": 20, "B": 13}
    together = {}
    for task, column, labels in (("A", own, 20), ("B", other, 13)):
        flops = weights = 0
        read_s = read_t = 0
        side, positions = 72, 1
        for layer, s, t in zip(LAYERS, [*shared, 0], [*column, labels], strict=True):
            convolution = layer in CONVOLUTIONS
            taps, places = (9, side * side) if convolution else (positions, 1)
            inputs_s = taps * read_s if layer != "c1_1" else 27
            inputs_t = taps * (read_s + read_t) if layer != "c1_1" else 27
            flops += places * ((2 * inputs_s - 1) * s + (2 * inputs_t - 1) * t)
            weights += inputs_s * s + inputs_t * t
            read_s, read_t = s, t
            side = side // 2 if layer in POOLED else side
            positions = side * side if layer == "c5_3" else 1
        together[task] = flops, weights
        assert costs(table, task, shape) == (flops, weights)
    trunk = by_hand(shared, 0, *shape)
    expected = tuple(a + b - t for a, b, t in zip(together["A"], together["B"], trunk, strict=True))
    assert costs(table, "A&B", shape) == expected
