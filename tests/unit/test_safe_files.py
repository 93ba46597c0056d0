"""Files of strangers: loading one runs no code, and none leads out of its folder."""

import ast
import hashlib
import io
import lzma
import pickle
import stat
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import pytest
import torch

import pam
from pam import ConfigError, DataError
from pam.data import sources
from pam.data.sources import Folder, TarArchive, ZipArchive
from pam.data.store import load_dataset, save_dataset
from pam.deploy import FORMATS
from pam.deploy.exported import PROGRAMS, format_module
from pam.files import read_json, read_tensors
from pam.networks import GroupedNetwork, SingleTaskNetwork, initial
from pam.networks.family import load_family
from pam.source.modules import ROOT
from pam.stages.failures import read_failure


class Evil:
    """What runs code when it is unpickled: here, makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.fixture(params=["pickle", "torch"])
def evil(request, tmp_path) -> Path:
    """A file that makes ``ran`` beside it if it is unpickled."""
    path, content = tmp_path / "evil", {"weight": Evil(tmp_path / "ran")}
    if request.param == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    return path


READERS = {
    "tensors": read_tensors,
    "network": SingleTaskNetwork.load,
    "merged network": GroupedNetwork.load,
    "pruned networks": load_family,
    "failure": read_failure,
    "record": read_json,
    "published weights": initial._read,
    **{
        f"exported {name}": partial(format_module(name).open_file, threads=1)
        for name in FORMATS
        if name not in PROGRAMS
    },
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("reader", READERS)
def test_loading_a_strangers_file_runs_no_code(reader, evil):
    start = hashlib.sha256(evil.read_bytes()).hexdigest()[:8]
    path = evil.rename(evil.with_name(f"weights-{start}.pth"))
    with pytest.raises(DataError) as caught:
        READERS[reader](path)
    assert str(path) in str(caught.value)
    assert not (path.parent / "ran").exists()


@pytest.mark.parametrize("name", ["train.safetensors", "dataset.json"])
def test_a_prepared_data_set_runs_no_code(name, evil, tmp_path):
    sizes = {"train_strips": 9, "validation_strips": 5, "test_strips": 5}
    save_dataset(pam.data.load("digits", **sizes), tmp_path / "data")
    evil.replace(tmp_path / "data" / name)
    with pytest.raises(DataError, match=name):
        load_dataset(tmp_path / "data")
    assert not (tmp_path / "ran").exists()


FORBIDDEN = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open"),
    *("yaml.unsafe_load", "yaml.full_load", "yaml.UnsafeLoader", "yaml.FullLoader"),
    *("eval", "exec", "os.system", "np.load", "numpy.load", "joblib.load"),
}


def unsafe_calls(source: str) -> list[str]:
    """Return what of a source could run code that a file holds, or unpack a file anywhere."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {one.arg: ast.unparse(one.value) for one in node.keywords}
        if (
            name in FORBIDDEN
            or name.endswith((".extractall", ".extract", ".unpack_archive"))
            or keywords.get("shell") == "True"
            or (name.endswith("torch.load") and keywords.get("weights_only") != "True")
        ):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("folder", ["pam", "workflow"])
def test_no_reader_can_run_code(folder):
    for path in (ROOT / folder).rglob("*.py"):
        assert unsafe_calls(path.read_text(encoding="utf-8")) == [], path


@pytest.mark.parametrize(
    "source",
    [
        *("torch.load(path)", "torch.load(path, weights_only=False)", "eval(text)"),
        *("archive.extractall(folder)", "subprocess.run(text, shell=True)", "pickle.load(file)"),
    ],
)
def test_an_unsafe_call_would_be_seen(source):
    assert unsafe_calls(source)


def tar_of(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w") as archive:
        for name in ("train", "train/images"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


TAR_MEMBERS = {
    "out": ("../evil.txt", tarfile.REGTYPE),
    "out and in": ("train/../../evil.txt", tarfile.REGTYPE),
    "absolute": ("/etc/evil.txt", tarfile.REGTYPE),
    "folder": ("train/../..", tarfile.DIRTYPE),
    "symbolic link": ("train/link", tarfile.SYMTYPE),
    "hard link": ("train/link", tarfile.LNKTYPE),
    "device": ("train/null", tarfile.CHRTYPE),
    "disk": ("train/disk", tarfile.BLKTYPE),
    "pipe": ("train/pipe", tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("kind", TAR_MEMBERS)
def test_a_tar_that_leads_out_is_refused(kind, tmp_path):
    name, type_ = TAR_MEMBERS[kind]
    member = tarfile.TarInfo(name)
    member.type, member.linkname = type_, "/etc/passwd"
    path = tar_of(tmp_path / "train.tar", member)
    with pytest.raises(DataError, match=r"train\.tar.*: refused$") as caught:
        TarArchive(path, "train")
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_tar_that_stays_inside_is_read(tmp_path):
    path = tar_of(tmp_path / "train.tar", tarfile.TarInfo("train/a..b"), b"yes")
    archive = TarArchive(path, "train")
    assert list(archive.read(["a..b"])) == [(0, b"yes")]
    assert "../a..b" not in archive


def zip_of(path: Path, name: str, mode: int = 0) -> Path:
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images/a.jpg", b"yes")
        archive.writestr(member, b"/etc/passwd")
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [("../evil.txt", 0), ("images/../../e", 0), ("/etc/e", 0), ("images/l", stat.S_IFLNK | 0o777)],
)
def test_a_zip_that_leads_out_is_refused(name, mode, tmp_path):
    path = zip_of(tmp_path / "faces.zip", name, mode)
    with pytest.raises(DataError, match=r"faces\.zip.*: refused$") as caught:
        ZipArchive(path, "images")
    assert name in str(caught.value)


def test_a_zip_that_stays_inside_is_read(tmp_path):
    archive = ZipArchive(zip_of(tmp_path / "faces.zip", "images/b.jpg"), "images")
    assert list(archive.read(["a.jpg"])) == [(0, b"yes")]


def swollen_tar(path: Path, sizes: list[int], kind: bytes = tarfile.REGTYPE) -> Path:
    """An archive that says of its members that they are so large, and holds less."""
    with lzma.open(path, "wb", preset=0) as archive:
        for number, size in enumerate(sizes):
            member = tarfile.TarInfo(f"train/images/{number}.png")
            member.size, member.type = size, kind
            archive.write(member.tobuf(tarfile.GNU_FORMAT))
            archive.write(bytes(min(size, 2**20)))
    return path


def swollen_zip(path: Path, sizes: list[int]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, size in enumerate(sizes):
            archive.writestr(f"images/{number}.jpg", bytes(size))
    return path


def test_archives_that_would_swell_are_refused(tmp_path, monkeypatch):
    tar, zip_ = tmp_path / "train.tar.xz", tmp_path / "faces.zip"
    with pytest.raises(DataError, match=r"holds train/images/0\.png of 6,442 MB, more"):
        TarArchive(swollen_tar(tar, [6 * 2**30]), "train")
    with pytest.raises(DataError, match=r"xz has a note of 6,442 MB on a file: refused"):
        TarArchive(swollen_tar(tar, [6 * 2**30], tarfile.XHDTYPE), "train")
    monkeypatch.setattr(sources, "SMALL", 2**20)
    with pytest.raises(DataError, match="more than 1 MB, too much for the size of the archive"):
        TarArchive(swollen_tar(tar, [2**18] * 4), "train")
    with pytest.raises(DataError, match="more than 1 MB, too much for the size of the archive"):
        TarArchive(swollen_tar(tar, [0] * (2**11 + 1)), "train")
    with pytest.raises(DataError, match="refused; unpack it if you trust it"):
        ZipArchive(swollen_zip(zip_, [2**18] * 4), "images")
    monkeypatch.setattr(sources, "MOST_BYTES", 2**17)
    with pytest.raises(DataError, match=r"holds images/0\.jpg of 0 MB, more than"):
        ZipArchive(swollen_zip(zip_, [2**18]), "images")
    monkeypatch.setattr(sources, "MOST_BYTES", 2**18)
    assert "1.jpg" in ZipArchive(swollen_zip(zip_, [2**18] * 3), "images")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_name_cannot_leave_its_folder(name, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="leads out of it: refused"):
        assert name in Folder(tmp_path / "images")


@pytest.mark.parametrize("folder", ["../mine", "/etc", "a/../../b"])
def test_a_folder_of_pictures_lies_below_the_raw_data(folder, tmp_path):
    with pytest.raises(ConfigError, match="'folder' must be the name of a folder below"):
        pam.data.load("image_attributes", tmp_path, folder=folder)
