"""Why a job would run, in plain words."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pam.config import Config
from pam.errors import DataError
from pam.files import read_json
from pam.status.hashes import Meanings
from pam.status.plan import Planned

NEW = "not made yet"
FOLLOWS = "the input is made anew"
INTERRUPTED = "left half done by a run that ended early"
RUNNING = "running now, or left half done by an earlier run"

_MOST_NAMES = 3
_SHORT = 40
_MISSING, _UPDATED = "Missing output files: ", "Updated input files: "
_PARAMS = "Params have changed"
_WORDS = {
    "Set of input files has changed": "other files would be read than before",
    "Code has changed": "the rule's command changed",
    "Software environment definition has changed": "the software environment changed",
}


def causes(planned: Planned, config: Config, known: Meanings, active: bool) -> list[str]:
    """Return why a job would run; never empty.

    Args:
        planned: the job.
        config: the configuration of the run.
        known: what hashes of earlier runs stand for.
        active: whether a run is active in the folder.
    """
    if not any(path.exists() for path in planned.outputs):
        return [NEW]
    reasons = planned.reason.split("; ")
    found = [*_of_files(reasons, active), *_of_hashes(planned, config, known)]
    for reason in reasons:
        found += [words for start, words in _WORDS.items() if reason.startswith(start)]
    if found:
        return found
    follows = any(reason.startswith("Input files updated by another job") for reason in reasons)
    return [FOLLOWS if follows else planned.reason]


def _of_files(reasons: list[str], active: bool) -> Iterator[str]:
    for reason in reasons:
        if reason == "Forced execution":
            yield RUNNING if active else INTERRUPTED
        elif reason.startswith(_MISSING):
            yield f"missing: {_some(reason.removeprefix(_MISSING).split(', '))}"
        elif reason.startswith(_UPDATED):
            yield f"{_some(reason.removeprefix(_UPDATED).split(', '))} changed on disk"


def _of_hashes(planned: Planned, config: Config, known: Meanings) -> Iterator[str]:
    """Yield what changed of code and configuration since the job ran.

    Snakemake names the hashes that changed, unless it saw first that something before the job
    would run; the record of the job names both in any case.
    """
    job = planned.job
    code, settings = job.code(config), job.settings_hash(config)
    old, new = _said_hashes(planned.reason)
    recorded = _recorded_hashes(planned)
    old |= set(recorded.values())
    if new - {code, settings}:
        yield "the raw data changed"
    if code in new or recorded.get("code_hash", code) != code:
        names = _differences(_known(known["code"], old - {code}), job.modules(config))
        yield f"the code of {_some(names)} changed" if names else "the code changed"
    if settings in new or recorded.get("config_hash", settings) != settings:
        before, now = _known(known["settings"], old - {settings}), job.settings(config)
        changed = _differences(*map(_flat, (before, now))) if before is not None else []
        names = [_with_values(key, _flat(before), _flat(now)) for key in changed]
        yield f"{_some(names)} changed in the configuration" if names else "the settings changed"


def _said_hashes(reason: str) -> tuple[set[str], set[str]]:
    """Return the hashes that Snakemake says changed: those before, and those now."""
    if _PARAMS not in reason:
        return set(), set()
    before, _, now = reason.partition(_PARAMS)[2].partition(" now: ")
    old, new = (set(re.findall(r"'([0-9a-f]{12})'", part)) for part in (before, now))
    return old, new


def _recorded_hashes(planned: Planned) -> dict[str, str]:
    """Return ``code_hash`` and ``config_hash`` of the job's record; nothing if it has none."""
    with suppress(DataError, KeyError, TypeError):
        origin = read_json(planned.outputs[-1])["provenance"]
        return {name: origin[name] for name in ("code_hash", "config_hash")}
    return {}


def _known(meanings: dict[str, Any], hashes: set[str]) -> Any:
    """Return what one of the hashes stands for; None if that is not known."""
    return next((meanings[one] for one in sorted(hashes) if one in meanings), None)


def _differences(before: dict[str, Any] | None, now: dict[str, Any]) -> list[str]:
    """Return the sorted keys whose values differ, or that one side lacks; none if not known."""
    if before is None:
        return []
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _with_values(key: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return a key with its values before and now, if those are short."""
    both = [json.dumps(side[key]) if key in side else "none" for side in (before, now)]
    return f"{key} ({both[0]} -> {both[1]})" if len("".join(both)) <= _SHORT else key


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    """Return dotted key -> value of nested mappings."""
    if not isinstance(value, dict) or not value:
        return {at or "deltas": value}
    return {
        key: leaf
        for name, inner in value.items()
        for key, leaf in _flat(inner, f"{at}.{name}" if at else name).items()
    }


def _some(names: list[str]) -> str:
    """Return names in a row; of many the first ones, and how many more there are."""
    shown = names if len(names) <= _MOST_NAMES else names[: _MOST_NAMES - 1]
    more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return ", ".join(shown) + more
