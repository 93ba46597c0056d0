"""The status of a run as lines of text: per stage what is up to date, what would run and why."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from pam.config import Config
from pam.status.causes import NEW, causes
from pam.status.hashes import Meanings
from pam.status.jobs import jobs_of
from pam.status.plan import Planned


def stage_lines(
    config: Config, plan: Sequence[Planned], known: Meanings, active: bool
) -> list[str]:
    """Return one line per stage, and one more per cause where a stage has several.

    Args:
        config: the configuration of the run.
        plan: what would run.
        known: what hashes of earlier runs stand for.
        active: whether a run is active in the folder.
    """
    of_stage: dict[str, list[Planned]] = defaultdict(list)
    for planned in plan:
        of_stage[planned.job.stage].append(planned)
    lines = []
    for stage, total in Counter(job.stage for job in jobs_of(config)).items():
        why: dict[str, list[Planned]] = defaultdict(list)
        for planned in of_stage[stage]:
            why["; ".join(causes(planned, config, known, active))].append(planned)
        lines += _lines(stage, total, why)
    return lines


def _lines(stage: str, total: int, why: dict[str, list[Planned]]) -> list[str]:
    """Return the lines of a stage; ``why`` is cause -> jobs that would run."""
    count = sum(map(len, why.values()))
    if not count:
        return [f"{stage}: up to date" if total == 1 else f"{stage}: all {total} up to date"]
    subject = f"{stage}: would run" if total == 1 else f"{stage}: {count} of {total} would run"
    whys = [(len(jobs), _sentence(cause, jobs)) for cause, jobs in sorted(why.items())]
    if len(whys) == 1:
        return [f"{subject}{whys[0][1]}"]
    return [subject, *(f"  {number}{sentence}" for number, sentence in whys)]


def _sentence(cause: str, jobs: Iterable[Planned]) -> str:
    if cause == NEW:
        return f": {NEW}"
    since = f" since {_since(jobs)}" if "changed" in cause else ""
    return f" again: {cause}{since}"


def _since(jobs: Iterable[Planned]) -> date:
    """Return the day on which the oldest of what would be made anew was made."""
    times = [path.stat().st_mtime for job in jobs for path in job.outputs if path.exists()]
    return date.fromtimestamp(min(times))
