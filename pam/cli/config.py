"""``pam config``: check, print or explain a configuration."""

import json
from argparse import Namespace

from pam.config import (
    Config,
    dump_config,
    explain,
    json_schema,
    load_config,
    merged_cells,
    pruned_cells,
    trained_cells,
)


def run(arguments: Namespace) -> int:
    """Print what was asked for; an invalid configuration raises ConfigError."""
    if arguments.schema:
        print(schema_text(), end="")
    elif arguments.explain:
        print(explain(arguments.explain))
    else:
        config = load_config(arguments.config)
        if arguments.check:
            check_names(config)
        else:
            print(dump_config(config), end="")
        print(f"# {_jobs(config)}")
    return 0


def schema_text() -> str:
    """Return the JSON schema as it stands in ``workflow/schemas/config.schema.json``."""
    return json.dumps(json_schema(), indent=2) + "\n"


def check_names(config: Config) -> None:
    """Look up every registered name that a configuration uses.

    Raises:
        ConfigError: for an unknown data set, architecture, merging or pruning method.
    """
    from pam.data import DATASETS
    from pam.merging import MERGERS
    from pam.networks import ARCHITECTURES
    from pam.pruning import PRUNERS

    for experiment in config.experiments.values():
        DATASETS.get(experiment.dataset)
        ARCHITECTURES.get(experiment.architecture)
        for merging in experiment.merging.values():
            MERGERS.get(merging.method)
        for pruning in experiment.pruning.values():
            PRUNERS.get(pruning.method)


def _jobs(config: Config) -> str:
    trained, merged = len(trained_cells(config)), len(merged_cells(config))
    cells = len(pruned_cells(config))
    return (
        f"jobs: {len(config.experiments)} prepare, {trained} train, {merged} merge, "
        f"{cells} prune, {cells} measure"
    )
