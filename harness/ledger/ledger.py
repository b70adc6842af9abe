"""The ledger: one SQLite file that is the truth of a workspace, and images beside it as a cache.

Evidence, image digests, replicates and finished runs are rows under their keys; one transaction per
finished unit, so a killed process loses at most the units it was computing.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets.marked import mark
from harness.ledger.database import open_shared
from harness.spec import UsageError

SCHEMA = 2
"""Raised whenever older ledgers cannot be read."""

_TABLES = """
CREATE TABLE IF NOT EXISTS images (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replicates (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timings (key TEXT PRIMARY KEY, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tiles (key TEXT PRIMARY KEY, side_px INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS doubts (key TEXT PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS probes (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    digest TEXT PRIMARY KEY, finished TEXT NOT NULL, results TEXT NOT NULL, arrays BLOB NOT NULL,
    gallery TEXT NOT NULL
) WITHOUT ROWID;
"""
STORED = ("images", "evidence", "timings", "tiles", "pictures")
"""Tables that a finished unit writes."""


class Ledger:
    """One workspace's ledger; use from one thread."""

    def __init__(self, workspace: Path, read_only: bool = False) -> None:
        """Open it, or make it unless it is only to be read.

        Raises:
            UsageError: If the folder cannot be used or the file is no ledger of this version.
        """
        self.workspace = workspace
        file = workspace / "ledger.sqlite"
        try:
            if read_only:
                self._db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
            else:
                workspace.mkdir(parents=True, exist_ok=True)
                mark(workspace)
                self._db = open_shared(file)
            # A ledger from elsewhere shall not run functions of its own schema.
            self._db.execute("PRAGMA trusted_schema=OFF")
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found != SCHEMA and (found or read_only):
                raise UsageError(
                    f"{workspace}: ledger of version {found}, this harness needs {SCHEMA}: "
                    "choose another workspace"
                )
            if not read_only:
                self._db.executescript(_TABLES)
                self._db.execute(f"PRAGMA user_version={SCHEMA}")
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"workspace {workspace} cannot be used: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put(self, table: str, rows: Mapping[str, Any]) -> None:
        """Add rows by key; what is there already stays."""
        self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", rows.items())

    def get(self, table: str, keys: Iterable[str]) -> dict[str, Any]:
        """Rows by key; absent ones are left out."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Any] = {}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            found.update(
                self._db.execute(f"SELECT * FROM {table} WHERE key IN ({marks})", part).fetchall()
            )
        return found

    def has(self, table: str, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are there, without reading their rows."""
        wanted = list(dict.fromkeys(keys))
        found: set[str] = set()
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(f"SELECT key FROM {table} WHERE key IN ({marks})", part)
            found.update(row[0] for row in rows)
        return found

    def holds(self, table: str) -> bool:
        """Whether there is such a table; ledgers of older versions that are only read lack some."""
        asked = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self._db.execute(asked, (table,)).fetchone() is not None

    def rows(self, table: str, at_once: int = 1000) -> Iterator[dict[str, Any]]:
        """All rows of a table by key, in parts."""
        cursor = self._db.execute(f"SELECT * FROM {table}")
        while part := cursor.fetchmany(at_once):
            yield dict(part)

    def remove(self, table: str, keys: Iterable[str]) -> None:
        """Remove rows by key."""
        self._db.executemany(f"DELETE FROM {table} WHERE key = ?", [(key,) for key in keys])

    def remove_rows_of(self, table: str, column: str, value: str) -> None:
        """Remove the rows that have a value in a column."""
        self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,))

    def version_of_others(self) -> int:
        """A number that changes whenever another process writes into the ledger."""
        version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return version

    def save_run(
        self, digest: str, finished: str, results: str, arrays: bytes, gallery: str
    ) -> None:
        """Keep a finished run's results, so that reports can be made again."""
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)",
                (digest, finished, results, arrays, gallery),
            )

    def load_run(self, digest: str | None) -> tuple[str, bytes, str]:
        """Results, arrays and gallery of the run whose digest begins so; None = the latest.

        Raises:
            UsageError: If there is none, or several begin so.
        """
        rows = self._db.execute(
            "SELECT digest, results, arrays, gallery FROM runs WHERE substr(digest, 1, ?) = ? "
            "ORDER BY finished DESC",
            (len(digest or ""), digest or ""),
        ).fetchall()
        if not rows:
            raise UsageError(
                f"no finished run {digest or ''} in {self.workspace}".replace("  ", " ")
            )
        if digest and len(rows) > 1:
            raise UsageError(
                f"several runs begin with {digest}: {', '.join(r[0][:12] for r in rows)}"
            )
        return rows[0][1], rows[0][2], rows[0][3]

    def digests(self) -> list[str]:
        """The digests of all finished runs, newest first."""
        rows = self._db.execute("SELECT digest FROM runs ORDER BY finished DESC").fetchall()
        return [row[0] for row in rows]


def opened(workspace: Path) -> Ledger:
    """A workspace's ledger, to be read alone.

    Raises:
        UsageError: If there is none.
    """
    if not (workspace / "ledger.sqlite").is_file():
        raise UsageError(f"{workspace}: no ledger there: give the --workspace of a run")
    return Ledger(workspace, read_only=True)
