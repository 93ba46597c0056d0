"""What single-task networks start from: weights of their own, common ones, or a trained trunk."""

import pytest
import torch

from pam import ConfigError, ShapeError
from pam.cli.main import main
from pam.config import parse_config
from pam.networks import SingleTaskNetwork, build
from pam.reporting.figures import render_figures
from pam.runs.cells import Cell, cells_of, parents_of, settings_of
from pam.seeds import derive_seed
from pam.stages.job import Job
from pam.stages.train import seeds_of
from tests.small_run import LATENCY, Run, profile

PRETRAINED = """\
    init:
      pretrained:
        data: {seed: 1, tasks: {T: [0, 1, 9]}}
        train: {batch_size: 16, stages: [{epochs: 1, learning_rate: 0.01}]}
"""
MERGING, PRUNING = "{none: {}}", "{taylor: {strengths: [0.3, 0.5, 0.7]}}"
RELATED = "    relatedness: {none: {}}\n"


def text(init: str) -> str:
    return profile(MERGING, PRUNING, LATENCY + RELATED + init, widths="[2, 3, 5, 6]")


def job(init: str, task: str = "A") -> Job:
    config = parse_config(text(init), "tiny.yaml")
    return Job(config, Cell.of("train", "tiny", task, 0), "cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run with a trunk, trained."""
    run = Run(tmp_path_factory.mktemp("run"), text(PRETRAINED))
    assert [run.prepare(), run.job("pretrain"), run.train("A"), run.train("B")] == [0] * 4
    return run


def test_independent_networks_start_as_before_there_was_a_choice():
    for task in "AB":
        due = {
            name: derive_seed(name, "digits", "lenet5", task, 0) for name in ("weights", "order")
        }
        for init in ("", "    init: independent\n", PRETRAINED):
            assert seeds_of(job(init), task) == due
    plain = job("")
    settings = settings_of(plain.config, plain.cell)
    assert "init" not in settings
    same = job("    init: independent\n")
    assert plain.columns("")["config_hash"] == same.columns("")["config_hash"]


def test_common_weights_are_those_of_all_tasks_of_a_seed():
    common = job("    init: common\n")
    one, other = (seeds_of(common, task) for task in "AB")
    assert one["weights"] == other["weights"]
    assert one["order"] != other["order"]
    networks = [
        build("lenet5", (1, 8, 32), 5, task=task, seed=seeds_of(common, task)["weights"])
        for task in "AB"
    ]
    for mine, theirs in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(mine, theirs)
    assert settings_of(common.config, common.cell)["init"] == "common"


def test_only_an_experiment_that_asks_for_a_trunk_has_one():
    for init in ("", "    init: common\n"):
        config = job(init).config
        assert cells_of(config, "pretrain") == []
        assert "trunk" not in parents_of(config, Cell.of("train", "tiny", "A", 0))
    config = job(PRETRAINED).config
    trunk = Cell.of("pretrain", "tiny", 0)
    assert cells_of(config, "pretrain") == [trunk]
    for cell in (Cell.of("train", "tiny", "A", 0), Cell.of("relate", "tiny", "none", 0)):
        assert parents_of(config, cell)["trunk"] == [trunk]
    merged = settings_of(config, Cell.of("merge", "tiny", "none", 0))
    assert merged["init"]["pretrained"]["data"]["seed"] == 1


def test_networks_start_from_the_hidden_layers_of_the_trunk(run, monkeypatch):
    trunk = SingleTaskNetwork.load(run.artefact("pretrain"))
    assert trunk.tasks == {"trunk": 3}
    monkeypatch.setattr("pam.training.fit", lambda *_, **__: [])
    for task in "AB":
        assert run.train(task) == 0
        network = SingleTaskNetwork.load(run.artefact("train", task))
        fresh = build(
            "lenet5",
            (1, 8, 32),
            5,
            task=task,
            widths=[2, 3, 5, 6],
            seed=derive_seed("weights", "digits", "lenet5", task, 0),
        )
        for node, blocks in network.blocks.items():
            start = fresh if node == network.architecture.output else trunk
            due = start.blocks[node][start.block_name(frozenset([start.task]))].state_dict()
            for name, tensor in blocks[task].state_dict().items():
                assert torch.equal(tensor, due[name])


def test_every_stage_follows(run, tmp_path):
    assert run.job("relate", merging="none") == 0
    run.finish("none")
    assert run.aggregate() == 0
    record = run.record("train", "A")
    assert any(path.startswith("pretrained/tiny/0") for path in record["provenance"]["parents"])
    rows = run.record("pretrain")["rows"]["training"]
    assert {(row["stage"], row["task"]) for row in rows} == {("pretrain", "trunk")}
    assert render_figures(run.paths.results, tmp_path, only=["training"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("seed: 0, ", "init.pretrained.data: the trunk would see 72 images of the tasks"),
        ("seed: 1, tile: 9, ", "images are (1, 9, 36), those of the tasks (1, 8, 32)"),
    ],
)
def test_a_trunk_of_the_tasks_own_images_or_of_another_size_is_refused(
    tmp_path, capsys, data, said
):
    run = Run(tmp_path, text(PRETRAINED.replace("seed: 1, ", data)))
    assert [run.prepare(), run.job("pretrain")] == [0, 2]
    assert said in capsys.readouterr().err


def test_a_trunk_is_given_where_it_is_asked_for(run, tmp_path, capsys):
    words = run.words("train")
    place = words.index("--trunk")
    assert main([*words[:place], *words[place + 2 :]]) == 2
    assert "experiment 'tiny' needs --trunk" in capsys.readouterr().err
    other = Run(tmp_path, text(""))
    assert other.prepare() == 0
    assert other.job("train", "--trunk", run.artefact("pretrain")) == 2
    assert "experiment 'tiny' has no use for --trunk" in capsys.readouterr().err


def test_a_network_of_another_architecture_is_no_start():
    trunk = build("lenet5", (1, 8, 32), 3, widths=[2, 3, 5, 6])
    with pytest.raises(ShapeError, match="cannot start from one of another architecture"):
        build("lenet5", (1, 8, 32), 3, widths=[2, 3, 5, 7], pretrained=trunk)


@pytest.mark.parametrize(
    ("init", "said"),
    [
        ("init: comon", "init: unknown start 'comon'; did you mean 'common'?"),
        ("init: {pretraind: {}}", "init: unknown key 'pretraind'; did you mean 'pretrained'?"),
        ("init: {pretrained: {data: {}, train: {stages: []}}}", "at least 1 entry is required"),
    ],
)
def test_a_start_that_is_none_is_named(init, said):
    with pytest.raises(ConfigError) as caught:
        job(f"    {init}\n")
    assert said in str(caught.value)


def test_there_is_one_answer_to_what_networks_start_from():
    both = text("    init: common\n").replace("train: {", "train: {pretrained: imagenet, ")
    says = r"'init' and 'train\.pretrained' are two answers; leave one of them out$"
    with pytest.raises(ConfigError, match=says):
        parse_config(both, "tiny.yaml")
