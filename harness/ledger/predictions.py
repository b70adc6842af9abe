"""Predictions of one cell in a file that may be deleted."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from harness.ledger.database import open_shared
from harness.spec import UsageError


class Kept(Protocol):
    """Predictions under their keys; `Predictions` is one."""

    def get(self, key: str) -> bytes | None:
        """One prediction, None if it is not there."""
        ...


def _require_ours(db: sqlite3.Connection) -> None:
    """Refuse what a file from elsewhere may hold beside predictions: views, triggers, tables."""
    for kind, name in db.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL"):
        if (kind, name) != ("table", "predictions"):
            raise UsageError(
                f"the workspace's predictions hold {name!r}, which is none of the harness: "
                "remove its folder predictions"
            )


class Predictions:
    """Predictions of one cell in a file that may be deleted; used by several threads."""

    def __init__(self, workspace: Path, cell: str) -> None:
        """Open ``workspace/predictions/<cell>.sqlite``."""
        file = self.file(workspace, cell)
        file.parent.mkdir(exist_ok=True)  # where the workspace is gone, the run ends
        self._lock = threading.Lock()
        self._db = open_shared(file, _require_ours, check_same_thread=False)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS predictions (key TEXT PRIMARY KEY, data BLOB NOT NULL)"
        )

    @staticmethod
    def file(workspace: Path, cell: str) -> Path:
        """Where a cell's predictions are kept, once there are any."""
        return workspace / "predictions" / f"{cell}.sqlite"

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


class PredictionFiles:
    """Predictions of the cells of a run, each opened when first needed; for several threads."""

    def __init__(self, workspace: Path, cells: Sequence[str]) -> None:
        """Take the cells' names."""
        self._workspace, self._cells = workspace, cells
        self._lock = threading.Lock()
        self._opened: dict[int, Predictions] = {}

    def of(self, place: int) -> Predictions:
        """Those of the cell at a place."""
        with self._lock:
            if place not in self._opened:
                self._opened[place] = Predictions(self._workspace, self._cells[place])
            return self._opened[place]

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            for opened in self._opened.values():
                opened.close()
