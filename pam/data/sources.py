"""Where raw files lie: a folder, a tar archive or a zip archive, read by name, never extracted.

The names that a data set wants are only compared with the names in an archive, so whatever an
archive holds, nothing of it is written to disk and nothing outside it is read. All the same an
archive with a link, a device or a path that leads out of it is refused: whoever packed it meant
no good, or somebody will unpack it one day. So is one that would swell: see :data:`MOST_BYTES`.
"""

import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from pam.errors import DataError
from pam.files import file_hash
from pam.text_files import decode

MOST_BYTES = 2**28
"""Of one file in an archive: as many as the largest picture that is read has without packing."""

MOST_SWELLING, SMALL = 100, 2**30
"""All files of an archive may have so many times the bytes of the archive, and so many in any case:
pictures hardly shrink when they are packed."""

MOST_NOTES = 2**20
"""Bytes of a long name and the like."""


class Source(Protocol):
    """Files by name; a name is a relative path with forward slashes."""

    def locate(self, name: str) -> str:
        """Return where the file is, or would be, for messages."""

    def __contains__(self, name: str) -> bool: ...

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all files, in any order."""

    def read(self, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        """Yield (position in ``names``, content) of every file, in the order that is fastest.

        Args:
            names: different names, all of them contained.

        Raises:
            DataError: if a file or the archive cannot be read.
        """


class Folder:
    """The files in a folder; a name that leads out of it is a DataError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def locate(self, name: str) -> str:
        return str(self.path / name)

    def __contains__(self, name: str) -> bool:
        _check_inside(name, self.path)
        with _readable(self.path / name):
            return (self.path / name).is_file()

    def __iter__(self) -> Iterator[str]:
        with _readable(self.path):
            for path in self.path.rglob("*"):
                if path.is_file():
                    yield path.relative_to(self.path).as_posix()

    def read(self, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        for position, name in enumerate(names):
            with _readable(self.path / name):
                content = (self.path / name).read_bytes()
            yield position, content


class _Archive:
    """An archive whose files are named relative to a folder inside it."""

    _names: set[str]

    def __init__(self, path: Path, inside: str) -> None:
        self.path = path
        self.inside = inside

    def locate(self, name: str) -> str:
        return f"{self.path}:{self.inside}/{name}"

    def __contains__(self, name: str) -> bool:
        return f"{self.inside}/{name}" in self._names

    def __iter__(self) -> Iterator[str]:
        start = f"{self.inside}/"
        return (name.removeprefix(start) for name in self._names if name.startswith(start))


class _Size:
    """What the files of an archive come to, refused as soon as it is too much."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _readable(path):
            self._most = max(SMALL, MOST_SWELLING * path.stat().st_size)
        self._sum = 0

    def add(self, name: str, size: int) -> None:
        """Count one more file, which takes a block of an archive even if it is empty."""
        if size > MOST_BYTES:
            raise DataError(
                f"{self._path} holds {name} of {size / 1e6:,.0f} MB, more than the "
                f"{MOST_BYTES / 1e6:.0f} MB that one file may have: refused"
            )
        self._sum += size + tarfile.BLOCKSIZE
        if self._sum > self._most:
            raise DataError(
                f"the files in {self._path} have more than {self._most / 1e6:,.0f} MB, too much "
                f"for the size of the archive: refused; unpack it if you trust it"
            )


class TarArchive(_Archive):
    """The regular files in a tar archive, compressed or not, read from front to back.

    Args:
        path: the archive.
        inside: folder inside the archive that names are relative to, e.g. ``train``.
        keep: names whose content is kept in memory, so that reading it is no second pass.

    Raises:
        DataError: if the archive is missing or damaged, holds a file twice, or holds what is
            neither file nor folder or would lie outside.
    """

    def __init__(self, path: Path, inside: str, keep: Sequence[str] = ()) -> None:
        super().__init__(path, inside)
        self._names = set()
        self._kept: dict[str, bytes] = {}
        members = {f"{inside}/{name}" for name in keep}
        for name, content in self._stream(members):
            if name in self._names:
                raise DataError(f"{path} holds {name} twice; pack it again")
            self._names.add(name)
            if name in members:
                self._kept[name] = content

    def read(self, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        wanted = {f"{self.inside}/{name}": position for position, name in enumerate(names)}
        for name in wanted.keys() & self._kept.keys():
            yield wanted.pop(name), self._kept[name]
        for name, content in self._stream(wanted) if wanted else ():
            if name in wanted:
                yield wanted.pop(name), content
            if not wanted:
                return

    def _stream(self, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
        """Yield every regular file's name, with its content if it is wanted, else nothing."""
        size = _Size(self.path)
        with _readable(self.path), tarfile.open(self.path, tarinfo=_Member) as archive:
            while (member := archive.next()) is not None:
                # Else the archive object remembers every member that it has passed.
                archive.members.clear()
                _check_inside(member.name, self.path)
                size.add(member.name, member.size)
                if not (member.isreg() or member.isdir()):
                    raise DataError(f"{self.path} holds {member.name}, a link or device: refused")
                if member.isreg():
                    name = member.name.removeprefix("./")
                    file = archive.extractfile(member) if name in wanted else None
                    yield name, b"" if file is None else file.read()


class _Member(tarfile.TarInfo):
    """A member of a tar archive; notes before members are read whole, so they are small."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size > MOST_NOTES and not self.isreg():
            raise DataError(
                f"{archive.name} has a note of {self.size / 1e6:,.0f} MB on a file: refused"
            )
        return super()._proc_member(archive)  # type: ignore[misc]


class ZipArchive(_Archive):
    """The files in a zip archive.

    Raises:
        DataError: if the archive is missing or damaged, or holds a link or what would lie outside.
    """

    def __init__(self, path: Path, inside: str) -> None:
        super().__init__(path, inside)
        size = _Size(path)
        with _readable(path), zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                _check_inside(member.filename, path)
                size.add(member.filename, member.file_size)
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise DataError(f"{path} holds {member.filename}, a link: refused")
            self._names = set(archive.namelist())

    def read(self, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        with _readable(self.path), zipfile.ZipFile(self.path) as archive:
            for position, name in enumerate(names):
                yield position, archive.read(f"{self.inside}/{name}")


def _check_inside(name: str, where: Path) -> None:
    """Refuse a name that leads out of the folder or archive it belongs to."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{where}: {name!r} leads out of it: refused")


def check_md5(path: Path, md5: str, remedy: str) -> None:
    """Refuse a file whose md5 checksum (hex) is another one.

    Raises:
        DataError: if it is, or the file cannot be read; the sentence ends with ``remedy``.
    """
    actual = file_hash(path, "md5")
    if actual != md5:
        raise DataError(f"{path} is damaged or another file: md5 {actual}, not {md5}; {remedy}")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of every line of a UTF-8 file that is not empty.

    Raises:
        DataError: if the file cannot be read.
    """
    with _readable(path):
        text = decode(path.read_bytes(), str(path))
    for line, words in enumerate(io.StringIO(text, newline=None), start=1):
        if words := words.strip():
            yield line, words


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what reading a missing or damaged file raises into one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        reason = str(error).partition(":\n")[0]  # Before what each kind of archive would need.
        raise DataError(f"{path} is damaged or no such archive: {reason}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is packed in a way that cannot be read: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
