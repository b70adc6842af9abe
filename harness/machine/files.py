"""Files that others made, read as far as they may go."""

from __future__ import annotations

from pathlib import Path

from harness.spec import UsageError


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
