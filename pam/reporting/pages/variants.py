"""Tables of experiments alike but for one thing: when merging pays, and what ratios hang on."""

from collections.abc import Iterator, Sequence
from itertools import product

import pandas as pd

from pam.reporting.names import ANY_REQUEST
from pam.reporting.pages.requests import leaders
from pam.reporting.run import Run
from pam.reporting.statistics.claims import PAM
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA, OK, REFERENCES, Row
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.statistics.variants import REQUESTS, protocols, sweep_rows
from pam.reporting.storage import select
from pam.reporting.tables.cell_text import Lookup, baseline, ratio_cell
from pam.reporting.tables.comparison import AXES, expected_costs, ratio_cells
from pam.reporting.tables.text_table import TextTable

SWEEPS = (
    f"What a request costs of B1 and of B2 at δ = {DEFAULT_DELTA:g}, where tasks have more in "
    "common, are more, or have wider networks; all else is the same; bold: the interval lies below "
    "1. Were PAM to follow the cheaper of the two, none of its ratios would exceed 1."
)
PROTOCOLS = (
    "The same data, networks, mergers and pruners; only epochs, rates, paths, or the weights from "
    "which networks start differ, as the profile says. A ratio that hangs on them says little "
    "about mergers. Bold: outside the interval of the first column, as one in six would be of an "
    "independent run of the same protocol."
)
_B1 = f"flops_vs_{REFERENCES[0]}"


def sweep_tables(run: Run) -> list[TextTable]:
    """Return, for every sweep, the ratios to both baselines, and who makes a request cheapest."""
    sweeps = sweep_rows(run).groupby("sweep", sort=False)
    return [table for one in sweeps for table in _sweep(run, *one)]


def _sweep(run: Run, sweep: str, rows: pd.DataFrame) -> list[TextTable]:
    """Return the tables of one sweep; the ratios have a row per merger, request and value."""
    rows = rows.assign(combination=[*zip(rows["request"], rows["x"], strict=True)])
    lookup, prunings = Lookup(run.names, rows, AXES), rows["pruning"].unique()
    beside = run.names.beside(prunings[0], prunings)
    values, body, strong = sorted(rows["x"].unique()), [], []
    for merging, pruning in lookup.places("merging", "pruning"):
        if merging == REFERENCES[0]:
            continue
        label = run.names.row(merging, pruning, beside)
        for request, x in product(REQUESTS, values):
            place = pruning, (request, x), merging
            row = lookup.get(*place)
            if row is None:
                continue  # A control need not have run everywhere.
            strong += [
                (len(body), 3 + 2 * column)
                for column, reference in enumerate(REFERENCES)
                if row.get(f"flops_vs_{reference}_high", 1) < 1
                # Of a bound of the baseline a ratio is a bound from below.
                and (lookup.get(beside, (request, x), reference) or {}).get("status") == OK
            ]
            body.append([label, request, f"{x:g}", *ratio_cells(lookup, beside, *place)])
    names = [cell for one in REFERENCES for cell in (f"/ {baseline(run.names, one)}", "p")]
    header = ["merging", "request", sweep, *names]
    title = f"Profile `{run.profile}`: {sweep}"
    told = "; ".join(filter(None, (_of_the_cheaper(run, lookup, beside, x) for x in values)))
    notes = [f"PAM, any request, of the cheaper of the two: {told}."] if told else []
    places = sorted({*zip(rows["x"], rows["experiment"], strict=True)})
    first = leaders(run, sweep, ((f"{x:g}", one, beside) for x, one in places))
    return [TextTable(title, header, body, 3, frozenset(strong), notes), *first]


def _of_the_cheaper(run: Run, lookup: Lookup, beside: str, x: float) -> str:
    """Return what any request costs with PAM of the cheaper baseline; empty if one is not known."""
    pam, *bases = (lookup.get(beside, (ANY_REQUEST, x), one) for one in (PAM, *REFERENCES))
    if any(base and base["status"] == BOUND for base in bases):
        return ""
    known = {
        reference: base
        for reference, base in zip(REFERENCES, bases, strict=True)
        if base and base["status"] == OK
    }
    if not pam or not known:
        return ""
    cheaper = min(known, key=lambda reference: known[reference]["flops_mean"])
    ratio = ratio_cell(pam, known[cheaper], f"flops_vs_{cheaper}")
    return f"at {x:g} {ratio} of {baseline(run.names, cheaper)}"


def protocol_tables(run: Run) -> list[TextTable]:
    """Return what ratios hang on: settings of a pruner; schedules, paths and first weights.

    Of the latter, experiments otherwise alike, also who makes a request cheapest.
    """
    return [*_pruners(run), *(table for names in protocols(run) for table in _protocol(run, names))]


def _pruners(run: Run) -> Iterator[TextTable]:
    """Yield what any request costs of B1 by a pruner, and by the same one with other settings.

    Bold: what lies outside the interval of the first column.
    """
    rows = expected_costs(run, requirement=MEAN, delta=DEFAULT_DELTA)
    rows = select(rows, combination=ANY_REQUEST)
    lookup = Lookup(run.names, rows, ["pruning", "experiment", "merging"])
    families: dict[str, list[str]] = {}
    for pruning in lookup.values("pruning"):
        family = run.names.beside(pruning, rows["pruning"])
        if pruning != family and not run.names.is_beside_another(pruning):
            families.setdefault(family, []).append(pruning)
    for family, others in families.items():
        body, strong = [], []
        for experiment, merging in lookup.places("experiment", "merging"):
            row, *varied = (lookup.get(one, experiment, merging) for one in (family, *others))
            if not any(varied):
                continue
            base = lookup.get(family, experiment, REFERENCES[0])
            cells = [ratio_cell(one, base, _B1) for one in (row, *varied)]
            if row and merging == REFERENCES[0]:
                cells[0] = "1"
            else:
                outside = [_is_outside((one, base), (row, base)) for one in varied]
                strong += [(len(body), 3 + index) for index, is_so in enumerate(outside) if is_so]
            body.append([experiment, run.names.merging(merging), *cells])
        header = ["experiment", "merging", *map(run.names.pruning, (family, *others))]
        what = f"any request / B1, by settings of {run.names.pruning(family)}"
        yield TextTable(f"Profile `{run.profile}`: {what}", header, body, 2, frozenset(strong))


def _protocol(run: Run, experiments: Sequence[str]) -> list[TextTable]:
    """Return the tables; the ratios have a row per request and merger, a column per experiment.

    Bold: what lies outside the interval of the first.
    """
    every = expected_costs(run, requirement=MEAN)
    every = every[every["experiment"].isin(experiments)]
    lookup = Lookup(run.names, every, ["experiment", "delta", *AXES])
    beside = {one: run.names.beside(one, every["pruning"].unique()) for one in every["pruning"]}
    body, strong, compared = [], [], 0
    for place in lookup.places("delta", *AXES):
        delta, pruning, combination, merging = place
        if merging == REFERENCES[0]:
            continue
        rows = [lookup.get(name, *place) for name in experiments]
        base = delta, beside[pruning], combination, REFERENCES[0]
        bases = [lookup.get(name, *base) for name in experiments]
        first, *others = pairs = [*zip(rows, bases, strict=True)]
        cells = [ratio_cell(*pair, _B1) for pair in pairs]
        outside = [_is_outside(pair, first) for pair in others]
        compared += sum(one is not None for one in outside)
        strong += [(len(body), 5 + index) for index, one in enumerate(outside) if one]
        labels = [f"{delta:g}", run.names.pruning(pruning), combination, run.names.merging(merging)]
        body.append([*labels, *cells])
    within = f"{compared - len(strong)} of {compared} ratios lie within the interval of"
    families = dict.fromkeys(beside.values())
    places = ((f"`{name}`", name, family) for name, family in product(experiments, families))
    header = ["δ", "pruning", "tasks", f"/ {baseline(run.names, REFERENCES[0])}", *experiments]
    title = f"Profile `{run.profile}`: {', '.join(experiments)}"
    notes = [f"{within} `{experiments[0]}`."]
    table = TextTable(title, header, body, 4, frozenset(strong), notes)
    return [table, *leaders(run, "experiment", places)]


def _is_outside(pair: Sequence[Row | None], first: Sequence[Row | None]) -> bool | None:
    """Return whether a ratio lies outside the interval of another; None if one is not known.

    A ratio is given by its row and its baseline's.
    """
    if any(row is None or row["status"] != OK for row in (*pair, *first)):
        return None
    (row, _), (other, _) = pair, first
    known = pd.Series([other[f"{_B1}_low"], row[f"{_B1}_mean"], other[f"{_B1}_high"]])
    return None if known.isna().any() else not known.is_monotonic_increasing
