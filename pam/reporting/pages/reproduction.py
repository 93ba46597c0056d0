"""One page: the paper's claims with verdicts, what a request costs, and every cost behind them."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from pam.errors import DataError
from pam.reporting.names import Names
from pam.reporting.pages.beside import (
    costs_and_ratios,
    factor_sentences,
    largest_factors,
    lost_by_merging,
    random_sentence,
    settings_sentence,
    single_tasks,
)
from pam.reporting.pages.claims import (
    answer,
    claims_table,
    evidence_table,
    other_claims,
    ratio_claims,
)
from pam.reporting.pages.requests import (
    CONTROLS,
    REQUESTS,
    controls_part,
    requests_part,
    winner_sentences,
)
from pam.reporting.pages.variants import PROTOCOLS, SWEEPS, protocol_tables, sweep_tables
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.claims import Places, weighed
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK
from pam.reporting.statistics.variants import varied
from pam.reporting.tables import Builder
from pam.reporting.tables.analyses import exclusivity, redundancy, relatedness
from pam.reporting.tables.text_table import TextTable
from pam.runs.record import Manifest

Runs = Sequence[Run]

_INTRO = Path(__file__).parent / "templates" / "reproduction.md"
_COSTS = (
    f"At δ = {DEFAULT_DELTA:g}, multiplications and additions counted. Where the paper has figures "
    "they stand on the right; sizes and schedules are not the paper's, so ratios compare, FLOPs do "
    "not."
)
_LOST = (
    "Points of validation accuracy lost by merging and retraining, before pruning. Separate "
    "networks are not retrained: a merger that gains here has as much more to lose."
)
_VARIANTS = (
    ("When does merging pay?", SWEEPS, sweep_tables),
    ("Does a ratio hang on the protocol?", PROTOCOLS, protocol_tables),
)
_CONDITIONS = {
    "Label relatedness": relatedness,
    "Condition 1: neurons of one task in a pruned, shared network": exclusivity,
    "Condition 2: redundancy between exclusive groups": redundancy,
}


def read_runs(folders: Iterable[str | Path]) -> list[Run]:
    """Return the runs in the given folders, sorted by profile.

    Raises:
        DataError: if a folder holds no run, or two are of one profile.
    """
    runs = sorted(map(Run, folders), key=lambda run: run.profile)
    for run in runs:
        if not (run.folder / "measurements.csv").is_file():
            raise DataError(f"{run.folder} holds no run: measurements.csv is not there")
    for one, other in pairwise(runs):
        if one.profile == other.profile:
            raise DataError(f"two of the runs are called '{one.profile}'")
    return runs


def reproduction_page(runs: Runs, notes: str = "") -> str:
    """Return the page in Markdown.

    Raises:
        DataError: if a CSV file is missing or damaged.
    """
    papers, others = _measured(runs)
    every = [*papers, *others]
    parts = [_INTRO.read_text(encoding="utf-8"), _claims(runs, papers, others)]
    if every:
        requests = [_titled(place, *requests_part(*place)) for place in every]
        parts.append(_section("Expected cost of a request", REQUESTS, *requests))
        costs = [
            _titled(place, single_tasks(*place), costs_and_ratios(*place).to_markdown())
            for place in every
        ]
        parts.append(_section("Costs and ratios", _COSTS, *costs))
        controls = {place: controls_part(*place) for place in every}
        titled = [_titled(place, *tables) for place, tables in controls.items() if tables]
        parts += [_section("Controls", CONTROLS, *titled)] if titled else []
        parts.append(_section("Largest factors", largest_factors(runs).to_markdown()))
        merged = lost_by_merging(runs).to_markdown()
        parts.append(_section("What merging alone does", _LOST, merged))
    for title, intro, tables_of in _VARIANTS:
        tables = [table.to_markdown() for run in runs for table in tables_of(run)]
        parts += [_section(title, intro, *tables)] if tables else []
    for title, build in _CONDITIONS.items():
        tables = _documents(runs, build)
        parts += [_section(title, *tables)] if tables else []
    parts.append(_section("Not run here", _not_run(runs, every)))
    if runs:
        parts.append(_section("Where it ran", _runs_table(runs).to_markdown()))
    if notes:
        parts.append(_section("Notes", notes.strip()))
    return "\n".join(part.rstrip() + "\n" for part in parts)


def answer_of(runs: Runs) -> str:
    """Return the answer of the experiments that the paper has too.

    Raises:
        DataError: if there is none.
    """
    papers, _ = _measured(runs)
    claimed = ratio_claims(papers)
    if not any(claim.evidence for claim in claimed):
        raise DataError("no run sets PAM against B1 in the paper's settings: there is no answer")
    elsewhere = [settings_sentence(runs), random_sentence(runs), *winner_sentences(runs)]
    return answer(claimed, [*filter(None, [*elsewhere, *factor_sentences(runs)])])


def _measured(runs: Runs) -> tuple[Places, Places]:
    """Return the measured experiments that stand alone: in settings that the paper has, others."""
    papers = published("experiments")
    papers = papers[papers["section"].isin(["two_tasks", "five_tasks"])]
    settings = set(zip(papers["dataset"], papers["architecture"], strict=True))
    of_the_paper, others = [], []
    for run in runs:
        for experiment in sorted({*run.experiments} - varied(run)):
            if len(run.rows("measurements", experiment=experiment, status=OK)):
                is_known = run.setting(experiment) in settings
                (of_the_paper if is_known else others).append((run, experiment))
    return of_the_paper, others


def _claims(runs: Runs, papers: Places, others: Places) -> str:
    """Return the claims with verdicts, in the paper's settings and then in each other one."""
    places = [(run, experiment) for run in runs for experiment in run.experiments]
    claimed = ratio_claims(papers)
    parts = [claims_table("", [*claimed, *other_claims(places)]).to_markdown()]
    if any(claim.evidence for claim in claimed):
        parts.append(evidence_table(claimed).to_markdown())
    for run, experiment in others:
        known = [claim for claim in ratio_claims([(run, experiment)]) if weighed(claim.evidence)]
        if known:
            table = claims_table(f"{run.title(experiment)}, {experiment}", known, notes=())
            parts.append(table.to_markdown())
    return _section("The paper's claims", *parts)


def _not_run(runs: Runs, places: Places) -> str:
    """Return what the paper and its stand-ins have and no run has, with the command of each."""
    measured = {run.setting(experiment) for run, experiment in places}
    tested = {
        "relatedness": bool(_documents(runs, relatedness)),
        "conditions": bool(_documents(runs, exclusivity) and _documents(runs, redundancy)),
    }
    commands: dict[str, list[str]] = {}
    for row in published("experiments").to_dict("records"):
        setting, section = (row["dataset"], row["architecture"]), row["section"]
        if not tested.get(section, setting in measured):
            words = f"{Names().setting(*setting)} ({section.replace('_', ' ')})"
            commands.setdefault(row["profile"], []).append(words)
    lines = [
        f"- `make reproduce PROFILE={profile}`: {', '.join(every)}"
        for profile, every in commands.items()
    ]
    return "\n".join(lines) or "Nothing."


def _runs_table(runs: Runs) -> TextTable:
    """Return what ran where: experiments, seeds, hardware, commit and hours of computing."""
    header = ["profile", "experiments", "seeds", "hardware", "commit", "hours"]
    rows = [
        [
            f"`{run.profile}`",
            ", ".join(run.experiments),
            ", ".join(map(str, run.manifest.config.get("seeds") or [])),
            *_hardware_and_commits(run.manifest),
            f"{run.table('resources')['wall_s'].sum() / 3600:.1f}",
        ]
        for run in runs
    ]
    return TextTable("", header, rows, 5, notes=["hours: of all jobs, one after another"])


def _hardware_and_commits(manifest: Manifest) -> tuple[str, str]:
    """Return the machines and the commits of the jobs; ``+`` where files were changed."""
    machines, commits = set(), set()
    for environment in (job.environment for job in manifest.jobs.values()):
        device = "" if environment.device in ("cpu", None) else f", {environment.device}"
        machines.add(f"{environment.cpu}, {environment.cores} cores{device}")
        if environment.git and environment.git.commit:
            commits.add(environment.git.commit[:7] + "+" * environment.git.dirty)
    return "; ".join(sorted(machines)), ", ".join(sorted(commits)) or "not known"


def _documents(runs: Runs, build: Builder) -> list[str]:
    """Return the tables of one kind of every run, each under a heading that names its data."""
    documents = [(run, name, build(run, name)) for run in runs for name in run.experiments]
    return [
        _titled((run, name), one.intro, *(table.to_markdown(4) for table in one.tables))
        for run, name, one in documents
        if one
    ]


def _section(title: str, *parts: str) -> str:
    return "\n".join([f"## {title}\n", *(f"{part.rstrip()}\n" for part in parts)])


def _titled(place: tuple[Run, str], *parts: str) -> str:
    """Return parts under a heading that names their experiment."""
    run, experiment = place
    heading = f"### {run.title(experiment)}: profile `{run.profile}`, {experiment}"
    return "\n\n".join([heading, *(part.rstrip() for part in parts)])
