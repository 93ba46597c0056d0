"""The idx file format of MNIST and its relatives: magic number, sizes, then raw bytes."""

import struct
from math import prod
from pathlib import Path

from pam.errors import DataError

_UBYTE = 0x08
_WORD = 4


def check_idx(path: Path, dimensions: int) -> tuple[int, ...]:
    """Return the shape in the header of an uncompressed idx file of unsigned bytes.

    The header is a big-endian magic number (two zero bytes, the type 0x08, the number of
    dimensions) and one 32-bit size per dimension; then follows one byte per element.

    Args:
        path: an idx file.
        dimensions: number of dimensions that the file should have.

    Raises:
        DataError: if the file cannot be read, is no such file, is empty, or is cut short or has
            bytes left over.
    """
    header_bytes = _WORD * (1 + dimensions)
    try:
        with path.open("rb") as handle:
            header = handle.read(header_bytes)
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    way_out = "delete it and download it again (download: true)"
    magic = bytes([0, 0, _UBYTE, dimensions])
    if len(header) < header_bytes or header[:_WORD] != magic:
        raise DataError(
            f"{path} is damaged: it has no idx header with {dimensions} dimensions; {way_out}"
        )
    shape = struct.unpack(f">{dimensions}I", header[_WORD:])
    expected = header_bytes + prod(shape)
    if size != expected or not prod(shape):
        raise DataError(
            f"{path} is damaged: {size} bytes, but its header announces {expected}; {way_out}"
        )
    return shape
