"""From Snakemake's plan and the hashes of earlier runs to plain words."""

import os
from datetime import date

import pytest

from pam import PamError
from pam.config import parse_config
from pam.durable.locks import hold, is_held
from pam.files import write_json
from pam.provenance import STAGES
from pam.status.causes import FOLLOWS, INTERRUPTED, NEW, RUNNING, causes
from pam.status.failed import failed_lines
from pam.status.hashes import meanings, recall, remember
from pam.status.jobs import Job, jobs_of
from pam.status.plan import Planned, read_plan
from pam.status.report import stage_lines

TEXT = """
seeds: [0, 1]
experiments:
  tiny:
    dataset: digits
    architecture: lenet5
    train: {stages: [{epochs: 1, learning_rate: 0.02}]}
    merging: {none: {}, zip: {method: pam, samples: 32}}
    pruning: {taylor: {strengths: [0.3]}}
    relatedness: {near: {method: pam}}
    conditions: {layers: [f4], exclusivity: [zip]}
"""
CONFIG = parse_config(TEXT, "tiny.yaml")
CHANGED = parse_config(TEXT.replace("samples: 32", "samples: 24"), "tiny.yaml")
MERGE = Job("merge", "tiny", merging="zip", seed=1)
EARLIER = "0123456789ab"
TODAY = date.today()

PLAN = """
Job stats:
job        count
-------  -------
all            1
merge          1
aggregate      1
relate         1
total          4

[Tue Nov 24 11:19:29 2026]
Job 2: tiny: merging by zip, seed 1
Reason: Input files updated by another job: results/tiny/networks/tiny/A-1.safetensors
Shell command: python -m pam.cli merge --config workflow/config/tiny.yaml --experiment tiny \
--merging zip --seed 1 --data results/tiny/data/tiny --networks a b --out results/m.safetensors \
--record results/m.json > logs/m.log 2>&1

[Tue Nov 24 11:19:29 2026]
Job 1: Gathering the rows of all jobs
Reason: Missing output files: results/tiny/manifest.json; Set of input files has changed since last
Shell command: python -m pam.cli aggregate --config c.yaml --results results/tiny > logs/a.log 2>&1

[Tue Nov 24 11:19:29 2026]
Job 5: tiny: relating tasks by near, seed 0
Reason: Forced execution
Shell command: python -m pam.cli relate --config c.yaml --experiment tiny --merging near --seed 0 \
--data d --networks a b --control c --record results/r.json > logs/r.log 2>&1
"""


def test_a_plan_is_read_as_jobs_with_reasons_and_files():
    merge, aggregate, relate = read_plan(PLAN)
    assert merge.job == MERGE
    assert merge.reason.startswith("Input files updated by another job")
    assert [str(path) for path in merge.outputs] == ["results/m.safetensors", "results/m.json"]
    assert aggregate.job == Job("aggregate")
    assert relate.job == Job("relate", "tiny", relatedness="near", seed=0)
    assert {one.job for one in (merge, aggregate, relate)} <= set(jobs_of(CONFIG))


@pytest.mark.parametrize("said", ["", PLAN.replace("total          4", "total          5")])
def test_a_plan_that_cannot_be_read_is_an_error(said):
    with pytest.raises(PamError, match="plan cannot be read"):
        read_plan(said)


def test_nothing_to_do_is_an_empty_plan():
    assert read_plan("Nothing to be done (all requested files are present)") == []


def test_every_stage_has_jobs_with_code_and_settings():
    jobs = jobs_of(CONFIG)
    assert len(set(jobs)) == len(jobs) == 1 + 4 + 4 + 4 + 4 + 2 + 2 + 3
    assert [job.stage for job in jobs if not job.experiment] == ["aggregate", "tables", "figures"]
    assert {job.stage for job in jobs} == set(STAGES)
    known = meanings(CONFIG)
    for job in jobs:
        assert known["code"][job.code(CONFIG)] == job.modules(CONFIG)
        assert known["settings"][job.settings_hash(CONFIG)] == job.settings(CONFIG)


def test_what_hashes_stand_for_is_remembered_beside_what_was_known(tmp_path):
    path = tmp_path / "hashes.json"
    assert recall(path) == {"code": {}, "settings": {}}
    remember(CONFIG, path)
    first = path.stat().st_mtime_ns
    remember(CONFIG, path)
    assert path.stat().st_mtime_ns == first
    remember(CHANGED, path)
    for config in (CONFIG, CHANGED):
        assert MERGE.settings_hash(config) in recall(path)["settings"]
    path.write_text("{")
    assert recall(path) == {"code": {}, "settings": {}}


def planned(folder, reason, job=MERGE, **origin):
    """A job whose outputs are there; its record has the hashes of today but for ``origin``."""
    hashes = {"code_hash": job.code(CONFIG), "config_hash": job.settings_hash(CONFIG)}
    write_json(folder / "m.json", {"provenance": hashes | origin})
    (folder / "m.safetensors").touch()
    return Planned(job, reason, (folder / "m.safetensors", folder / "m.json"))


UPSTREAM = "Input files updated by another job: results/a, results/b"


@pytest.mark.parametrize(
    ("reason", "active", "expected"),
    [
        (UPSTREAM, False, [FOLLOWS]),
        ("Forced execution", False, [INTERRUPTED]),
        ("Forced execution", True, [RUNNING]),
        ("Missing output files: results/a", False, ["missing: results/a"]),
        ("Updated input files: a, b, c", False, ["a, b, c changed on disk"]),
        (
            f"Updated input files: a, b, c, d; {UPSTREAM}",
            False,
            ["a, b and 2 more changed on disk"],
        ),
        ("Code has changed since last execution", False, ["the rule's command changed"]),
        (
            "Set of input files has changed since last execution; Software environment definition "
            "has changed since last execution",
            False,
            ["other files would be read than before", "the software environment changed"],
        ),
        ("Some reason of a later Snakemake", False, ["Some reason of a later Snakemake"]),
    ],
)
def test_reasons_in_plain_words(tmp_path, reason, active, expected):
    assert causes(planned(tmp_path, reason), CONFIG, meanings(CONFIG), active) == expected


def test_without_outputs_a_job_is_new(tmp_path):
    job = Planned(MERGE, UPSTREAM, (tmp_path / "a", tmp_path / "b"))
    assert causes(job, CONFIG, meanings(CONFIG), active=False) == [NEW]


def test_changed_modules_are_named(tmp_path):
    """By the record, also where Snakemake saw only that something before would run."""
    known = meanings(CONFIG)
    old = MERGE.modules(CONFIG) | {"pam.merging.pam": EARLIER, "pam.merging.gone": EARLIER}
    known["code"][EARLIER] = old
    job = planned(tmp_path, UPSTREAM, code_hash=EARLIER)
    words = "the code of pam.merging.gone, pam.merging.pam changed"
    assert causes(job, CONFIG, known, active=False) == [words]
    del known["code"][EARLIER]
    assert causes(job, CONFIG, known, active=False) == ["the code changed"]


def test_changed_keys_are_named_with_their_values(tmp_path):
    job = planned(tmp_path, UPSTREAM)
    words = "merging.samples (32 -> 24) changed in the configuration"
    assert causes(job, CHANGED, meanings(CONFIG), active=False) == [words]
    nothing = {"code": {}, "settings": {}}
    assert causes(job, CHANGED, nothing, active=False) == ["the settings changed"]


def test_stages_without_a_record_go_by_what_snakemake_says(tmp_path):
    (tmp_path / "tables").mkdir()
    job = Job("tables")
    now = job.code(CONFIG)
    reason = (
        "Params have changed since last execution: Union of exclusive params before and now "
        f"across all output: before: '{EARLIER}' now: '{now}'"
    )
    known = meanings(CONFIG)
    known["code"][EARLIER] = job.modules(CONFIG) | {"pam.cli.tables": EARLIER}
    found = causes(Planned(job, reason, (tmp_path / "tables",)), CONFIG, known, active=False)
    assert found == ["the code of pam.cli.tables changed"]


def test_one_line_per_stage_or_one_per_cause(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    prune = Job("prune", "tiny", merging="zip", pruning="taylor", seed=0)
    plan = [
        planned(folders[0], "Forced execution"),
        Planned(Job("merge", "tiny", merging="none", seed=1), "", (tmp_path / "d",)),
        planned(folders[1], "Updated input files: x", prune),
        planned(folders[2], UPSTREAM, Job("aggregate")),
    ]
    assert stage_lines(CONFIG, plan, meanings(CONFIG), active=False) == [
        "prepare: up to date",
        "train: all 4 up to date",
        "merge: 2 of 4 would run",
        f"  1 again: {INTERRUPTED}",
        f"  1: {NEW}",
        f"prune: 1 of 4 would run again: x changed on disk since {TODAY}",
        "measure: all 4 up to date",
        "relate: all 2 up to date",
        "analyse: all 2 up to date",
        f"aggregate: would run again: {FOLLOWS}",
        "tables: up to date",
        "figures: up to date",
    ]


def test_failed_jobs_are_counted_with_their_reasons(tmp_path):
    paths = [tmp_path / "pruned" / "tiny" / f"zip-taylor-{seed}.json" for seed in range(9)]
    for path in paths[:7]:
        write_json(path, {"status": "diverged", "reason": "the loss is not finite"})
    write_json(paths[7], {"status": "ok", "reason": ""})
    lines = failed_lines(paths)
    assert lines[0].startswith("failed: 7 jobs; ")
    assert lines[1] == "  pruned/tiny/zip-taylor-0: diverged: the loss is not finite"
    assert lines[-1] == "  and 2 more"
    assert failed_lines(paths[7:]) == []


def test_whether_a_lock_is_held_is_seen_without_touching_it(tmp_path):
    lock = tmp_path / "run.lock"
    assert not is_held(lock)
    assert not lock.exists()
    descriptor = hold(lock)
    assert is_held(lock)
    os.close(descriptor)
    assert not is_held(lock)
