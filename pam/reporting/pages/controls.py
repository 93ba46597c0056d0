"""Mergers that know nothing of what neurons tell, and one merger twice, against PAM."""

from pam.reporting.names import ANY_REQUEST
from pam.reporting.run import Run
from pam.reporting.statistics.claims import PAM
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.tables.against import against

CONTROLS = (
    f"What every row costs of PAM at δ = {DEFAULT_DELTA:g}. PAM again is the same network pruned "
    "with other noise, so its intervals should hold 1; random (control) has groups of PAM's sizes "
    "at random; branched shares whole layers and then nothing. Where one of the last two costs "
    "what PAM costs, what neurons tell about labels has no part in the gain."
)
_BLIND = ("random", "branch")


def controls_part(run: Run, experiment: str) -> list[str]:
    """Return the tables of ratios to PAM; nothing where no control ran."""
    ran = set(run.rows("matched", experiment=experiment)["merging"])
    if PAM not in ran or not ran.intersection(_BLIND):
        return []
    tables = against(run, PAM, DEFAULT_DELTA, experiment=experiment)
    return [table.to_markdown(4) for table in tables]


def controls_sentence(run: Run, experiment: str, pruning: str) -> str:
    """Return what a request costs of PAM with each control; empty where none ran."""
    names = {run.names.merging(name) for name in _BLIND}
    told = [
        f"{merging} {ratio} (p = {p})"
        for table in against(run, PAM, DEFAULT_DELTA, experiment=experiment, pruning=pruning)
        for _, tasks, merging, ratio, p, _ in table.rows
        if tasks == ANY_REQUEST and merging in names
    ]
    if not told:
        return ""
    return (
        "Does what neurons tell about labels matter? Mergers that do not know it cost of PAM, for "
        f"any request: {', '.join(told)}."
    )
