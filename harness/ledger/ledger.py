"""The ledger: one SQLite file that is the truth of a workspace, and images beside it as a cache.

Evidence, image digests, replicates and finished runs are rows under their keys; one transaction per
finished unit, so a killed process loses at most the units it was computing.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from harness.spec import UsageError

if TYPE_CHECKING:
    from reports.results.record import Results

SCHEMA = 2
"""Raised whenever older ledgers cannot be read."""

_TABLES = """
CREATE TABLE IF NOT EXISTS images (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replicates (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timings (key TEXT PRIMARY KEY, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tiles (key TEXT PRIMARY KEY, side_px INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS doubts (key TEXT PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    digest TEXT PRIMARY KEY, finished TEXT NOT NULL, results TEXT NOT NULL, arrays BLOB NOT NULL,
    gallery TEXT NOT NULL
) WITHOUT ROWID;
"""
WAIT_S = 60.0
"""For another process that is writing."""
STORED = ("images", "evidence", "timings", "tiles", "pictures")
"""Tables that a finished unit writes."""


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays as compressed bytes, without pickle."""
    items = [(name, np.asarray(a, order="C")) for name, a in arrays.items()]
    head = json.dumps([[name, a.dtype.str, a.shape] for name, a in items]).encode()
    return zlib.compress(head + b"\n" + b"".join(a.tobytes() for _, a in items))


class DamagedError(UsageError):
    """A row that is not what was written."""

    def __init__(self, where: str = "the ledger") -> None:
        super().__init__(f"{where} is damaged: use a fresh --workspace")


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `pack` packed, read-only.

    Raises:
        DamagedError: If they are not.
    """
    try:
        head, _, body = zlib.decompress(data).partition(b"\n")
        arrays, start = {}, 0
        for name, kind, shape in json.loads(head):
            dtype = np.dtype(kind)
            count = int(np.prod(shape, dtype=np.int64))
            arrays[name] = np.frombuffer(body, dtype, count, start).reshape(shape)
            start += count * dtype.itemsize
        return arrays
    except (zlib.error, ValueError, TypeError, RecursionError) as error:
        raise DamagedError from error


def _shared(file: Path, check_same_thread: bool = True) -> sqlite3.Connection:
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
                self._db = _shared(file)
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
        """Of all finished runs, newest first."""
        rows = self._db.execute("SELECT digest FROM runs ORDER BY finished DESC").fetchall()
        return [row[0] for row in rows]


class Images(Protocol):
    """Derained images under their keys, as PNG; `ImageCache` is one."""

    def read(self, key: str) -> bytes | None:
        """One image, None if it is not there."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Keep one."""
        ...


class Kept(Protocol):
    """Predictions under their keys; `Predictions` is one."""

    def get(self, key: str) -> bytes | None:
        """One prediction, None if it is not there."""
        ...


class Predictions:
    """Predictions of one cell in a file that may be deleted; used by several threads."""

    def __init__(self, workspace: Path, cell: str) -> None:
        """Open ``workspace/predictions/<cell>.sqlite``."""
        folder = workspace / "predictions"
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = _shared(folder / f"{cell}.sqlite", check_same_thread=False)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS predictions (key TEXT PRIMARY KEY, data BLOB NOT NULL)"
        )

    def get(self, key: str) -> bytes | None:
        """One prediction, None if it is not there."""
        with self._lock:
            row = self._db.execute("SELECT data FROM predictions WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def has(self, key: str) -> bool:
        """Whether a prediction is there."""
        with self._lock:
            row = self._db.execute("SELECT 1 FROM predictions WHERE key = ?", (key,)).fetchone()
        return row is not None

    def put(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Add predictions; what is there already stays."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO predictions VALUES (?, ?)", rows)
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


class ImageCache:
    """Restored images as PNG files under their key; any of them may vanish at any time."""

    def __init__(self, workspace: Path) -> None:
        """Use ``workspace/images``."""
        self._folder = workspace / "images"

    def path(self, key: str) -> Path:
        """Where an image lies, from its key alone."""
        return self._folder / key[:2] / f"{key}.png"

    def read(self, key: str) -> bytes | None:
        """The file's bytes, None if it is not there."""
        try:
            return self.path(key).read_bytes()
        except OSError:
            return None

    def write(self, key: str, data: bytes) -> None:
        """Write to a temporary name and rename."""
        path = self.path(key)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_bytes(data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
        temporary.replace(path)

    def trim(self, gigabytes: float) -> None:
        """Remove the oldest files until the rest fits, and what killed processes left half done."""
        if not self._folder.is_dir():
            return
        for file in self._folder.rglob("*.tmp"):
            owner = file.stem.rpartition(".")[2]
            if not owner.isdecimal() or not psutil.pid_exists(int(owner)):
                file.unlink(missing_ok=True)
        files = [(f.stat().st_mtime, f.stat().st_size, f) for f in self._folder.rglob("*.png")]
        room = gigabytes * 1e9
        for _, size, file in sorted(files, key=lambda entry: entry[0], reverse=True):
            room -= size
            if room < 0:
                file.unlink(missing_ok=True)


def finished_runs(workspaces: Sequence[Path], begins: str = "") -> list[Results]:
    """The runs of some workspaces whose digest begins so, newest first within each.

    Raises:
        UsageError: If a workspace holds no ledger.
    """
    found = []
    for workspace in workspaces:
        ledger = opened(workspace)
        try:
            digests = [digest for digest in ledger.digests() if digest.startswith(begins)]
        finally:
            ledger.close()
        found += [load_results(workspace, digest) for digest in digests]
    return found


def opened(workspace: Path) -> Ledger:
    """A workspace's ledger, to be read alone.

    Raises:
        UsageError: If there is none.
    """
    if not (workspace / "ledger.sqlite").is_file():
        raise UsageError(f"{workspace}: no ledger there: give the --workspace of a run")
    return Ledger(workspace, read_only=True)


def load_results(workspace: Path, digest: str | None) -> Results:
    """A finished run of a workspace: the latest, or the one whose digest begins so.

    Raises:
        UsageError: If the workspace holds no such run, or a damaged one.
    """
    from reports.results.record import GalleryItem, parse

    ledger = opened(workspace)
    try:
        text, data, shown = ledger.load_run(digest)
        keys = json.loads(shown)
        rows = ledger.get("pictures", [about[-1] for about in keys])
        gallery = [GalleryItem.of(about, rows[about[-1]]) for about in keys if about[-1] in rows]
        return parse(text, unpack(data), gallery)
    except UsageError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise DamagedError(f"the ledger of {workspace}") from error
    finally:
        ledger.close()
