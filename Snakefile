"""The workflow: data -> train -> merge -> prune -> measure -> aggregate -> tables, figures.

Every rule is one ``pam`` command; what a run computes is said by workflow/config/<profile>.yaml:

    snakemake --profile workflow/profiles/default --cores all --config profile=quick
"""

import os
import sys

from snakemake.exceptions import WorkflowError

# Jobs run the package of this very checkout, with the Python that runs Snakemake, and end with it. As
# a module of another workflow, fetched from elsewhere, this is no checkout: the package is installed.
HERE = workflow.current_basedir.get_path_or_uri(secret_free=True)
if os.path.isdir(os.path.join(HERE, "pam")):
    sys.path.insert(0, HERE)
try:
    import pam
except ImportError:
    raise WorkflowError("the package pam-bench is not installed: pip install pam-bench") from None
os.environ.update(
    PYTHONPATH=os.pathsep.join(
        filter(None, [os.path.dirname(pam.__path__[0]), os.getenv("PYTHONPATH")])
    ),
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.getenv("PATH", os.defpath)]),
)

from pam import PamError
from pam.config import check_plugins, load_config
from pam.durable.stopping import RUN, this_workflow
from pam.runs.paths import DATA_RECORD, Paths, check_checkout, own_profile, profile_file

os.environ[RUN] = this_workflow()

# What `--config` may say: which profile and which of its seeds, where its raw data lie, whether they
# may be fetched.
SETTINGS = ("profile", "seeds", "data_root", "download")
for key in config:
    if key not in SETTINGS:
        raise WorkflowError(f"unknown --config key '{key}'; known: {', '.join(SETTINGS)}")

PROFILE = str(config.get("profile", "quick"))
SEEDS = str(config["seeds"]) if "seeds" in config else None
try:
    check_checkout(HERE if os.path.isdir(HERE) else "")
    CONFIG_FILE = own_profile(PROFILE) or profile_file(PROFILE)
    # The workflow's own profile, which it may have to fetch; of an unknown one load_config tells.
    if not os.path.isfile(CONFIG_FILE) and (
        not os.path.isdir(HERE) or os.path.isfile(os.path.join(HERE, CONFIG_FILE))
    ):
        CONFIG_FILE = workflow.source_path(CONFIG_FILE)
    CONFIG = load_config(CONFIG_FILE, SEEDS)
    check_plugins(CONFIG)
except PamError as error:
    raise WorkflowError(str(error)) from None

PATHS = Paths(f"results/{PROFILE}")
FIGURES = PATHS.figures


configfile: CONFIG_FILE


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/merge.smk"
include: "workflow/rules/prune.smk"
include: "workflow/rules/relate.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/aggregate.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        CSV_FILES,
        PATHS.manifest,
        PATHS.record(Cell("tables")),
        FIGURES,
    localrule: True


onstart:
    hold_run_lock()
    remember(CONFIG)
