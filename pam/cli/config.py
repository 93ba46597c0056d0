"""``pam config``: check, print or explain a configuration."""

import json
from argparse import Namespace

from pam.cli.arguments import PROFILE, Parser, file_name
from pam.config import check_plugins, dump_config, explain, json_schema, load_config
from pam.runs.cells import cells_of
from pam.runs.raw_data import check_folders
from pam.runs.stages import CELL_STAGES

HELP = "check a configuration and print it with all its defaults"
EXAMPLE = f"pam config --config {PROFILE} --check"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=file_name, metavar="FILE", help="configuration (YAML)")
    what.add_argument("--schema", action="store_true", help="print the JSON schema and stop")
    what.add_argument(
        "--explain",
        nargs="?",
        const="",
        metavar="KEY",
        help="print type, range, meaning and default of a key or an option (all without KEY)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="also look up data sets, architectures, methods, layers, and the folders of your own "
        "pictures; print only the number of jobs",
    )
    parser.add_argument("--data", metavar="FOLDER", help="folder of raw data; default: data")


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
            check_folders(config, arguments.data)
        else:
            print(dump_config(config), end="")
        counts = (f"{len(cells_of(config, stage))} {stage}" for stage in CELL_STAGES)
        print(f"# jobs: {', '.join(counts)}")
    return 0


def schema_text() -> str:
    """Return the JSON schema as it stands in ``workflow/schemas/config.schema.json``."""
    return json.dumps(json_schema(), indent=2) + "\n"
