"""Which images the resampled sets hold: the same ones for every condition, run and machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
"""Resampled sets, B."""
VERSION = 1
"""Raised whenever the same data give other draws."""


def resample_counts(
    fingerprint: str, groups: Sequence[str], draws: int = DRAWS
) -> NDArray[np.int64]:
    """How often each resampled set holds each image.

    Groups are drawn with replacement, as many as there are; images of one group stay together.
    The draws depend on the arguments alone, so two conditions are compared by subtraction.

    Args:
        fingerprint: Digest of the data.
        groups: Group of each image.
        draws: B.

    Returns:
        ``(B, n)`` counts.
    """
    names, member = np.unique(np.array(groups), return_inverse=True)
    text = "\0".join([fingerprint, str(draws), str(VERSION), *groups])
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    rng = np.random.Generator(np.random.PCG64(seed))
    counts = np.empty((draws, len(groups)), np.int64)
    for b in range(draws):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        counts[b] = drawn[member]
    return counts
