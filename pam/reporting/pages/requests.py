"""Which row makes a request cheapest, which do not differ from it, and what controls cost."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pam.reporting.names import ANY_REQUEST
from pam.reporting.run import Run
from pam.reporting.statistics.claims import ALL_SHARED, B1, B2, LEVEL, PAM, RANDOM
from pam.reporting.statistics.matched import DEFAULT_DELTA, RATIO_PARTS
from pam.reporting.statistics.pruning_path import MEAN, WORST
from pam.reporting.statistics.standings import Standing, overall_standings, standings
from pam.reporting.tables.against import against
from pam.reporting.tables.cell_text import cost_cell, interval, number
from pam.reporting.tables.networks import path_training
from pam.reporting.tables.text_table import TextTable

REQUESTS = (
    "The mean over all combinations of tasks, each as likely as the profile says, at "
    f"δ = {DEFAULT_DELTA:g}; rows that are compared with the same B1 and B2 stand together. Costs "
    f"more: interval below 1 and p < {LEVEL:g}, uncorrected; "
    "epochs: of training along a path, mean over seeds."
)

CONTROLS = (
    f"What every row costs of PAM at δ = {DEFAULT_DELTA:g}. PAM again is the same network pruned "
    "with other noise, so its intervals should hold 1; random (control) has groups of PAM's sizes "
    "at random; branched shares whole layers and then nothing. Where one of the last two costs "
    "what PAM costs, what neurons tell about labels has no part in the gain."
)

_KNOWN = (B1, B2, ALL_SHARED, PAM)
"""The rows that everybody asks about."""

_BLIND = (RANDOM, "branch")
"""Mergers that know nothing of what neurons tell."""


def requests_part(run: Run, experiment: str) -> list[str]:
    """Return which row makes a request cheapest, in a sentence and a table per pruning scheme."""
    parts = []
    where = {"experiment": experiment, "requirement": MEAN, "delta": DEFAULT_DELTA}
    costs = run.rows("requests", **where)
    costs = costs[costs["n_tasks"].isna()].set_index(["pruning", "merging"])
    trained = path_training(run, experiment)
    for family, ranked in standings(run, experiment, DEFAULT_DELTA).items():
        reached = within_delta(ranked)
        name = run.names.pruning(family)
        if not reached:
            parts.append(f"{name}: no row comes within δ = {DEFAULT_DELTA:g} in every seed.")
            continue
        rows = []
        for one in reached:
            row = costs.loc[(one.pruning, one.merging)].to_dict()
            p = "—" if math.isnan(one.p) else f"{one.p:.2g} ({one.p_holm:.2g})"
            cells = [cost_cell(row, 0), interval(*one.ratio[1:], ".2f"), p]
            label = _row_name(run, one, family)
            path = trained.get((one.pruning, one.merging))
            cells += [f"{row['n']:.0f}", number(path.epochs.mean, ".0f") if path else "—"]
            rows.append([label, *cells, _standing(one, reached)])
        header = ["row", "MFLOPs", "cheapest / this", "p", "n", "epochs", ""]
        left = [_row_name(run, one, family) for one in ranked[len(reached) :]]
        notes = [f"A seed never comes within δ: {', '.join(left)}."] if left else []
        table = TextTable("", header, rows, 1, notes=notes)
        parts += [f"{name}: {cheapest(run, family, ranked)}", table.to_markdown()]
    return [*parts, *filter(None, [cheapest_overall(run, experiment)])]


def cheapest(
    run: Run, family: str, ranked: Sequence[Standing], mergings: Sequence[str] = _KNOWN
) -> str:
    """Return who is cheapest, by how much against some mergers, and who is not told apart."""
    reached = within_delta(ranked)
    if not reached:
        return "no row comes within δ in every seed."
    if not reached[1:]:
        return f"only {_row_name(run, reached[0], family)} comes within δ in every seed."
    known = _known_rows(reached, family)
    ratios = [_ratio_to(known[name], run.names.merging(name)) for name in mergings if name in known]
    told = ", ".join([f"the cheapest row is {_row_name(run, reached[0], family)}", *ratios])
    if level := _level_with(run, reached, family):
        return f"{told}; not told apart from it: {', '.join(level)}."
    return f"{told}; it is cheaper than every other row."


def cheapest_overall(run: Run, experiment: str) -> str:
    """Return who is cheapest under any pruner, and by how much of the first under each other one.

    Empty where rows of only one pruner come within delta.
    """
    families = standings(run, experiment, DEFAULT_DELTA)
    reached = filter(None, map(within_delta, families.values()))
    firsts = {(ranked[0].pruning, ranked[0].merging) for ranked in reached}
    if len(firsts) < 2:
        return ""
    best, *others = overall_standings(run, experiment, DEFAULT_DELTA)
    told = [
        _ratio_to(one, _row_name(run, one))
        for one in others
        if (one.pruning, one.merging) in firsts
    ]
    return f"Any pruner: the cheapest row is {_row_name(run, best)}, {', '.join(told)}."


def winner_sentences(runs: Iterable[Run]) -> Iterator[str]:
    """Yield every row but B1 that costs less than B1, B2, all shared and PAM under their pruner.

    With the ratios, who is first of all pruners there, and the ratio to B1 by the worst task.
    """
    for run, experiment in ((one, name) for one in runs for name in one.experiments):
        for family, ranked in standings(run, experiment, DEFAULT_DELTA).items():
            reached = within_delta(ranked)
            known = _known_rows(reached, family)
            itself = {one.merging for one in reached[:1] if one.pruning == family}
            beaten = {name for name, one in known.items() if one.differs}
            if B1 in beaten and beaten | itself == {*_KNOWN}:
                names = ", ".join(run.names.merging(name) for name in _KNOWN if name in beaten)
                parts = [
                    f"**A row that beats all of {names}**: {run.title(experiment)}, "
                    f"{cheapest(run, family, ranked, (B1, PAM))}",
                    cheapest_overall(run, experiment),
                    _by_worst_task(run, experiment, reached[0]),
                ]
                yield " ".join(filter(None, parts))


def _by_worst_task(run: Run, experiment: str, row: Standing) -> str:
    """Return what a row costs of B1 if no task may lose more than delta; empty if not known."""
    where = {"experiment": experiment, "requirement": WORST, "delta": DEFAULT_DELTA}
    rows = run.rows("requests", pruning=row.pruning, merging=row.merging, **where)
    rows = rows[rows["n_tasks"].isna()].dropna(subset=f"flops_vs_{B1}_mean")
    told = [
        f"If no task may lose more: {interval(*ratio, '.2f')} of {run.names.merging(B1)} "
        f"(p = {number(p, '.2g')})."
        for *ratio, p, _ in rows[[f"flops_vs_{B1}_{part}" for part in RATIO_PARTS]].to_numpy()
    ]
    return "".join(told)


def leaders(run: Run, what: str, places: Iterable[tuple[str, str, str]]) -> list[TextTable]:
    """Return a table of who makes any request cheapest, and of whom that is told apart.

    Args:
        run: with the experiments.
        what: what the first column is called.
        places: words for the first column, the experiment, and the pruner of its baselines.

    Returns:
        One table; none if nothing comes within delta.
    """
    header = [what, "cheapest", *(f"/ {run.names.merging(name)} (p)" for name in _KNOWN)]
    rows = []
    for label, experiment, family in places:
        reached = within_delta(standings(run, experiment, DEFAULT_DELTA).get(family, []))
        if reached:
            known = _known_rows(reached, family)
            ratios = [
                f"{interval(*known[name].ratio[1:], '.2f')} ({known[name].p:.2g})"
                if name in known
                else "—"
                for name in _KNOWN
            ]
            level = ", ".join(_level_with(run, reached, family)) or "none"
            rows.append([label, _row_name(run, reached[0], family), *ratios, level])
    title = f"Profile `{run.profile}`: who makes any request cheapest, by {what}"
    return [TextTable(title, [*header, "not told apart"], rows, 2)] if rows else []


def _known_rows(reached: Sequence[Standing], family: str) -> dict[str, Standing]:
    """Return merging -> its standing under the baselines' pruner, if it has a ratio."""
    own = {one.merging: one for one in reached if one.pruning == family and not math.isnan(one.p)}
    return {name: own[name] for name in _KNOWN if name in own}


def _level_with(run: Run, reached: Sequence[Standing], family: str) -> list[str]:
    """Return the rows that are not told apart from the cheapest one."""
    return [_row_name(run, one, family) for one in reached[1:] if not one.differs]


def _row_name(run: Run, one: Standing, family: str = "") -> str:
    """Return the name of a row, with its pruner unless that is the one of its baselines."""
    return run.names.row(one.merging, one.pruning, family)


def _ratio_to(one: Standing, name: str) -> str:
    """Return the ratio of the cheapest row to another one, with its name and p."""
    return f"{interval(*one.ratio[1:], '.2f')} of {name} (p = {number(one.p, '.2g')})"


def within_delta(ranked: Sequence[Standing]) -> list[Standing]:
    """Return those that come within delta in every seed."""
    return [one for one in ranked if math.isfinite(one.cost)]


def _standing(one: Standing, reached: Sequence[Standing]) -> str:
    if one is reached[0]:
        return "cheapest"
    return "costs more" if one.differs else "not told apart"


def controls_part(run: Run, experiment: str) -> list[str]:
    """Return the tables of ratios to PAM; nothing where no control ran."""
    ran = _with_networks(run, experiment=experiment)
    if PAM not in ran or not ran.intersection(_BLIND):
        return []
    tables = against(run, PAM, DEFAULT_DELTA, experiment=experiment)
    return [replace(table, title="", notes=()).to_markdown() for table in tables]


def costs_sentence(run: Run, experiment: str, pruning: str) -> str:
    """Return what a request costs of B1 with PAM, and of PAM with each control that ran."""
    told, where = [], {"experiment": experiment, "pruning": pruning}
    ran = _with_networks(run, **where)
    for reference, mergings in ((B1, (PAM,)), (PAM, _BLIND)):
        if reference not in ran:
            continue
        names = {run.names.merging(name) for name in ran.intersection(mergings)}
        tables = against(run, reference, DEFAULT_DELTA, **where)
        ratios = [
            f"{merging} {ratio} (p = {p})"
            for table in tables
            for _, tasks, merging, ratio, p, _ in table.rows
            if tasks == ANY_REQUEST and merging in names
        ]
        told += [f"{', '.join(ratios)} of {run.names.merging(reference)}"] if ratios else []
    return "; ".join(told)


def _with_networks(run: Run, **where: str) -> set[str]:
    """Return the mergers that did not fail in every seed."""
    rows = run.rows("matched", **where)
    return {*rows.loc[rows["n"] > 0, "merging"]}
