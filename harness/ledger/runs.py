"""Finished runs of a workspace."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.ledger.ledger import opened
from harness.ledger.packed import DamagedError, unpack
from harness.plan.rows import with_rows
from harness.spec import UsageError
from reports.results.cell import Condition
from reports.results.gallery import GalleryItem
from reports.results.written import parse

if TYPE_CHECKING:
    from reports.results.results import Results

BEYOND = (ArithmeticError, RecursionError)
"""Numbers and nestings that go beyond what there can be."""


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


def load_results(workspace: Path, digest: str | None) -> Results:
    """A finished run of a workspace: the latest, or the one whose digest begins so.

    Raises:
        UsageError: If the workspace holds no such run, or a damaged one.
    """
    ledger = opened(workspace)
    try:
        text, data, shown = ledger.load_run(digest)
        pictured = json.loads(shown)
        rows = ledger.get("pictures", [about[-1] for about in pictured])

        def gallery(condition: Callable[[str, str], Condition]) -> list[GalleryItem]:
            return [
                GalleryItem.of(sample, why, condition(rain, name), key, rows[key])
                for sample, why, rain, name, key in pictured
                if key in rows
            ]

        return with_rows(parse(text, unpack(data), gallery))
    except UsageError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, *BEYOND) as error:
        raise DamagedError(f"the ledger of {workspace}") from error
    finally:
        ledger.close()
