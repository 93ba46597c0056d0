"""``pam config``: check, print or explain a configuration."""

import json
from argparse import Namespace

from pam.config import (
    Config,
    analysed_cells,
    check_plugins,
    dump_config,
    explain,
    json_schema,
    load_config,
    merged_cells,
    pruned_cells,
    related_cells,
    trained_cells,
)


def run(arguments: Namespace) -> int:
    """Print what was asked for; an invalid configuration raises ConfigError."""
    if arguments.schema:
        print(schema_text(), end="")
    elif arguments.explain is not None:
        print(explain(arguments.explain))
    else:
        config = load_config(arguments.config)
        if arguments.check:
            check_plugins(config)
        else:
            print(dump_config(config), end="")
        print(f"# {_jobs(config)}")
    return 0


def schema_text() -> str:
    """Return the JSON schema as it stands in ``workflow/schemas/config.schema.json``."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _jobs(config: Config) -> str:
    trained, merged = len(trained_cells(config)), len(merged_cells(config))
    cells, related = len(pruned_cells(config)), len(related_cells(config))
    return (
        f"jobs: {len(config.experiments)} prepare, {trained} train, {merged} merge, "
        f"{cells} prune, {cells} measure, {related} relate, {len(analysed_cells(config))} analyse"
    )
