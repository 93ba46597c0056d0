"""Files that appear whole or not at all, also after a process was killed while it wrote one."""

import os
import subprocess
import sys

import pytest

from pam.errors import DataError
from pam.files import check_room, write_text
from pam.source.modules import ROOT

WRITER = """
import os, sys
from pam.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), 9)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_writer_left_goes_with_the_next_attempt(tmp_path):
    path = tmp_path / "one.json"
    write_text(path, "before")
    killed = subprocess.run([sys.executable, "-c", WRITER, path], cwd=ROOT)
    assert killed.returncode == -9
    assert path.read_text() == "before"
    assert len(names(tmp_path)) == 2
    write_text(tmp_path / "other.json", "x")
    assert len(names(tmp_path)) == 3
    write_text(path, "after")
    assert names(tmp_path) == ["one.json", "other.json"]
    assert path.read_text() == "after"


def test_what_others_are_writing_stays(tmp_path):
    of_a_running_process = tmp_path / f".one.tmp-{os.getppid()}.json"
    of_another_file = tmp_path / ".one.tmp-999999999.csv"
    no_number = tmp_path / ".one.tmp-9999999999999999999999.json"
    for path in (of_a_running_process, of_another_file, no_number):
        path.touch()
    write_text(tmp_path / "one.json", "x")
    assert of_a_running_process.exists() and of_another_file.exists() and no_number.exists()


def test_a_folder_without_room_is_one_sentence(tmp_path, monkeypatch):
    check_room(tmp_path / "new")
    assert names(tmp_path / "new") == []
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write .*file/new: Not a directory"):
        check_room(tmp_path / "file" / "new")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    with pytest.raises(DataError, match=r"cannot write .*new: No space left on device"):
        check_room(tmp_path / "new")
    assert names(tmp_path / "new") == []
