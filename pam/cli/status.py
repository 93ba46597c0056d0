"""``pam status``: what of a profile is up to date, what would run again, and why."""

from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pam.cli.arguments import Parser, add_seeds
from pam.config import Config, check_plugins, load_config
from pam.durable.locks import RUN_LOCK, is_held
from pam.garbage import rare_collections
from pam.history.changes import recall
from pam.history.plan import NEW, Due, Plan, with_finished_seeds
from pam.history.stale import in_words, stale_stages
from pam.runs.cells import all_cells
from pam.runs.paths import REFERENCE, Paths, checkout, own_profile, profile_file
from pam.runs.record import MANIFEST, OK

HELP = "say what of a profile is up to date, what would run again, and why"
EXAMPLE = "pam status --profile quick"
MOST_FAILURES = 5


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
    lines += [*_given_up_lines(config, plan), *_stale_references()]
    print("\n".join(lines))
    return 0


def stage_lines(config: Config, plan: Plan) -> list[str]:
    """Return one line per stage, and one more per cause where a stage has several."""
    why: dict[str, dict[str, list[Due]]] = defaultdict(lambda: defaultdict(list))
    for due in plan.due:
        why[due.cell.stage]["; ".join(due.causes)].append(due)
    totals = Counter(cell.stage for cell in all_cells(config))
    return [
        line
        for stage, total in totals.items()
        for line in _lines(stage, total, why[stage], plan.paths)
    ]


def failed_lines(plan: Plan) -> list[str]:
    """Return how many jobs failed, and why the first ones did; nothing if none did."""
    failed = [(path, record) for path, record in plan.records.items() if record.status != OK]
    if not failed:
        return []
    shown = [
        f"  {'/'.join(Path(path).with_suffix('').parts[-3:])}: {record.status}: {record.reason}"
        for path, record in failed[:MOST_FAILURES]
    ]
    more = [f"  and {len(failed) - len(shown)} more"] if len(failed) > len(shown) else []
    head = f"failed: {len(failed)} jobs; make reproduce RETRY_FAILED=1 runs them once more"
    return [head, *shown, *more]


def _given_up_lines(config: Config, plan: Plan) -> list[str]:
    """Return how many networks were thrown away on purpose; nothing if none were."""
    count = sum(plan.given_up(cell) for cell in all_cells(config) if cell.experiment)
    said = f"thrown away by make clean-networks: {count} networks, made again where one is needed"
    return [said] if count else []


def _lines(stage: str, total: int, why: dict[str, list[Due]], paths: Paths) -> list[str]:
    """Return the lines of a stage; ``why`` is cause -> cells that are due."""
    count = sum(map(len, why.values()))
    if not count:
        return [f"{stage}: up to date" if total == 1 else f"{stage}: all {total} up to date"]
    subject = f"{stage}: would run" if total == 1 else f"{stage}: {count} of {total} would run"
    sentences = [(len(dues), _sentence(cause, dues, paths)) for cause, dues in sorted(why.items())]
    if len(sentences) == 1:
        return [f"{subject}{sentences[0][1]}"]
    return [subject, *(f"  {number}{sentence}" for number, sentence in sentences)]


def _sentence(cause: str, dues: Iterable[Due], paths: Paths) -> str:
    if cause == NEW:
        return f": {NEW}"
    since = f" since {_since(dues, paths)}" if "changed" in cause else ""
    return f" again: {cause}{since}"


def _since(dues: Iterable[Due], paths: Paths) -> date:
    """Return the day on which the oldest of what would be made anew was made."""
    outputs = (Path(path) for due in dues for path in paths.outputs(due.cell))
    return date.fromtimestamp(min(path.stat().st_mtime for path in outputs if path.exists()))


def _stale_references() -> list[str]:
    """Return a line for every reference run whose rows are of earlier code."""
    return [
        f"stale: {manifest.parent} ({experiment}) has rows of earlier code: {in_words(stages)}"
        for manifest in sorted(Path("results", REFERENCE).glob(f"*/{MANIFEST}"))
        for experiment, stages in stale_stages(manifest.parent).items()
    ]
