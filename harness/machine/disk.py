"""Faults of the surroundings, disks above all: no image's fault, and told in one line."""

from __future__ import annotations

import contextlib
import errno
import http.client
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.spec import UsageError

FULL = {errno.ENOSPC, errno.EDQUOT}
READ_ONLY = {errno.EROFS}
SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Open files or memory are used up."""
NO_MEMORY = ("allocate memory", "bad_alloc", "Failed to allocate", "can't start new thread")
"""What torch, OpenCV and the interpreter say where memory is used up, in errors of other kinds."""
PROBE_BYTES = 2**18
"""So little room is none."""


class WorkspaceError(UsageError):
    """The workspace cannot be written, which is no image's fault."""


def storage_error(error: BaseException, folders: Iterable[Path] = ()) -> str | None:
    """What is wrong with the disk and what to do; None for any other error.

    Args:
        error: Anything.
        folders: What is written into; those that are full are named where the error names none.
    """
    if isinstance(error, WorkspaceError):
        return str(error)
    text = str(error)
    if isinstance(error, OSError):
        is_full, is_read_only = error.errno in FULL, error.errno in READ_ONLY
        told = f"{error.strerror}: take fewer --workers, or raise the limit of this machine"
        other = told if error.errno in SCARCE else None
    elif isinstance(error, sqlite3.OperationalError) and "decode" not in text:
        is_full, is_read_only = "is full" in text, "readonly" in text
        other = next((said for words, said in _OF_DATABASES.items() if words in text), None)
    elif isinstance(error, sqlite3.DatabaseError):
        return f"a database of the workspace is damaged ({_line(error)}): use a fresh --workspace"
    else:
        return None
    # Of a copy the second is what was written.
    where = getattr(error, "filename2", None) or getattr(error, "filename", None)
    if is_full:
        where = where or ", ".join(map(str, _full(folders))) or "the workspace or the output"
        return (
            f"no room left on the disk of {where}: free some (gc WORKSPACE removes cached images) "
            "and repeat the command, which continues where it stopped"
        )
    if is_read_only:
        where = where or "the workspace"
        return f"{where} cannot be written: give a --workspace and --out on another disk"
    return other


_OF_DATABASES = {
    "locked": "another process has been writing into the workspace for long: try again later",
    "disk I/O error": "the workspace cannot be read or written (disk I/O error): is it there?",
    "unable to open": "the workspace cannot be opened: is it still there, and may it be written?",
}
"""What is said of SQLite's errors that hold some words."""


def surroundings_error(error: BaseException, folders: Iterable[Path] = ()) -> str | None:
    """One line about a fault of the surroundings: disk, memory, names, connections, archives.

    Args:
        error: Anything.
        folders: As those of `storage_error`.

    Returns:
        None for an error that is a fault of ours, and so needs to be seen where it happened.
    """
    said = storage_error(error, folders)
    if said is not None:
        return said
    if any(words in str(error) for words in NO_MEMORY):
        error = MemoryError()
    names = [str(n) for n in _names(error) if n is not None]
    where = f"{' and '.join(names)}: " if names else ""
    told = next((text for kinds, text in _SAID if isinstance(error, kinds)), None)
    return told and told.format(where=where, reason=_reason(error))


_SAID: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        sqlite3.OperationalError,
        "a database of the workspace cannot be used ({reason}): use a fresh --workspace",
    ),
    (BrokenPipeError, "the output was closed before all was written"),
    (OSError, "{where}{reason}"),
    (MemoryError, "not enough memory: take fewer --workers, or smaller images"),
    (UnicodeError, "a name or a text is no UTF-8 ({reason}): rename the file, or save it anew"),
    (http.client.HTTPException, "the server's answer cannot be read ({reason})"),
    ((zipfile.BadZipFile, zlib.error, EOFError), "a damaged archive or file ({reason})"),
)
"""What is said of each kind of fault, the first that fits."""


def _names(error: BaseException) -> tuple[object, ...]:
    """The files that an error of the system names."""
    return (error.filename, error.filename2) if isinstance(error, OSError) else ()


def require_writable(folder: Path, flag: str) -> None:
    """Refuse a folder that cannot be written, or not be made; nothing is left there.

    Args:
        folder: It need not be there yet.
        flag: What names it on the command line.

    Raises:
        UsageError: With the system's reason.
    """
    with _refused(folder, flag):
        with contextlib.suppress(FileNotFoundError):
            folder.stat()
        if folder.is_symlink() and not folder.exists():
            raise FileNotFoundError(errno.ENOENT, "a link to what is not there")
        _probe(_nearest(folder), 1)


def require_writable_file(file: Path, flag: str) -> None:
    """Refuse a file that cannot be written; nothing is left there.

    Raises:
        UsageError: With the system's reason.
    """
    with _refused(file, flag):
        if file.exists():
            with file.open("ab"):
                return
        if not file.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{file.parent} is no folder")
        require_writable(file, flag)


@contextlib.contextmanager
def _refused(path: Path, flag: str) -> Iterator[None]:
    """An `OSError` inside as the user's mistake."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{flag} {path} cannot be written: {_reason(error)}") from error


def _full(folders: Iterable[Path]) -> list[Path]:
    """Those of some folders in which there is no room."""
    found = []
    for folder in dict.fromkeys(folders):
        try:
            _probe(_nearest(folder), PROBE_BYTES)
        except OSError as error:
            if error.errno in FULL:
                found.append(folder)
    return found


def _nearest(folder: Path) -> Path:
    """The folder itself or the first above it that is there."""
    return next(f for f in (folder, *folder.absolute().parents) if f.exists())


def _probe(folder: Path, size_bytes: int) -> None:
    """Write a file without a name."""
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder")
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(size_bytes))
        file.flush()


def _reason(error: BaseException) -> str:
    """What the system says."""
    return getattr(error, "strerror", None) or _line(error) or type(error).__name__


def _line(error: BaseException) -> str:
    """The beginning of what an error says."""
    return " ".join(str(error).split())[:100]


def message(error: BaseException) -> str:
    """One line about an error, without a path of this machine."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
