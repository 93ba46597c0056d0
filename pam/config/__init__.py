"""The configuration of a run: one model, read from one YAML file, without importing torch."""

from pam.config.cells import (
    MergedCell,
    PrunedCell,
    RelatedCell,
    TrainedCell,
    analysed_cells,
    control_seed,
    merged_cells,
    pruned_cells,
    related_cells,
    trained_cells,
)
from pam.config.load import dump_config, load_config, parse_config
from pam.config.model import (
    Conditions,
    Config,
    Experiment,
    Latency,
    Merging,
    Pruning,
    Stage,
    Train,
)
from pam.config.options import check_plugins
from pam.config.paths import Paths, profile_file
from pam.config.schema import explain, json_schema
from pam.config.slices import (
    analyse_slice,
    measure_slice,
    merge_slice,
    prepare_slice,
    prune_slice,
    relate_slice,
    train_slice,
)

__all__ = [
    "Conditions",
    "Config",
    "Experiment",
    "Latency",
    "MergedCell",
    "Merging",
    "Paths",
    "PrunedCell",
    "Pruning",
    "RelatedCell",
    "Stage",
    "Train",
    "TrainedCell",
    "analyse_slice",
    "analysed_cells",
    "check_plugins",
    "control_seed",
    "dump_config",
    "explain",
    "json_schema",
    "load_config",
    "measure_slice",
    "merge_slice",
    "merged_cells",
    "parse_config",
    "prepare_slice",
    "profile_file",
    "prune_slice",
    "pruned_cells",
    "relate_slice",
    "related_cells",
    "train_slice",
    "trained_cells",
]
