"""The sections of the page, one function each: Markdown from the runs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from pam.reporting.names import architecture_name, dataset_name, order_combinations
from pam.reporting.pages.reproduction.beside import (
    NOT_KNOWN,
    NOT_RUN,
    costs_and_accuracies,
    matched_of,
    matched_sizes_of,
    reported_of,
    single_tasks,
)
from pam.reporting.pages.reproduction.headline import headline_tables
from pam.reporting.pages.reproduction.references import Reference
from pam.reporting.published import published
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.exclusivity import exclusivity
from pam.reporting.statistics.redundancy import redundancy
from pam.reporting.statistics.relatedness import relatedness
from pam.reporting.storage import experiments
from pam.reporting.tables.comparison import comparison
from pam.reporting.tables.text_table import Document, TextTable

References = Sequence[Reference]

LEVEL = 4
"""Of the headings of tables; sections have 2, experiments 3."""


def headline(references: References) -> str:
    """Return the largest factors beside the paper's."""
    intro = (
        "FLOPs of the baseline divided by FLOPs of the merger at matched accuracy, the largest "
        "over pruning schemes and task combinations. The paper's are the largest over all its "
        "data sets."
    )
    tables = headline_tables(list(references))
    return _section("Headline", intro, *(table.to_markdown() for table in tables))


def two_tasks(dataset: str, references: References) -> str:
    """Return the experiments of the paper on a data set with two tasks, one per architecture."""
    parts = []
    listed = select(published("experiments"), section="two_tasks", dataset=dataset)
    for row in listed.to_dict("records"):
        architecture, name = row["architecture"], _setting(dataset, row["architecture"])
        known = reported_of("comparison", dataset, architecture, ("A", "B", "A&B"))
        found = _found(references, dataset, architecture)
        for reference, experiment in found:
            measured = matched_of(reference, experiment)
            title = "Computation and test accuracy at matched accuracy"
            table = costs_and_accuracies(title, known, measured)
            ratios = comparison(reference.folder, experiment).tables[-1]
            parts += [_heading(name, reference, experiment), *_tables([table, ratios])]
        if not found:
            parts += [f"### {name}\n", *_not_run(known, row["profile"])]
        parts += _singles(found, dataset, architecture)
    return _section(f"{dataset_name(dataset)}, two tasks", *parts)


def five_tasks(dataset: str, references: References) -> str:
    """Return the paper's experiment with five tasks, by how many of them run."""
    parts = []
    listed = select(published("experiments"), section="five_tasks", dataset=dataset)
    for row in listed.to_dict("records"):
        architecture, name = row["architecture"], _setting(dataset, row["architecture"])
        known = reported_of("sizes", dataset, architecture, range(1, int(row["n_tasks"]) + 1))
        found = _found(references, dataset, architecture)
        for reference, experiment in found:
            measured = matched_sizes_of(reference, experiment)
            title = "Computation and test accuracy, mean over all combinations of as many tasks"
            table = costs_and_accuracies(title, known, measured)
            parts += [_heading(name, reference, experiment), *_tables([table])]
        if not found:
            parts += [f"### {name}\n", *_not_run(known, row["profile"])]
        parts += _singles(found, dataset, architecture)
    return _section(f"{dataset_name(dataset)}, five tasks", *parts)


def stand_ins(references: References) -> str:
    """Return what was measured with three tasks and more on data that the paper does not have."""
    profiles = {reference.profile for reference in references}
    missing = [
        f"### {_setting(row['dataset'], row['architecture'])}\n\n{_command(row['profile'])}"
        for row in select(published("experiments"), section="stand_in").to_dict("records")
        if row["profile"] not in profiles
    ]
    intro = (
        "The attributes of LFW are not on every disk. These data sets stand in for it: five tasks, "
        "all 31 combinations, other images. The paper has no figures for them."
    )
    measured = _not_of_the_paper(references, lambda n_tasks: n_tasks > 2)
    return _section("Stand-ins for the five tasks of LFW", intro, *measured, *missing)


def others(references: References) -> str:
    """Return what else was measured; nothing if there is nothing."""
    measured = _not_of_the_paper(references, lambda n_tasks: n_tasks <= 2)
    intro = "Settings of two tasks that the paper does not have."
    return _section("Other runs", intro, *measured) if measured else ""


def label_relatedness(references: References) -> str:
    """Return how much PAM shares between more and less related tasks."""
    measured = _documents(references, relatedness)
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
    missing = [] if measured else [_commands("relatedness")]
    return _section("Label relatedness", intro, table.to_markdown(), *measured, *missing)


def conditions(references: References) -> str:
    """Return the two experiments on the conditions for merging before pruning."""
    one, two = (_documents(references, build, LEVEL) for build in (exclusivity, redundancy))
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
        *(one or [_commands("conditions")]),
        "### Scenario 2: redundancy between exclusive groups",
        *_tables([recorded]),
        *(two or [_commands("conditions")]),
    )


def _not_of_the_paper(references: References, chosen: Callable[[int], bool]) -> list[str]:
    """Return costs, accuracies and ratios of settings that the paper does not have."""
    papers = published("experiments")
    papers = papers[papers["section"].isin(["two_tasks", "five_tasks"])]
    own = set(papers[["dataset", "architecture"]].itertuples(index=False, name=None))
    parts = []
    for reference in references:
        for experiment, *setting in reference.settings():
            n_tasks = select(reference.measured, experiment=experiment)["n_tasks"].max()
            if tuple(setting) not in own and chosen(int(n_tasks)):
                parts.append(_heading(_setting(*setting), reference, experiment))
                # Of more than two tasks, the means over all combinations of as many come first.
                parts += _tables(comparison(reference.folder, experiment).tables[:3])
    return parts


def _section(title: str, *parts: str) -> str:
    return "\n".join([f"## {title}\n", *(f"{part.rstrip()}\n" for part in parts)])


def _heading(name: str, reference: Reference, experiment: str) -> str:
    return f"### {name}: profile `{reference.profile}`, {experiment}\n"


def _setting(dataset: str, architecture: str) -> str:
    return f"{architecture_name(architecture)} on {dataset_name(dataset)}"


def _found(references: References, dataset: str, architecture: str) -> list[tuple[Reference, str]]:
    return [
        (reference, experiment)
        for reference in references
        for experiment in reference.experiments(dataset, architecture)
    ]


def _tables(tables: Sequence[TextTable]) -> list[str]:
    return [table.to_markdown(LEVEL) for table in tables]


def _command(profile: str) -> str:
    return f"Not run here; `make reproduce PROFILE={profile}` runs it."


def _commands(section: str) -> str:
    profiles = dict.fromkeys(select(published("experiments"), section=section)["profile"])
    said = " or ".join(f"`make reproduce PROFILE={profile}`" for profile in profiles)
    return f"Not run here; {said} runs it."


def _not_run(known: pd.DataFrame, profile: str) -> list[str]:
    """Return what is reported of an experiment that was not run, and how to run it."""
    reported = known.dropna(subset=["flops", "accuracy"], how="all")
    places = ", ".join(order_combinations(known["combination"]))
    unknown = f"FLOPs and accuracy of {places} under P1 and P2"
    if reported.empty:
        return [f"{unknown}: reported {NOT_KNOWN}, measured {NOT_RUN}.", _command(profile)]
    table = costs_and_accuracies("Computation and test accuracy", reported, None)
    return [*_tables([table]), f"The rest of {unknown}: {NOT_KNOWN}.", _command(profile)]


def _singles(found: list[tuple[Reference, str]], dataset: str, architecture: str) -> list[str]:
    known = select(published("single_tasks"), dataset=dataset, architecture=architecture)
    if not found and known.empty:
        return []
    tables = [single_tasks(*place, known) for place in found or [(None, "")]]
    return _tables(tables)


def _documents(
    references: References, build: Callable[[Path, str], Document | None], level: int = 3
) -> list[str]:
    """Return the tables of one kind of every run, each under a heading that names its data."""
    parts = []
    for reference in references:
        for experiment in experiments(reference.folder):
            document = build(reference.folder, experiment)
            if document:
                name = document.title.partition(":")[0]
                parts.append("#" * (level - 3) + _heading(name, reference, experiment))
                parts.append(document.intro)
                parts += [table.to_markdown(level + 1) for table in document.tables]
    return parts
