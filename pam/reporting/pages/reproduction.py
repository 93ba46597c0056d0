"""One page: every table of the paper, reported beside measured."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from pam.errors import DataError
from pam.reporting.names import Names, order_combinations
from pam.reporting.pages.beside import (
    NOT_KNOWN,
    NOT_RUN,
    costs_and_accuracies,
    headline_tables,
    reported_of,
    single_tasks,
)
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK
from pam.reporting.statistics.paths import MEAN
from pam.reporting.storage import select
from pam.reporting.tables.analyses import exclusivity, redundancy, relatedness
from pam.reporting.tables.comparison import comparison, expected_costs
from pam.reporting.tables.render import Builder
from pam.reporting.tables.text_table import TextTable
from pam.runs.record import Manifest

Runs = Sequence[Run]

_INTRO = Path(__file__).parent / "templates" / "reproduction.md"
_HEADLINE = (
    "FLOPs of the baseline divided by FLOPs of the merger at matched accuracy, the largest over "
    "pruning schemes and task combinations. The paper's are the largest over all its data sets."
)
_LEVEL = 4
"""Of the headings of tables; sections have 2, experiments 3."""


def reproduction_page(folders: Iterable[str | Path], notes: str = "") -> str:
    """Return the page in Markdown.

    Args:
        folders: runs, each with the CSV files and the manifest of one profile.
        notes: Markdown that is put at the end as it is.

    Raises:
        DataError: if a folder holds no run, or one of its files is missing or damaged.
    """
    runs = sorted(map(Run, folders), key=lambda run: run.profile)
    for run in runs:
        if not (run.folder / "measurements.csv").is_file():
            raise DataError(f"{run.folder} holds no run: measurements.csv is not there")
    for one, other in pairwise(runs):
        if one.profile == other.profile:
            raise DataError(f"two of the runs are called '{one.profile}'")
    parts = [
        _INTRO.read_text(encoding="utf-8").format(delta=DEFAULT_DELTA),
        _section("Headline", _HEADLINE, *(table.to_markdown() for table in headline_tables(runs))),
        _of_the_paper(runs, "two_tasks", "fashion_mnist"),
        _of_the_paper(runs, "two_tasks", "celeba"),
        _of_the_paper(runs, "five_tasks", "lfw"),
        _stand_ins(runs),
        _others(runs),
        _label_relatedness(runs),
        _conditions(runs),
    ]
    if runs:
        parts.append("## Where it ran\n\n" + _runs_table(runs).to_markdown())
    if notes:
        parts.append(f"## Notes\n\n{notes.strip()}\n")
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _of_the_paper(runs: Runs, section: str, dataset: str) -> str:
    """Return the experiments of the paper on a data set, one per architecture.

    ``section`` is ``two_tasks``, or ``five_tasks``: means over all combinations of as many tasks.
    """
    parts, pooled = [], section == "five_tasks"
    over = ", mean over all combinations of as many tasks" if pooled else " at matched accuracy"
    for row in select(published("experiments"), section=section, dataset=dataset).to_dict(
        "records"
    ):
        architecture, name = row["architecture"], Names().setting(dataset, row["architecture"])
        sizes = range(1, int(row["n_tasks"]) + 1)
        combinations = ("sizes", sizes) if pooled else ("comparison", ("A", "B", "A&B"))
        known = reported_of(dataset, architecture, *combinations)
        places = [
            (run, experiment)
            for run in runs
            for experiment, *setting in _settings(run)
            if setting == [dataset, architecture]
        ]
        for run, experiment in places:
            where = {"experiment": experiment, "requirement": MEAN, "delta": DEFAULT_DELTA}
            measured = expected_costs(run, **where) if pooled else run.rows("matched", **where)
            title = f"Computation and test accuracy{over}"
            tables = [costs_and_accuracies(run.names, title, known, measured)]
            tables += [] if pooled else [comparison(run, experiment).tables[2]]
            parts += [_heading(name, run, experiment), *_markdown(tables)]
        if not places:
            parts += [f"### {name}\n", *_not_run(known, row["profile"])]
        singles = select(published("single_tasks"), dataset=dataset, architecture=architecture)
        if places or len(singles):
            every = places or [(None, "")]
            parts += _markdown([single_tasks(*place, singles) for place in every])
    return _section(f"{Names().dataset(dataset)}, {section.replace('_', ' ')}", *parts)


def _stand_ins(runs: Runs) -> str:
    """Return what was measured with three tasks and more on data that the paper does not have."""
    profiles = {run.profile for run in runs}
    missing = [
        f"### {Names().setting(row['dataset'], row['architecture'])}\n\n{_command(row['profile'])}"
        for row in select(published("experiments"), section="stand_in").to_dict("records")
        if row["profile"] not in profiles
    ]
    intro = (
        "The attributes of LFW are not on every disk. These data sets stand in for it: five tasks, "
        "all 31 combinations, other images. The paper has no figures for them."
    )
    measured = _not_of_the_paper(runs, lambda n_tasks: n_tasks > 2)
    return _section("Stand-ins for the five tasks of LFW", intro, *measured, *missing)


def _others(runs: Runs) -> str:
    """Return what else was measured; nothing if there is nothing."""
    measured = _not_of_the_paper(runs, lambda n_tasks: n_tasks <= 2)
    intro = "Settings of two tasks that the paper does not have."
    return _section("Other runs", intro, *measured) if measured else ""


def _label_relatedness(runs: Runs) -> str:
    """Return how much PAM shares between more and less related tasks."""
    measured = _documents(runs, relatedness)
    at = "below" if any("on LFW" in part for part in measured) else NOT_RUN
    rows = [
        [f"{row['task_a']}, {row['task_b']}", f"{row['label_information_nats']:.2f}", NOT_KNOWN, at]
        for row in published("relatedness").to_dict("records")
    ]
    header = ["tasks", "label MI (nats), recorded by the authors"]
    header += ["shared neurons, reported", "measured"]
    table = TextTable("Pairs of LFW tasks", header, rows, 1)
    intro = (
        "The less the labels of two tasks have in common, the fewer neurons PAM shares, says the "
        "paper. Identical and independent tasks are controls that it does not have."
    )
    missing = [] if measured else [_command_of("relatedness")]
    return _section("Label relatedness", intro, table.to_markdown(), *measured, *missing)


def _conditions(runs: Runs) -> str:
    """Return the two experiments on the conditions for merging before pruning."""
    missing = [_command_of("conditions")]
    one, two = (_documents(runs, build, _LEVEL) or missing for build in (exclusivity, redundancy))
    accuracy = 100 * published("exclusivity")["accuracy"].iloc[0]
    rows = [
        [f"{row['stage']} pruning", f"{row['correlation']:.3f}"]
        for row in published("redundancy").to_dict("records")
    ]
    header = ["", "r, recorded by the authors"]
    recorded = TextTable("Most similar pair of exclusive neurons, LeNet-5", header, rows, 1)
    return _section(
        "Validation of the conditions",
        "### Scenario 1: task-specific neurons of a pruned, all-shared network",
        f"Recorded by the authors: accuracy {accuracy:.2f} % before any neuron is removed. "
        f"Accuracy of A and of B after that: {NOT_KNOWN}.",
        *one,
        "### Scenario 2: redundancy between exclusive groups",
        *_markdown([recorded]),
        *two,
    )


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
    return TextTable("Runs", header, rows, 5, notes=["hours: of all jobs, one after another"])


def _hardware_and_commits(manifest: Manifest) -> tuple[str, str]:
    """Return the machines and the commits of the jobs; ``+`` where files were changed."""
    machines, commits = set(), set()
    for environment in (job.environment for job in manifest.jobs.values()):
        device = "" if environment.device in ("cpu", None) else f", {environment.device}"
        machines.add(f"{environment.cpu}, {environment.cores} cores{device}")
        if environment.git and environment.git.commit:
            commits.add(environment.git.commit[:7] + "+" * environment.git.dirty)
    return "; ".join(sorted(machines)), ", ".join(sorted(commits)) or "not known"


def _not_of_the_paper(runs: Runs, chosen: Callable[[int], bool]) -> list[str]:
    """Return costs, accuracies and ratios of settings that the paper does not have."""
    papers = published("experiments")
    papers = papers[papers["section"].isin(["two_tasks", "five_tasks"])]
    settings = set(papers[["dataset", "architecture"]].itertuples(index=False, name=None))
    parts = []
    for run in runs:
        for experiment, *setting in _settings(run):
            n_tasks = run.rows("measurements", experiment=experiment)["n_tasks"].max()
            if tuple(setting) not in settings and chosen(int(n_tasks)):
                parts.append(_heading(Names().setting(*setting), run, experiment))
                # Of more than two tasks, the means over all combinations of as many come first.
                parts += _markdown(comparison(run, experiment).tables[:3])
    return parts


def _documents(runs: Runs, build: Builder, level: int = 3) -> list[str]:
    """Return the tables of one kind of every run, each under a heading that names its data."""
    parts = []
    for run in runs:
        for experiment in run.experiments:
            document = build(run, experiment)
            if document:
                name = document.title.partition(":")[0]
                parts.append("#" * (level - 3) + _heading(name, run, experiment))
                parts.append(document.intro)
                parts += [table.to_markdown(level + 1) for table in document.tables]
    return parts


def _settings(run: Run) -> list[tuple[str, str, str]]:
    """Return (experiment, dataset, architecture) of everything that was measured."""
    rows = run.rows("measurements", status=OK)[["experiment", "dataset", "architecture"]]
    return sorted(set(rows.itertuples(index=False, name=None)))


def _section(title: str, *parts: str) -> str:
    return "\n".join([f"## {title}\n", *(f"{part.rstrip()}\n" for part in parts)])


def _heading(name: str, run: Run, experiment: str) -> str:
    return f"### {name}: profile `{run.profile}`, {experiment}\n"


def _markdown(tables: Iterable[TextTable]) -> list[str]:
    return [table.to_markdown(_LEVEL) for table in tables]


def _command_of(section: str) -> str:
    return _command(*select(published("experiments"), section=section)["profile"].unique())


def _command(*profiles: str) -> str:
    commands = " or ".join(f"`make reproduce PROFILE={profile}`" for profile in profiles)
    return f"Not run here; {commands} runs it."


def _not_run(known: pd.DataFrame, profile: str) -> list[str]:
    """Return what is reported of an experiment that was not run, and how to run it."""
    reported = known.dropna(subset=["flops", "accuracy"], how="all")
    places = ", ".join(order_combinations(known["combination"]))
    unknown = f"FLOPs and accuracy of {places} under P1 and P2"
    if reported.empty:
        return [f"{unknown}: reported {NOT_KNOWN}, measured {NOT_RUN}.", _command(profile)]
    table = costs_and_accuracies(Names(), "Computation and test accuracy", reported, None)
    return [*_markdown([table]), f"The rest of {unknown}: {NOT_KNOWN}.", _command(profile)]
