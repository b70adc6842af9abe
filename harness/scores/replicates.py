"""Which images the resampled sets hold: the same ones for every condition, run and machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.results.intervals import FEWEST, LEVEL, tail
from tasks import quality

DRAWS = 2000
"""Resampled sets, B, at least."""
MOST = 20_000
"""Resampled sets at most, for the sake of memory."""
AT_ONCE_BYTES = 128 * 2**20
"""Of counts that scorers hold at a time, or those of `tasks.quality.AT_ONCE` sets."""
VERSION = 1
"""Raised whenever the same data give other draws."""
KEPT = 4
"""Raised whenever tasks resample other metrics than those that ledgers keep the draws of."""


def draws_for(family: int, groups: int) -> int:
    """B such that a verdict on so many derainers together is possible, up to `MOST`.

    Args:
        family: Derainers, at least one.
        groups: Units to resample; the fewer, the further out an interval's ends lie.
    """
    if groups < FEWEST:
        return DRAWS
    return min(MOST, max(DRAWS, math.ceil(1 / tail(groups, LEVEL / family))))


def resample_counts(
    fingerprint: str, groups: Sequence[str], draws: int = DRAWS
) -> NDArray[np.uint8]:
    """How often each resampled set holds each image.

    Groups are drawn with replacement, as many as there are; images of one group stay together.
    The draws depend on the arguments alone, so two conditions are compared by subtraction.

    Args:
        fingerprint: Digest of the data.
        groups: What each image is drawn with: its drive, video or scene, or itself.
        draws: B.

    Returns:
        ``(B, n)`` counts, in a byte each: of 100,000 images 2,000 sets take 200 MB.
    """
    names, member = np.unique(np.array(groups), return_inverse=True)
    text = "\0".join([fingerprint, str(draws), str(VERSION), *groups])
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    rng = np.random.Generator(np.random.PCG64(seed))
    counts = np.empty((draws, len(groups)), np.uint8)
    for b in range(draws):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        # A group is drawn once on average: 256 times has no chance that a computer can tell from 0.
        counts[b] = np.minimum(drawn, 255)[member]
    return counts


def on_resampled(
    resample: Callable[[NDArray[np.int64]], Mapping[str, NDArray[np.float64]]],
    counts: NDArray[np.uint8],
) -> dict[str, NDArray[np.float64]]:
    """Values on resampled sets, ``(B,)`` each.

    What gives them gets their counts in 64 bits, as many sets at a time as take `AT_ONCE_BYTES`, so
    that memory does not grow with the number of images.
    """
    at_once = max(1, AT_ONCE_BYTES // (8 * counts.shape[1] * quality.AT_ONCE)) * quality.AT_ONCE
    blocks = [counts[start : start + at_once] for start in range(0, len(counts), at_once)]
    found = [resample(block.astype(np.int64)) for block in blocks]
    return {name: np.concatenate([values[name] for values in found]) for name in found[0]}


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
    def counts(self) -> NDArray[np.uint8]:
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
