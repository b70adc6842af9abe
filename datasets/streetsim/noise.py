"""Noise that repeats without an edge, and chance: whole numbers only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from datasets.image import NDArrayByte

SIDE = 512
"""Width and height of a noise texture, a power of two: indices wrap by ``& (SIDE - 1)``."""

T = TypeVar("T")


class Chance:
    """Draws from (split, index): whole numbers of PCG64, scaled by single float operations."""

    def __init__(self, *words: str | int) -> None:
        text = "\0".join(("streetsim", *map(str, words)))
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self._drawn: list[int] = []

    def _next(self) -> int:
        """32 random bits; drawn many at a time, since one costs as much as a hundred."""
        if not self._drawn:
            self._drawn = self.rng.integers(0, 1 << 32, 256).tolist()
        return self._drawn.pop()

    def whole(self, low: int, high: int) -> int:
        """One of low, low + 1 … high."""
        return low + ((self._next() * (high - low + 1)) >> 32)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high], in 4,096 steps."""
        return low + (high - low) * (self.whole(0, 4096) / 4096)

    def happens(self, share: float) -> bool:
        """True in this share of draws."""
        return self.whole(0, 4095) < share * 4096

    def one(self, choices: Sequence[T]) -> T:
        """One of several."""
        return choices[self.whole(0, len(choices) - 1)]

    def near(self, colour: tuple[int, int, int], spread: int) -> tuple[int, int, int]:
        """A colour whose brightness and channels differ a little from another's."""
        all_of = self.whole(-spread, spread)
        red, green, blue = (c + all_of + self.whole(-spread // 4, spread // 4) for c in colour)
        return min(255, max(0, red)), min(255, max(0, green)), min(255, max(0, blue))


@cache
def fractal(coarsest: int, finest: int, variant: int = 0) -> NDArrayByte:
    """Sum of value noises, ``uint8 (512, 512)`` stretched to 0 to 255.

    Args:
        coarsest: Cells across of the strongest octave, a power of two up to 512.
        finest: Cells across of the weakest; each octave between has half the weight of the last.
        variant: Another picture of the same kind.
    """
    rng = np.random.Generator(np.random.PCG64(1000 * coarsest + variant))
    total = np.zeros((SIDE, SIDE), np.int64)
    cells, weight = coarsest, 1 << 10
    while cells <= finest:
        step = SIDE // cells
        grid = rng.integers(0, 256, (cells, cells)) * weight
        ramp = np.arange(step)
        down = grid[:, None, :] * (step - ramp)[None, :, None]
        down = down + np.roll(grid, -1, 0)[:, None, :] * ramp[None, :, None]
        tall = down.reshape(SIDE, cells)
        wide = tall[:, :, None] * (step - ramp) + np.roll(tall, -1, 1)[:, :, None] * ramp
        total += np.asarray(wide.reshape(SIDE, SIDE) // (step * step), np.int64)
        cells, weight = cells * 2, weight // 2
    total -= total.min()
    return (total * 255 // max(1, int(total.max()))).astype(np.uint8)


@cache
def grain(variant: int = 0) -> NDArrayByte:
    """Independent bytes, bell-shaped around 128, ``uint8 (512, 512)``."""
    rng = np.random.Generator(np.random.PCG64(77 + variant))
    return np.asarray(rng.integers(0, 256, (4, SIDE, SIDE)).sum(0) // 4, np.uint8)
