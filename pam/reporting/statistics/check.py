"""Whether a run measured what a reference run measured, cell by cell.

After the model of MLPerf's reference convergence points: the reference is the mean, the standard
deviation and the number of seeds of every cell, and a run agrees with it unless a two-sided test
says otherwise. Costs are compared by their logarithm, as networks differ by factors.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import false_discovery_control, ttest_ind_from_stats

from pam.reporting.run import Run
from pam.reporting.statistics.intervals import Array
from pam.reporting.statistics.matched import OK

CELL = (*("experiment", "dataset", "architecture", "merging", "pruning", "strength"), "combination")
QUANTITIES = ("accuracy", "log_flops")
ORIGIN = ("threads", "device", "config_hash", "code_hash", "data_hash")

IDENTICAL, SAME, DIFFERENT = "identical", "same", "different"
NOT_TESTABLE, MISSING, NEW = "not testable", "missing", "new"
ON_PATH = "elsewhere on its path"
"""Verdicts: the same numbers; no difference found; one found; fewer than two seeds on a side, or
only seeds of a path that the other side has not; only the reference has the cell, or it failed
here; only the run has it; only one side has it, of a path and a seed that both have: where rounding
differs a path keeps other networks."""


class Groups(NamedTuple):
    """One group of values per test: ``(tests,)`` means, standard deviations and numbers.

    The standard deviations have ``n - 1`` degrees of freedom.
    """

    mean: Array
    sd: Array
    n: Array


@dataclass(frozen=True)
class Rows:
    """How the rows of two runs with the same cell and seed agree.

    Attributes:
        common: how many there are; the others are numbers of these.
        identical: byte for byte the same.
        equal: the same in every number; the code may be another one.
        unsteady: of the same code, settings, data and device, but with other numbers.
        other_settings: of other settings.
    """

    common: int
    identical: int
    equal: int
    unsteady: int
    other_settings: int


@dataclass(frozen=True)
class Check:
    """The result of a comparison.

    Attributes:
        cells: one row per cell and quantity: the columns of :data:`CELL`, ``quantity``, then
            ``n_run``, ``mean_run``, ``sd_run`` and the same of ``reference``, ``verdict``, ``p``
            and ``p_corrected``.
        rows: how single rows agree.
        level: at which the corrected p values are judged.
    """

    cells: pd.DataFrame
    rows: Rows
    level: float

    def of_verdict(self, *verdicts: str) -> pd.DataFrame:
        """Return the cells with one of the verdicts."""
        return self.cells[self.cells["verdict"].isin(verdicts)]

    @property
    def agrees(self) -> bool:
        """Whether no cell differs or is missing."""
        return self.of_verdict(DIFFERENT, MISSING).empty


def check(folder: str | Path, reference: str | Path, level: float) -> Check:
    """Compare ``measurements.csv`` of a run with that of a reference run.

    A cell is a network, its strength and a combination of tasks; its values are those of the
    seeds that succeeded. All tests of a comparison are corrected together.

    Args:
        folder: folder of the run.
        reference: folder of the reference run.
        level: bound on the expected share of false alarms among the cells named, and on the
            chance of naming any where none differs; in [0, 1].

    Raises:
        DataError: if a file is missing or damaged.
    """
    runs = Run(folder), Run(reference)
    values = [_values(run) for run in runs]
    cells = _beside(*values)
    on_path = _on_paths(cells, runs[1])
    cells.loc[on_path, "verdict"] = np.where(
        _are_of_common_seeds(cells[on_path], *values), ON_PATH, NOT_TESTABLE
    )
    tested = cells["verdict"] == SAME
    cells["p"] = np.where(tested, welch(*groups(cells)), np.nan)
    cells["p_corrected"] = corrected(cells["p"].to_numpy())
    cells.loc[tested & cells["p"].isna(), "verdict"] = NOT_TESTABLE
    cells.loc[cells["p_corrected"] <= level, "verdict"] = DIFFERENT
    return Check(cells, _rows(*runs), level)


def groups(cells: pd.DataFrame) -> list[Groups]:
    """Return the values of the run and those of the reference."""
    return [
        Groups(*(cells[f"{name}_{side}"].to_numpy(float) for name in Groups._fields))
        for side in ("run", "reference")
    ]


def _values(run: Run) -> pd.DataFrame:
    """Return one row per cell, seed and quantity of what succeeded, with its ``value``."""
    rows = run.rows("measurements", status=OK)
    rows = rows.assign(log_flops=np.log(rows["flops"]))
    return rows.melt([*CELL, "seed"], QUANTITIES, "quantity", "value")


def _beside(run: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Return statistics of both sides; cells that can be tested have the verdict ``same``."""
    key = [*CELL, "quantity"]
    sides = [
        values.groupby(key)["value"].agg(n="count", mean="mean", sd="std").add_suffix(f"_{side}")
        for side, values in (("run", run), ("reference", reference))
    ]
    # The same seeds with the same values.
    paired = run.merge(reference, "outer", [*key, "seed"], suffixes=("_run", "_reference"))
    equal = paired["value_run"] == paired["value_reference"]
    identical = equal.groupby([paired[name] for name in key]).all().rename("identical")
    cells = sides[0].join(sides[1], how="outer").join(identical).reset_index()
    conditions = (cells["n_run"].isna(), cells["n_reference"].isna(), cells.pop("identical"))
    cells["verdict"] = np.select(conditions, (MISSING, NEW, IDENTICAL), SAME)
    counts = ["n_run", "n_reference"]
    cells[counts] = cells[counts].fillna(0).astype(int)
    return cells


def _on_paths(cells: pd.DataFrame, reference: Run) -> pd.Series:
    """Return which cells only one side has, of a path of which both sides have networks."""
    row = [cells[name] for name in (*CELL, "quantity") if name != "strength"]
    pruned = cells["strength"] > 0
    both = [
        ((cells[f"n_{side}"] > 0) & pruned).groupby(row).transform("any")
        for side in ("run", "reference")
    ]
    settings = {
        (experiment, pruning): options
        for experiment, section in reference.sections.items()
        for pruning, options in section.get("pruning", {}).items()
    }
    places = zip(cells["experiment"], cells["pruning"], strict=True)
    is_path = np.array([bool(settings.get(place, {}).get("path")) for place in places], bool)
    return cells["verdict"].isin((MISSING, NEW)) & both[0] & both[1] & pruned & is_path


def _are_of_common_seeds(cells: pd.DataFrame, *sides: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which cells a side has of a seed from which both have networks of that row."""
    row = [name for name in CELL if name not in ("strength", "combination")] + ["seed"]
    common = sides[0][row].drop_duplicates().merge(sides[1][row].drop_duplicates())
    index = pd.MultiIndex.from_frame
    return index(cells[[*CELL]]).isin(index(pd.concat(sides).merge(common)[[*CELL]]))


def _rows(run: Run, reference: Run) -> Rows:
    key = [*CELL, "seed"]
    sides = [one.text_table("measurements") for one in (run, reference)]
    both = sides[0].merge(sides[1], "inner", key, suffixes=("_run", "_reference"))

    def same(names: Iterable[str]) -> pd.Series:
        columns = [both[f"{name}_run"] == both[f"{name}_reference"] for name in names]
        return pd.concat(columns, axis=1).all(axis=1)

    numbers = same(name for name in sides[0].columns if name not in (*key, *ORIGIN))
    origin = same(ORIGIN)
    return Rows(
        common=len(both),
        identical=int((numbers & origin).sum()),
        equal=int(numbers.sum()),
        unsteady=int((origin & ~numbers).sum()),
        other_settings=int((~same(("config_hash",))).sum()),
    )


def welch(one: Groups, other: Groups) -> Array:
    """Return the p values of two-sided Welch t-tests: means differ, variances may as well.

    Returns:
        (tests,) in 0..1; NaN where a group has fewer than two values. Two groups without any
        scatter have 1 if their means are equal, else 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = ttest_ind_from_stats(*one, *other, equal_var=False).pvalue
    still = (one.sd == 0) & (other.sd == 0)
    p = np.where(still, np.where(one.mean == other.mean, 1.0, 0.0), p)
    return np.where((one.n < 2) | (other.n < 2), np.nan, p)


def smallest_found(one: Groups, other: Groups, level: float) -> Array:
    """Return how far means must lie apart for :func:`welch` to give less than ``level``.

    Returns:
        (tests,) in the unit of the values; 0 where there is no scatter.
    """
    parts = [(group.sd**2 / group.n, group.n - 1) for group in (one, other)]
    variance = parts[0][0] + parts[1][0]
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / sum(part**2 / less for part, less in parts)
    away = stdtrit(freedom, 1 - level / 2) * np.sqrt(variance)
    return np.where(variance == 0, 0.0, away)


def corrected(p: Array) -> Array:
    """Return p values (tests,) corrected by Benjamini and Hochberg; NaN, no test, stays.

    Of the tests at or below a level, the share of those whose groups do not differ is on average
    at most that level; if no groups differ, that is the chance of finding any.
    """
    result = np.full(len(p), np.nan)
    tested = ~np.isnan(p)
    result[tested] = false_discovery_control(p[tested]) if tested.any() else []
    return result
