"""Costs against the recorded figures of the authors' runs, and against counts made by hand."""

import pytest

import pam
from pam.cost import paper_flops_of_widths, paper_parameters_of_widths
from pam.networks import architecture
from tests.small import VGG_CONVOLUTIONS

FASHION = (1, 124, 496)
FACES = (3, 72, 72)
LENET_LAYERS = ("c1", "c2", "f3", "f4", "f5")
VGG_LAYERS = (*VGG_CONVOLUTIONS, "f6", "f7", "f8")
VGG_CHANNELS = (64, 64, 128, 128, 256, 256, 256, *[512] * 6)


def lenet(*rows):
    return dict(zip(LENET_LAYERS, rows, strict=True))


def dense_lenet(times=1, group="A", outputs=None):
    return lenet(*({group: times * n} for n in (6, 16, 120, 84)), outputs or {"A": 5})


def dense_vgg(hidden, outputs, times=1, group="A"):
    rows = [{group: times * n} for n in (*VGG_CHANNELS, hidden, hidden)]
    return dict(zip(VGG_LAYERS, [*rows, outputs], strict=True))


T1 = lenet(
    {"A": 1, "B": 1, "shared": 2},
    {"A": 2, "B": 2, "shared": 3},
    {"A": 6, "B": 6, "shared": 10},
    {"A": 4, "B": 3, "shared": 9},
    {"A": 5, "B": 5},
)
T5 = lenet(
    {"shared": 2}, {"B": 2, "shared": 4}, {"B": 6, "shared": 30}, {"B": 3, "shared": 16}, {"B": 5}
)


@pytest.mark.parametrize(
    ("widths", "tasks", "weights", "flops"),
    [
        (T1, "A", 231_234, 18_651_492),
        (T1, "B", 231_213, 18_651_451),
        (T1, "A&B", 346_837, 26_478_078),
        (T5, "B", 600_697, 16_361_370),
        (dense_lenet(), "A", 7_393_530, 106_422_711),
    ],
)
def test_recorded_lenet_costs(widths, tasks, weights, flops):
    assert paper_parameters_of_widths("lenet5", widths, tasks, FASHION) == weights
    assert paper_flops_of_widths("lenet5", widths, tasks, FASHION) == flops


@pytest.mark.parametrize(
    ("hidden", "labels", "weights", "flops"),
    [
        (512, 20, 16_031_424, 3_112_200_684),
        (128, 15, 14_990_912, 3_110_120_433),
        (128, 13, 14_990_656, 3_110_119_923),
    ],
)
def test_recorded_vgg_costs(hidden, labels, weights, flops):
    widths = dense_vgg(hidden, {"A": labels})
    assert paper_parameters_of_widths("vgg16", widths, "A", FACES) == weights
    assert paper_flops_of_widths("vgg16", widths, "A", FACES) == flops


def test_recorded_all_shared_merges():
    lenet_flops = paper_flops_of_widths(
        "lenet5", dense_lenet(2, "shared", {"A": 5, "B": 5}), "A&B", FASHION
    )
    celeba = paper_flops_of_widths(
        "vgg16", dense_vgg(512, {"A": 20, "B": 20}, 2, "shared"), "A&B", FACES
    )
    outputs = dict(zip("ABCDE", (15, 15, 15, 15, 13), strict=True))
    lfw = paper_flops_of_widths("vgg16", dense_vgg(128, outputs, 5, "shared"), [*"ABCDE"], FACES)
    assert round(lenet_flops / 1e6, 2) == 390.02
    assert (round(celeba / 1e9, 3), round(lfw / 1e9, 3)) == (12.416, 77.423)


# 8 x 8 images: 64 positions in c1, 16 in c2, 4 values per unit after the flatten.
THREE_TASKS = lenet(
    {"A": 1, "A&C": 2, "shared": 3},
    {"A": 1, "A&C": 1, "shared": 2},
    {"B": 2, "shared": 1},
    {"shared": 2},
    {"A": 1, "B": 2, "C": 1},
)
C2_A, C2_AC, C2_SHARED = (50 * 6 - 1) * 16, (50 * 5 - 1) * 16, (50 * 3 - 1) * 16 * 2
TAIL_SHARED = (2 * 8 - 1) * 1 + (2 * 1 - 1) * 2
OUTPUT = 2 * 2 - 1


@pytest.mark.parametrize(
    ("tasks", "flops"),
    [
        ("A", 49 * 64 * 6 + C2_A + C2_AC + C2_SHARED + TAIL_SHARED + OUTPUT),
        ("B", 49 * 64 * 3 + C2_SHARED + TAIL_SHARED + 15 * 2 + 2 * OUTPUT),
        ("C", 49 * 64 * 5 + C2_AC + C2_SHARED + TAIL_SHARED + OUTPUT),
        ("A&B", 32_408),
        ("A&C", 32_375),
        ("A&B&C", 32_411),
    ],
)
def test_groups_of_some_tasks_by_hand(tasks, flops):
    assert paper_flops_of_widths("lenet5", THREE_TASKS, tasks, (1, 8, 8)) == flops


def test_a_combination_is_a_name_or_an_iterable_in_any_order():
    names = ("A&B", "B&A", {"A", "B"}, ["B", "A"], ("A", "B"))
    costs = {paper_flops_of_widths("lenet5", T1, tasks, FASHION) for tasks in names}
    assert costs == {26_478_078}


def test_an_architecture_object_serves_as_well_as_its_name():
    made = architecture("lenet5", FASHION)
    assert paper_flops_of_widths(made, T1, "A", FASHION) == 18_651_492
    with pytest.raises(pam.ShapeError, match="made for images of"):
        paper_flops_of_widths(made, T1, "A", (1, 28, 28))


def test_a_unit_that_reads_nothing_costs_nothing():
    widths = lenet({"A": 1}, {"A": 1}, {"B": 7}, {"B": 1}, {"B": 2})
    # f3 of B has nothing to read in c2: its 7 units would cost -1 each.
    assert paper_flops_of_widths("lenet5", widths, "B", (1, 8, 8)) == (2 * 7 - 1) + 1 * 2


def test_a_table_of_shared_groups_serves_any_task():
    table = dense_lenet(1, "shared", {"shared": 5})
    assert paper_flops_of_widths("lenet5", table, "C", FASHION) == 106_422_711


def test_a_single_task_may_stand_beside_the_shared_group():
    # Of a larger network only B is listed: its shared units still do not read those of B.
    table = lenet({"B": 1, "shared": 1}, {"shared": 1}, {"shared": 1}, {"shared": 1}, {"B": 1})
    expected = 49 * 64 * 2 + 49 * 16 + 7 + 1 + 1
    assert paper_flops_of_widths("lenet5", table, "B", (1, 8, 8)) == expected


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"c2": None}, "lacks layer 'c2'"),
        ({"f5": None}, "lacks layer 'f5'"),
        ({"c3": {"A": 1}}, "unknown layer 'c3'"),
        ({"c2": {"A": -1}}, "group 'A' in layer 'c2'"),
        ({"c2": {"A": 1.5}}, "group 'A' in layer 'c2'"),
        ({"c2": {"shared": "3"}}, "group 'shared' in layer 'c2'"),
    ],
)
def test_bad_tables_are_refused(change, sentence):
    table = {layer: groups for layer, groups in {**T1, **change}.items() if groups is not None}
    with pytest.raises(pam.ConfigError, match=sentence):
        paper_flops_of_widths("lenet5", table, "A", FASHION)


@pytest.mark.parametrize("tasks", ["", [], "A&", "shared", "AB", "A&C"])
def test_bad_combinations_are_refused(tasks):
    with pytest.raises(pam.ConfigError):
        paper_flops_of_widths("lenet5", T1, tasks, FASHION)


def test_an_unknown_architecture_is_refused():
    with pytest.raises(pam.ConfigError, match="lenet5"):
        paper_flops_of_widths("lenet", T1, "A", FASHION)
