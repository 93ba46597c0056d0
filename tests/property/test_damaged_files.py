"""Whatever a file holds, its reader gives a valid object or one plain sentence."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import pam
from pam import PamError
from pam.data import celeba, image_attributes, lfw, store
from pam.data.attributes import Framing, read_images
from pam.data.fashion_mnist import read_idx
from pam.data.image_attributes import read_tasks
from pam.data.sources import Folder, TarArchive, ZipArchive
from pam.files import (
    META_KEY,
    read_json,
    read_tensors,
    write_json,
    write_sealed,
    write_tensors,
)
from pam.networks import GroupedNetwork, SingleTaskNetwork, build, initial
from pam.networks.family import load_family, save_family
from pam.reporting.aggregate import aggregate
from pam.reporting.schema import MATCHED
from pam.reporting.storage import read_table, write_rows
from pam.runs.record import read_manifest
from pam.stages.failures import read_failure
from tests.examples import examples
from tests.picture_files import encode, pixels
from tests.reporting_fixtures import train_record

SHAPE, WIDTHS = (1, 8, 32), (2, 3, 5, 4)
STRIPS = {"tile": 8, "train_strips": 6, "validation_strips": 4, "test_strips": 4}
FUZZ = examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def network(seed: int = 0) -> SingleTaskNetwork:
    return build("lenet5", SHAPE, 3, seed=seed, widths=WIDTHS)


def write_family(path: Path) -> None:
    save_family(path, {0.2: network(), 0.5: network(1)})


def write_data(path: Path) -> None:
    store.save_dataset(pam.data.load("digits", **STRIPS), path.parent)


def write_record(path: Path) -> None:
    write_sealed(path, train_record("tiny", "A", 0))


def write_matched(path: Path) -> None:
    row = dict.fromkeys(MATCHED.columns, 1) | {"experiment": "a", "pruning": "b", "merging": "c"}
    write_rows(path.parent, MATCHED, [row | {"combination": "A", "status": "ok"}])


def write_manifest(path: Path) -> None:
    job = {"status": "ok", "rule": "train", "environment": {"host": "a", "git": {"commit": "b"}}}
    write_sealed(path, {"config": {"seeds": [0]}, "jobs": {"a.json": job}})


def write_celeba(path: Path) -> None:
    names = " ".join(f"a{column}" for column in range(40))
    rows = "".join(f"{i}.jpg {' '.join(['1', '-1'] * 20)}\n" for i in range(3))
    path.write_text(f"3\n{names}\n{rows}")


def write_lfw(path: Path) -> None:
    names = "\t".join(["person", "imagenum", *(f"a{column}" for column in range(73))])
    rows = "".join("\t".join(["An Other", str(i), *["0.5"] * 73]) + "\n" for i in range(3))
    path.write_text(f"# a comment\n#\t{names}\n{rows}")


def write_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("attributes.csv", "images/a.jpg"):
            member = tarfile.TarInfo(f"train/{name}")
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/images/a.jpg", b"abc" * 50)


def read_all(source: TarArchive | ZipArchive) -> None:
    if "images/a.jpg" in source:
        list(source.read(["images/a.jpg"]))


def read_record(path: Path) -> None:
    aggregate([path], path.parent / "csv")


def read_published(path: Path) -> None:
    start = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    initial._read(path.rename(path.with_name(f"weights-{start}.pth")))


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, how a valid one is written, and its readers."""

    name: str
    write: Callable[[Path], Any]
    readers: tuple[Callable[[Path], Any], ...]


KINDS = {
    "network": Kind(
        "n.safetensors",
        lambda path: network().save(path),
        (SingleTaskNetwork.load, GroupedNetwork.load, read_failure, load_family),
    ),
    "family": Kind("f.safetensors", write_family, (load_family, read_tensors)),
    "description of a data set": Kind(
        "dataset.json", write_data, (lambda path: store.load_dataset(path.parent),)
    ),
    "part of a data set": Kind(
        "train.safetensors", write_data, (lambda path: store.load_dataset(path.parent),)
    ),
    "record": Kind("A-0.json", write_record, (read_record, read_json)),
    "table": Kind("matched.csv", write_matched, (lambda path: read_table(path.parent, "matched"),)),
    "manifest": Kind("manifest.json", write_manifest, (lambda path: read_manifest(path.parent),)),
    "idx": Kind(
        "idx",
        lambda path: path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3])),
        (lambda path: read_idx(path, 1),),
    ),
    "attributes": Kind(
        "attributes.csv",
        lambda path: path.write_text("file,cat,dog\na.jpg,0,1\nb/c.jpg,1,0\n"),
        (lambda path: image_attributes.read_attributes(Folder(path.parent)),),
    ),
    "tasks": Kind(
        "tasks.yaml",
        lambda path: path.write_text("A: [cat]\nB: [dog, cat]\n"),
        (lambda path: read_tasks(path, None, ["cat", "dog"]),),
    ),
    "CelebA": Kind("list.txt", write_celeba, (celeba.read_attributes,)),
    "LFW": Kind("lfw.txt", write_lfw, (lfw.read_attributes,)),
    "tar": Kind("t.tar.gz", write_tar, (lambda p: read_all(TarArchive(p, "train", ["a"])),)),
    "zip": Kind("z.zip", write_zip, (lambda path: read_all(ZipArchive(path, "train")),)),
    "picture": Kind(
        "a.jpg",
        lambda path: path.write_bytes(encode(pixels(0))),
        (lambda path: read_images(Folder(path.parent), [path.name], Framing(8), "p"),),
    ),
    "published weights": Kind(
        "w.pth", lambda path: torch.save({"a": torch.zeros(3)}, path), (read_published,)
    ),
}


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A change of bytes: cut off, overwritten, inserted, or something else entirely."""
    kind = draw(st.sampled_from(["cut", "flip", "insert", "other"]))
    where = draw(st.floats(0, 1))
    new = draw(st.binary(min_size=1, max_size=12))

    def damage(content: bytes) -> bytes:
        at = int(where * len(content))
        match kind:
            case "cut":
                return content[:at]
            case "flip":
                return content[:at] + new + content[at + len(new) :]
            case "insert":
                return content[:at] + new + content[at:]
        return new

    return damage


def check(kind: Kind, folder: Path, content: bytes) -> None:
    """Read a file of this content: a value or a PamError of one line that names the file."""
    for reader in kind.readers:
        path = folder / kind.name
        path.write_bytes(content)
        try:
            reader(path)
        except PamError as error:
            assert str(folder) in str(error)


@pytest.fixture(scope="module", params=KINDS)
def valid(request, tmp_path_factory) -> tuple[Kind, Path, bytes]:
    kind = KINDS[request.param]
    folder = tmp_path_factory.mktemp("valid")
    kind.write(folder / kind.name)
    return kind, folder, (folder / kind.name).read_bytes()


def test_what_is_whole_is_read(valid):
    kind, folder, content = valid
    (folder / kind.name).write_bytes(content)
    kind.readers[0](folder / kind.name)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@FUZZ
@given(damage=damages())
def test_damaged_bytes(valid, damage):
    kind, folder, content = valid
    check(kind, folder, damage(content))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["A", "shared", "lenet5", "uint8", "1e999", "../x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@st.composite
def changes(draw: st.DrawFn, values: st.SearchStrategy = JSON) -> Callable[[Any], Any]:
    """A change of one value anywhere in lists and tables: another one, or left out."""
    steps = draw(st.lists(st.integers(0, 10), max_size=5))
    new, drop = draw(values), draw(st.booleans())

    def change(value: Any, depth: int = 0) -> Any:
        if depth == len(steps) or not isinstance(value, dict | list) or not value:
            return new
        keys = sorted(value) if isinstance(value, dict) else range(len(value))
        key = keys[steps[depth] % len(keys)]
        made = value.copy()
        if drop and depth == len(steps) - 1:
            del made[key]
        else:
            made[key] = change(value[key], depth + 1)
        return made

    return change


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with one file of every kind that holds JSON."""
    folder = tmp_path_factory.mktemp("made")
    write_data(folder / "dataset.json")
    network().save(folder / "n.safetensors")
    write_family(folder / "f.safetensors")
    write_record(folder / "A-0.json")
    write_manifest(folder / "manifest.json")
    return folder


@FUZZ
@given(change=changes())
@pytest.mark.parametrize("name", ["A-0.json", "manifest.json", "dataset.json"])
def test_other_json(name, made, change):
    content = (made / name).read_bytes()
    value = change(json.loads(content))
    kind = next(kind for kind in KINDS.values() if kind.name == name)
    try:
        # Somebody who wants to be believed writes a checksum that is right.
        if name == "dataset.json" and isinstance(value, dict):
            value["data_hash"] = store._record_hash(value)
        write = write_sealed if name != "dataset.json" and isinstance(value, dict) else write_json
        write(made / name, value)
        check(kind, made, (made / name).read_bytes())
    finally:
        (made / name).write_bytes(content)


@FUZZ
@given(change=changes())
@pytest.mark.parametrize("name", ["n.safetensors", "f.safetensors"])
def test_other_descriptions_of_networks(name, made, change):
    tensors, meta = read_tensors(made / name)
    path = made / "changed.safetensors"
    write_tensors(path, tensors, change(meta))
    for reader in (SingleTaskNetwork.load, GroupedNetwork.load, load_family, read_failure):
        try:
            reader(path)
        except PamError as error:
            assert str(path) in str(error)


DTYPES = (torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool)


@FUZZ
@given(
    dtype=st.sampled_from(DTYPES) | st.none(),
    shape=st.lists(st.integers(0, 3), max_size=3) | st.none(),
    value=st.sampled_from([0.5, float("nan"), float("inf"), -float("inf")]),
    which=st.integers(0, 20),
    data=st.data(),
)
def test_other_tensors(made, dtype, shape, value, which, data):
    tensors, meta = read_tensors(made / "n.safetensors")
    name = sorted(tensors)[which % len(tensors)]
    old = tensors[name]
    values = torch.full(old.shape if shape is None else shape, value)
    if dtype in (torch.int64, torch.uint8, torch.bool):
        values = values.nan_to_num(0, 1, 1)
    tensors[name] = values.to(dtype or old.dtype)
    right = tensors[name].dtype == old.dtype and tensors[name].shape == old.shape
    path = made / "changed.safetensors"
    write_tensors(path, tensors, meta)
    if right and value == 0.5:
        SingleTaskNetwork.load(path)
    else:
        with pytest.raises(PamError, match=name.replace(".", r"\.")):
            SingleTaskNetwork.load(path)


@pytest.mark.parametrize("ending", [".tar.gz", ".tar"])
def test_an_archive_that_unpacks_without_end_is_not_unpacked(ending, tmp_path):
    path = tmp_path / f"train{ending}"
    packed = gzip.compress(bytes(1 << 22)) if ending == ".tar.gz" else bytes(1 << 22)
    path.write_bytes(packed)
    assert "images/a.jpg" not in TarArchive(path, "train")


def test_metadata_is_where_the_readers_look(made):
    assert META_KEY.encode() in (made / "n.safetensors").read_bytes()
