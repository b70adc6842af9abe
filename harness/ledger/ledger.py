"""The ledger: one SQLite file that is the truth of a workspace, and images beside it as a cache.

Evidence, image digests, replicates and finished runs are rows under their keys; one transaction per
finished unit, so a killed process loses at most the units it was computing.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets.marked import mark, why_not
from harness.ledger.database import open_shared, open_to_read
from harness.ledger.packed import DamagedError
from harness.spec import UsageError

SCHEMA = 2
"""Raised whenever older ledgers cannot be read."""

_TABLES = """
CREATE TABLE IF NOT EXISTS images (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replicates (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timings (key TEXT PRIMARY KEY, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tiles (key TEXT PRIMARY KEY, side_px INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workers (key TEXT PRIMARY KEY, at_once INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS doubts (key TEXT PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS probes (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS beats (key TEXT PRIMARY KEY, beat INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    digest TEXT PRIMARY KEY, finished TEXT NOT NULL, results TEXT NOT NULL, arrays BLOB NOT NULL,
    gallery TEXT NOT NULL
) WITHOUT ROWID;
"""
LEDGER = "ledger.sqlite"
"""Name of the file in a workspace."""
STORED = ("images", "evidence", "timings", "workers", "tiles", "pictures")
"""Tables that a finished unit writes."""


class Ledger:
    """One workspace's ledger; use from one thread."""

    def __init__(self, workspace: Path, read_only: bool = False) -> None:
        """Open it, or make it unless it is only to be read.

        Raises:
            UsageError: If the folder cannot be used or the file is no ledger of this version.
        """
        self.workspace = workspace
        self._file = workspace / LEDGER
        try:
            if read_only:
                self._db = open_to_read(self._file, self._require_ours)
            else:
                if not self._file.exists() and (said := why_not(workspace)):
                    raise UsageError(f"--workspace {said}")
                workspace.mkdir(parents=True, exist_ok=True)
                mark(workspace)
                self._db = open_shared(self._file, self._require_ours_or_new)
                self._db.executescript(_TABLES)
                self._db.execute(f"PRAGMA user_version={SCHEMA}")
            self._is = _identity(self._file)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"workspace {workspace} cannot be used: {error}") from error

    def _require_ours_or_new(self, db: sqlite3.Connection) -> None:
        """Refuse what is neither a ledger nor empty; one that a kill left half made has no version.

        Raises:
            UsageError: If it is another database, which is then left as it is.
        """
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            self._require_tables(db)
        else:
            self._require_ours(db)

    def _require_ours(self, db: sqlite3.Connection) -> None:
        """Refuse what is no ledger of this version."""
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found != SCHEMA:
            raise UsageError(
                f"{self.workspace}: ledger of version {found}, this harness needs {SCHEMA}: "
                "choose another workspace"
            )
        self._require_tables(db)

    def _require_tables(self, db: sqlite3.Connection) -> None:
        """Refuse tables that are none of a ledger's, views and triggers."""
        found, ours = _tables(db), _ours()
        other = next((name for name in found if found[name] != ours.get(name)), None)
        if other is not None:
            raise UsageError(
                f"{self.workspace}: {LEDGER} is no ledger of this harness (it holds {other!r}): "
                "choose another workspace"
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing.

        Raises:
            UsageError: If the file is no longer there: what is written into it would be lost.
        """
        if _identity(self._file) != self._is:
            raise UsageError(
                f"{self.workspace}: the workspace was removed or replaced while it was written "
                "into: repeat the command"
            )
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # a full disk has ended it
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

    def all(self, table: str, keys: Iterable[str]) -> dict[str, Any]:
        """Rows by key, of which none is absent: a run that needs them has written them.

        Raises:
            DamagedError: If one is.
        """
        wanted = set(keys)
        found = self.get(table, wanted)
        if wanted - found.keys():
            raise DamagedError(f"the ledger of {self.workspace}")
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

    def remove_claims(self, owner: str, units: Iterable[str] | None = None) -> None:
        """Remove an owner's claims on units; on all, with the beats of those who claim no more."""
        if units is None:
            self._db.execute("DELETE FROM claims WHERE owner = ?", (owner,))
            self._db.execute("DELETE FROM beats WHERE key NOT IN (SELECT owner FROM claims)")
            return
        rows = [(unit, owner) for unit in units]
        self._db.executemany("DELETE FROM claims WHERE key = ? AND owner = ?", rows)

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
        """The digests of all finished runs, newest first.

        Raises:
            DamagedError: If one is no text.
        """
        rows = self._db.execute("SELECT digest FROM runs ORDER BY finished DESC").fetchall()
        if not all(isinstance(row[0], str) for row in rows):
            raise DamagedError(f"the ledger of {self.workspace}")
        return [row[0] for row in rows]


def _identity(file: Path) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None where it is gone."""
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _tables(db: sqlite3.Connection) -> dict[str, Any]:
    """All that a database holds but SQLite's own: the columns of tables, the kind of the rest."""
    held = db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {
        str(name): db.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
        if kind == "table"
        else kind
        for kind, name, sql in held
        if sql is not None and not str(name).startswith("sqlite_stat")
    }


@functools.cache
def _ours() -> dict[str, Any]:
    """The tables of a ledger."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_TABLES)
        return _tables(db)


def opened(workspace: Path) -> Ledger:
    """A workspace's ledger, to be read alone.

    Raises:
        UsageError: If there is none.
    """
    if not (workspace / LEDGER).is_file():
        raise UsageError(f"{workspace}: no ledger there: give the --workspace of a run")
    return Ledger(workspace, read_only=True)
