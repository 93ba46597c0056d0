"""Strips hold what their labels say, and no item is seen in two parts."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.data.dataset import channel_statistics
from pam.data.strips import (
    ItemSource,
    StripOptions,
    choose_items,
    draw_strips,
    label_strips,
    make_dataset,
    render_strips,
    split_items,
)
from tests.examples import examples

PARTS = ("train", "validation", "test")


def random_source(seed: int, n_items: int = 60, size: int = 8, n_classes: int = 5) -> ItemSource:
    """Random items, a quarter of them for the test part, in no particular order."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n_items, generator=generator)
    return ItemSource(
        images=torch.randint(0, 256, (n_items, size, size), generator=generator).to(torch.uint8),
        classes=torch.randint(0, n_classes, (n_items,), generator=generator),
        class_names=[f"class {c}" for c in range(n_classes)],
        pool=order[n_items // 4 :],
        test=order[: n_items // 4],
    )


def strip_options(**changes: object) -> StripOptions:
    values: dict = {
        "tile": 8,
        "train_strips": 30,
        "validation_strips": 10,
        "test_strips": 20,
        "items_per_strip": 3,
        "validation_fraction": 0.3,
        "seed": 0,
    }
    return StripOptions(**(values | changes))


def slow_bilinear(image: list[list[int]], tile: int) -> list[list[float]]:
    """Enlarge with pixel centres aligned (half-pixel convention) and edges repeated."""
    height, width = len(image), len(image[0])

    def neighbours(position: int, size: int) -> tuple[int, int, float]:
        centre = min(max((position + 0.5) * size / tile - 0.5, 0.0), size - 1.0)
        low = math.floor(centre)
        return low, min(low + 1, size - 1), centre - low

    result = []
    for y in range(tile):
        top, bottom, v = neighbours(y, height)
        row = []
        for x in range(tile):
            left, right, u = neighbours(x, width)
            upper = (1 - u) * image[top][left] + u * image[top][right]
            lower = (1 - u) * image[bottom][left] + u * image[bottom][right]
            row.append((1 - v) * upper + v * lower)
        result.append(row)
    return result


@given(seed=st.integers(0, 10_000), per_strip=st.integers(1, 6), n_strips=st.integers(1, 40))
@examples(40)
def test_label_is_plus_one_exactly_for_the_classes_in_the_strip(
    seed: int, per_strip: int, n_strips: int
) -> None:
    source = random_source(seed)
    generator = torch.Generator().manual_seed(seed)
    strips = draw_strips(source.pool, n_strips, per_strip, generator)
    labels = label_strips(source.classes, strips, 5)
    assert labels.dtype == torch.int8
    expected = [
        [1 if c in {int(source.classes[i]) for i in strip} else -1 for c in range(5)]
        for strip in strips.tolist()
    ]
    assert labels.tolist() == expected


@given(
    seed=st.integers(0, 10_000),
    per_strip=st.integers(1, 5),
    fraction=st.floats(0.2, 0.8),
    n_strips=st.integers(1, 60),
)
@examples(40)
def test_parts_share_no_item(seed: int, per_strip: int, fraction: float, n_strips: int) -> None:
    source = random_source(seed)
    options = strip_options(
        seed=seed, items_per_strip=per_strip, validation_fraction=fraction, train_strips=n_strips
    )
    strips = choose_items(source, options)
    used = {part: set(strips[part].flatten().tolist()) for part in PARTS}
    assert not used["train"] & used["validation"]
    assert not used["train"] & used["test"]
    assert not used["validation"] & used["test"]
    assert used["train"] | used["validation"] <= set(source.pool.tolist())
    assert used["test"] <= set(source.test.tolist())
    for part in PARTS:
        assert strips[part].shape == (getattr(options, f"{part}_strips"), per_strip)


@given(
    n_pool=st.integers(3, 50),
    per_strip=st.integers(1, 3),
    n_strips=st.integers(1, 100),
    seed=st.integers(0, 10_000),
)
@examples(60)
def test_dealing_is_fair_and_repeats_no_item_in_a_strip(
    n_pool: int, per_strip: int, n_strips: int, seed: int
) -> None:
    pool = torch.arange(100, 100 + n_pool)
    generator = torch.Generator().manual_seed(seed)
    strips = draw_strips(pool, n_strips, per_strip, generator).tolist()
    assert len(strips) == n_strips
    assert all(len(set(strip)) == per_strip for strip in strips)
    deals = math.ceil(n_strips / (n_pool // per_strip))
    uses = [sum(item in strip for strip in strips) for item in pool.tolist()]
    assert max(uses) <= deals


@given(seed=st.integers(0, 10_000), fraction=st.floats(0.05, 0.95))
@examples(40)
def test_split_keeps_every_item_once_and_the_share_of_every_class(
    seed: int, fraction: float
) -> None:
    source = random_source(seed)
    generator = torch.Generator().manual_seed(seed)
    kept, taken = split_items(source.pool, source.classes, fraction, generator)
    assert sorted(kept.tolist() + taken.tolist()) == sorted(source.pool.tolist())
    for c in range(5):
        in_pool = int((source.classes[source.pool] == c).sum())
        in_taken = int((source.classes[taken] == c).sum())
        assert abs(in_taken - fraction * in_pool) <= 0.5


@given(seed=st.integers(0, 10_000), tile=st.integers(8, 21))
@examples(15)
def test_strip_is_the_inverted_enlarged_items_from_left_to_right(seed: int, tile: int) -> None:
    source = random_source(seed)
    strips = torch.tensor([[3, 1, 4], [5, 9, 2]])
    images = render_strips(source.images, strips, tile)
    assert images.shape == (2, 1, tile, 3 * tile)
    assert images.dtype == torch.uint8
    for strip, image in zip(strips.tolist(), images, strict=True):
        for place, item in enumerate(strip):
            inverted = (255 - source.images[item].int()).tolist()
            expected = torch.tensor(slow_bilinear(inverted, tile), dtype=torch.float64)
            shown = image[0, :, place * tile : (place + 1) * tile].double()
            # Half a grey value of rounding, and a little for float32.
            assert (shown - expected).abs().max() <= 0.501


def test_items_of_the_tile_size_are_inverted_exactly() -> None:
    source = random_source(0)
    images = render_strips(source.images, torch.tensor([[7, 0]]), 8)
    assert torch.equal(images[0, 0, :, :8], 255 - source.images[7])
    assert torch.equal(images[0, 0, :, 8:], 255 - source.images[0])


def test_more_strips_than_a_chunk_equal_the_strips_one_by_one() -> None:
    source = random_source(1)
    generator = torch.Generator().manual_seed(1)
    strips = draw_strips(source.pool, 600, 3, generator)
    together = render_strips(source.images, strips, 9)
    for index in (0, 255, 256, 511, 512, 599):
        alone = render_strips(source.images, strips[index : index + 1], 9)
        assert torch.equal(together[index], alone[0])


def test_shrunken_items_keep_their_mean() -> None:
    source = random_source(2, size=32)
    small = render_strips(source.images, torch.arange(20).view(20, 1), 8)
    mean, _ = channel_statistics(small)
    assert mean[0] == pytest.approx(
        float((255 - source.images[:20].double()).mean() / 255), abs=0.01
    )


@given(seed=st.integers(0, 10_000))
@examples(15)
def test_same_seed_same_data_other_seed_other_data(seed: int) -> None:
    source = random_source(0)
    first, again, other = (
        make_dataset("random", source, strip_options(seed=s), None) for s in (seed, seed, seed + 1)
    )
    for part in PARTS:
        assert torch.equal(getattr(first, part).images, getattr(again, part).images)
        assert torch.equal(getattr(first, part).labels, getattr(again, part).labels)
        assert not torch.equal(getattr(first, part).images, getattr(other, part).images)


@given(test_strips=st.integers(1, 40), validation_strips=st.integers(1, 40))
@examples(15)
def test_size_of_one_part_does_not_change_another(test_strips: int, validation_strips: int) -> None:
    source = random_source(0)
    usual = choose_items(source, strip_options())
    changed = choose_items(
        source, strip_options(test_strips=test_strips, validation_strips=validation_strips)
    )
    assert torch.equal(usual["train"], changed["train"])
    common = min(20, test_strips)
    assert torch.equal(usual["test"][:common], changed["test"][:common])


@given(seed=st.integers(0, 10_000))
@examples(15)
def test_normalised_training_images_have_mean_zero(seed: int) -> None:
    dataset = make_dataset("random", random_source(seed), strip_options(seed=seed), None)
    assert dataset.std == [1.0]
    assert dataset.mean[0] == pytest.approx(float(dataset.train.images.double().mean()) / 255)
    normalised = dataset.normalise(dataset.train.images)
    assert normalised.dtype == torch.float32
    assert float(normalised.double().mean()) == pytest.approx(0, abs=1e-6)
    assert float(normalised.max() - normalised.min()) <= 1 + 1e-6
