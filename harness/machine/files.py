"""Files that others made, read as far as they may go, or that others may remove."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import NamedTuple

from harness.spec import UsageError


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
