"""The configuration of a run: one model, read from one YAML file, without importing torch."""

from pam.config.explaining import explain, json_schema
from pam.config.loading import check_plugins, dump_config, load_config, parse_config
from pam.config.profile import Conditions, Config, Experiment, Latency
from pam.config.sections import Merging, Pruning, Stage, Train

__all__ = [
    "Conditions",
    "Config",
    "Experiment",
    "Latency",
    "Merging",
    "Pruning",
    "Stage",
    "Train",
    "check_plugins",
    "dump_config",
    "explain",
    "json_schema",
    "load_config",
    "parse_config",
]
