"""SQLite files that several processes write into, or that are only read."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

WAIT_S = 60.0
"""For another process that is writing."""
LARGEST_ROW_BYTES = 2**29
"""Longer rows are refused before they are read."""

Check = Callable[[sqlite3.Connection], None]
"""Looks at a database before anything is written into it, and raises where it is not ours."""


def open_shared(
    file: Path, check: Check = lambda _: None, check_same_thread: bool = True
) -> sqlite3.Connection:
    """Open a database that several processes write into."""
    db = sqlite3.connect(
        file, timeout=WAIT_S, isolation_level=None, check_same_thread=check_same_thread
    )
    began = time.monotonic()
    while True:
        try:
            _bound(db)
            check(db)
            db.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # Who sets it while another does is refused at once, whatever the timeout.
            if "locked" not in str(error) or time.monotonic() - began > WAIT_S:
                db.close()
                raise
            time.sleep(0.05)
        except BaseException:
            db.close()
            raise
    # In this mode it survives kills all the same, and no unit waits for the disk.
    db.execute("PRAGMA synchronous=NORMAL")
    return db


def open_to_read(file: Path, check: Check) -> sqlite3.Connection:
    """Open a database that is only read, also where nothing can be written beside it."""
    db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=WAIT_S)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        if "unable to open" not in str(error) and "readonly" not in str(error):
            raise
        db = _on_a_disk_that_takes_nothing(file)
    try:
        _bound(db)
        check(db)
    except BaseException:
        db.close()
        raise
    return db


def _on_a_disk_that_takes_nothing(file: Path) -> sqlite3.Connection:
    """Open a database in whose folder SQLite can make no index of its write-ahead log."""
    log = file.with_name(f"{file.name}-wal")
    if not _size(log):
        return sqlite3.connect(f"{file.resolve().as_uri()}?immutable=1", uri=True)
    # What a killed process left in the log belongs to the database: a copy takes it up.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / file.name
        shutil.copyfile(file, copy)
        try:
            shutil.copyfile(log, copy.with_name(log.name))
        except FileNotFoundError:  # another process has just put it into the database
            return _on_a_disk_that_takes_nothing(file)
        db = sqlite3.connect(copy)
        db.execute("PRAGMA journal_mode=DELETE")
    return db


def _size(file: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _bound(db: sqlite3.Connection) -> None:
    """Take no long row, and run no function that the schema of a file from elsewhere names."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_ROW_BYTES)
    db.execute("PRAGMA trusted_schema=OFF")
