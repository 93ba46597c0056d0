"""Figures that the paper reports, as data: He et al., KDD 2021, arXiv 1905.09676.

A cell is empty where the figure is not known.
"""

from importlib.resources import files

import pandas as pd

from pam.errors import ConfigError


def published(name: str) -> pd.DataFrame:
    """Return a table of reported figures; NaN where a number is not known.

    ``source`` says where a number is from: ``table`` (printed in the paper), ``derived`` (follows
    from the widths or costs that the authors recorded), ``code`` (recorded in their repository).

    Args:
        name: ``headline`` (baseline, largest factor), ``comparison`` (accuracy in 0..1 and FLOPs
            per pruning, combination and merging), ``single_tasks`` (accuracy),
            ``redundancy`` (Pearson correlation of the most similar exclusive neurons) or
            ``experiments`` (what the paper ran, its stand-ins, and the profile that runs each).

    Raises:
        ConfigError: if there is no such table.
    """
    path = files(__name__) / f"{name}.csv"
    if not path.is_file():
        raise ConfigError(f"no table '{name}' of published figures")
    with path.open(encoding="utf-8") as handle:
        return pd.read_csv(handle, keep_default_na=False, na_values=[""])


def reported_ratios(dataset: str, architecture: str) -> dict[tuple[str, str, str], float]:
    """Return (baseline, pruning, combination) -> FLOPs of PAM by those of B1 or B2, where known."""
    rows = published("comparison")
    rows = rows[(rows["dataset"] == dataset) & (rows["architecture"] == architecture)]
    known = rows.set_index(["pruning", "combination", "merging"])["flops"].dropna().to_dict()
    return {
        (merging, pruning, combination): known[pruning, combination, "pam"] / flops
        for (pruning, combination, merging), flops in known.items()
        if merging != "pam" and (pruning, combination, "pam") in known
    }
