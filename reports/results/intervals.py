"""Intervals over resampled sets, and where they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""At most so many families of derainers hold a wrong verdict."""
FEWEST = 20
"""Fewer groups (images, or drives of them) give no interval: there is too little to resample."""


def interval(draws: NDArray[Any]) -> tuple[float, float] | None:
    """95 % percentile interval; None where no draw is defined."""
    defined = draws[np.isfinite(draws)].astype(np.float64)
    if not defined.size:
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def level_interval(draws: NDArray[Any], value: float, groups: int) -> tuple[float, float] | None:
    """Interval of a level, None where it would mislead.

    Below 20 groups (images, or drives of them) there is too little to resample; and where the mean
    of the draws lies 0.25 standard deviations or more from the value (AP over many classes and few
    images), the interval covers the truth about half the time.
    """
    defined = draws[np.isfinite(draws)].astype(np.float64)
    if groups < FEWEST or not defined.size:
        return None
    if abs(float(defined.mean()) - value) > 0.25 * float(defined.std()):
        return None
    return interval(defined)
