"""What ``make reproduce`` says while it runs."""

from pathlib import Path

import progress
import pytest
from progress import Progress, in_words

from pam.config import load_config
from pam.history.plan import Plan
from pam.runs.paths import Paths
from pam.source.modules import ROOT


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Plan(load_config(ROOT / "workflow/config/smoke.yaml"), Paths("results/smoke"))


@pytest.fixture
def pass_time(monkeypatch):
    class Clock:
        now = 1000.0
        monotonic = time = lambda self: self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)

    def later(seconds: float) -> None:
        clock.now += seconds

    return later


def finish(plan: Plan, number: int) -> None:
    """Write the records of the first cells of a plan."""
    for due in plan.due[:number]:
        path = Path(plan.paths.outputs(due.cell)[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_line_for_every_tenth_and_at_most_one_a_minute_between(plan, pass_time, capsys):
    run, jobs = Progress(plan.due, plan.paths), len(plan.due)

    def said(seconds: float, done: int) -> str:
        pass_time(seconds)
        finish(plan, done)
        run.look()
        return capsys.readouterr().err

    tenth = -(-jobs // 10)
    assert said(1, tenth) == ""
    first = said(9, tenth)
    assert first == (
        f"{tenth} of {jobs} jobs done ({tenth / jobs:.0%}".removesuffix("%")
        + f" %), about {in_words(10 * (jobs - tenth) / tenth)} left\n"
    )
    assert said(30, tenth + 1) == ""
    assert said(31, tenth + 1).startswith(f"{tenth + 1} of {jobs} jobs done")
    assert said(300, tenth + 1) == ""
    assert said(10, jobs) == ""


def test_jobs_weigh_what_they_took_in_the_reference_run(plan, pass_time, capsys):
    reference = Path("results/reference/smoke/resources.csv")
    reference.parent.mkdir(parents=True)
    stages = sorted({due.cell.stage for due in plan.due})
    rows = [f"{stage},{100 if stage == 'prune' else 0}" for stage in stages]
    reference.write_text("\n".join(["rule,wall_s", *rows, ""]))
    run = Progress(plan.due, plan.paths)
    prunings = [number for number, due in enumerate(plan.due) if due.cell.stage == "prune"]
    pass_time(60)
    finish(plan, prunings[0] + 1)
    run.look()
    assert f"about {in_words(60 * (len(prunings) - 1))} left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.14, "3.1 s"), (100, "100 s"), (150, "2.5 min"), (9000, "2.5 h")]
)
def test_times_are_in_words(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.parametrize("content", ["rule\ntrain\n", "rule,wall_s\ntrain,soon\n", "\0"])
def test_a_damaged_reference_run_stops_nothing(plan, pass_time, capsys, content):
    reference = Path("results/reference/smoke/resources.csv")
    reference.parent.mkdir(parents=True)
    reference.write_text(content)
    run, jobs = Progress(plan.due, plan.paths), len(plan.due)
    pass_time(60)
    finish(plan, jobs // 2)
    run.look()
    assert f"{jobs // 2} of {jobs} jobs done" in capsys.readouterr().err
