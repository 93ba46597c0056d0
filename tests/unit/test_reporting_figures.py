import struct

import pytest

from pam import ConfigError
from pam.reporting.aggregate import aggregate
from pam.reporting.figures import FIGURES, render_figures
from tests.reporting_fixtures import write_records


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    aggregate(write_records(folder), folder)
    return folder


@pytest.fixture(scope="module")
def drawn(run):
    return render_figures(run, run / "figures")


def test_every_figure_in_two_formats(drawn):
    assert {path.name for path in drawn} == {
        f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg")
    }


def test_pictures_are_bounded(drawn):
    for path in drawn:
        if path.suffix == ".png":
            width, height = struct.unpack(">II", path.read_bytes()[16:24])
            assert max(width, height) <= 2800
        assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("name", ["matched", "information"])
def test_same_data_same_bytes(run, drawn, tmp_path, name):
    again = render_figures(run, tmp_path, only=[name])
    before = {path.name: path.read_bytes() for path in drawn}
    assert [path.read_bytes() for path in again] == [before[path.name] for path in again]


def test_unknown_figure_is_named(run, tmp_path):
    with pytest.raises(ConfigError, match="'pie'"):
        render_figures(run, tmp_path, only=["pie"])


def test_no_data_no_figure(tmp_path):
    records = write_records(tmp_path, mergings=("none",), prunings=("vibnet",), seeds=(0,))
    measured = [path for path in records if path.parent.parent.name == "measured"]
    aggregate(measured, tmp_path)
    with pytest.warns(UserWarning, match="no data for figure 'training' of fashion"):
        assert render_figures(tmp_path, tmp_path, only=["training"]) == []


def test_several_experiments_have_their_own_files(tmp_path):
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet",), "seeds": (0,)}
    records = [path for name in ("one", "two") for path in write_records(tmp_path, name, **axes)]
    aggregate(records, tmp_path)
    names = {path.name for path in render_figures(tmp_path, tmp_path, only=["matched"])}
    assert names == {
        f"{name}-matched.{suffix}" for name in ("one", "two") for suffix in ("png", "svg")
    }
