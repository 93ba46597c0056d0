"""``pam status``: what of a profile is up to date, what would run again, and why."""

from argparse import Namespace
from pathlib import Path

from pam.cli.arguments import Parser, add_seeds
from pam.config import check_plugins, load_config
from pam.durable.locks import RUN_LOCK, is_held
from pam.garbage import rare_collections
from pam.history.changes import recall
from pam.history.plan import Plan, with_finished_seeds
from pam.history.stale import in_words, stale_stages
from pam.history.status import failed_lines, given_up_lines, stage_lines
from pam.runs.paths import REFERENCE, Paths, checkout, own_profile, profile_file

HELP = "say what of a profile is up to date, what would run again, and why"
EXAMPLE = "pam status --profile quick"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help="name of a file in workflow/config/; default: quick",
    )
    add_seeds(parser)
    parser.add_argument("--data", metavar="FOLDER", help="folder of raw data, to see their changes")


@rare_collections()
def run(arguments: Namespace) -> int:
    """Print the status; nothing is written, and no run is held up."""
    file = own_profile(arguments.profile) or checkout() / profile_file(arguments.profile)
    paths = Paths(f"results/{arguments.profile}")
    profile = load_config(file)
    check_plugins(profile)
    config = load_config(file, arguments.seeds)
    if arguments.seeds:
        config = with_finished_seeds(config, profile, paths, arguments.data)
    plan = Plan(config, paths, recall(), arguments.data)
    if is_held(RUN_LOCK):
        print("A run is active in this folder; what it has not done yet counts as to run.")
    if plan.damaged:
        print(f"Profile {arguments.profile}: damaged, and nothing runs before this is mended:")
        print("\n".join(f"  {sentence}" for sentence in plan.damaged))
    elif plan.due:
        print(f"Profile {arguments.profile}: {len(plan.due)} jobs would run.")
    else:
        print(f"Everything is up to date: profile {arguments.profile} has nothing left to run.")
    lines = [*stage_lines(config, plan), *failed_lines(plan)]
    lines += [*given_up_lines(config, plan), *_stale_references()]
    print("\n".join(lines))
    return 0


def _stale_references() -> list[str]:
    """Return a line for every reference run whose rows are of earlier code."""
    return [
        f"stale: {manifest.parent} ({experiment}) has rows of earlier code: {in_words(stages)}"
        for manifest in sorted(Path("results", REFERENCE).glob("*/manifest.json"))
        for experiment, stages in stale_stages(manifest.parent).items()
    ]
