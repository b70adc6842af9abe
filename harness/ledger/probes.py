"""What own code gave for small images when it was first tried, and whether another gives that."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.ledger.packed import unpack
from harness.spec import UsageError

LEVELS = 1
"""Levels of 255 by which two machines' images may differ, and still be the same."""
LABELS = 0.01
"""Share of pixels of which two machines' label maps may differ."""


def alike(some: bytes, others: bytes) -> bool:
    """Whether two packed answers are the same within `LEVELS` and `LABELS`."""
    if some == others:
        return True
    one, two = unpack(some), unpack(others)
    if one.keys() != two.keys():
        return False
    for name, array in one.items():
        other = two[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            return False
        if name.startswith("image"):
            if np.abs(array.astype(int) - other.astype(int)).max(initial=0) > LEVELS:
                return False
        elif name.startswith("labels"):
            if array.size and np.mean(array != other) > LABELS:
                return False
        elif not np.array_equal(array, other):
            return False
    return True


def require_alike(some: Mapping[str, bytes], others: Mapping[str, bytes]) -> None:
    """Refuse answers of the same code, by key, that differ.

    Raises:
        UsageError: If there are such.
    """
    if not all(alike(some[key], others[key]) for key in some.keys() & others.keys()):
        raise UsageError(
            "the same code of your own gave other images in one workspace than in another (an "
            "environment variable, other hardware?): keep them apart, or run again in one of them"
        )
