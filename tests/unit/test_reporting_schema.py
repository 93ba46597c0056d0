import math

import pytest

from pam import DataError
from pam.reporting.schema import FAILURES, MEASUREMENTS, TABLES, format_number, natural_key
from pam.reporting.storage import read_table, read_text_table, write_rows
from tests.reporting_fixtures import cell_record


@pytest.fixture
def row():
    return cell_record("fashion", "pam", "vibnet", 0)["rows"]["measurements"][0]


def test_measurements_have_the_agreed_columns_in_order():
    assert ",".join(MEASUREMENTS.columns) == (
        "experiment,dataset,architecture,merging,pruning,strength,seed,combination,n_tasks,status,"
        "accuracy,validation_accuracy,single_task_accuracy,accuracy_drop,flops,macs,parameters,"
        "threads,device,config_hash,code_hash,data_hash"
    )


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_keys_are_columns(table):
    assert set(table.key) <= set(table.columns)


def test_missing_and_unknown_columns_are_both_named(row):
    del row["flops"]
    row["flop"] = 3
    with pytest.raises(DataError, match=r"measurements\.csv.*\[flops\].*\[flop\]"):
        MEASUREMENTS.format_row(row)


@pytest.mark.parametrize("value", ["many", 10**400])
@pytest.mark.parametrize("column", ["flops", "accuracy", "seed"])
def test_what_is_no_number_or_too_large_for_a_float_is_named(column, value, row, tmp_path):
    row[column] = value
    with pytest.raises(DataError, match=rf"'{column}'.* needs a number, not {value!r:.4}"):
        write_rows(tmp_path, MEASUREMENTS, [row])


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.5, 6, "0.500000"),
        (-0.00000001, 4, "0.0000"),
        (2**60 + 1, 0, str(2**60 + 1)),
        (3.0, 0, "3"),
        (None, 2, ""),
        (math.nan, 2, ""),
        (math.inf, 2, "inf"),
    ],
)
def test_numbers_have_fixed_decimals(value, decimals, text):
    assert format_number(value, decimals) == text


def test_natural_order():
    assert sorted(["c10", "c2", "f1"], key=natural_key) == ["c2", "c10", "f1"]


def test_written_rows_are_read_back(tmp_path, row):
    write_rows(tmp_path, MEASUREMENTS, [row | {"seed": 2}, row])
    frame = read_table(tmp_path, "measurements")
    assert list(frame["seed"]) == [0, 2]
    assert frame["flops"][0] == row["flops"]
    assert frame["device"][0] == "cpu"


def test_words_that_look_like_missing_values_stay_words(tmp_path):
    known = {"experiment": "NA", "reason": 'a "b", c', "status": "diverged"}
    write_rows(tmp_path, FAILURES, [dict.fromkeys(FAILURES.columns) | known])
    frame = read_table(tmp_path, "failures")
    assert frame.loc[0, ["experiment", "reason", "merging"]].tolist() == ["NA", 'a "b", c', ""]


@pytest.mark.parametrize(
    "name", ["../../../x", "/etc/x", "a/b", "a b", "A&../B", "..", "a\\b", "é"]
)
@pytest.mark.parametrize("column", ["experiment", "merging", "pruning", "combination"])
def test_names_that_would_lead_elsewhere_are_refused(column, name, row, tmp_path):
    write_rows(tmp_path, MEASUREMENTS, [row, row | {"seed": 1, column: name}])
    with pytest.raises(DataError, match=rf"row \d has the '{column}' .* which is no name"):
        read_text_table(tmp_path, "measurements")
