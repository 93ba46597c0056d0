"""Any word is the name of a task, also one that Python or torch has another use for."""

from dataclasses import replace

import pytest
import torch

from pam.config import parse_config
from pam.cost import measure_network, task_accuracy
from pam.cost.measure import CELL, RUN
from pam.errors import ConfigError
from pam.files import read_tensors
from pam.merging import merge
from pam.networks import GroupedNetwork, build
from pam.networks.family import load_family, save_family
from pam.pruning import prune
from tests.small import SHAPE, SHORT, images_of, make_data, make_network, same_bits, scores_of
from tests.small_run import profile

PAIRS = [
    ("class", "training"),
    ("forward", "type"),
    ("T_destination", "register_buffer"),
    ("None", "keys"),
    ("self", "call_super_init"),
]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("method", ["none", "pam"])
def test_a_task_of_any_name_goes_all_the_way(method, pair, tmp_path):
    data = make_data()
    data = replace(data, tasks=dict(zip(pair, data.tasks.values(), strict=True)))
    networks = {
        task: make_network(task, seed, outputs=len(columns))
        for seed, (task, columns) in enumerate(data.tasks.items())
    }
    options = {"retrain": SHORT, "samples": 48} if method == "pam" else {}
    merged = merge(networks, method, data, **options)
    pruned = prune(merged, "vibnet", data, strength=1.0, penalty=SHORT, fine_tune=SHORT)
    images = images_of(data)
    for network in (*networks.values(), merged, pruned):
        network.save(tmp_path / "network.safetensors")
        loaded = GroupedNetwork.load(tmp_path / "network.safetensors")
        assert loaded.describe() == network.describe()
        whole = scores_of(loaded, images)
        for tasks in loaded.combinations():
            part = loaded.subnetwork(tasks)
            for task, scores in part(images).items():
                torch.testing.assert_close(scores, whole[task])
    singles = {task: task_accuracy(network, data)[task] for task, network in networks.items()}
    cell, run = dict.fromkeys(CELL, 0), dict.fromkeys(RUN, 1)
    rows = measure_network(pruned, data, singles, cell, run)["measurements"]
    assert [row["combination"] for row in rows] == [*pair, "&".join(pair)]
    save_family(tmp_path / "family.safetensors", {1.0: pruned, 0.0: merged})
    family = load_family(tmp_path / "family.safetensors")
    assert list(family) == [0.0, 1.0] and same_bits(family[1.0], pruned)


@pytest.mark.parametrize("name", ["class", "training", "A"])
def test_a_file_names_tensors_by_node_group_and_parameter(name, tmp_path):
    build("lenet5", SHAPE, 2, task=name).save(tmp_path / "network.safetensors")
    tensors, _ = read_tensors(tmp_path / "network.safetensors")
    kinds = ("weight", "bias")
    assert set(tensors) == {
        f"blocks.{node}.{name}.{kind}" for node in ("c1", "c2", "f3", "f4", "f5") for kind in kinds
    }


@pytest.mark.parametrize("name", ["shared", "A&B", "a.b", "", "a b", "Ä", "A\n", "A" * 65])
def test_what_is_no_word_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be the name of a task"):
        build("lenet5", SHAPE, 2, task=name)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_configuration_may_name_them(pair):
    text = profile("{none: {}}", "{taylor: {strengths: [0.5]}}", f"    tasks: {list(pair)}\n")
    assert parse_config(text, "c").experiment("tiny").tasks == list(pair)
