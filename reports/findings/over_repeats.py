"""Intervals over images and what repeats were crossed with them: seeds of the rain, and trainings.

A few trainings tell little of how much trainings vary, and what is resampled of three of them is
too sure of itself: of five differences that are nothing, one was called something in 16 of 100
studies where a training moves the score by as much as the images do (`benchmarks/contrasts.py`). So
trainings add Student's tails, as Behrens and Fisher have it for two means. Seeds of the rain are
resampled: a seed moves each image by itself.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.results.intervals import interval, level_interval, tail, two_sided


@dataclass(frozen=True)
class Repeated:
    """A mean over repeats, or a difference of two, on resampled sets."""

    alone: NDArray[np.float64]
    """``(B,)`` over images and seeds of the rain; NaN where a set leaves it undefined."""
    whole: NDArray[np.float64]
    """``(B,)`` with what other trainings would add."""

    @staticmethod
    def of(table: NDArray[np.float64]) -> Repeated:
        """Of each repeat on the same resampled sets of images.

        What trainings add is drawn from what the table holds: the same for one difference wherever
        it stands, the opposite for the opposite one, and for any other by itself, since what two
        share of their trainings is not known.

        Args:
            table: ``(seeds, …, B)``, an axis for each kind of training between both.
        """
        from scipy.special import stdtrit

        kinds = tuple(range(1, table.ndim - 1))
        alone = over_levels(table.mean(kinds))
        values = table[..., np.isfinite(alone)].mean(-1)
        ranks = (np.arange(len(alone)) + 0.5) / len(alone)
        whole, side = alone, -1 if values.sum() < 0 else 1
        for axis in kinds:
            levels = values.shape[axis]
            if levels > 1:
                others = tuple(i for i in range(values.ndim) if i != axis)
                error = side * values.mean(others).std(ddof=1) / math.sqrt(levels)
                rng = np.random.default_rng((zlib.crc32(np.abs(table).tobytes()), axis))
                whole = whole + error * rng.permutation(stdtrit(levels - 1, ranks))
        return Repeated(alone, whole)

    def interval(self, groups: int) -> tuple[float, float] | None:
        """95 % interval of a difference, over so many resampled units; None as `interval`."""
        return _reaching(interval(self.alone, groups), self.whole, groups)

    def level_interval(self, value: float, groups: int, unit: str) -> tuple[float, float] | None:
        """The same of a level, which a fraction's bounds end; None as `level_interval`."""
        ends = (0.0, 1.0) if unit == "fraction" else (-math.inf, math.inf)
        alone = level_interval(self.alone, value, groups)
        return _reaching(alone, np.clip(self.whole, *ends), groups)

    def two_sided(self, groups: int) -> float:
        """p-value of no difference: the level at which its interval touches zero."""
        from scipy.special import ndtri, stdtr

        draws = self.whole[np.isfinite(self.whole)]
        beyond = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
        share = min(0.5, (1 + beyond) / (1 + len(draws)))
        shrunk = math.sqrt((groups - 1) / groups) * float(ndtri(share))
        alone = two_sided(self.alone[np.isfinite(self.alone)], groups)
        return max(alone, 2 * float(stdtr(groups - 1, shrunk)))


def _reaching(
    alone: tuple[float, float] | None, draws: NDArray[np.float64], groups: int
) -> tuple[float, float] | None:
    """An interval over images and seeds, as far to each side as percentiles of the draws reach."""
    if alone is None:
        return None
    ordered = np.sort(draws[np.isfinite(draws)])
    place = math.ceil(tail(groups) * (1 + len(ordered))) - 1
    return min(alone[0], float(ordered[place - 1])), max(alone[1], float(ordered[-place]))


def over_levels(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over crossed repeats, whose levels are resampled with the images, each kind by itself.

    Args:
        draws: ``(…, B)``, an axis for each kind of repeat, on the same resampled sets of images.

    Returns:
        ``(B,)``. A resample of k levels varies by (k − 1)/k too little, which is put right.
    """
    sets = draws.shape[-1]
    for axis, levels in enumerate(draws.shape[:-1]):
        rng = np.random.default_rng((0, axis))
        counts = rng.multinomial(levels, np.full(levels, 1 / levels), sets).T if levels > 1 else 1.0
        share = np.full((levels, sets), 1 / levels)
        share += (counts / levels - share) * np.sqrt(levels / max(1, levels - 1))
        draws = np.einsum("i...b,ib->...b", draws, share)
    return draws
