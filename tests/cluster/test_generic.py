"""The example of docs/cluster.md: a whole run through cluster-generic and a script."""

import importlib.util
import re
import shutil
import subprocess
import sys

import pytest

from pam.source.modules import ROOT
from tests.trees import commit, csv_bytes, fresh_tree

PLUGIN = "snakemake_executor_plugin_cluster_generic"
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        importlib.util.find_spec(PLUGIN) is None,
        reason=f"{PLUGIN} is not installed: run `make test-cluster`",
    ),
]
TINY = ROOT / "tests" / "reliability" / "tiny.yaml"


def reproduce(tree, *more: str) -> None:
    command = [sys.executable, "workflow/reproduce.py", "--profile=tiny", "--strict", *more]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_the_page_computes_what_one_machine_computes(tmp_path):
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    files = {
        "profile.yaml": re.search(r"```yaml\n(executor: .*?)```", page, re.DOTALL).group(1),
        "submit.sh": re.search(r"```sh\n(#!.*?)```", page, re.DOTALL).group(1),
    }
    there, here = (fresh_tree(tmp_path / name, TINY) for name in ("there", "here"))
    shutil.copy(ROOT / ".gitignore", there)
    for name, text in files.items():
        (there / "my-cluster").mkdir(exist_ok=True)
        (there / "my-cluster" / name).write_text(text, encoding="utf-8")
    (there / "my-cluster" / "submit.sh").chmod(0o755)
    commit(there)
    reproduce(there, "--cluster", "my-cluster")
    assert len(list((there / "logs" / "queue").glob("*.log"))) >= 5
    reproduce(here, "--cores", "2")
    assert csv_bytes(there, "tiny") == csv_bytes(here, "tiny")
