"""Where raw files lie: a folder, a tar archive or a zip archive, read by name, never extracted.

The names that a data set wants are only compared with the names in an archive, so whatever an
archive holds, nothing of it is written to disk and nothing outside it is read. All the same an
archive with a link, a device or a path that leads out of it is refused: whoever packed it meant
no good, or somebody will unpack it one day.
"""

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


class Source(Protocol):
    """Files by name; a name is a relative path with forward slashes."""

    def locate(self, name: str) -> str:
        """Return where the file is, or would be, for messages."""

    def __contains__(self, name: str) -> bool: ...

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
        with _readable(self.path), tarfile.open(self.path) as archive:
            while (member := archive.next()) is not None:
                # Else the archive object remembers every member that it has passed.
                archive.members.clear()
                _check_inside(member.name, self.path)
                if not (member.isreg() or member.isdir()):
                    raise DataError(f"{self.path} holds {member.name}, a link or device: refused")
                if member.isreg():
                    name = member.name.removeprefix("./")
                    file = archive.extractfile(member) if name in wanted else None
                    yield name, b"" if file is None else file.read()


class ZipArchive(_Archive):
    """The files in a zip archive.

    Args:
        path: the archive.
        inside: folder inside the archive that names are relative to.

    Raises:
        DataError: if the archive is missing or damaged, or holds a link or what would lie outside.
    """

    def __init__(self, path: Path, inside: str) -> None:
        super().__init__(path, inside)
        with _readable(path), zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                _check_inside(member.filename, path)
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
    try:
        with path.open(encoding="utf-8") as file:
            for line, text in enumerate(file, start=1):
                if text := text.strip():
                    yield line, text
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


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
