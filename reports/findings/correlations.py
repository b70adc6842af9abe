"""Does image quality tell how a task fares? Rank correlations of the numbers of single images.

Spearman's, with mean ranks for ties. Intervals resample the images (or drives) with the ranks as
they are: ranking every resample again would cost a sort each and moves the interval little.

A score of one image is noisy, so nothing correlates with it perfectly. What another task says of
the same images is a comparison and no bound, since that score is noisy too. Images differ in how
hard they are, with or without rain; the partial correlation leaves out what the score of the clean
image knows already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.results.cell import Condition, Judge
from reports.results.intervals import FEWEST, bounded_interval
from reports.results.metrics import TaskRow
from reports.results.record import Correlation
from reports.results.results import QUALITY, ByImage

TELLING = ("psnr_y_db", "ssim_y", "niqe")
"""Metrics of image quality that are held against the tasks."""
FEWEST_CONDITIONS = 3
"""Derainers, the rainy input among them, that an image needs for a rank correlation."""

AT_ONCE_BYTES = 2**27
"""Of the counts that are held as floats at a time."""

Values = Mapping[Condition, NDArray[np.float32]]


class _Found(NamedTuple):
    """One correlation."""

    value: float
    ci: tuple[float, float] | None
    n: int


class Made(NamedTuple):
    """A correlation on the whole set and on resampled ones."""

    value: float
    draws: NDArray[np.float64]
    """``(B,)``."""
    some: NDArray[np.bool_]
    """``(n,)``: which images have a value."""


Counts = NDArray[np.uint8] | NDArray[np.int64]
"""How often each resampled set holds each image, ``(B, n)``."""


def correlations(
    by_image: ByImage,
    tasks: Mapping[str, TaskRow],
    counts: Counts,
    plain: Collection[str] = (),
) -> list[Correlation]:
    """All correlations that a run's images allow.

    Args:
        by_image: Numbers of single images.
        tasks: What each task's score of a single image is.
        counts: ``(B, n)``: how often each resampled set holds each image.
        plain: Derainers that hold nothing learned.
    """
    cells = {(c.condition, c.judge, c.metric): v for c, v in by_image.values.items()}
    judges = dict.fromkeys(judge for _, judge, _ in cells)
    scores: dict[Judge, Values] = {}
    found: list[Correlation] = []
    for judge in (j for task in tasks for j in judges if j.task == task):
        metric = tasks[judge.task].image_metric
        if metric is not None:
            scores[judge] = {c: v for (c, *what), v in cells.items() if what == [judge, metric]}
    drawn = _Drawn(counts, np.array(by_image.units))
    for judge, mine in scores.items():
        others = [theirs for other, theirs in scores.items() if other != judge]
        for quality in TELLING:
            held = {
                c: cells[c, Judge(QUALITY), quality]
                for c in mine
                if (c, Judge(QUALITY), quality) in cells and not c.is_dry
            }
            for rain in dict.fromkeys(c.rain for c in held):
                of_rain = {c: v for c, v in held.items() if c.rain == rain}
                named = Correlation(
                    rain=rain,
                    derainer=None,
                    task=judge.task,
                    network=judge.network,
                    metric=str(tasks[judge.task].image_metric),
                    quality=quality,
                    value=0.0,
                    ci=None,
                    n=0,
                )
                found += _within_images(named, of_rain, mine, others, drawn, plain)
                found += _across_images(named, of_rain, mine, others, drawn)
    return found


class _Drawn:
    """The resampled sets."""

    def __init__(self, counts: Counts, units: NDArray[np.str_]) -> None:
        self.counts = counts
        self.units = units

    def found(self, made: Made | None) -> _Found | None:
        """A correlation with its interval, over the groups of the images that have a value."""
        if made is None:
            return None
        groups = len(np.unique(self.units[made.some]))
        return _Found(made.value, bounded_interval(made.draws, groups), int(made.some.sum()))


def _within_images(
    named: Correlation,
    held: Values,
    scores: Values,
    others: list[Values],
    drawn: _Drawn,
    plain: Collection[str],
) -> Iterator[Correlation]:
    """Across all conditions, and across those of learned derainers alone."""
    learned = [c for c in held if not c.is_input and c.derainer not in plain]
    kinds = {False: list(held)} | ({True: learned} if len(learned) < len(held) else {})
    for is_learned, of in kinds.items():
        made = drawn.found(within([(held[c], scores[c]) for c in of], drawn.counts))
        if made is None:
            continue
        compared = [
            drawn.found(within([(theirs[c], scores[c]) for c in of], drawn.counts))
            for theirs in others
            if all(c in theirs for c in of)
        ]
        shown = replace(named, **made._asdict(), among=len(of), is_learned=is_learned)
        yield _beside_another(shown, compared)


def _across_images(
    named: Correlation, held: Values, scores: Values, others: list[Values], drawn: _Drawn
) -> Iterator[Correlation]:
    """Across the images of each condition."""
    for c, quality in held.items():
        made = drawn.found(_across(quality, scores[c], drawn.counts))
        if made is None:
            continue
        hard = scores.get(c.clean, None if c.is_input else scores.get(c.rainy))
        given = None
        if hard is not None:
            given = drawn.found(_across(quality, scores[c], drawn.counts, hard))
        compared = [
            drawn.found(_across(theirs[c], scores[c], drawn.counts))
            for theirs in others
            if c in theirs
        ]
        shown = replace(named, derainer=c.name, **made._asdict())
        if given is not None:
            shown = replace(shown, partial=given.value, partial_ci=given.ci)
        yield _beside_another(shown, compared)


def _beside_another(found: Correlation, compared: list[_Found | None]) -> Correlation:
    """With the highest correlation of another task or network."""
    highest = max((c for c in compared if c is not None), default=None, key=lambda c: c.value)
    if highest is None:
        return found
    return replace(found, other_task=highest.value, other_task_ci=highest.ci)


def within(
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]], counts: Counts
) -> Made | None:
    """Correlation across derainers within each image, then the mean over images.

    Args:
        pairs: Two numbers of each image, ``(n,)`` each, by derainer.
        counts: ``(B, n)``: how often each resampled set holds each image.

    Returns:
        None of too few derainers, and where no image has a value.
    """
    if len(pairs) < FEWEST_CONDITIONS:
        return None
    x, y = (_ranks(np.stack(side), 0) for side in zip(*pairs, strict=True))
    with np.errstate(invalid="ignore"):
        values = _pearson(x.T, y.T)
    some = np.isfinite(values)
    if not some.any():
        return None
    sums = _sums(counts[:, some], np.stack([np.ones(int(some.sum())), values[some]], 1))
    with np.errstate(invalid="ignore"):
        draws = sums[:, 1] / sums[:, 0]
    return Made(float(values[some].mean()), draws, some)


def _across(
    quality: NDArray[np.float32],
    score: NDArray[np.float32],
    counts: Counts,
    given: NDArray[np.float32] | None = None,
) -> Made | None:
    """Correlation across the images of one condition; partial, where a third number is given."""
    sides = [quality, score] + ([] if given is None else [given])
    some = np.logical_and.reduce([np.isfinite(side) for side in sides])
    if some.sum() < FEWEST:
        return None
    x, y, *z = (_ranks(side[some], 0) for side in sides)
    drawn = counts[:, some]
    values = _weighted(drawn, x, y)
    if z:
        xz, yz = _weighted(drawn, x, z[0]), _weighted(drawn, y, z[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            values = (values - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    if not np.isfinite(values[0]):
        return None
    return Made(float(values[0]), values[1:], some)


def _weighted(counts: Counts, x: NDArray[np.float64], y: NDArray[np.float64]) -> Any:
    """Pearson's correlation on the whole set, then on the resampled ones, ``(1 + B,)``."""
    columns = np.stack([np.ones_like(x), x, y, x * y, x**2, y**2], 1)
    sums = np.concatenate([columns.sum(0, keepdims=True), _sums(counts, columns)])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y, both, square_x, square_y = (sums[:, 1:] / sums[:, :1]).T
        spread = (square_x - mean_x**2) * (square_y - mean_y**2)
        return (both - mean_x * mean_y) / np.sqrt(spread)


def _sums(counts: Counts, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the images of each resampled set, ``(B, k)``, so many sets at a time as fit."""
    at_once = max(1, AT_ONCE_BYTES // (8 * max(1, counts.shape[1])))
    blocks = [counts[start : start + at_once] for start in range(0, len(counts), at_once)]
    return np.concatenate([block.astype(np.float64) @ columns for block in blocks])


def _ranks(values: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """Mean ranks, centred so that sums of squares stay exact enough; NaN spreads."""
    from scipy.stats import rankdata

    ranks = np.asarray(rankdata(values, axis=axis, nan_policy="propagate"), np.float64)
    centred: NDArray[np.float64] = ranks - (values.shape[axis] + 1) / 2
    return centred


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along the last axis; NaN where one side does not vary."""
    x = x - x.mean(-1, keepdims=True)
    y = y - y.mean(-1, keepdims=True)
    value: NDArray[np.float64] = (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return value
