"""Files that are damaged, forbidden or of another run: one sentence, exit code 2, no traceback."""

import json
import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from pam.config import load_config
from pam.data import store
from pam.files import read_json, read_tensors, write_json, write_sealed, write_tensors
from pam.networks import build
from pam.reporting.schema import TABLES
from pam.runs.cells import Cell
from tests.reporting_fixtures import write_run
from tests.unit.test_bad_input import (
    CONFIG,
    SHAPE,
    WIDTHS,
    call,
    commands,
    folder,
    one_sentence,
    paths_in,
    prepared,
)

__all__ = ["folder", "prepared"]

NOBODY = 65534


def network_of(folder: Path) -> Path:
    return Path(paths_in(folder).artefact(Cell.of("train", "tiny", "A", 0)))


def later(damage: Callable[..., object]) -> Callable[..., Callable[[Path], object]]:
    """Return the function without its last argument, the folder: what is returned takes it."""
    return lambda *given: partial(damage, *given)


@later
def tensors_become(change: Callable[[torch.Tensor], torch.Tensor], folder: Path) -> None:
    """Change the first matrix of a network file."""
    tensors, meta = read_tensors(network_of(folder))
    name = next(name for name in sorted(tensors) if tensors[name].ndim == 2)
    tensors[name] = change(tensors[name])
    write_tensors(network_of(folder), tensors, meta)


def filled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: torch.full_like(tensor, value)


@later
def meta_becomes(change: Callable[[dict], object], folder: Path) -> None:
    tensors, meta = read_tensors(network_of(folder))
    made = change(meta["network"])
    write_tensors(network_of(folder), tensors, made if isinstance(made, list) else meta)


@later
def cut(share: float, folder: Path) -> None:
    content = network_of(folder).read_bytes()
    network_of(folder).write_bytes(content[: int(share * len(content))])


def built(*words, **options) -> Callable[[Path], None]:
    return lambda folder: build(*words, task="A", **options).save(network_of(folder))


def other_seed(folder: Path) -> None:
    network = build("lenet5", SHAPE, 5, task="A", widths=WIDTHS)
    network.save(network_of(folder), {"origin": {"task": "A", "seed": 7}})


def a_folder_instead(folder: Path) -> None:
    network_of(folder).unlink()
    network_of(folder).mkdir()


FIT = "do not fit the network's description"
VGG = {"input_shape": [1, 32, 32], "options": {}}
NETWORKS = {
    **{f"cut at {share}": (cut(share), "is damaged") for share in (0, 0.77)},
    "double precision": (tensors_become(torch.Tensor.double), f"{FIT}: 'blocks.f3.A.weight' is"),
    "another shape": (tensors_become(lambda tensor: tensor[:-1]), FIT),
    "transposed": (tensors_become(lambda tensor: tensor.T), FIT),
    "NaN": (tensors_become(filled(float("nan"))), "'blocks.f3.A.weight' holds NaN or infinity"),
    "infinity": (tensors_become(filled(float("inf"))), "holds NaN or infinity"),
    "a list of facts": (meta_becomes(lambda described: [1, 2]), "was not written by pam"),
    "no tasks": (meta_becomes(lambda described: described.update(tasks=None)), "is incomplete"),
    "no widths": (meta_becomes(lambda described: described.pop("widths")), "is incomplete"),
    "empty widths": (
        meta_becomes(lambda described: described.update(widths={})),
        "layer 'c1' is missing",
    ),
    "another number of outputs": (
        meta_becomes(lambda described: described.update(tasks=[["A", 3]])),
        FIT,
    ),
    "an architecture of other layers": (
        meta_becomes(lambda described: described["architecture"].update(name="vgg16", **VGG)),
        "does not fit 'vgg16': layer 'c1' is unknown",
    ),
    "an unknown architecture": (
        meta_becomes(lambda described: described["architecture"].update(name="lenet6")),
        "unknown architecture 'lenet6'; did you mean 'lenet5'?",
    ),
    "a giant": (meta_becomes(lambda described: described["widths"]["f3"].update(A=10**12)), FIT),
    "another architecture": (built("vgg16", (1, 32, 32), 5), "of architecture 'vgg16'"),
    "other images": (built("lenet5", (1, 12, 48), 5), "takes (1, 12, 48) images"),
    "other outputs": (built("lenet5", SHAPE, 4, widths=WIDTHS), "4 outputs for task 'A'"),
    "widths of another run": (
        built("lenet5", SHAPE, 5, widths=(3, 3, 5, 4)),
        'was built with {"widths": [3, 3, 5, 4]}, but',
    ),
    "other tensors": (lambda f: write_tensors(network_of(f), {}, {"a": "b"}), "holds no network"),
    "no tensors": (lambda f: network_of(f).write_bytes(b"not a tensor file"), "is damaged"),
    "a seed of another run": (other_seed, "is a network of seed '7', not of '0'"),
    "a folder": (a_folder_instead, "needs the name of a file"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_wrong_network(name, folder, capsys):
    damage, says = NETWORKS[name]
    damage(folder)
    code = call("merge", commands(folder)["merge"])
    one_sentence(capsys, code, says, str(network_of(folder)))


def data_in(folder: Path) -> Path:
    return Path(paths_in(folder).folder(Cell.of("prepare", "tiny")))


@later
def data_becomes(part: str, name: str, change: Callable, folder: Path) -> None:
    """Change a tensor of data that have no record, and make every checksum right."""
    path = data_in(folder) / f"{part}.safetensors"
    tensors, meta = read_tensors(path)
    tensors[name] = change(tensors[name])
    meta["sha256"] = store.tensor_hash(tensors)
    write_tensors(path, tensors, meta)
    record_becomes(lambda record: record["parts"][part].update(sha256=meta["sha256"]))(folder)


@later
def record_becomes(change: Callable[[dict], object], folder: Path) -> None:
    path = data_in(folder) / "dataset.json"
    record = read_json(path)
    change(record)
    write_json(path, record | {"data_hash": store._record_hash(record)})
    path.with_name("record.json").unlink()


def options_become(**options: int) -> Callable[[Path], None]:
    return record_becomes(lambda record: record["options"].update(options))


DATA = {
    "another format": (record_becomes(lambda record: record.update(format=2)), "dataset.json"),
    "float images": (data_becomes("train", "images", torch.Tensor.float), "must be uint8"),
    "flat images": (data_becomes("train", "images", lambda t: t.flatten(1)), "must be uint8 of"),
    "no images": (data_becomes("train", "images", lambda t: t[:0]), "train.safetensors"),
    "labels 0 and 1": (data_becomes("train", "labels", lambda t: (t + 1) // 2), "must be -1 or +1"),
    "too few labels": (data_becomes("validation", "labels", lambda t: t[:-1]), "labels must have"),
    "other label columns": (data_becomes("test", "labels", lambda t: t[:, 1:]), "label columns"),
    "other image sizes": (data_becomes("test", "images", lambda t: t[..., 1:]), "different shapes"),
    "no tasks": (record_becomes(lambda record: record.pop("tasks")), "describes no data set"),
    "no parts": (record_becomes(lambda record: record.pop("parts")), "describes no data set"),
    "mean is text": (record_becomes(lambda r: r.update(std=["a"])), "describes no data set"),
    "std of zero": (record_becomes(lambda r: r.update(std=[0.0])), "must be positive"),
    "labels outside": (record_becomes(lambda r: r["tasks"].update(A=[99])), "outside 0..9"),
    "data of another run": (options_become(tile=16), "was made with tile 16, but experiments.tiny"),
    "images of another run": (options_become(train_strips=9), "data.train_strips is 48"),
}


@pytest.mark.parametrize("name", DATA)
def test_wrong_data(name, folder, capsys):
    damage, says = DATA[name]
    damage(folder)
    one_sentence(capsys, call("train", commands(folder)["train"]), says)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    axes = {"seeds": (0,), "mergings": ("none", "pam")}
    folder = write_run(tmp_path_factory.mktemp("run"), **axes)
    write_sealed(folder / "manifest.json", {"config": {"experiments": {}}, "jobs": {}})
    (folder / "figures").mkdir()
    return folder


@pytest.fixture
def results(run, tmp_path) -> Path:
    return shutil.copytree(run, tmp_path / "results")


def twice(text: str, strength: str = "2.500000") -> str:
    """Append the last row with another accuracy."""
    row = text.splitlines(keepends=True)[-1].replace(",ok,0.", ",ok,0.1")
    return text + row.replace("2.500000", strength)


def swap(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


def header(text: str) -> str:
    return text.splitlines(keepends=True)[0]


def manifest(experiments: object, **job: object) -> Callable[[str], str]:
    content = {"config": {"experiments": experiments}, "jobs": {"a": job}}
    return lambda _: json.dumps(content)


MATCHED, MEASURED, MANIFEST = "matched.csv", "measurements.csv", "manifest.json"
NO_MANIFEST = "is no manifest:"
SECOND = "is damaged: row 85 is a second one for experiment=fashion, pruning=vib"
NO_SHARE = "is damaged: row 1: 'accuracy' needs a number in 0..1, not"
# Command, file, what its text becomes (None: it is gone), and what is said of the file.
RESULTS = [
    ("tables", MANIFEST, manifest([]), f"{NO_MANIFEST} config.experiments: "),
    ("tables", MANIFEST, manifest({"a": 5}), f"{NO_MANIFEST} config.experiments.a: "),
    (
        *("tables", MANIFEST, manifest({"a": {"merging": {"pam": 5}}})),
        f"{NO_MANIFEST} config.experiments.a.merging.pam: ",
    ),
    (
        *("tables", MANIFEST, manifest({}, config={"merging": 5})),
        f"{NO_MANIFEST} jobs.a.config.merging: ",
    ),
    ("tables", MATCHED, None, "does not exist"),
    ("tables", MATCHED, lambda _: "", "is damaged"),
    ("tables", MATCHED, swap("1.00", "one"), "is damaged: could not convert string to float: 'one"),
    ("figures", MATCHED, header, "has no rows, but measurements.csv has"),
    ("figures", MATCHED, lambda text: text[:-30], "is damaged: row 72 has"),
    ("figures", MEASURED, swap("flops", "flips"), "must have the columns experiment,dataset"),
    ("tables", MEASURED, header, "has no rows, but accuracies.csv has: delete it and run again"),
    ("tables", MEASURED, twice, SECOND),
    ("tables", MEASURED, partial(twice, strength="2.5"), SECOND),
    ("tables", MEASURED, partial(re.sub, ",ok,[0-9.]+", ",ok,inf", count=1), f"{NO_SHARE} inf"),
    ("tables", MEASURED, swap(",ok,0", ",ok,7"), f"{NO_SHARE} 7."),
    ("tables", MEASURED, swap(",ok,", ",okay,"), "is damaged: row 1 has the status 'okay'"),
    ("tables", MEASURED, lambda text: text + "," * 40 + "\n", "is damaged"),
    ("report", "resources.csv", lambda _: b"\xff\xfe\x00" * 50, "is damaged"),
    ("report", "failures.csv", None, "does not exist"),
    ("report", MANIFEST, None, "does not exist"),
    ("report", MANIFEST, lambda text: text[:-9], "is damaged or not JSON"),
    ("report", MANIFEST, lambda _: "[]", "is n"),
    ("reproduction", MANIFEST, None, "does not exist"),
]


@pytest.mark.parametrize(
    ("command", "file", "change", "says"),
    RESULTS,
    ids=[f"{command}, {file} {says}" for command, file, _, says in RESULTS],
)
def test_wrong_results(command, file, change, says, results, capsys):
    path, words = results / file, {"--results": [str(results)]}
    if change is None:
        path.unlink()
    else:
        content = change(path.read_text(encoding="utf-8"))
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if command != "tables":
        words["--out"] = [str(results / "page")]
    one_sentence(capsys, call(command, words), f"{file} {says}")


RECORD = {"status": "ok", "reason": "", "rows": {}, "provenance": {}}
GROUP = dict.fromkeys(TABLES["groups"].columns, "many")
RECORDS = {
    "a list": ("[]", "is no record: the file"),
    "no status": ({"rows": {}}, "is no record: status"),
    "an unknown status": (RECORD | {"status": "broken"}, "the unknown status 'broken'"),
    "no provenance": ({"status": "ok", "reason": "", "rows": {}}, "is no record: provenance"),
    "rows are a list": (RECORD | {"rows": []}, "is no record: rows"),
    "a row is a number": (RECORD | {"rows": {"groups": [1]}}, "is no record: rows.groups.0"),
    "provenance is text": (RECORD | {"provenance": "x"}, "is no record: provenance"),
    "an unknown table": (RECORD | {"rows": {"gruops": []}}, "holds rows for 'gruops'"),
    "a word for a number": (RECORD | {"rows": {"groups": [GROUP]}}, ""),
    "a row lacks columns": (RECORD | {"rows": {"groups": [{}]}}, "groups.csv"),
    "cut": ('{"status": "ok", "ro', "is damaged or not JSON"),
    "empty": ("", "is damaged or not JSON"),
}


@pytest.fixture
def records(folder) -> Path:
    """A folder in which every job left an empty record."""
    for path in map(Path, paths_in(folder).records(load_config(folder / "config.yaml"))):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(path, RECORD)
    return folder


@pytest.mark.parametrize("name", RECORDS)
def test_wrong_record(name, records, capsys):
    record = Path(paths_in(records).record(Cell.of("train", "tiny", "A", 0)))
    content, says = RECORDS[name]
    if isinstance(content, str):
        record.write_text(content)
    else:
        write_sealed(record, content)
    one_sentence(capsys, call("aggregate", commands(records)["aggregate"]), str(record), says)


@pytest.fixture
def folder_of_nobody(prepared):
    """A folder whose owner can be forbidden to read it, also where the tests run as root."""
    for command in ("train", "merge"):
        # Modules are not imported any more once this is nobody.
        assert call(command, commands(prepared)[command]) == 0
    with TemporaryDirectory() as name:
        folder = shutil.copytree(prepared, Path(name) / "run")
        if os.geteuid() == 0:
            for path in (folder.parent, folder, *folder.rglob("*")):
                os.chown(path, NOBODY, -1)
            os.seteuid(NOBODY)
        yield folder
        os.seteuid(os.getuid())


FORBIDDEN = {
    "configuration": ("train", "config.yaml", 0, "config.yaml"),
    "network": ("merge", "results/networks/tiny/A-0.safetensors", 0, "A-0.safetensors"),
    "data": ("train", "results/data/tiny/train.safetensors", 0, "train.safetensors"),
    "description": ("train", "results/data/tiny/dataset.json", 0, "dataset.json"),
    "folder to write": ("train", "results/networks/tiny", 0o555, "cannot write"),
    "folder to read": ("train", "results/data/tiny", 0, "tiny"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_absent_permission(name, folder_of_nobody, capsys):
    command, path, mode, says = FORBIDDEN[name]
    words = commands(folder_of_nobody)[command]
    capsys.readouterr()
    (folder_of_nobody / path).chmod(mode)
    try:
        code = call(command, words)
    finally:
        (folder_of_nobody / path).chmod(0o755)
    one_sentence(capsys, code, says)


MORE_ARGUMENTS = [
    (["plan", "--config", "no.yaml"], "no.yaml does not exist"),
    (["plan", "--config", "c", "--rate", "0"], "needs a number above 0"),
    (["plan", "--config", "c", "--launch-us", "nan"], "needs a number above 0"),
    (["plan", "--config", "c", "--rate", "1e-320"], "above 0, 1e-12 to 1e+12"),
    (["plan", "--config", "c", "--seeds", "9" * 5000], "999'..."),
    (["plan", "--config", "\x1b[2J\0"], r"\x1b[2J\x00 does not exist"),
    (["trace", "c", "--row", "9" * 5000], "999'..."),
    (["export", "--network", "c", "--threads", f"{10**12}"], "at most 1024, not '1000000000000'"),
    (["samples", "--data", "no", "--out", "a.png"], "no/dataset.json"),
    (["samples", "--data", "no", "--out", "a.jpg"], "must end in .png"),
    (["samples", "--out", "a.png", "--title", "\udcff"], "needs printable text in UTF-8"),
    (["conform"], "one of the arguments"),
    (["status", "--profile", "quik"], "did you mean 'quick.yaml'?"),
    (["status", "--profile", "../x"], "a profile is the name of a file"),
]


@pytest.mark.parametrize(
    ("words", "says"), MORE_ARGUMENTS, ids=[f"{words[0]}, {says}" for words, says in MORE_ARGUMENTS]
)
def test_more_wrong_arguments(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c").write_text(CONFIG)
    one_sentence(capsys, call(words[0], {word: [] for word in words[1:]}), says)
