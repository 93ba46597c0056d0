"""A hash of raw files that changes with what they hold, and with nothing else."""

import os
import shutil

import pytest

from pam.runs.raw_data import raw_hash


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "raw" / "mine"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(b"a picture")
    (folder / "attributes.csv").write_text("file,hat\na.png,1\n")
    return folder


@pytest.fixture
def hashed(tmp_path):
    return lambda root="raw": raw_hash(tmp_path / root, "mine", tmp_path / "notes.json")


def test_contents_and_names_count(pictures, hashed):
    seen = {hashed()}
    (pictures / "images" / "a.png").write_bytes(b"b picture")
    seen.add(hashed())
    (pictures / "images" / "a.png").rename(pictures / "images" / "b.png")
    seen.add(hashed())
    (pictures / "images" / "c.png").write_bytes(b"another")
    seen.add(hashed())
    assert len(seen) == 4
    assert all(len(one) == 12 for one in seen)


def test_names_need_not_be_utf_8(pictures, hashed):
    seen = {hashed()}
    (pictures / "images" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"a picture")
    assert hashed() not in seen


def test_times_and_places_do_not_count(pictures, hashed, tmp_path):
    before = hashed()
    os.utime(pictures / "attributes.csv")
    assert hashed() == before
    shutil.copytree(tmp_path / "raw", tmp_path / "elsewhere")
    assert hashed("elsewhere") == before


def test_contents_are_read_once(pictures, hashed):
    before = hashed()
    path = pictures / "attributes.csv"
    times = path.stat().st_mtime_ns
    # The same size and time, so nobody looks inside.
    path.write_text("file,hat\na.png,0\n")
    os.utime(path, ns=(times, times))
    assert hashed() == before


def test_what_is_gone_has_its_last_hash(pictures, hashed, tmp_path):
    before = hashed()
    shutil.rmtree(tmp_path / "raw")
    assert hashed() == before
    assert hashed("nowhere") == before


def test_what_never_was_there_has_none(hashed, tmp_path):
    assert hashed() == ""
    assert not (tmp_path / "notes.json").exists()


@pytest.mark.parametrize("notes", ["{", "[]", '{"mine": 1}', '{"mine": {"seen": "x"}}'])
def test_damaged_notes_are_as_none(pictures, hashed, tmp_path, notes):
    before = hashed()
    (tmp_path / "notes.json").write_text(notes)
    assert hashed() == before
