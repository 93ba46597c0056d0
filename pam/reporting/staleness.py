"""The note on figures and tables whose rows were made by code that has changed since."""

from collections.abc import Mapping, Sequence

Stale = Mapping[tuple[str, str], str]
"""(experiment, CSV file) -> the stages, in words, whose code is no longer that of its rows."""

NOTHING_STALE: Stale = {}


def stale_notes(stale: Stale, experiment: str, sources: Sequence[str]) -> list[str]:
    """Return the note for what is drawn from some CSV files; an empty list if it is current.

    Args:
        stale: what is stale, as whoever knows the code says.
        experiment: the experiment that is drawn.
        sources: the CSV files it is drawn from.
    """
    stages = [stale[experiment, name] for name in sources if (experiment, name) in stale]
    words = "; ".join(dict.fromkeys(stages))
    return [f"Stale: from rows of earlier code ({words})"] if words else []
