"""``pam status``: what of a profile is up to date, what would run again, and why."""

from argparse import Namespace
from pathlib import Path

from pam.cli.arguments import Commands, add_command
from pam.config import Paths, check_plugins, load_config, profile_file
from pam.durable.locks import RUN_LOCK, is_held
from pam.provenance import STAGES
from pam.source.modules import ROOT
from pam.status.failed import failed_lines
from pam.status.hashes import recall
from pam.status.plan import make_plan
from pam.status.report import stage_lines
from pam.status.stale import in_words, stale_stages

REFERENCES = "results/reference"


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "status",
        "say what of a profile is up to date, what would run again, and why",
        "pam status --profile quick",
    )
    parser.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help="name of a file in workflow/config/; default: quick",
    )
    parser.add_argument("--data", metavar="FOLDER", help="folder of raw data, to see their changes")


def run(arguments: Namespace) -> int:
    """Print the status; nothing is written, and no run is held up."""
    config = load_config(ROOT / profile_file(arguments.profile))
    check_plugins(config)
    active = is_held(RUN_LOCK)
    plan = make_plan(arguments.profile, arguments.data)
    if active:
        print("A run is active in this folder; what it has not done yet counts as to run.")
    if plan:
        print(f"Profile {arguments.profile}: {len(plan)} jobs would run.")
    else:
        print(f"Everything is up to date: profile {arguments.profile} has nothing left to run.")
    paths = Paths(f"results/{arguments.profile}")
    lines = [
        *stage_lines(config, plan, recall(), active),
        *failed_lines([*paths.data_records(config), *paths.records(config)]),
        *_stale_references(),
    ]
    print("\n".join(lines))
    return 0


def _stale_references() -> list[str]:
    """Return a line for every reference run whose rows are of earlier code."""
    lines = []
    for manifest in sorted(Path(REFERENCES).glob("*/manifest.json")):
        for experiment, stages in stale_stages(manifest.parent).items():
            words = in_words(stages, tuple(STAGES))
            lines.append(
                f"stale: {manifest.parent} ({experiment}) has rows of earlier code: {words}"
            )
    return lines
