"""Which units are in work, so that two processes on one workspace do none of them twice.

A claim is a row with the process that made it. It is no lock: it blocks nobody from reading or
writing, and it ends with its process. Whether a process of another machine still runs nobody here
can see, so each shows that it does by a number that it raises every `BEAT_S`: who waits takes a
claim over once that number has stood still for `LEASE_S` by a clock of the waiter's own, which
nobody sets.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from harness.ledger.database import WAIT_S
from harness.ledger.ledger import LEDGER, Ledger

BEAT_S = 10.0
"""Between two signs of life."""
LEASE_S = 60.0
"""So long a claim lasts without one."""

_BEAT = "INSERT INTO beats VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET beat = beat + 1"


class Claims:
    """The claims of this process on a ledger's units."""

    def __init__(self, ledger: Ledger) -> None:
        """Take the leases of this process on one ledger; use it from the ledger's thread."""
        self._ledger = ledger
        self._owner = owner_of(os.getpid())
        self._seen: dict[str, tuple[int | None, float]] = {}
        """The last sign of life of other owners, and when it was first seen."""
        self._heart: _Heart | None = None
        self.others: dict[str, float] = {}
        """Who refused units to the last `take`, and in how many seconds they end without a sign."""

    def take(self, units: Iterable[str]) -> set[str]:
        """Claim units; returns those that are this process's now.

        Args:
            units: Keys. Claims of processes that are gone are taken over.
        """
        wanted = list(units)
        if self._heart is None:
            self._heart = _Heart(self._ledger.workspace / LEDGER, self._owner)
        with self._ledger.transaction():
            owners = {u: str(o) for u, o in self._ledger.get("claims", wanted).items()}
            left = self._left_s(set(owners.values()) - {self._owner})
            self.others = {owner: seconds for owner, seconds in left.items() if seconds > 0}
            free = [u for u in wanted if owners.get(u) not in self.others]
            self._ledger.remove("claims", [u for u in free if u in owners])
            self._ledger.put("claims", dict.fromkeys(free, self._owner))
        return set(free)

    def release(self, units: Sequence[str]) -> None:
        """Give units back, within a transaction of the caller's."""
        self._ledger.remove_claims(self._owner, units)

    def release_all(self) -> None:
        """Give back whatever this process still has, and show no more signs of life."""
        if self._heart is not None:
            self._heart.stop()
            self._heart = None
        with self._ledger.transaction():
            self._ledger.remove_claims(self._owner)

    def _left_s(self, owners: set[str]) -> dict[str, float]:
        """In how many seconds the claims of some owners end; 0 where they have."""
        beats, now = self._ledger.get("beats", owners), time.monotonic()
        left = {}
        for owner in owners:
            beat = beats.get(owner)
            before, since = self._seen.get(owner, (None, now))
            if owner not in self._seen or beat != before:
                self._seen[owner], since = (beat, now), now
            left[owner] = max(0.0, LEASE_S - (now - since)) if is_alive(owner) else 0.0
        return left


class _Heart:
    """Raises the number of this process every `BEAT_S`, whatever its other threads do."""

    def __init__(self, file: Path, owner: str) -> None:
        self._file, self._owner = file, owner
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a disk that is busy."""
        self._ended.set()
        self._thread.join(timeout=1)

    def _beat(self) -> None:
        while True:
            # A disk that is full now may have room at the next beat.
            with (
                contextlib.suppress(sqlite3.Error, OSError),
                contextlib.closing(self._opened()) as db,
            ):
                while not self._ended.is_set():
                    db.execute(_BEAT, (self._owner,))
                    self._ended.wait(BEAT_S)
            if self._ended.wait(BEAT_S):
                return

    def _opened(self) -> sqlite3.Connection:
        """A connection of the thread's own, to a file that must be there."""
        address = f"{self._file.resolve().as_uri()}?mode=rw"
        return sqlite3.connect(address, uri=True, timeout=WAIT_S, isolation_level=None)


def owner_of(pid: int) -> str:
    """A process by number, start and machine, so that a number that is used again is another one.

    Raises:
        psutil.Error: If there is none such.
    """
    return f"{pid} {_started(pid)} {platform.node()}"


def in_words(owner: str) -> str:
    """An owner as a person would name it."""
    pid, _, rest = owner.partition(" ")
    named = f"process {pid} of {rest.partition(' ')[2]}"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in named)


def is_alive(owner: str) -> bool:
    """Whether the process still runs; one of another machine is taken to run."""
    pid, _, rest = owner.partition(" ")
    if rest.partition(" ")[2] != platform.node():
        return True
    try:
        return owner_of(int(pid)) == owner
    except (psutil.Error, ValueError):
        return False


def _started(pid: int) -> str:
    """When a process started, by a clock that nobody sets where the system tells: Linux does."""
    with contextlib.suppress(OSError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[19]  # clock ticks since the machine's start
    return f"{psutil.Process(pid).create_time():.2f}"
