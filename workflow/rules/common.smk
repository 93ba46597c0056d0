"""What the rules share: wildcards, files and hashes, all derived from pam/runs/stages.py."""

import json
import shutil

from pam.durable.locks import RUN_LOCK, RUN_LOCK_HELD, hold, sign
from pam.history.changes import remember
from pam.reporting.schema import TABLES
from pam.runs.cells import Cell, cell_code, config_hash, settings_of, stage_code
from pam.runs.raw_data import cell_raw_hash
from pam.runs.stages import axes_of
from pam.stages.device import job_environment

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


def command(words: str) -> str:
    """The command of a rule: the words after ``pam``, in the environment that decides its numbers."""
    environment = job_environment(CONFIG.threads).items()
    exports = "".join(f"export {name}={value}; " for name, value in environment)
    return f"{exports}exec python -m pam.cli {words}"


CSV_FILES = [PATHS.csv(name) for name in TABLES]
# auto: a GPU if this machine has one; a cluster is asked for one, whatever its login node has.
GPUS = int(
    CONFIG.device == "cuda"
    or (CONFIG.device == "auto" and bool(SUBMITTED or shutil.which("nvidia-smi")))
)

# Where the profile and the raw data lie, whether they may be fetched, and what a cluster calls a GPU
# decides nothing about the result: it travels in the environment, so that a change makes no job run
# again. (Of a profile `settings` says what counts; Snakemake fetches one into another folder each time.)
RAW_DATA = os.path.expanduser(str(config.get("data_root") or os.getenv("PAM_DATA", "")))
os.environ.update(
    PAM_CONFIG=CONFIG_FILE,
    # A name that begins with a dash is no option.
    PAM_DATA=f"./{RAW_DATA}" if RAW_DATA.startswith("-") else RAW_DATA,
    PAM_DOWNLOAD="--download" if config.get("download") else "",
    PAM_GRES=(os.getenv("PAM_GRES") or "gpu:1") if GPUS else "",
)


def artefact(stage: str) -> str:
    """What other stages read of a cell, with wildcards."""
    return PATHS.artefact(Cell.pattern(stage))


def record(stage: str) -> str:
    """The record of a cell's job, with wildcards."""
    return PATHS.record(Cell.pattern(stage))


def log_file(stage: str) -> str:
    return PATHS.log(Cell.pattern(stage))


def benchmark_file(stage: str) -> str:
    return f"benchmarks/results/{PROFILE}/{stage}/{PATHS.name(Cell.pattern(stage))}.jsonl"


def inputs(stage: str):
    """The files that a cell reads, by the flags of its command."""

    def files(wildcards) -> dict[str, str | list[str]]:
        by_flag = PATHS.inputs(CONFIG, cell_of(stage, wildcards))
        return {flag: one[0] if len(one) == 1 else one for flag, one in by_flag.items()}

    return files


def trunk_flag(wildcards, input) -> str:
    """The network that all tasks start from, for the command of an experiment that has one."""
    return f"--trunk {input.trunk}" if "trunk" in input.keys() else ""


def cell_of(stage: str, wildcards) -> Cell:
    """The cell of a stage that a job's wildcards name."""
    return Cell(stage, **{axis: wildcards[axis] for axis in axes_of(stage)})


def code_of(*stages: str):
    """Hashes of the code that stages run for a cell: the param that a mended method changes."""

    def code(wildcards) -> list[str]:
        if any(SUBMITTED.get(stage) not in (None, stage_code(stage)) for stage in stages):
            raise WorkflowError(f"the code of {stages[0]} has changed since this job was submitted")
        return [cell_code(CONFIG, cell_of(stage, wildcards)) for stage in stages]

    return code


def settings_hash(*stages: str):
    """Hashes of the parts of the config that the results of stages depend on."""

    def settings(wildcards) -> list[str]:
        return [config_hash(settings_of(CONFIG, cell_of(stage, wildcards))) for stage in stages]

    return settings


def raw_data(stage: str):
    """A hash of a user's own raw files. Published data sets never change, so they have none."""

    def raw_hash(wildcards) -> str:
        return cell_raw_hash(CONFIG, cell_of(stage, wildcards), os.getenv("PAM_DATA"))

    return raw_hash


def hold_run_lock() -> None:
    """Hold the folder's run lock until Snakemake ends, also if who started it does not live on."""
    if RUN_LOCK_HELD in os.environ:
        sign(RUN_LOCK)
    else:
        hold(RUN_LOCK)
