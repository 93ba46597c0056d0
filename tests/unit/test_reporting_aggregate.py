import json
import re

import numpy as np
import pytest
from scipy import stats

from pam import DataError
from pam.files import write_sealed
from pam.reporting.aggregate import aggregate, derive
from pam.reporting.run import Run
from pam.reporting.schema import TABLES
from pam.reporting.statistics.points import components, pruned_networks
from pam.reporting.storage import read_table, select
from tests.reference.matched_cost_reference import slow_cost
from tests.reporting_fixtures import SEEDS, cell_record, fail, write_records, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    records = write_records(folder)
    aggregate(records, folder)
    return folder, records


def contents(folder):
    return {name: (folder / f"{name}.csv").read_bytes() for name in TABLES}


def test_order_of_records_changes_no_byte(run, tmp_path):
    folder, records = run
    aggregate(reversed(records), tmp_path)
    assert contents(tmp_path) == contents(folder)


def test_every_row_arrives(run):
    folder, records = run
    for name in ("measurements", "neuron_information", "training"):
        expected = sum(len(json.loads(r.read_text())["rows"].get(name, [])) for r in records)
        assert len(read_table(folder, name)) == expected > 0


def test_mergers_are_compared_at_every_requirement_delta_and_combination(run):
    matched = read_table(run[0], "matched")
    assert set(matched["delta"]) == {0.5, 1.0, 2.0}
    assert len(matched) == 2 * 2 * 3 * 5 * 3
    assert set(matched["n"]) == {len(SEEDS)}
    done = matched.dropna(subset="flops_low")
    assert (done["flops_low"] <= done["flops_mean"]).all()
    assert (done["flops_mean"] <= done["flops_high"]).all()


def by_hand(folder, delta, requirement):
    """(pruning, merging, combination) -> log cost of every seed, by the slow reference."""
    measured, rated = (read_table(folder, name) for name in ("measurements", "accuracies"))
    drop = rated["single_task_validation_accuracy"] - rated["validation_accuracy"]
    rated["drop"] = 100 * drop
    axes = ["pruning", "merging", "seed", "strength"]
    costs = measured.pivot(index=axes, columns="combination", values="flops")
    drops = rated.pivot(index=axes, columns="task", values="drop")
    found = {}
    for (pruning, merging, _), rows in costs.query("strength > 0").groupby(level=axes[:3]):
        path = [(drops.loc[place].to_dict(), row.to_dict()) for place, row in rows.iterrows()]
        rest = delta, requirement
        one = {
            name: slow_cost(path, ["A", "B"], name, *rest)
            if merging != "none"
            else sum(slow_cost(path, [task], task, *rest) for task in name.split("&"))
            for name in ("A", "B", "A&B")
        }
        for name, cost in one.items():
            found.setdefault((pruning, merging, name), []).append(np.log(cost))
    return found


@pytest.mark.parametrize("requirement", ["mean", "worst"])
@pytest.mark.parametrize("delta", [0.5, 1.0])
def test_costs_and_ratios_are_those_of_the_slow_reference(run, delta, requirement):
    logs = by_hand(run[0], delta, requirement)
    matched = select(read_table(run[0], "matched"), delta=delta, requirement=requirement)
    rows = matched.set_index(["pruning", "merging", "combination"])
    assert set(rows.index) == set(logs)
    for place, row in rows.iterrows():
        crossed = np.isfinite(logs[place])
        assert row["crossed"] == crossed.sum()
        if not crossed.all():
            assert row["status"] == "not reached" and np.isnan(row["flops_mean"])
            continue
        assert row["flops_mean"] == pytest.approx(np.exp(np.mean(logs[place])), rel=1e-4)
        for reference in ("none", "mtz"):
            pairs = np.subtract(logs[place], logs[place[0], reference, place[2]])
            ratio = row[f"flops_vs_{reference}_mean"]
            if not np.isfinite(pairs).all():
                assert np.isnan(ratio)
                continue
            assert ratio == pytest.approx(np.exp(pairs.mean()), abs=2e-4)
            if np.ptp(pairs):
                ends = np.exp(stats.ttest_1samp(pairs, 0).confidence_interval(0.95))
                found = row[[f"flops_vs_{reference}_low", f"flops_vs_{reference}_high"]]
                assert list(found) == pytest.approx(list(ends), rel=1e-3, abs=1e-4)
            assert row[f"flops_vs_{reference}_p"] in (0.25, 0.5, 0.75, 1.0)


def test_a_merger_costs_once_what_it_costs_itself(run):
    matched = read_table(run[0], "matched")
    for reference in ("none", "mtz"):
        own = select(matched, merging=reference, status="ok")
        for part in ("mean", "low", "high", "p", "p_holm"):
            assert set(own[f"flops_vs_{reference}_{part}"]) == {1.0}


def test_a_pruner_is_compared_with_the_baselines_of_the_one_beside_it(tmp_path, monkeypatch):
    axes = {"mergings": ("none", "mtz", "pam"), "seeds": (0, 1)}
    write_run(tmp_path, **axes)
    cost = read_table(tmp_path, "matched").set_index(
        ["requirement", "delta", "pruning", "merging", "combination"]
    )["flops_mean"]
    monkeypatch.setattr(
        "pam.reporting.names.Names.beside",
        lambda names, row, rows: {"taylor": "vibnet"}.get(row, row),
    )
    derive(tmp_path)
    matched = read_table(tmp_path, "matched")
    row = select(matched, requirement="mean", delta=1.0, pruning="taylor", combination="A&B")
    ratio = row.set_index("merging")["flops_vs_none_mean"]["pam"]
    place = ("mean", 1.0, slice(None), slice(None), "A&B")
    costs = cost.loc[place]
    assert ratio == pytest.approx(costs["taylor", "pam"] / costs["vibnet", "none"], rel=1e-3)


def test_operating_points_meet_delta_and_nothing_cheaper_does(run):
    folder, _ = run
    points = select(read_table(folder, "operating_points"), status="ok", combination="A&B")
    points = points[points["merging"] != "none"]
    assert (points["validation_margin"] <= points["delta"] + 1e-9).all()
    measured = select(read_table(folder, "measurements"), combination="A&B")
    rated = read_table(folder, "accuracies")
    lost = rated["single_task_validation_accuracy"] - rated["validation_accuracy"]
    rated["margin"] = 100 * lost
    axes = ["pruning", "merging", "seed", "strength"]
    worst = rated.groupby(axes)["margin"].max()
    cells = measured.join(worst, on=axes)
    for point in points.to_dict("records"):
        meets = cells[cells["margin"] <= point["delta"] + 1e-6]
        where = {name: point[name] for name in ("pruning", "merging", "seed")}
        assert point["flops"] == select(meets, **where)["flops"].min()


def test_separate_networks_choose_a_strength_each(tmp_path):
    write_run(tmp_path, mergings=("none",), prunings=("vibnet",), seeds=(0,))
    points = select(read_table(tmp_path, "operating_points"), status="ok")
    points = points.set_index(["delta", "combination"])
    for delta in (0.5, 1.0, 2.0):
        both, a, b = (points.loc[(delta, name)] for name in ("A&B", "A", "B"))
        assert both["strengths"] == f"A: {a['strengths']}, B: {b['strengths']}"
        assert both["flops"] == a["flops"] + b["flops"]
        assert both["accuracy"] == pytest.approx((a["accuracy"] + b["accuracy"]) / 2, abs=1e-6)


def test_one_seed_has_no_interval(tmp_path):
    write_run(tmp_path, mergings=("none", "pam"), seeds=(0,))
    matched = select(read_table(tmp_path, "matched"), status="ok")
    assert len(matched)
    assert matched["flops_mean"].notna().all()
    assert matched[["flops_low", "flops_high", "flops_vs_none_low"]].isna().all(axis=None)


def test_headline_takes_the_largest_factor(run):
    matched, headline = (read_table(run[0], name) for name in ("matched", "headline"))
    where = {"pruning": "taylor", "delta": 1.0}
    row = select(headline, against="none", merging="pam", **where).iloc[0]
    ratios = select(matched, merging="pam", requirement="mean", **where)["flops_vs_none_mean"]
    assert row["factor"] == pytest.approx(1 / ratios.min(), rel=1e-3)
    assert row["low"] <= row["factor"] <= row["high"]
    assert set(headline["paper"]) == {4.87, 2.01}
    of_none = set(select(headline, against="none", **where)["merging"])
    known = select(matched, **where).dropna(subset="flops_vs_none_mean")
    assert of_none == set(known["merging"]) - {"none"}


def test_a_failed_job_becomes_a_row(tmp_path):
    write_run(tmp_path, failed=("pam-vibnet-1",), mergings=("none", "pam"), seeds=(0, 1))
    failure = read_table(tmp_path, "failures").iloc[0]
    assert list(failure[["experiment", "merging", "pruning", "seed", "status", "reason"]]) == [
        *("fashion", "pam", "vibnet", 1, "diverged", "the loss is not finite")
    ]
    failed = select(read_table(tmp_path, "measurements"), status="diverged")
    assert len(failed) == 1 and np.isnan(failed["accuracy"].iloc[0])
    matched = select(read_table(tmp_path, "matched"), merging="pam").set_index("pruning")
    assert set(matched.loc["vibnet", "n"]) == {1}
    assert set(matched.loc["taylor", "n"]) == {2}


def test_a_merger_that_failed_everywhere_keeps_its_place(tmp_path):
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet",), "seeds": (0,)}
    write_run(tmp_path, failed=("pam-vibnet-0",), **axes)
    matched = select(read_table(tmp_path, "matched"), merging="pam")
    assert set(matched["status"]) == {"failed"}
    assert set(matched["combination"]) == {"A", "B", "A&B"}


@pytest.mark.parametrize(
    ("groups", "parts"),
    [
        (["A", "B", "C"], [{"A"}, {"B"}, {"C"}]),
        (["A", "shared"], [{"A", "B", "C"}]),
        (["A&C", "B"], [{"A", "C"}, {"B"}]),
        ([], [{"A"}, {"B"}, {"C"}]),
    ],
)
def test_tasks_are_connected_through_groups(groups, parts):
    assert components(groups, ["A", "B", "C"]) == [frozenset(part) for part in parts]


def test_a_part_that_stands_while_another_goes_on_is_no_further_reading(tmp_path):
    record = cell_record("fashion", "none", "vibnet", 0)
    rows = record["rows"]
    for table, column in (("accuracies", "task"), ("measurements", "combination")):
        by_place = {(row["strength"], row[column]): row for row in rows[table]}
        for (strength, name), row in by_place.items():
            # A begins its path late and ends it early: it stands unpruned, then as at 1.5.
            stands = {0.25: 0.0, 2.0: 1.5, 2.5: 1.5}.get(strength, strength)
            if name == "A":
                row |= by_place[stands, "A"] | {"strength": strength}
    path = tmp_path / "none-vibnet-0.json"
    write_sealed(path, record | {"provenance": {"rule": "measure"}})
    aggregate([path], tmp_path)
    (networks,) = pruned_networks(Run(tmp_path))
    a, b = networks.parts["none"][0]
    assert list(a.strengths) == [0.5, 1.0, 1.5]
    assert list(b.strengths) == [0.25, 0.5, 1.0, 1.5, 2.0, 2.5]


def test_one_cause_of_many_failures_is_told_once(tmp_path):
    write_records(tmp_path, mergings=(), seeds=(0,))
    paths = [tmp_path / "networks" / "fashion" / f"{task}-0.json" for task in "AB"]
    for path in paths:
        fail(path)
    aggregate(paths, tmp_path)
    assert len(read_table(tmp_path, "failures")) == 1
    assert len(read_table(tmp_path, "measurements")) == 0


def test_the_log_of_a_failure_is_that_of_the_job_it_began_with(tmp_path):
    records = []
    for rule in ("measure", "prune"):
        provenance = {"rule": rule, "experiment": "fashion", "log": f"logs/{rule}.log"}
        record = {"status": "diverged", "reason": "why", "rows": {}, "provenance": provenance}
        records.append(tmp_path / f"{rule}.json")
        write_sealed(records[-1], record)
    aggregate(records, tmp_path)
    assert list(read_table(tmp_path, "failures")["log"]) == ["logs/prune.log"]


WRONG = {
    "a share above one": ({"accuracy": 7.5}, "'accuracy' of measurements.csv needs a number in 0"),
    "a number as text": ({"accuracy": "0.99"}, "needs a number in 0..1, not '0.99'"),
    "a truth value": ({"n_tasks": True}, "needs a whole number >= 0, not True"),
    "a cost below zero": ({"flops": -1}, "'flops' of measurements.csv needs a whole number >= 0"),
    "a cost beyond all numbers": ({"flops": 10**400}, "needs a whole number >= 0, not 1000"),
    "no cost": ({"flops": None}, "column 'flops' of measurements.csv is empty, with status ok"),
    "half an operation": ({"macs": 1.5}, "'macs' of measurements.csv needs a whole number"),
    "a number for a word": ({"dataset": 3}, "'dataset' of measurements.csv needs a word, not 3"),
    "another merger": ({"merging": "none"}, "of merging 'none', not 'pam'"),
    "another seed": ({"seed": 1}, "of seed 1, not 0"),
    "another experiment": ({"experiment": "x"}, "of experiment 'x', not 'fashion'"),
    "an unknown status": ({"status": "okay"}, "needs one of bound, collapsed, data_missing"),
    "the same key twice": (
        {"combination": "B"},
        "would hold two rows for experiment=fashion, pruning=vibnet, merging=pam",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_row_that_cannot_be_is_refused(name, tmp_path):
    change, says = WRONG[name]
    records = write_records(tmp_path, seeds=(0,), mergings=("pam",), prunings=("vibnet",))
    (path,) = (path for path in records if "measured" in path.parts)
    record = json.loads(path.read_text())
    record["rows"]["measurements"][0] |= change
    write_sealed(path, record)
    with pytest.raises(DataError, match=re.escape(says)):
        aggregate(records, tmp_path)
