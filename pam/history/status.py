"""The status of a run as lines of text: per stage what is up to date, what is due and why."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pam.config import Config
from pam.history.plan import NEW, Due, Plan
from pam.runs.cells import all_cells
from pam.runs.paths import Paths
from pam.runs.record import OK, Outline

MOST_FAILURES = 5


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
    failed = {path: record for path, record in plan.records.items() if record.status != OK}
    if not failed:
        return []
    shown = [_failure(Path(path), record) for path, record in failed.items()][:MOST_FAILURES]
    more = [f"  and {len(failed) - len(shown)} more"] if len(failed) > len(shown) else []
    head = f"failed: {len(failed)} jobs; make reproduce RETRY_FAILED=1 runs them once more"
    return [head, *shown, *more]


def given_up_lines(config: Config, plan: Plan) -> list[str]:
    """Return how many networks were thrown away on purpose; nothing if none were."""
    count = sum(plan.given_up(cell) for cell in all_cells(config) if cell.experiment)
    return [
        f"thrown away by make clean-networks: {count} networks, made again where one is needed"
    ] * bool(count)


def _failure(path: Path, record: Outline) -> str:
    cell = f"{path.parent.parent.name}/{path.parent.name}/{path.stem}"
    return f"  {cell}: {record.status}: {record.reason}"


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
