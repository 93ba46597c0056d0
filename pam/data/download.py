"""Downloads: a file arrives whole, as published, or not at all; a broken one is resumed."""

import fcntl
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pam.errors import DataError
from pam.files import file_hash

ATTEMPTS = 3
TIMEOUT = 30.0
"""Seconds without a sign of life after which a server counts as gone."""

_CHUNK = 1 << 18
_PARTIAL = 206
_BEYOND = 416
# Hexadecimal digits of a checksum -> the algorithm that gives so many.
_ALGORITHMS = {32: "md5", 64: "sha256"}


def fetch(addresses: Sequence[str], path: Path, checksum: str) -> None:
    """Download a file, unless it is there and whole.

    What arrives is kept beside ``path`` as ``<name>.part``: a later call, or the next attempt of
    this one, asks the server for the rest only. Two processes never fetch one file at once.

    Args:
        addresses: where the file is, ``http://`` or ``https://``, tried in order.
        path: where it goes; it appears there once its checksum is right.
        checksum: md5 or sha256 of the file in hexadecimal digits.

    Raises:
        DataError: if no address gives the file, what it gives is another one, or it cannot be
            written.
    """

    def is_right(file: Path) -> bool:
        return file_hash(file, _ALGORITHMS[len(checksum)]) == checksum

    if path.is_file() and is_right(path):
        return
    problems = ["it has no address"]
    try:
        with _part(path) as part:
            # Another process may have finished it while this one waited.
            if path.is_file() and is_right(path):
                return
            for address in [one for one in addresses for _ in range(ATTEMPTS)]:
                try:
                    _receive(address, part)
                except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                    problems.append(f"{address}: {getattr(error, 'reason', None) or error}")
                    continue
                part.flush()
                if is_right(Path(part.name)):
                    os.fsync(part.fileno())
                    os.replace(part.name, path)
                    return
                problems.append(f"{address} has another file: its checksum is not {checksum}")
                part.truncate(0)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    raise DataError(f"{path.name} cannot be downloaded: {problems[-1]}; start again to go on")


@contextmanager
def _part(path: Path) -> Iterator[BinaryIO]:
    """Open the part of a file that has arrived, locked for this process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.part").open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        yield part


def _receive(address: str, part: BinaryIO) -> None:
    """Append the rest of a file to the part that has arrived.

    Raises:
        OSError: if the address is no web address or the server is not there or breaks off.
    """
    from tqdm import tqdm

    if not address.startswith(("http://", "https://")):
        raise urllib.error.URLError("not an address of the web")
    have = part.seek(0, os.SEEK_END)
    headers = {"User-Agent": "pam-bench", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(address, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == _BEYOND and have:
            return  # There is no rest; whether this is the file, its checksum tells.
        raise
    with response:
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status != _PARTIAL or not goes_on:
            # The server sends the whole file, whatever was asked for.
            have = 0
            part.truncate(0)
        expected = response.length
        silent = not sys.stderr.isatty()
        with tqdm(
            desc=Path(part.name).stem,
            initial=have,
            total=None if expected is None else have + expected,
            unit="B",
            unit_scale=True,
            disable=silent,
        ) as bar:
            received = 0
            while chunk := response.read(_CHUNK):
                part.write(chunk)
                received += len(chunk)
                bar.update(len(chunk))
    if expected is not None and received < expected:
        raise urllib.error.URLError(f"broke off after {received:,} of {expected:,} bytes")
