"""A user's own folder of images: folders and archives, good and bad."""

import tarfile
import unicodedata

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import pam
from pam.cli.main import main
from tests import picture_files
from tests.picture_files import decode, encode, pixels, same_data, write_tar

COLUMNS = ["cat", "dog", "on grass"]
TASKS = {"pets": ["dog", "cat"], "places": ["on grass"]}
SIZES = {"train": 20, "test": 6}


def labels_of(n):
    return [[i % 2, i // 2 % 2, i // 4 % 2] for i in range(n)]


def files_of(split, n):
    """Name -> content of a split; images first, as archives have them."""
    start = 100 * (split != "train")
    files = {f"images/{i:05d}.jpg": encode(pixels(start + i)) for i in range(n)}
    rows = [f"{i:05d}.jpg,{','.join(map(str, row))}" for i, row in enumerate(labels_of(n))]
    files["attributes.csv"] = "\n".join([",".join(["file", *COLUMNS]), *rows, ""]).encode()
    return files


def write_folder(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / "pets"
    for split, n in SIZES.items():
        write_folder(folder / split, files_of(split, n))
    (folder / "tasks.yaml").write_text(yaml.safe_dump(TASKS, sort_keys=False))
    return folder


def load(folder, **options):
    return pam.data.load("image_attributes", folder.parent, folder=folder.name, **options)


def refused(folder, *kind, **options):
    return picture_files.refused(
        "image_attributes", folder.parent, *kind, folder=folder.name, **options
    )


def edit_csv(folder, old, new, split="train"):
    path = folder / split / "attributes.csv"
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    return path


def test_images_labels_and_tasks(pets):
    dataset = load(pets)
    assert dataset.input_shape == (3, 32, 32)
    assert dataset.label_names == COLUMNS
    assert list(dataset.tasks.items()) == [("pets", [1, 0]), ("places", [2])]
    expected = torch.tensor(labels_of(6)) * 2 - 1
    assert torch.equal(dataset.test.labels, expected.to(torch.int8))
    for i, image in enumerate(dataset.test.images):
        assert np.array_equal(image, decode(encode(pixels(i + 100))))


def test_validation_is_a_share_of_the_training_split(pets):
    for fraction, n in ((None, 2), (0.25, 5)):
        dataset = load(pets, validation_fraction=fraction)
        assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [20 - n, n, 6]
        together = torch.cat([dataset.train.images, dataset.validation.images])
        assert len(together.flatten(1).unique(dim=0)) == 20
    assert same_data(load(pets), load(pets))
    assert not same_data(load(pets), load(pets, seed=1))


def test_a_validation_split_is_used_as_it_is(pets):
    write_folder(pets / "validation", files_of("validation", 4))
    dataset = load(pets)
    assert [len(dataset.train), len(dataset.validation)] == [20, 4]
    assert "has a split 'validation'" in refused(pets, pam.ConfigError, validation_fraction=0.1)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz"])
def test_archives_are_read_as_folders(pets, tmp_path, suffix):
    packed = tmp_path / "packed"
    packed.mkdir()
    for split, n in SIZES.items():
        # As `tar cf train.tar ./train` names the members.
        write_tar(packed / f"{split}{suffix}", f"./{split}", files_of(split, n))
    assert same_data(load(packed, tasks=TASKS), load(pets, tasks=TASKS))
    assert len(list(packed.iterdir())) == 2


def archive_with(folder, change):
    """Replace the test folder by an archive of changed files."""
    files = files_of("test", 6)
    change(files)
    (folder / "test").rename(folder / "unused")
    write_tar(folder / "test.tar.gz", "test", files)
    return folder / "test.tar.gz"


def test_a_file_that_an_archive_lacks_is_named(pets):
    path = archive_with(pets, lambda files: files.pop("images/00003.jpg"))
    said = refused(pets)
    assert f"{path}:test/attributes.csv, line 5: {path}:test/images/00003.jpg does not" in said


def test_an_archive_without_attributes(pets):
    path = archive_with(pets, lambda files: files.pop("attributes.csv"))
    assert f"{path}:test/attributes.csv does not exist" in refused(pets)


def test_damaged_archives_are_named(pets):
    path = archive_with(pets, lambda files: None)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"no archive", b""):
        path.write_bytes(content)
        assert f"{path} is damaged or no such archive" in refused(pets)


def test_an_archive_that_holds_a_file_twice(pets):
    path = archive_with(pets, lambda files: None)
    with tarfile.open(path, "w:gz") as archive:
        for prefix in ("", "./"):
            archive.addfile(tarfile.TarInfo(f"{prefix}test/images/00001.jpg"))
    assert f"{path} holds test/images/00001.jpg twice" in refused(pets)


def test_a_split_that_is_there_twice_or_not_at_all(pets):
    write_tar(pets / "test.tar", "test", files_of("test", 6))
    assert f"{pets / 'test'} and {pets / 'test.tar'} both exist" in refused(pets)
    (pets / "test.tar").unlink()
    (pets / "test").rename(pets / "tset")
    assert f"{pets} has no split 'test'" in refused(pets)


def test_size_resizes_and_without_it_sizes_must_agree(pets):
    odd = pets / "train" / "images" / "00007.jpg"
    odd.write_bytes(encode(pixels(7, 48, 64)))
    assert load(pets, size=16).input_shape == (3, 16, 16)
    said = refused(pets)
    assert f"{odd} is 64 x 48 pixels, others are 32 x 32" in said and "'size'" in said


def test_limits_draw_images_of_the_part(pets):
    whole = load(pets)
    few, more = (load(pets, train_images=n, validation_images=1, test_images=n) for n in (3, 6))
    assert [len(few.train), len(few.validation), len(few.test)] == [3, 1, 3]

    def images(split):
        return [bytes(image.flatten().tolist()) for image in split.images]

    assert set(images(few.train)) < set(images(more.train)) < set(images(whole.train))
    order = [images(whole.train).index(image) for image in images(few.train)]
    assert order == sorted(order)
    said = refused(pets, pam.ConfigError, train_images=19)
    assert "'train_images' is 19, but the train part has only 18 images" in said


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_other_kinds_of_pixels_become_rgb(pets, mode):
    path = pets / "test" / "images" / "00000.jpg"
    image = Image.fromarray(pixels(1)).convert(mode)
    image.save(path, "TIFF" if mode == "CMYK" else "PNG")
    expected = np.array(image.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(load(pets).test.images[0], expected)


def test_undecodable_images_are_named(pets):
    path = pets / "train" / "images" / "00004.jpg"
    whole = path.read_bytes()
    for content in (whole[:200], b"", b"text"):
        path.write_bytes(content)
        assert f"{path} cannot be decoded as an image" in refused(pets)


def test_minus_one_and_one_and_a_byte_order_mark(pets):
    expected = load(pets)
    path = pets / "test" / "attributes.csv"
    lines = path.read_text().splitlines()
    rows = [line.replace(",0", ", -1") for line in lines[1:]]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([lines[0], *rows, ""]).encode())
    assert same_data(load(pets), expected)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("00002.jpg,0,1,0", "00002.jpg,0,2,0", "line 4: '2' in column 'dog' is not 0 or 1"),
        ("00002.jpg,0,1,0", "00002.jpg,0,,0", "line 4: '' in column 'dog' is not 0 or 1"),
        ("00002.jpg,0,1,0", "00002.jpg,0,1", "line 4: 2 values for the 3 attributes"),
        ("00002.jpg,0,1,0", "00002.jpg,0,1,0,1", "line 4: 4 values for the 3 attributes"),
        ("00002.jpg,0,1,0", "00002.jpg,0,1,-1", "line 4: the file has both 0 and -1"),
        ("00002.jpg", "00001.jpg", "line 4: images/00001.jpg is already in line 3"),
        ("00002.jpg", "./00001.jpg", "line 4: images/00001.jpg is already in line 3"),
        ("00002.jpg", "absent.jpg", "line 4: "),
        ("00002.jpg", "../../tasks.yaml", "line 4: '../../tasks.yaml' is not a path below"),
        ("00002.jpg", "/00002.jpg", "line 4: '/00002.jpg' is not a path below"),
        ("00002.jpg,", ",", "line 4: '' is not a path below"),
        ("00002.jpg,0,1,0", "00002.jpg,0,1,0,", "4 values for the 3 attributes of images/00002.jp"),
        ("00002.jpg,0,1,0", "00002.jpg,0,1,0,", "does the line end with a separator?"),
        ("00002.jpg,0,1", '"00002.jpg,0,1', "line 4: a quote does not close on its line"),
        ("00002.jpg", "00002.jpg ", "there is 'images/00002.jpg', which differs in blanks"),
        ("00002.jpg", ".\\00002.JPG", "which differs in backslashes and capital letters"),
        ("00002.jpg", "00002.jpeg", "does not exist; did you mean 'images/00002.jpg'?"),
        ("00002.jpg", "images/00002.jpg", "; did you mean 'images/00002.jpg'?"),
        (
            "file,",
            "name,",
            "the column 'file' and one per attribute, separated by commas, not with",
        ),
        ("file,cat,dog,", "file;cat;dog;", "separated by commas, not with 'file;cat;dog;on grass'"),
        ("cat,dog", "cat\x1b,dog", r"attribute 1 of 3 is called 'cat\x1b', which cannot be shown"),
        ("cat,dog", "dog,dog", "the attributes 1 and 2 are both called 'dog'"),
        ("cat,dog", ",dog", "attribute 1 of 3 has no name"),
        ("on grass", "on grass,", "attribute 4 of 4 has no name; does the line of names end with"),
        ("cat,dog", "dog,cat", "have different columns"),
    ],
)
def test_bad_rows_are_named(pets, old, new, said):
    path = edit_csv(pets, old, new)
    found = refused(pets)
    assert said in found and str(path) in found


def test_other_bad_attribute_files(pets):
    path = pets / "train" / "attributes.csv"
    for content, said in (
        (b"", "must start with a line of the column 'file'"),
        (b"file,cat\n", "names no images"),
        (b"file,cat\xff\n", "is not UTF-8 text"),
        (b'file,cat\n"' + b"x" * 200_000 + b'",1\n', "line 2: field larger than"),
    ):
        path.write_bytes(content)
        found = refused(pets)
        assert said in found and str(path) in found
    path.unlink()
    assert f"{path} does not exist" in refused(pets)


def test_pictures_without_a_row_are_counted(pets, capsys):
    load(pets)
    assert capsys.readouterr().err == ""
    for name in ("z.png", "more/y.JPG", ".hidden.png", "notes.txt"):
        path = pets / "train" / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(pixels(1)))
    table = edit_csv(pets, "00004.jpg,0,0,1\n", "")
    load(pets)
    assert capsys.readouterr().err == (
        f"pam: 3 of 22 pictures have no row in {table} and are left out, the first is "
        f"images/00004.jpg\n"
    )


def test_another_unicode_form_of_a_name_is_named(pets):
    images = pets / "train" / "images"
    (images / "00002.jpg").rename(images / unicodedata.normalize("NFD", "Käfer.jpg"))
    edit_csv(pets, "00002.jpg", unicodedata.normalize("NFC", "Käfer.jpg"))
    assert "which differs in the Unicode form of its letters" in refused(pets)


def test_another_spelling_of_the_table_is_named(pets):
    (pets / "test" / "attributes.csv").rename(pets / "test" / "Attributes.csv")
    assert "there is 'Attributes.csv', which differs in capital letters" in refused(pets)


def test_a_channel_that_never_changes_is_divided_by_one(pets):
    for path in pets.glob("*/images/*"):
        flat = np.array([[[0, 1, 255]]], dtype=np.uint8) * np.ones((32, 32, 1), dtype=np.uint8)
        flat[..., 1] = pixels(1)[..., 1]
        path.write_bytes(encode(flat, "PNG"))
    dataset = load(pets)
    assert dataset.std[0] == dataset.std[2] == 1
    normal = dataset.normalise(dataset.train.images)
    assert normal[:, [0, 2]].abs().max() < 1e-6 < normal[:, 1].std()


def test_the_option_goes_before_the_file(pets):
    tasks = {"B": ["on grass", "cat"]}
    assert load(pets, tasks=tasks).tasks == {"B": [2, 0]}


def test_without_tasks_an_example_of_what_to_write_is_shown(pets):
    (pets / "tasks.yaml").unlink()
    said = refused(pets, pam.ConfigError)
    assert f"{pets / 'tasks.yaml'} does not exist" in said
    example = said[said.index("{") : said.index("}") + 1]
    (pets / "tasks.yaml").write_text(example)
    assert load(pets).tasks == {"A": [0, 1], "B": [2]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pets: [cat, cow]", "task 'pets' names the column 'cow'; known: cat, dog, on grass"),
        ("pets: [cat, yes]", "pets[1]: must be text, in quotes, not True"),
        ("pets: cat", "pets: must be a list, not 'cat'"),
        ("pets: []", "task 'pets' needs a list"),
        ("pets: [cat, cat]", "task 'pets' names a label column twice"),
        ("shared: [cat]", "'shared' cannot be the name of a task"),
        ("pets: [cat]\npets: [dog]", "line 2: key 'pets' is already in line 1"),
        ("- cat", "must be a mapping of keys to values, not ['cat']"),
        ("", "must be a mapping of keys to values, not None"),
        ("pets: [cat", "line 1: expected ',' or ']'"),
    ],
)
def test_bad_tasks_are_named(pets, text, said):
    (pets / "tasks.yaml").write_text(text)
    found = refused(pets, pam.ConfigError)
    assert said in found and str(pets / "tasks.yaml") in found


@pytest.mark.parametrize("tasks", [{}, {"pets": ["cow"]}, {"a b": ["cat"]}, {1: ["cat"]}])
def test_a_bad_option_of_tasks_is_named(pets, tasks):
    found = refused(pets, pam.ConfigError, tasks=tasks)
    assert "option 'tasks'" in found


def test_too_small_a_share_for_validation(pets):
    assert "the validation part has no images" in refused(pets, validation_fraction=0.01)


def test_the_command_line_prepares_it(pets, tmp_path):
    experiment = {
        "dataset": "image_attributes",
        "data": {"folder": "pets", "size": 16},
        "tasks": ["pets", "places"],
        "architecture": "lenet5",
        "train": {"stages": [{"epochs": 1, "learning_rate": 0.01}]},
        "merging": {"none": {}},
        "pruning": {"taylor": {"strengths": [0.5]}},
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"seeds": [0], "experiments": {"mine": experiment}}))
    out = tmp_path / "out"
    arguments = ["--config", str(config), "--experiment", "mine", "--root", str(tmp_path)]
    assert main(["prepare", *arguments, "--out", str(out)]) == 0
    assert same_data(pam.data.load_dataset(out), load(pets, size=16))
