"""Small image files, reading them back the slow way, and data sets made of such files."""

import io
import struct
import tarfile
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

import pam


def pixels(seed, height=32, width=32):
    """A random but smooth picture, uint8 (height, width, 3), so that JPEG keeps it roughly."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encode(array, kind="JPEG"):
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def several(kind):
    """The bytes of a file of two pictures."""
    one, other = (Image.fromarray(pixels(seed)) for seed in (0, 1))
    buffer = io.BytesIO()
    one.save(buffer, kind, save_all=True, append_images=[other])
    return buffer.getvalue()


def decode(content):
    """uint8 (3, height, width), by Pillow alone."""
    return np.array(Image.open(io.BytesIO(content)).convert("RGB")).transpose(2, 0, 1)


def smaller(pixels, size):
    """float (channels, size, size) of pixels (channels, height, width), by torch alone."""
    images = torch.from_numpy(np.ascontiguousarray(pixels))[None].float()
    return torch.nn.functional.interpolate(
        images, size=(size, size), mode="bilinear", antialias=True
    )[0]


def write_tar(path, inside, files):
    """Write an archive of files, name -> content, in a folder of it; its suffix says how packed."""
    mode = {".xz": "w:xz", ".gz": "w:gz", ".tgz": "w:gz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{inside}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def idx(values):
    """The bytes of uint8 values in the idx format of the MNIST family."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.numpy().tobytes()


def fashion_files(train, test):
    """Name -> bytes of the files of Fashion-MNIST, of random items of every class in turn."""
    generator, files = torch.Generator().manual_seed(0), {}
    for prefix, n in (("train", train), ("t10k", test)):
        images = torch.randint(0, 256, (n, 28, 28), generator=generator, dtype=torch.uint8)
        files[f"{prefix}-images-idx3-ubyte"] = idx(images)
        files[f"{prefix}-labels-idx1-ubyte"] = idx((torch.arange(n) % 10).to(torch.uint8))
    return files


def refused(name, root, kind=pam.DataError, **options):
    """The one sentence by which a data set is refused."""
    with pytest.raises(kind) as caught:
        pam.data.load(name, root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same_data(left, right):
    """Whether two data sets hold the same images and labels, part by part."""
    parts = ("train", "validation", "test")
    pairs = [(getattr(left, part), getattr(right, part)) for part in parts]
    return all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) for a, b in pairs
    )


def png(depth, colour, width=4, height=4):
    """The bytes of a PNG file of any number of bits per channel, by hand."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = b"\0" + bytes(n % 256 for n in range(-(-width * channels * depth // 8)))

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(row * height)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def tags(*entries):
    """The bytes of TIFF tags, as EXIF has them too: (tag, type, values), types as in TIFF."""
    formats = {2: "B", 3: "H", 4: "I", 5: "II"}
    start, lines, beyond = 8 + 2 + 12 * len(entries) + 4, [], b""
    for tag, kind, values in sorted(entries):
        numbers = [n for one in values for n in (one if isinstance(one, tuple) else (one,))]
        content = struct.pack("<" + formats[kind] * len(values), *numbers).ljust(4, b"\0")
        if len(content) > 4:
            content, beyond = struct.pack("<I", start + len(beyond)), beyond + content
        lines.append(struct.pack("<HHI", tag, kind, len(values)) + content)
    return b"II*\0" + struct.pack("<IH", 8, len(lines)) + b"".join(lines) + bytes(4) + beyond


def tiff(bits, *more):
    """The bytes of a TIFF file of 2 x 2 pixels: bits of every channel, and more tags."""
    size = 4 * sum(bits) // 8
    known = [(256, 3, [2]), (257, 3, [2]), (258, 3, bits), (259, 3, [1]), (278, 3, [2])]
    known += [(262, 3, [2 if len(bits) > 2 else 1]), (277, 3, [len(bits)]), (279, 4, [size]), *more]
    end = len(tags(*known, (273, 4, [0])))
    return tags(*known, (273, 4, [end])) + bytes(range(1, size + 1))
