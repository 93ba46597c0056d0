"""What reruns after a change, and nothing else: every stage's code, every key, the data.

The tree has run once with jobs that compute nothing (idle_main.py); then a line is changed, and
the jobs that a dry run lists are compared with those that the change can touch.
"""

import ast
import os
import re
from pathlib import Path

import pytest

from pam.config import Paths
from tests.trees import fresh_tree
from tests.workflow import running
from tests.workflow.running import edited

pytestmark = pytest.mark.workflow

PROFILE = """
seeds: [0]
experiments:
  tiny:
    dataset: digits
    data: {tile: 8, train_strips: 64, validation_strips: 32, test_strips: 32}
    architecture: lenet5
    network: {widths: [4, 8, 20, 12]}
    train: {stages: [{epochs: 1, learning_rate: 0.02}]}
    merging:
      none: {}
      pam: {samples: 32}
    pruning:
      vibnet: {strengths: [1, 2, 4]}
      taylor: {strengths: [0.3, 0.5, 0.7]}
      l1: {strengths: [0.3, 0.5, 0.7]}
    latency: {batch_sizes: []}
    relatedness:
      pam: {samples: 32, retrain: {stages: []}}
    conditions: {layers: [f4], samples: 32, exclusivity: [pam]}
"""
PATHS = Paths("results/tiny")
MERGERS, PRUNERS = ("none", "pam"), ("vibnet", "taylor", "l1")

FIGURES = {"figures"}
TABLES = {"tables"}
LAST = {"aggregate"} | TABLES | FIGURES
RELATE = {"relate pam"}
TRAIN = {"train A", "train B"}
MERGE = {f"merge {merging}" for merging in MERGERS}


def prunes(mergings=MERGERS, prunings=PRUNERS) -> set[str]:
    return {f"prune {merging} {pruning}" for merging in mergings for pruning in prunings}


def measures(mergings=MERGERS, prunings=PRUNERS) -> set[str]:
    return {f"measure {merging} {pruning}" for merging in mergings for pruning in prunings}


def analyses(mergings=MERGERS, prunings=PRUNERS) -> set[str]:
    return {f"analyse pam {pruning}" for pruning in prunings if "pam" in mergings}


def pruned(mergings=MERGERS, prunings=PRUNERS) -> set[str]:
    """Return the jobs of these cells from pruning on, and all that is made of the whole run."""
    cells = (mergings, prunings)
    return prunes(*cells) | measures(*cells) | analyses(*cells) | LAST


NETWORKS = MERGE | RELATE | pruned()
ALL = {"prepare"} | TRAIN | NETWORKS


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A tree in which everything has run once, without computing."""
    tree = fresh_tree(tmp_path_factory.mktemp("idle"))
    running.run_idle(tree, PROFILE)
    return tree


def planned(tree: Path) -> set[str]:
    """Return the jobs that would run, e.g. ``prune pam taylor``; seeds other than 0 are said."""
    return {plain(message) for message in running.planned(tree, "profile=tiny")}


def plain(message: str) -> str:
    for pattern, words in (
        (r"tiny: preparing the data", r"prepare"),
        (r"tiny: training task (\w+), seed (\d+)", r"train \1 \2"),
        (r"tiny: merging by (\w+), seed (\d+)", r"merge \1 \2"),
        (r"tiny: pruning (\w+) by (\w+), seed (\d+)", r"prune \1 \2 \3"),
        (r"tiny: measuring (\w+) \+ (\w+), seed (\d+)", r"measure \1 \2 \3"),
        (r"tiny: relating tasks by (\w+), seed (\d+)", r"relate \1 \2"),
        (r"tiny: analysing (\w+) \+ (\w+), seed (\d+)", r"analyse \1 \2 \3"),
        (r"Gathering the rows of all jobs", r"aggregate"),
        (r"Writing the tables", r"tables"),
        (r"Drawing the figures", r"figures"),
    ):
        if found := re.fullmatch(pattern, message):
            return found.expand(words).removesuffix(" 0")
    raise AssertionError(f"a job of no known rule: {message}")


CODE = [
    ("data", "data/digits.py", r"_BRIGHTEST = 16", "_BRIGHTEST = 17", ALL),
    ("train", "cli/train.py", r'description="train"', 'description="learn"', TRAIN | NETWORKS),
    ("architecture", "networks/lenet.py", r"!= 4", "!= 5", TRAIN | NETWORKS),
    ("merger none", "merging/none.py", r"\Z", "\nMORE = 1\n", {"merge none"} | pruned(["none"])),
    (
        *("merger pam", "merging/pam.py", r"samples: int = 512", "samples: int = 513"),
        {"merge pam"} | RELATE | pruned(["pam"]),
    ),
    (
        *("pruner taylor", "pruning/taylor.py", r"interval: int = 10", "interval: int = 7"),
        pruned(prunings=["taylor"]),
    ),
    (
        *("pruner vibnet", "pruning/vibnet.py", r"threshold: float = 0", "threshold: float = 1"),
        pruned(prunings=["vibnet"]),
    ),
    ("plug-in", "plugins/l1_pruner.py", r"\Z", "\nMORE = 1\n", pruned(prunings=["l1"])),
    ("measure", "cost/latency.py", r"rounds: int = 20", "rounds: int = 21", measures() | LAST),
    ("relate", "analysis/relatedness.py", r"SAMPLES = 2048", "SAMPLES = 1024", RELATE | LAST),
    ("analyse", "analysis/exclusivity.py", r"STEPS = 12", "STEPS = 13", analyses() | LAST),
    ("aggregate", "reporting/statistics/headline.py", r"\Z", "\nMORE = 1\n", LAST),
    ("tables", "reporting/tables/overviews.py", r"\Z", "\nMORE = 1\n", TABLES),
    ("figures", "reporting/figures/style.py", r"#8A8A8A", "#8B8B8B", FIGURES),
]


@pytest.mark.parametrize(
    ("module", "pattern", "replacement", "expected"),
    [case[1:] for case in CODE],
    ids=[case[0] for case in CODE],
)
def test_code_reruns_its_own_stage_and_what_follows(tree, module, pattern, replacement, expected):
    with edited(tree / "pam" / module, pattern, replacement):
        assert planned(tree) == expected


def test_a_fresh_tree_has_every_job(tmp_path):
    fresh = fresh_tree(tmp_path)
    (fresh / "workflow/config/tiny.yaml").write_text(PROFILE, encoding="utf-8")
    assert planned(fresh) == ALL


def test_what_changes_no_result_reruns_nothing(tree):
    """Comments, docstrings, formatting, times of files, and methods that no row names."""
    sources = {path: path.read_text(encoding="utf-8") for path in (tree / "pam").rglob("*.py")}
    for path, text in sources.items():
        text = ast.unparse(ast.parse(text)).replace('"""', '"""In other words: ', 1)
        path.write_text(f"# Without the other comments.\n{text}", encoding="utf-8")
    for path in (*tree.glob("results/**/*"), *tree.glob("workflow/**/*")):
        os.utime(path)
    try:
        with (
            edited(tree / "pam/data/cartoon_faces.py", r"\Z", "\nMORE = 1\n"),
            edited(tree / "pam/merging/mtz.py", r"\Z", "\nMORE = 1\n"),
            edited(tree / "pam/networks/vgg.py", r"\Z", "\nMORE = 1\n"),
            edited(tree / "workflow/config/tiny.yaml", r"(?s)(seeds: \[0\])(.*)", r"\2\1  # one"),
        ):
            assert planned(tree) == set()
    finally:
        for path, text in sources.items():
            path.write_text(text, encoding="utf-8")


def of_seed(seed: int, jobs: set[str]) -> set[str]:
    return {job if job in LAST | {"prepare"} else f"{job} {seed}" for job in jobs}


SETTINGS_CHANGED = [
    ("data", r"train_strips: 64", "train_strips: 72", ALL),
    ("train", r"epochs: 1", "epochs: 2", TRAIN | NETWORKS),
    ("merger", r"pam: {samples: 32}", "pam: {samples: 24}", {"merge pam"} | pruned(["pam"])),
    (
        "pruner",
        r"taylor: {strengths: \[0.3",
        "taylor: {strengths: [0.2",
        pruned(prunings=["taylor"]),
    ),
    (
        "latency, relatedness and conditions",
        r"\[\](.*)samples: 32, retrain(.*)samples: 32, exc",
        r"[1]\1samples: 24, retrain\2samples: 24, exc",
        measures() | RELATE | analyses() | LAST,
    ),
    ("deltas", r"seeds", "deltas: [1.0, 0.5]\nseeds", LAST),
    # The control of relatedness is a network of the next seed, which now is another one.
    ("a further seed", r"\[0\]", "[0, 1]", of_seed(1, ALL - {"prepare"}) | RELATE),
]


@pytest.mark.parametrize(
    ("pattern", "replacement", "expected"),
    [case[1:] for case in SETTINGS_CHANGED],
    ids=[case[0] for case in SETTINGS_CHANGED],
)
def test_settings_rerun_what_depends_on_them(tree, pattern, replacement, expected):
    with edited(tree / "workflow/config/tiny.yaml", f"(?s){pattern}", replacement):
        assert planned(tree) == expected


def test_other_data_rerun_all_networks(tree):
    with edited(tree / PATHS.data_description("tiny"), r"\Z", "other tensors"):
        assert planned(tree) == TRAIN | NETWORKS
