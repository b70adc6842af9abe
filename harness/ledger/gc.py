"""Room in a workspace: cached images and predictions go, evidence stays."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from harness.ledger.ledger import LEDGER
from harness.machine.files import found
from harness.spec import UsageError

DAY_S = 86400.0


@dataclass(frozen=True)
class Freed:
    """What was removed."""

    files: int
    freed_bytes: int
    kept_bytes: int
    """Images and predictions that are still there."""


def free(workspace: Path, keep_gb: float = 0.0, older_than_days: float = 0.0) -> Freed:
    """Remove derained images and predictions, the oldest first, until the rest fits.

    A later run computes again what it needs of them, where the hardware gives the same images;
    records, resamples and pages need none.

    Args:
        workspace: Of a run.
        keep_gb: Room that may stay taken.
        older_than_days: Only files that were written before that.

    Raises:
        UsageError: If the folder holds no ledger, or a file cannot be removed.
    """
    if not (workspace / LEDGER).is_file():
        raise UsageError(f"{workspace}: no ledger there: give the --workspace of a run")
    files = [
        file
        for folder, pattern in (("images", "*.png"), ("predictions", "*.sqlite*"))
        for file in found(workspace / folder, pattern)
    ]
    before = time.time() - older_than_days * DAY_S
    taken = sum(size for _, size, _ in files)
    removed = freed = 0
    for written, size, file in sorted(files):
        if taken - freed <= keep_gb * 1e9 or written > before:
            break
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"{file.name} cannot be removed: {error.strerror}") from error
        removed, freed = removed + 1, freed + size
    return Freed(removed, freed, taken - freed)
