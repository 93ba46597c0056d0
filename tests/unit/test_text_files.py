"""YAML, CSV and JSON that people or accidents made too large, too deep, or ambiguous."""

import pytest

from pam import text_files
from pam.errors import ConfigError, DataError
from pam.files import read_json, read_tensors, write_tensors
from pam.text_files import csv_rows, decode, dump_yaml, parse_yaml


def multiplied(link: str, levels: int = 12) -> str:
    """Levels of which every one is ten times the last."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [link.format(i, ", ".join([f"*a{i - 1}"] * 10)) for i in range(1, levels)]
    return "\n".join(lines)


BAD_YAML = {
    "lists of aliases": (multiplied("a{0}: &a{0} [{1}]"), "line 5: more than 10,000 values"),
    "merge keys": (multiplied("a{0}: &a{0} {{<<: [{1}]}}"), "more than 10,000 values"),
    "brackets": ("[" * 5000, "line 1: nested more than 32 levels deep"),
    "braces": ("{a: " * 5000, "line 1: nested more than 32 levels deep"),
    "dashes": ("\n" + "- " * 5000, "line 2: nested more than 32 levels deep"),
    "a ladder of aliases": (
        "\n".join(["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 2000))]),
        "line 32: nested more than 32 levels deep",
    ),
    "itself": ("a: &a [*a]", "line 1: an alias stands for what it is itself a part of"),
    "merged with itself": ("a: &a {<<: *a}", "line 1: an alias stands for what it is itself"),
    "a key twice": ("a: 1\nb: {c: 2,\n  c: 3}", "line 3: key 'c' is already in line 2"),
    "a key twice, in quotes": ("a: 1\n\n'a': 1", "line 3: key 'a' is already in line 1"),
    "a list twice": ("A: [cat]\nB: [dog]\nA: [cow]", "line 3: key 'A' is already in line 1"),
    "a number as key": ("1: [cat]", "the file has the key 1, which must be in quotes"),
    "a truth value as key": ("a: {yes: 1}", "a has the key True, which must be in quotes"),
    "an alias of nothing": ("a: *b", "line 1: found undefined alias"),
    "a set": ("!!set {a, b}", "the file is a set, not text or a number"),
    "a program": ("!!python/object/apply:os.system [ls]", "line 1: could not determine a con"),
    "a number of 5,000 digits": ("a: 1\nb: " + "9" * 5000, "line 2: a value that YAML"),
    "one in another base": ("a: [0x" + "f" * 5000 + "]", "a[0] is a whole number of more than 64"),
    "an impossible date": ("a: 1\nb: 2026-13-99", "line 2: a value that YAML cannot read"),
    "half a letter": ('a: "\\ud800"', "which no file can be called"),
    "no letter": ('a: {"b\\0": 1}', "which no file can be called"),
    "more than a person writes": ("# " + "x" * 2**20, "is larger than 1 MiB"),
    "control characters": ("a: \x00", "special characters are not allowed"),
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_bad_yaml_is_one_sentence(name):
    text, says = BAD_YAML[name]
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "tasks.yaml")
    assert str(caught.value).startswith("tasks.yaml") and says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_file_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(text_files, "MAX_VALUES", 100)
    with pytest.raises(ConfigError, match="line 100: more than 100 values"):
        parse_yaml("- 1\n" * 100 + "[", "x")


def test_what_people_write_is_read():
    text = "\ufeffa: &a {x: 1e-3, y: '1e-3'}\nb: {<<: *a, x: 2}\nc: [*a, *a, ~, yes, 2.5]\n"
    text += "d: [0, -7, 1_000, 0x1f, 010, 1:30]\n"
    a = {"x": 0.001, "y": "1e-3"}
    value = {"a": a, "b": {"x": 2, "y": "1e-3"}, "c": [a, a, None, True, 2.5]}
    value["d"] = [0, -7, 1000, 31, "010", "1:30"]
    assert parse_yaml(decode(text.encode(), "x"), "x") == value
    assert parse_yaml(dump_yaml(value), "x") == value


BAD_CSV = {
    "a quote that never closes": ('file,cat\na.png,1\n"b.png,1\n' + "c.png,0\n" * 99, "line 3"),
    "a quote that closes later": ('file,cat\n"a.png,1\nb".png,1\n', "line 2: a quote does not"),
    "a quote over two lines": ('file,cat\na.png,1\n"b\n.png",1\n', "line 3: a quote does not"),
    "a long quote": ('file,cat\n"' + "a.png,1\n" * 99_999, "line 2: a quote does not close"),
    "text after a quote": ('file,cat\n"a".png,1\n', "line 2: ',' expected after '\"'"),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_bad_csv_is_one_short_sentence(name):
    text, says = BAD_CSV[name]
    with pytest.raises(DataError) as caught:
        list(csv_rows(text, "attributes.csv"))
    assert f"attributes.csv, {says}" in str(caught.value)
    assert len(str(caught.value)) < 100 and "\n" not in str(caught.value)


def test_rows_have_the_number_of_their_line():
    text = 'file,cat\r\n\r\n"a, b.png",1\n\n"say ""c""",0'
    rows = [(1, ["file", "cat"]), (3, ["a, b.png", "1"]), (5, ['say "c"', "0"])]
    assert list(csv_rows(text, "x")) == rows


@pytest.mark.parametrize("content", [b"a\nb: \xe9", "ab\n\x00".encode("utf-16")])
def test_other_encodings_are_named(content):
    with pytest.raises(DataError, match=r"^x is not UTF-8 text: .* in line \d; save it as UTF-8"):
        decode(content, "x")


def test_deep_json_is_damaged(tmp_path):
    deep = tmp_path / "record.json"
    for text in ("[" * 200_000, "[" * 200_000 + "]" * 200_000, '{"a":' * 200_000):
        deep.write_text(text)
        with pytest.raises(DataError, match=r"record\.json is damaged or not JSON"):
            read_json(deep)
    write_tensors(deep, {}, "x" * 400_000)
    content = deep.read_bytes()
    text = rb"\"" + b"x" * 400_000 + rb"\""
    assert text in content
    deep.write_bytes(content.replace(text, b"[" * 200_002 + b"]" * 200_002))
    with pytest.raises(DataError, match=r"record\.json is damaged"):
        read_tensors(deep)
