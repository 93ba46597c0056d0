"""The benchmark of commands that compute nothing."""

from benchmarks.commands import FIELDS, Command, measure


def test_a_row_has_the_time_of_its_command_and_the_limit(tmp_path):
    timed = [Command("nothing", ["-c", "pass"], tmp_path, 5)]
    (row,) = measure(timed, rounds=2)
    assert tuple(row) == FIELDS
    assert (row["command"], row["n"], row["limit_s"]) == ("nothing", 2, 5)
    assert 0 < float(row["low"]) <= float(row["seconds"]) <= float(row["high"])
    assert len(timed[0].cpu) == 3
