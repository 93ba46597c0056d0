"""Whether the code that made something is still the present code."""

from pam.provenance import code_hash
from pam.status.stale import PLUGINS, present_code
from pam.tracing.runs import Job

CURRENT, STALE, UNKNOWN = "current", "stale", "unknown"


def state_of_code(job: Job) -> str:
    """Return whether a job would run the same code today: ``current``, ``stale`` or ``unknown``."""
    if "code_hash" not in job:
        return UNKNOWN
    section, _ = PLUGINS.get(job["rule"], ("", ""))
    method = job["config"][section]["method"] if section else None
    return CURRENT if present_code(job, method) == job["code_hash"] else STALE


def state_of_drawing(stage: str, drawn_by: str | None) -> str:
    """Return the same of a table or figure, from the hash that it carries, if any."""
    if not drawn_by:
        return UNKNOWN
    return CURRENT if code_hash(stage) == drawn_by else STALE
