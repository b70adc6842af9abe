"""Which units are in work, so that two processes on one workspace do none of them twice.

A claim is a row with the process that made it. It is no lock: it blocks nobody from reading or
writing, and it counts only as long as that process runs.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence

import psutil

from harness.ledger.ledger import Ledger


class Claims:
    """The claims of this process on a ledger's units."""

    def __init__(self, ledger: Ledger) -> None:
        """Take the leases of this process on one ledger; use it from the ledger's thread."""
        self._ledger = ledger
        self._owner = owner_of(os.getpid())

    def take(self, units: Iterable[str]) -> set[str]:
        """Claim units; returns those that are this process's now.

        Args:
            units: Keys. Claims of processes that are gone are taken over.
        """
        wanted = list(units)
        with self._ledger.transaction():
            owners = self._ledger.get("claims", wanted)
            alive = {owner: is_alive(owner) for owner in set(owners.values()) - {self._owner}}
            free = [u for u in wanted if not alive.get(owners.get(u, ""), False)]
            self._ledger.remove("claims", [u for u in free if u in owners])
            self._ledger.put("claims", dict.fromkeys(free, self._owner))
        return set(free)

    def release(self, units: Sequence[str]) -> None:
        """Give units back, within a transaction of the caller's."""
        self._ledger.remove("claims", units)

    def release_all(self) -> None:
        """Give back whatever this process still has."""
        with self._ledger.transaction():
            self._ledger.remove_rows_of("claims", "owner", self._owner)


def owner_of(pid: int) -> str:
    """A process by number, start and machine, so that a number that is used again is another one.

    Raises:
        psutil.Error: If there is none such.
    """
    return f"{pid} {psutil.Process(pid).create_time():.2f} {platform.node()}"


def is_alive(owner: str) -> bool:
    """Whether the process still runs; one of another machine is taken to run."""
    pid, _, rest = owner.partition(" ")
    if rest.partition(" ")[2] != platform.node():
        return True
    try:
        return owner_of(int(pid)) == owner
    except psutil.Error:
        return False
