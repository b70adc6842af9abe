"""Intervals and p-values from resampled sets, and where they hold.

A resampled set varies less than the truth does: its variance is (n − 1)/n of the unbiased one, and
its normal tails are lighter than Student's, which few groups have. Expanded percentile intervals
(Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 2015,
section 5.2) take the percentiles further out in that proportion. Where a few images weigh much, as
in pooled AP, they are still too short now and then, Student's intervals at other times: an interval
here reaches as far as either. The p-value is the level at which such an interval just touches zero,
so that the two never disagree; it is the larger one of both kinds' p-values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""At most so many families of derainers hold a wrong verdict; an interval misses as often."""
FEWEST = 20
"""Fewer groups (images, or drives of them) give no interval: there is too little to resample."""

BELOW, ABOVE = 0.15, 0.25
"""Standard deviations that the mean of the draws may lie below and above the value of a level."""


@cache
def tail(groups: int, level: float = LEVEL) -> float:
    """Share of the draws beyond each end of an interval over so many groups."""
    from scipy.special import ndtr, stdtrit

    return float(ndtr(math.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, level / 2)))


def _place(share: float, times: int) -> int:
    """Which draw from the end an interval ends at that leaves out such a share; 0 = none does."""
    return math.ceil(share * (1 + times)) - 1


def _error(defined: NDArray[np.float64], groups: int) -> float:
    """Standard error of a value by its draws, which vary by (n − 1)/n of what they should."""
    return float(defined.std(ddof=1)) * math.sqrt(groups / (groups - 1))


def _ends(
    defined: NDArray[np.float64], groups: int, place: int, level: float
) -> tuple[float, float]:
    """Ends of an interval: the draws at a place from either end, or Student's where further out."""
    from scipy.special import stdtrit

    low, high = place - 1, len(defined) - place
    ends = np.partition(defined, (low, high))
    half = -float(stdtrit(groups - 1, level / 2)) * _error(defined, groups)
    mean = float(defined.mean())
    return min(float(ends[low]), mean - half), max(float(ends[high]), mean + half)


def interval(draws: NDArray[Any], groups: int) -> tuple[float, float] | None:
    """95 % interval, as far as both the expanded percentile one and Student's reach.

    Args:
        draws: ``(B,)`` values on resampled sets; those not finite are left out.
        groups: Units that were resampled.

    Returns:
        None below `FEWEST` groups, and where too few draws are defined to have such a tail.
    """
    defined = draws[np.isfinite(draws)].astype(np.float64)
    if groups < FEWEST:
        return None
    # Zero lies outside just where `two_sided` is below `LEVEL`.
    place = _place(tail(groups), len(defined))
    return None if place < 1 else _ends(defined, groups, place, LEVEL)


def bounded_interval(draws: NDArray[Any], groups: int) -> tuple[float, float] | None:
    """The interval of a number that has bounds, AP or a correlation, and no p-value.

    It ends at the outermost draws at the latest, which never leave the bounds.
    """
    ci = interval(draws, groups)
    if ci is None:
        return None
    defined = draws[np.isfinite(draws)]
    return max(ci[0], float(defined.min())), min(ci[1], float(defined.max()))


def level_interval(draws: NDArray[Any], value: float, groups: int) -> tuple[float, float] | None:
    """Interval of a level, None where it would mislead.

    Where the draws lie below the value, as those of mean IoU of few clean images do, which lack
    classes, the value lies below the truth, by more than they tell. Those of pooled AP lie a little
    above, and their intervals reach far enough.
    """
    defined = draws[np.isfinite(draws)].astype(np.float64)
    if defined.size:
        off, deviation = float(defined.mean()) - value, float(defined.std())
        if not -BELOW * deviation <= off <= ABOVE * deviation:
            return None
    return bounded_interval(defined, groups)


def selected_interval(
    shares: NDArray[Any], gains: NDArray[Any], groups: int, level: float = LEVEL
) -> tuple[float, float] | None:
    """Interval of a share that is told only where its gain is significant.

    Gains that just pass a test are too large more often than not. So the end next to zero reaches
    as far, zero at the furthest, as that of the gain does, given that it passed.

    Args:
        shares: ``(B,)`` gain over what there was to gain.
        gains: ``(B,)`` on the same resampled sets.
        groups: Units that were resampled.
        level: Of the test.

    Reference:
        Zhong and Prentice, "Bias-reduced estimators and confidence intervals for odds ratios in
        genome-wide association studies", Biostatistics 2008.
    """
    from scipy.special import stdtrit

    ci = interval(shares, groups)
    if ci is None:
        return None
    finite = gains[np.isfinite(gains)].astype(np.float64)
    error = _error(finite, groups)
    if error == 0:
        return ci
    gain = abs(float(finite.mean())) / error
    alone, passed = (-float(stdtrit(groups - 1, each / 2)) for each in (LEVEL, level))
    share = float(np.nanmean(shares))
    more = abs(share) * max(0.0, 1 - (alone + _truly(gain, passed)) / gain)
    if share > 0:
        return min(ci[0], max(0.0, ci[0] - more)), ci[1]
    return ci[0], max(ci[1], min(0.0, ci[1] + more))


def _truly(gain: float, passed: float) -> float:
    """The least gain in standard errors, 0 or more, that one beyond a test's bound tells."""
    from scipy.special import log_ndtr

    low, high = 0.0, gain
    for _ in range(40):
        middle = (low + high) / 2
        seen = float(log_ndtr(middle - gain) - log_ndtr(middle - passed))
        low, high = (middle, high) if seen < math.log(LEVEL) else (low, middle)
    return low


def two_sided(differences: NDArray[Any], groups: int) -> float:
    """p-value of no difference: the level at which its interval touches zero.

    Args:
        differences: ``(B,)`` finite.
        groups: Units that were resampled.
    """
    from scipy.special import ndtri, stdtr

    below, above = int((differences <= 0).sum()), int((differences >= 0).sum())
    share = (1 + min(below, above)) / (1 + len(differences))
    shrunk = math.sqrt((groups - 1) / groups) * float(ndtri(min(share, 0.5)))
    mean, error = abs(float(differences.mean())), _error(differences, groups)
    # Draws that are all the same are as far from zero as can be, or on it.
    students = mean / error if error > 0 else math.inf if mean > 0 else 0.0
    return min(1.0, 2 * float(stdtr(groups - 1, max(shrunk, -students))))


POWER = 0.8
"""Share of studies that show a difference which is said to have shown."""


@dataclass(frozen=True)
class Family:
    """Differences that are judged together, so that they err at most as often as one alone.

    Step-down minP: the smallest p-value is held against the smallest that chance gives any member,
    the next one against that of the members left, and so on. Members that share their images, and
    the input that they are set against, move together, and chance gives them less than its due in
    a correction that knows nothing of it.

    Reference:
        Westfall and Young, "Resampling-Based Multiple Testing", 1993, algorithm 2.8.
    """

    p_values: list[float]
    """Of each member, corrected."""
    level: float
    """A member alone is significant in the family if its own p-value is below."""
    can_reject: bool
    """Whether there are resampled sets enough for any verdict."""
    groups: int

    @staticmethod
    def of(differences: Sequence[NDArray[Any]], groups: int) -> Family:
        """Judge differences.

        Args:
            differences: ``(B,)`` of each member, on the same resampled sets.
            groups: Units that were resampled.
        """
        if not differences:
            return Family([], LEVEL, False, groups)
        drawn = np.stack(differences).astype(np.float64)
        drawn = drawn[:, np.isfinite(drawn).all(0)]
        alone = np.array([two_sided(d, groups) for d in drawn])
        times = drawn.shape[1]
        corrected, least = step_down(drawn, alone)
        beyond = max(0, math.ceil(LEVEL * (1 + times)) - 2)
        level = min(LEVEL, float(np.partition(least, beyond)[beyond])) if times else 0.0
        best = two_sided(np.ones(times), groups)
        return Family(corrected.tolist(), level, best < level, groups)

    def shown(self, differences: NDArray[Any]) -> float:
        """The true difference that `POWER` of studies like this one show, by a member's draws.

        Whether it raises or lowers the number is not known, so the longer half of the interval
        counts.
        """
        defined = differences[np.isfinite(differences)].astype(np.float64)
        deviation = float(defined.std(ddof=1))
        if not deviation:
            return 0.0
        place = max(1, _place(tail(self.groups, self.level), len(defined)))
        low, high = _ends(defined, self.groups, place, self.level)
        mean = float(defined.mean())
        half = max(mean - low, high - mean) / deviation
        tails = float((((defined - mean) / deviation) ** 4).mean()) - 3
        return deviation * _shown_beyond(half, self.groups, tails)


def step_down(
    drawn: NDArray[np.float64], alone: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corrected p-values of a family, see `Family`.

    Args:
        drawn: ``(members, B)``, finite.
        alone: ``(members,)``: p-value of each member alone.

    Returns:
        ``(members,)``, and ``(B,)``: the smallest p-value that chance gives any member.
    """
    order = np.argsort(alone, kind="stable")
    # By rank from the last to the first: the smallest p-value that chance gave those left.
    least = np.minimum.accumulate(_by_chance(drawn)[order[::-1]], axis=0)[::-1]
    shown = (1 + (least <= alone[order, None]).sum(1)) / (1 + drawn.shape[1])
    corrected = np.empty(len(order))
    corrected[order] = np.maximum.accumulate(np.maximum(alone[order], shown))
    return corrected, least[0]


def shown_deviations(groups: int, level: float, times: int) -> float:
    """How many standard deviations of its draws a true difference must have to be shown.

    That is in `POWER` of studies, of draws that are spread normally.

    Args:
        groups: Units that were resampled.
        level: Of the difference alone.
        times: Resampled sets, B.
    """
    from scipy.special import ndtri

    half = -float(ndtri(max(1, _place(tail(groups, level), times)) / (1 + times)))
    return _shown_beyond(half, groups)


def _shown_beyond(half: float, groups: int, tails: float = 0.0) -> float:
    """The same where the interval is so many standard deviations of its draws long to one side.

    The estimate must lie beyond that, which varies from study to study as a standard deviation of
    so many groups does: the more, the heavier their tails. Those of a mean of n are n times lighter
    than those of one, so that the draws' excess kurtosis tells.
    """
    from scipy.special import ndtri

    freedom = groups - 1
    varies = max(0.0, 2 / freedom + tails) / 4  # of a standard deviation, as a share, squared
    spread = math.sqrt(groups / freedom + half**2 * varies)
    return half + float(ndtri(POWER)) * spread


def _by_chance(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided share of the draws that lie as far out as each, by member, ``(members, B)``."""
    # scipy.stats, which ranks too, takes half a second to import.
    shares = np.empty(drawn.shape)
    times = drawn.shape[1]
    for row, share in zip(drawn, shares, strict=True):
        ordered = np.sort(row)
        first, last = (np.searchsorted(ordered, row, side) for side in ("left", "right"))
        rank = (1 + first + last) / 2  # the mean of those that are equal
        share[:] = 2 * np.minimum(rank, 1 + times - rank) / (1 + times)
    return shares
