"""Which images the resampled sets hold: the same ones for every condition, run and machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.results.intervals import LEVEL

DRAWS = 2000
"""Resampled sets, B, at least."""
VERSION = 1
"""Raised whenever the same data give other draws."""
KEPT = 2
"""Raised whenever tasks resample other metrics than those that ledgers keep the draws of."""


def draws_for(family: int) -> int:
    """B such that a verdict on so many derainers together is possible.

    The smallest p-value is 2/(B + 1); Holm asks for less than `LEVEL` / family.
    """
    return max(DRAWS, math.ceil(2 * family / LEVEL))


def resample_counts(
    fingerprint: str, groups: Sequence[str], draws: int = DRAWS
) -> NDArray[np.int64]:
    """How often each resampled set holds each image.

    Groups are drawn with replacement, as many as there are; images of one group stay together.
    The draws depend on the arguments alone, so two conditions are compared by subtraction.

    Args:
        fingerprint: Digest of the data.
        groups: What each image is drawn with: its drive, video or scene, or itself.
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


@dataclass(frozen=True)
class Resampling:
    """Which images are reduced, and how they are drawn."""

    fingerprint: str
    """Digest of the images."""
    units: list[str]
    """What each image is drawn with."""
    times: int
    """Resampled sets."""

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each resampled set holds each image, ``(B, n)``; drawn when first asked for."""
        return resample_counts(self.fingerprint, self.units, self.times)

    def key(self, wanted: Sequence[Sequence[str]]) -> dict[str, Any]:
        """What names the values on these resampled sets, with the evidence they are made of."""
        return {
            "evidence": [list(keys_of_image) for keys_of_image in wanted],
            "groups": self.units,
            "data": self.fingerprint,
            "draws": self.times,
        }
