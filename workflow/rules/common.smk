"""What the rules share: wildcards, hashes of code and config, where raw data lie."""

import json
import shutil

from pam.cli.device import job_environment
from pam.config import control_seed
from pam.durable.locks import RUN_LOCK, RUN_LOCK_HELD, hold
from pam.files import DEFAULT_ROOT
from pam.provenance import code_hash, config_hash
from pam.runs.raw_data import raw_hash
from pam.reporting.schema import TABLES
from pam.status.hashes import remember
from pam.status.jobs import Job

EXPERIMENTS = CONFIG.experiments.values()
# On a cluster: the code of every stage when the jobs were submitted, by workflow/cluster.py.
SUBMITTED = json.loads(os.getenv("PAM_SUBMITTED", "{}"))


def any_of(names) -> str:
    """The values of a wildcard as a regular expression, which fits nothing if there are none."""
    return "|".join(map(str, dict.fromkeys(names))) or "(?!)"


wildcard_constraints:
    experiment=any_of(CONFIG.experiments),
    task=any_of(name for one in EXPERIMENTS for name in one.tasks),
    merging=any_of(name for one in EXPERIMENTS for name in one.merging),
    pruning=any_of(name for one in EXPERIMENTS for name in one.pruning),
    relatedness=any_of(name for one in EXPERIMENTS for name in one.relatedness),
    seed=any_of(CONFIG.seeds),


# The number of threads is numeric: a job that gets fewer cores still computes with as many. A job
# takes the place of its shell: signals reach it, and it sees when Snakemake is gone.
shell.prefix(
    "".join(f"export {name}={value}; " for name, value in job_environment(CONFIG.threads).items())
    + "exec "
)

CSV_FILES = [PATHS.csv(name) for name in TABLES]
# auto: a GPU if this machine has one; a cluster is asked for one, whatever its login node has.
GPUS = int(
    CONFIG.device == "cuda"
    or (CONFIG.device == "auto" and bool(SUBMITTED or shutil.which("nvidia-smi")))
)

# Where the raw data lie, whether they may be fetched, and what a cluster calls a GPU decides nothing
# about the result: it travels in the environment, so that a change makes no job run again.
os.environ.update(
    PAM_DATA=os.path.expanduser(str(config.get("data_root", ""))),
    PAM_DOWNLOAD="--download" if config.get("download") else "",
    PAM_GRES=(os.getenv("PAM_GRES") or "gpu:1") if GPUS else "",
)


def log_file(rule: str, cell: str) -> str:
    return PATHS.log(rule, cell)


def benchmark_file(rule: str, cell: str) -> str:
    return f"benchmarks/results/{PROFILE}/{rule}/{cell}.jsonl"


def task_networks(wildcards):
    """The single-task networks that start a merge: one per task, of the same seed."""
    tasks = CONFIG.experiments[wildcards.experiment].tasks
    return [PATHS.network(wildcards.experiment, task, wildcards.seed) for task in tasks]


def control_network(wildcards):
    """A second network of the first task, which relates that task to itself."""
    base = CONFIG.experiments[wildcards.experiment].tasks[0]
    return PATHS.network(wildcards.experiment, base, control_seed(CONFIG, int(wildcards.seed)))


def stage_code(stage: str):
    """A hash of the code that a stage runs for a cell: the param that a mended method changes."""

    def code(wildcards) -> str:
        if SUBMITTED.get(stage) not in (None, code_hash(stage)):
            raise WorkflowError(f"the code of {stage} has changed since this job was submitted")
        return Job(stage, **wildcards).code(CONFIG)

    return code


def stage_settings(stage: str):
    """A hash of the part of the config that a stage's result depends on."""

    def settings(wildcards) -> str:
        return Job(stage, **wildcards).settings_hash(CONFIG)

    return settings


def raw_data(wildcards) -> str:
    """A hash of a user's own raw files. Published data sets never change, so they have none."""
    folder = CONFIG.experiments[wildcards.experiment].data.get("folder")
    return raw_hash(os.getenv("PAM_DATA") or DEFAULT_ROOT, str(folder)) if folder else ""


def hold_run_lock() -> None:
    """Hold the folder's run lock until Snakemake ends, unless who started it holds it."""
    if RUN_LOCK_HELD not in os.environ:
        hold(RUN_LOCK)
