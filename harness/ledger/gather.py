"""Ledgers of several workspaces in one: what parts of a run found, each on a machine of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from harness.ledger.ledger import STORED, Ledger, opened
from harness.ledger.probes import require_alike
from harness.spec import UsageError


def gather(workspaces: Sequence[Path], into: Path) -> int:
    """Copy what finished units left in some ledgers into another; what is there already stays.

    Args:
        workspaces: Of runs, such as those of ``--shard 0/4`` to ``3/4``.
        into: The workspace to add to; made where it is absent.

    Returns:
        The number of rows that were new.

    Raises:
        UsageError: If a workspace holds no ledger, or is the one to add to, or a user's own code
            gave other images in one than in another.
    """
    if into.resolve() in [workspace.resolve() for workspace in workspaces]:
        raise UsageError(f"--workspace {into}: it is one of those to gather from")
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(contextlib.closing(opened(w))) for w in workspaces]
        ledger = stack.enter_context(contextlib.closing(Ledger(into)))
        _require_alike(sources, ledger)
        new = 0
        for source in sources:
            for table in filter(source.holds, (*STORED, "doubts", "probes")):
                for rows in source.rows(table):
                    new += len(rows.keys() - ledger.has(table, rows))
                    with ledger.transaction():
                        ledger.put(table, rows)
    return new


def _require_alike(sources: Sequence[Ledger], ledger: Ledger) -> None:
    """Refuse ledgers of one code that gave other images, before a row of theirs is copied."""
    known: dict[str, bytes] = {}
    for source in sources:
        for rows in source.rows("probes") if source.holds("probes") else ():
            require_alike(rows, ledger.get("probes", rows) | known)
            known |= rows
