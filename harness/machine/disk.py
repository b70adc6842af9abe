"""Errors of the disk, which are no image's fault and end a run at once."""

from __future__ import annotations

import errno
import sqlite3

FULL = {errno.ENOSPC, errno.EDQUOT}
READ_ONLY = {errno.EROFS}


def storage_error(error: BaseException) -> str | None:
    """What is wrong with the disk and what to do; None for any other error."""
    if isinstance(error, OSError):
        is_full, is_read_only = error.errno in FULL, error.errno in READ_ONLY
    elif isinstance(error, sqlite3.OperationalError) and "decode" not in str(error):
        text = str(error)
        is_full, is_read_only = "is full" in text, "readonly" in text
    elif isinstance(error, sqlite3.DatabaseError):
        return f"a database of the workspace is damaged ({_line(error)}): use a fresh --workspace"
    else:
        return None
    where = getattr(error, "filename", None) or "the workspace"
    if is_full:
        return (
            f"no room left on the disk of {where}: free some (gc WORKSPACE removes cached images) "
            "and repeat the command, which continues where it stopped"
        )
    if is_read_only:
        return f"{where} cannot be written: give a --workspace and --out on another disk"
    return None


def _line(error: Exception) -> str:
    """The beginning of what an error says."""
    return " ".join(str(error).split())[:100]


def message(error: BaseException) -> str:
    """One line about an error, without a path of this machine."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
