"""Files that others made, read as far as they may go, or that others may remove."""

from __future__ import annotations

import contextlib
import stat
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from harness.spec import UsageError

LEFT_S = 3600.0
"""What nobody has written into for so long was left by a process that was killed: of one on another
machine nobody here can see whether it runs."""


class Found(NamedTuple):
    """A file that was there when it was looked at."""

    written: float
    """When, in seconds since 1970."""
    size: int
    path: Path


def found(folder: Path, pattern: str) -> list[Found]:
    """The files below a folder; those that vanish while it looks are left out, and so are links."""
    files = []
    for path in folder.rglob(pattern):
        with contextlib.suppress(FileNotFoundError):
            about = path.lstat()
            if stat.S_ISREG(about.st_mode):
                files.append(Found(about.st_mtime, about.st_size, path))
    return files


def aside(file: Path, ending: str) -> Path:
    """A name beside a file for what is not the file yet, which no other process takes."""
    return file.with_name(f"{file.name}.{uuid.uuid4().hex}.{ending}")


def remove_left(folder: Path, pattern: str) -> None:
    """Remove what killed processes left half done in a folder and below, see `LEFT_S`."""
    now = time.time()
    for file in found(folder, pattern):
        if file.written < now - LEFT_S:
            file.path.unlink(missing_ok=True)


def read_bounded(file: Path, most: int) -> bytes:
    """A file's bytes.

    Raises:
        UsageError: If they are more than ``most``; no more are read.
        OSError: If it cannot be read.
    """
    with file.open("rb") as opened:
        data = opened.read(most + 1)
    if len(data) > most:
        raise UsageError(f"{file}: more than {most:,} bytes: no such file is that large")
    return data
