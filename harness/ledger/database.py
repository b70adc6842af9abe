"""SQLite files that several processes write into."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

WAIT_S = 60.0
"""For another process that is writing."""


def open_shared(file: Path, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open a database that several processes write into."""
    db = sqlite3.connect(
        file, timeout=WAIT_S, isolation_level=None, check_same_thread=check_same_thread
    )
    began = time.monotonic()
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # Who sets it while another does is refused at once, whatever the timeout.
            if "locked" not in str(error) or time.monotonic() - began > WAIT_S:
                db.close()
                raise
            time.sleep(0.05)
    # In this mode it survives kills all the same, and no unit waits for the disk.
    db.execute("PRAGMA synchronous=NORMAL")
    return db
