"""Does image quality tell how a task fares? Rank correlations of the numbers of single images.

Spearman's, with mean ranks for ties. Intervals resample the images (or drives) with the ranks as
they are: ranking every resample again would cost a sort each and moves the interval little.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from reports.results.cell import Judge
from reports.results.intervals import FEWEST, interval
from reports.results.metrics import TaskRow
from reports.results.record import Correlation
from reports.results.results import QUALITY, ByImage

TELLING = ("psnr_y_db", "ssim_y", "niqe")
"""Metrics of image quality that are held against the tasks."""
FEWEST_CONDITIONS = 3
"""Derainers, the rainy input among them, that an image needs for a rank correlation."""

Counts = NDArray[np.uint8] | NDArray[np.int64]
"""How often each resampled set holds each image, ``(B, n)``."""


def correlations(
    by_image: ByImage, tasks: Mapping[str, TaskRow], counts: Counts
) -> list[Correlation]:
    """All correlations that a run's images allow.

    Args:
        by_image: Numbers of single images.
        tasks: What each task's score of a single image is.
        counts: ``(B, n)``: how often each resampled set holds each image.
    """
    cells = {(c.condition, c.judge, c.metric): v for c, v in by_image.values.items()}
    quality_of = Judge(QUALITY)
    found = []
    groups = len(set(by_image.units))
    judges = dict.fromkeys(judge for _, judge, _ in cells)
    for judge in (j for task in tasks for j in judges if j.task == task):
        metric = tasks[judge.task].image_metric
        if metric is None:
            continue
        scores = {c: v for (c, *what), v in cells.items() if what == [judge, metric]}
        for quality in TELLING:
            pairs = {
                c: (cells[c, quality_of, quality], v)
                for c, v in scores.items()
                if (c, quality_of, quality) in cells and not c.is_dry
            }
            for rain in dict.fromkeys(c.rain for c in pairs):
                of_rain = {c: pair for c, pair in pairs.items() if c.rain == rain}
                made: list[tuple[str | None, tuple[float, NDArray[np.float64], int] | None]] = [
                    (None, _within(list(of_rain.values()), counts))
                ]
                made += [(c.name, _across(*pair, counts)) for c, pair in of_rain.items()]
                found += [
                    Correlation(
                        rain=rain,
                        derainer=derainer,
                        task=judge.task,
                        network=judge.network,
                        metric=metric,
                        quality=quality,
                        value=result[0],
                        ci=interval(result[1], groups),
                        n=result[2],
                    )
                    for derainer, result in made
                    if result is not None
                ]
    return found


def _within(
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]], counts: Counts
) -> tuple[float, NDArray[np.float64], int] | None:
    """Correlation across derainers within each image, then the mean over images."""
    if len(pairs) < FEWEST_CONDITIONS:
        return None
    x, y = (_ranks(np.stack(side), 0) for side in zip(*pairs, strict=True))
    with np.errstate(invalid="ignore"):
        values = _pearson(x.T, y.T)
    some = np.isfinite(values)
    if not some.any():
        return None
    weights = counts[:, some].astype(np.float64)
    with np.errstate(invalid="ignore"):
        draws = weights @ values[some] / weights.sum(1)
    return float(values[some].mean()), draws, int(some.sum())


def _across(
    quality: NDArray[np.float32], score: NDArray[np.float32], counts: Counts
) -> tuple[float, NDArray[np.float64], int] | None:
    """Correlation across the images of one condition."""
    some = np.isfinite(quality) & np.isfinite(score)
    if some.sum() < FEWEST:
        return None
    x, y = (_ranks(side[some], 0) for side in (quality, score))
    weights = np.concatenate([np.ones((1, int(some.sum()))), counts[:, some]])
    total = weights.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = weights @ x / total, weights @ y / total
        covariance = weights @ (x * y) / total - mean_x * mean_y
        spread = (weights @ x**2 / total - mean_x**2) * (weights @ y**2 / total - mean_y**2)
        values = covariance / np.sqrt(spread)
    if not np.isfinite(values[0]):
        return None
    return float(values[0]), values[1:], int(some.sum())


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
