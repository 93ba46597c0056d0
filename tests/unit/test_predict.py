"""`pam predict`: image files through an exported network, here one that tells bright from dark."""

import csv
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from pam.cli.main import main
from pam.deploy import About
from pam.deploy.predicting import read_picture
from pam.files import write_tensors
from tests.unit.test_bad_input import one_sentence
from tests.unit.test_safe_files import Evil

SIZE = (6, 8)


def write_model(
    path: Path,
    channels: int = 1,
    names: tuple[str, str] = ("images", "B"),
    batch: object = "n",
    **changes: object,
) -> Path:
    """Write an ONNX file: task A has the mean over all pixels and its negative, task B the mean.

    ``names`` are those of its input and of the output of task B; ``changes`` replace metadata.
    """
    images, b = names
    nodes = [
        helper.make_node("ReduceMean", [images, "axes"], ["deep"], keepdims=1),
        helper.make_node("Flatten", ["deep"], ["mean"]),
        helper.make_node("Neg", ["mean"], ["negative"]),
        helper.make_node("Concat", ["mean", "negative"], ["both"], axis=1),
        helper.make_node("Tanh", ["both"], ["A"]),
        helper.make_node("Tanh", ["mean"], [b]),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in ((images, [batch, channels, *SIZE]), ("A", [batch, 2]), (b, [batch, 1]))
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    graph = helper.make_graph(nodes, "light", values[:1], values[1:], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    labels = {"A": ["bright", "dark"], "B": ["light"]}
    about = About((channels, *SIZE), [0.5] * channels, [0.5] * channels, labels, "0")
    for key, value in (about.entries() | changes).items():
        if value is not None:
            model.metadata_props.add(key=key, value=json.dumps(value))
    onnx.save(model, path)
    return path


def picture(path: Path, level: int, size: tuple[int, int] = SIZE, mode: str = "L") -> Path:
    path.parent.mkdir(exist_ok=True)
    height, width = size
    Image.new("L", (width, height), level).convert(mode).save(path)
    return path


@pytest.fixture
def model(tmp_path) -> Path:
    return write_model(tmp_path / "light.onnx")


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, level in (("b.png", 255), ("a.bmp", 0), ("c.png", 128)):
        picture(tmp_path / "pictures" / name, level)
    (tmp_path / "pictures" / "notes.txt").write_text("no image")
    return tmp_path / "pictures"


def predict(model: Path, *words: object) -> int:
    return main(["predict", "--model", str(model), *map(str, words)])


def test_a_line_per_image_and_task(model, folder, capsys):
    assert predict(model, folder, folder / "b.png") == 0
    shown = capsys.readouterr()
    name = f"{folder}/a.bmp"
    assert shown.out.splitlines() == [
        f"{'image'.ljust(len(name))}  task  labels",
        f"{folder}/a.bmp  A     dark",
        f"{folder}/a.bmp  B     -",
        f"{folder}/b.png  A     bright",
        f"{folder}/b.png  B     light",
        f"{folder}/c.png  A     bright",
        f"{folder}/c.png  B     light",
        f"{folder}/b.png  A     bright",
        f"{folder}/b.png  B     light",
    ]
    assert shown.err == ""


def test_scores_and_csv(model, folder, tmp_path, capsys):
    assert predict(model, folder / "a.bmp", "--scores", "--csv", tmp_path / "x.csv") == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["image", "task", "labels", "scores"]
    assert first.split(maxsplit=3)[1:] == ["A", "dark", "bright -0.76, dark +0.76"]
    assert second.endswith("light -0.76")
    with (tmp_path / "x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [tuple(row.values()) for row in rows] == [
        (f"{folder}/a.bmp", "A", "bright", f"{np.tanh(-1):.6f}", "-1"),
        (f"{folder}/a.bmp", "A", "dark", f"{np.tanh(1):.6f}", "1"),
        (f"{folder}/a.bmp", "B", "light", f"{np.tanh(-1):.6f}", "-1"),
    ]


def test_a_name_that_is_no_utf_8_is_written_in_ascii(model, folder, tmp_path):
    odd = folder / os.fsdecode(b"caf\xe9.bmp")
    shutil.copy(folder / "a.bmp", odd)
    assert predict(model, odd, "--csv", tmp_path / "x.csv") == 0
    odd.unlink()
    assert "caf\\udce9.bmp,A," in (tmp_path / "x.csv").read_text()


def test_more_images_than_a_batch(model, tmp_path, capsys):
    for number in range(67):
        picture(tmp_path / "many" / f"{number:02}.png", 255 * (number % 2))
    assert predict(model, tmp_path / "many") == 0
    lines = capsys.readouterr().out.splitlines()[1::2]
    assert [line.split()[-1] for line in lines] == ["dark", "bright"] * 33 + ["dark"]


def test_damaged_images_cost_only_their_own_lines(model, folder, tmp_path, capsys):
    (folder / "aa.jpg").write_bytes(b"no image")
    (folder / "bb.png").write_bytes((folder / "b.png").read_bytes()[:40])
    Image.new("I;16", (8, 6)).save(folder / "deep.png")
    assert predict(model, folder, "--csv", tmp_path / "x.csv") == 2
    shown = capsys.readouterr()
    assert [line.split()[0] for line in shown.out.splitlines()[1::2]] == [
        f"{folder}/{name}" for name in ("a.bmp", "b.png", "c.png")
    ]
    bad, cut, deep = shown.err.splitlines()
    assert bad.startswith(f"pam: error: {folder}/aa.jpg cannot be decoded as an image: it is no")
    assert cut.startswith(f"pam: error: {folder}/bb.png cannot be decoded as an image")
    assert deep.startswith(f"pam: error: {folder}/deep.png has 16 bits per channel")
    assert (tmp_path / "x.csv").read_text().count("\n") == 10


def test_a_score_that_is_no_number_is_no_answer(model, folder, capsys):
    changed = onnx.load(model)
    changed.graph.node[-1].op_type = "Log"
    onnx.save(changed, model)
    code = predict(model, folder / "a.bmp")
    one_sentence(capsys, code, f"{folder}/a.bmp: a score of task 'B' is no finite number")


def test_nothing_but_damaged_images(model, tmp_path, capsys):
    (tmp_path / "x.png").write_bytes(b"")
    assert predict(model, tmp_path / "x.png") == 2
    assert capsys.readouterr().out.split() == ["image", "task", "labels"]


def test_resizing_is_said_once(model, folder, capsys):
    for name in ("x.png", "y.png"):
        picture(folder / name, 255, (20, 30))
    assert predict(model, folder) == 0
    shown = capsys.readouterr()
    assert shown.err == (
        "pam predict: images of other sizes are resized to 8 x 6 pixels, "
        f"the first is {folder}/x.png\n"
    )
    assert shown.out.splitlines()[-2].endswith("bright")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "CMYK"])
def test_images_become_grey_or_colour_as_the_network_takes_them(channels, mode, tmp_path):
    suffix = ".tif" if mode == "CMYK" else ".png"
    read = read_picture(picture(tmp_path / f"x{suffix}", 255, mode=mode), (channels, *SIZE))
    assert read.pixels.shape == (channels, *SIZE)
    assert read.pixels.dtype == np.uint8
    assert (read.pixels == 255).all()
    assert not read.resized


def test_colours_and_the_cameras_orientation_are_kept(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    image, turned = Image.fromarray(pixels), Image.Exif()
    turned[0x0112] = 6
    image.save(tmp_path / "x.png", exif=turned)
    read = read_picture(tmp_path / "x.png", (3, 6, 8))
    np.testing.assert_array_equal(read.pixels, np.rot90(pixels, -1).transpose(2, 0, 1))


def weights_elsewhere(path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("images", [1, 4]), ("A", [1, 3]))
    ]
    node = helper.make_node("MatMul", ["images", "w"], ["A"])
    graph = helper.make_graph([node], "g", values[:1], values[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)


def labelled(*tasks: tuple[str, list[str]]) -> dict[str, object]:
    return {"pam.tasks": [{"task": task, "labels": labels} for task, labels in tasks]}


def scaled(mean: list[float], std: list[float]) -> dict[str, object]:
    return {"pam.normalisation": {"mean": mean, "std": std}}


NOT_ONNX = "light.onnx is damaged or not an ONNX model"
NO_FORMAT = dict.fromkeys(About((1, 1, 1), [], [], {}, "").entries())
INCOMPLETE = "light.onnx describes itself incompletely"
# What is done to the model's file, or what it is written with; then what the sentence says.
MODELS = [
    (lambda path: path.write_bytes(b"not a model"), NOT_ONNX),
    (lambda path: path.write_bytes(path.read_bytes()[:100]), NOT_ONNX),
    (weights_elsewhere, NOT_ONNX),
    (Path.unlink, "light.onnx does not exist"),
    (NO_FORMAT, "light.onnx was not written by `pam export`"),
    ({"pam.format": 99}, "light.onnx has the unknown format 99"),
    ({"pam.tasks": 3}, INCOMPLETE),
    (labelled(("A", [])), f'{INCOMPLETE}: ValueError("tasks without labels'),
    (scaled([0.5, 0.5], [0.5]), f"{INCOMPLETE}: ValueError('a normalisation by [0.5, 0.5]"),
    (scaled([0.5], [1e-300]), "a normalisation by [0.5] and [1e-300]"),
    (scaled([1e300], [1.0]), "a normalisation by [1e+300] and [1.0]"),
    (scaled([0.5], [float("nan")]), "a normalisation by [0.5] and [nan]"),
    ({"names": ("pixels", "B")}, "does not run on 1 images of (1, 6, 8)"),
    ({"names": ("images", "C")}, "does not run on 1 images of (1, 6, 8)"),
    (
        labelled(("A", ["bright", "dark", "grey"])),
        "has 3 labels of task 'A', but gives float32 scores of shape (1, 2) for 1 images",
    ),
    (
        labelled(("A", ["bright", "bright"])),
        "labels that are the same or cannot be shown: ['bright', 'bright']",
    ),
    # They move the cursor, turn the writing round, or are no letter.
    (labelled(("A", ["\x1b[2J", "dark"])), r"[2J', 'dark']"),
    (labelled(("A", ["\u202ex", "dark"])), r"\u202ex', 'dark']"),
    (labelled(("A", ["\ud800", "dark"])), r"\ud800', 'dark']"),
    (labelled(("A", ["x"]), ("A", ["bright", "dark"])), "the same task twice, among ['A']"),
    (labelled(("../A", ["bright"])), "'../A' cannot be the name of a task"),
    ({"pam.input_shape": [1, 6.5, 8]}, "images of [1, 6.5, 8]"),
    ({"pam.input_shape": [1, 10**5, 10**5]}, "images of [1, 100000, 100000]"),
    ({"pam.input_shape": [1, 9, 9]}, "does not run on 1 images of (1, 9, 9)"),
    ({"batch": 1}, "light.onnx does not run on 2 images"),
    ({"channels": 2}, "takes images of 2 channels, files have 1 or 3"),
]


@pytest.mark.parametrize(("damage", "says"), MODELS, ids=[says for _, says in MODELS])
def test_wrong_model(damage, says, model, folder, capsys):
    if callable(damage):
        damage(model)
    else:
        write_model(model, **damage)
    one_sentence(capsys, predict(model, folder), says)


def test_a_damaged_model_of_torch(tmp_path, folder, capsys):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"x" * 200)
    one_sentence(capsys, predict(path, folder), "m.safetensors is damaged")


def test_a_file_that_torch_would_unpickle_is_refused(tmp_path, folder, capsys):
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data/sample_inputs/model.pt", pickle.dumps(Evil(tmp_path / "ran")))
    one_sentence(capsys, predict(path, folder), "m.pt2 is not opened: a .pt2 file can hold any")
    assert not (tmp_path / "ran").exists()


def test_steps_that_call_anything_else_are_refused(tmp_path, folder, capsys):
    about = About((1, *SIZE), [0.5], [0.5], {"A": ["bright"]}, "0").entries()
    step = {"name": "x", "call": "save", "arguments": ["images"], "options": {"f": "evil"}}
    steps = [step, {"scores": {"A": "x"}}]
    write_tensors(tmp_path / "m.safetensors", {}, {**about, "pam.steps": steps})
    one_sentence(capsys, predict(tmp_path / "m.safetensors", folder), "unknown call 'save'")


@pytest.mark.parametrize(
    ("path", "says"), [("nowhere.png", "does not exist"), ("empty", "holds no image file")]
)
def test_wrong_images(path, says, model, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    one_sentence(capsys, predict(model, tmp_path / path), f"{path} {says}")


def test_another_suffix(tmp_path, folder, capsys):
    one_sentence(capsys, predict(tmp_path / "m.h5", folder), "must end in one of .onnx, .pt2")


def test_nowhere_to_write(model, folder, capsys):
    assert predict(model, folder / "a.bmp", "--csv", folder / "a.bmp" / "x.csv") == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "says"), [("a.bmp", "must end in .csv"), ("a.csv", "is one of the images")]
)
def test_no_image_is_overwritten(out, says, model, folder, capsys):
    image = (folder / "a.bmp").rename(folder / out)
    before = image.read_bytes()
    one_sentence(capsys, predict(model, image, "--csv", folder / out), says)
    assert image.read_bytes() == before


def test_onnx_predicts_without_torch(model, folder):
    words = ["predict", "--model", str(model), str(folder)]
    program = (
        f"import sys\nfrom pam.cli.main import main\nassert main({words!r}) == 0\n"
        "assert not {'torch', 'onnx', 'pandas', 'matplotlib'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("bright") == 2
