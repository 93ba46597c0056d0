"""The paper's claims with verdicts, and the answer that follows from them."""

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pam.reporting.pages.requests import cheapest, costs_sentence
from pam.reporting.published import published, reported_ratios
from pam.reporting.run import Run
from pam.reporting.statistics import claims
from pam.reporting.statistics.claims import B1, B2, HOLDS, Evidence, Places, verdict, weighed
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.statistics.standings import standings
from pam.reporting.tables.cell_text import interval, number
from pam.reporting.tables.text_table import TextTable

NEVER = "∞: with PAM the fit of some seed never comes within the loss"

RULES = (
    f"Least favourable: of all measured ratios (tasks, pruning schemes, δ) the one that speaks "
    f"least for the claim; {NEVER}; holds: how many do. A ratio below 1 holds if its 95 % "
    f"interval lies below 1 and the exact sign-flip test has p < {claims.LEVEL:g}, uncorrected, "
    "since a claim needs all of its ratios; equality if the interval lies within a factor of "
    f"{claims.MARGIN:g}. Of what two profiles measured alike the first counts.",
    "Reproduced: all hold; partly: some hold, or all estimates lean that way. With fewer than "
    f"{claims.LEAST_SEEDS} seeds p cannot be below {claims.LEVEL:g}, so nothing is decided.",
    "Factors are the largest of all experiments and settings of the paper's pruners, here with "
    f"{claims.LEAST_SEEDS} seeds or more: reproduced if at least the paper's with an interval "
    "above 1, partly if the interval reaches the paper's. Condition 1 is a mean over layers and "
    "tasks; condition 2, over mergers and layers, holds if pruning takes off less than "
    f"{claims.CORRELATION_MARGIN:g} of the correlation.",
)


@dataclass(frozen=True)
class Claim:
    """A claim, what the paper reports of it, and all that was measured.

    Attributes:
        text: what is claimed.
        reported: in words.
        evidence: what was measured.
        unit: how an estimate is written, with ``{}`` for it.
        against: how far an estimate speaks against the claim.
    """

    text: str
    reported: str
    evidence: Sequence[Evidence]
    unit: str = "{}"
    against: Callable[[float], float] = float

    def row(self) -> list[str]:
        """Return the cells of the claim in the table of claims."""
        known = weighed(self.evidence)
        told = verdict(self.evidence)
        if not known:
            return [self.text, told, self.reported, *["—"] * 5]
        worst = max(known, key=lambda one: self.against(one.estimate.mean))
        holds = f"{sum(one.outcome == HOLDS for one in known)} of {len(known)}"
        cells = [self.cell(worst), _where(worst), f"{worst.estimate.n}", number(worst.p, ".2g")]
        return [self.text, told, self.reported, *cells, holds]

    def cell(self, one: Evidence) -> str:
        """Return an estimate with its interval."""
        estimate = interval(*one.estimate[1:], ".2f")
        return estimate if estimate == "—" else self.unit.format(estimate)


def ratio_claims(places: Places) -> list[Claim]:
    """Return the claims on ratios of computation at matched accuracy."""
    texts = {
        "All tasks run: PAM costs less than separate networks (B1)": (B1, False),
        "One task runs: PAM costs what its own network costs (B1)": (B1, True),
        "One task runs: PAM costs less than the shared network (B2)": (B2, True),
    }
    return [
        Claim(
            text,
            _reported(places, reference, alone),
            claims.ratios(places, reference, alone),
            against=(lambda mean: abs(math.log(mean))) if alone and reference == B1 else float,
        )
        for text, (reference, alone) in texts.items()
    ]


def other_claims(places: Places) -> list[Claim]:
    """Return the claims on largest factors, on relatedness and on the two conditions."""
    factors = published("headline").set_index("against")["factor"]
    r = published("redundancy").set_index("stage")["correlation"]
    return [
        *(
            Claim(
                f"Up to {factors[against]:.2f} times less computation than {name}",
                f"{factors[against]:.2f} ×",
                claims.largest_factor(places, against, DEFAULT_DELTA),
                "{} ×",
                operator.neg,
            )
            for against, name in ((B1, "B1"), (B2, "B2"))
        ),
        Claim(
            "The more related two tasks, the more neurons PAM shares",
            "no figure",
            claims.sharing(places),
            "rank correlation {}",
            operator.neg,
        ),
        Claim(
            "Condition 1: a pruned, shared network still has neurons of one task",
            "no figure",
            claims.exclusive_neurons(places),
            "{} points more lost by their task",
            operator.neg,
        ),
        Claim(
            "Condition 2: pruning leaves the redundancy between exclusive groups",
            f"r {r['before']:.2f} before, {r['after']:.2f} after",
            claims.surviving_redundancy(places),
            "r changes by {}",
            operator.neg,
        ),
    ]


def claims_table(title: str, every: Sequence[Claim], notes: Sequence[str] = RULES) -> TextTable:
    """Return one row per claim: verdict, reported, and the least favourable measurement."""
    header = ["claim", "verdict", "reported", "least favourable", "of", "n", "p", "holds"]
    return TextTable(title, header, [one.row() for one in every], 2, notes=notes)


def evidence_table(every: Sequence[Claim]) -> TextTable:
    """Return every ratio on which the verdicts rest."""
    rows = [
        [
            *(claim.text, f"`{one.run.profile}`", one.run.names.pruning(one.pruning), one.tasks),
            *(f"{one.delta:g}", claim.cell(one), f"{one.estimate.n}", number(one.p, ".2g")),
            one.outcome,
        ]
        for claim in every
        for one in claim.evidence
    ]
    header = ["claim", "profile", "pruning", "tasks", "δ", "PAM / baseline", "n", "p", "claim …"]
    return TextTable("Every ratio behind the verdicts", header, rows, 4)


def answer(claimed: Sequence[Claim], elsewhere: Sequence[str] = ()) -> str:
    """Return what came out of the paper's experiments, and elsewhere, in three points.

    Args:
        claimed: the claims on ratios, with some evidence.
        elsewhere: sentences of the last point, all but the first as a list under it.
    """
    evidence = [one for claim in claimed for one in claim.evidence]
    # What two runs have of one experiment is told of the first.
    runs = {(one.pruning, one.experiment): one.run for one in reversed(evidence)}
    asked = sorted(reversed(runs), key=lambda place: claims.PRUNINGS.index(place[0]))
    prunings = {name: runs[name, experiment].names for name, experiment in asked}
    titles = dict.fromkeys(one.run.title(one.experiment) for one in evidence)
    deltas = sorted({f"{one.delta:g}" for one in evidence}, key=float, reverse=True)
    requests = [_request(runs[place], *place) for place in asked]
    never = f"; {NEVER}" if any(math.isinf(one.estimate.mean) for one in evidence) else ""
    points = [
        _listed(
            "**The paper's claims**, of all tasks, pruners and losses the best and the worst "
            f"ratio{never}:",
            map(_told, claimed),
        ),
        _listed(f"**Whatever is asked for**, {DEFAULT_DELTA:g} point lost, costs:", requests),
        *([_listed(elsewhere[0], elsewhere[1:])] if elsewhere else []),
    ]
    return "\n".join(
        [
            f"{', '.join(titles)}, pruned by "
            f"{' and '.join(names.pruning(one) for one, names in prunings.items())}: ratios of "
            f"computation where the tasks have lost {' or '.join(deltas)} percentage points of "
            f"accuracy on average, with 95 % intervals over "
            f"{max(one.estimate.n for one in evidence)} seeds.\n",
            *(f"{index}. {point}" for index, point in enumerate(points, 1)),
        ]
    )


def _request(run: Run, pruning: str, experiment: str) -> str:
    """Return what PAM and the controls cost for any request under a pruner, and who is cheapest."""
    ranked = standings(run, experiment, DEFAULT_DELTA)[pruning]
    costs = costs_sentence(run, experiment, pruning)
    first = cheapest(run, pruning, ranked, ())
    return f"{run.names.pruning(pruning)}, `{run.profile}`: {costs}; {first}"


def _listed(first: str, sentences: Iterable[str]) -> str:
    """Return a sentence of a numbered list, and others as a list under it."""
    return "".join([first, *(f"\n   - {one}" for one in sentences)])


def _told(claim: Claim) -> str:
    """Return a claim with its verdict, and its best and its worst ratio."""
    known = sorted(weighed(claim.evidence), key=lambda one: claim.against(one.estimate.mean))
    ends = dict.fromkeys(claim.cell(one) for one in known[:1] + known[-1:])
    ratios = f" {' to '.join(ends)}" if ends else ""
    return f"{claim.text}: **{verdict(claim.evidence)}**,{ratios} (paper {claim.reported})."


def _where(one: Evidence) -> str:
    """Return tasks, pruning scheme, delta and profile of a measurement, and which experiment."""
    names = [one.tasks, one.run.names.pruning(one.pruning) if one.pruning else ""]
    names.append("" if math.isnan(one.delta) else f"δ {one.delta:g}")
    experiment = f"/{one.experiment}" if len(one.run.experiments) > 1 else ""
    return ", ".join([*filter(None, names), f"`{one.run.profile}{experiment}`"])


def _reported(places: Places, reference: str, alone: bool) -> str:
    """Return the range of the paper's ratios in the settings that were measured."""
    ratios = [
        ratio
        for setting in sorted({run.setting(experiment) for run, experiment in places})
        for (name, pruning, tasks), ratio in reported_ratios(*setting).items()
        if name == reference and pruning in claims.PRUNINGS and ("&" in tasks) != alone
    ]
    if not ratios:
        return "not known"
    ends = dict.fromkeys(f"{end(ratios):.2f}" for end in (min, max))
    return " to ".join(ends)
