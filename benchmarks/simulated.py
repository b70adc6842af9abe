"""The metrics of simulated studies: values of drawn sets of a population's images, quickly."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from populations import HEAVY, MEDIUM, Population, Ranked

from tasks.coco_ap import RECALLS
from tasks.confusion import means
from tasks.resampled_ap import Ranking, resampled
from tasks.rows import FEW_FOR_LEVELS

PICTURES = tuple(
    f"{rain}/{name}"
    for rain in (HEAVY, MEDIUM, "none")
    for name in ("identity", "median", "bilateral", "guided")
)
"""The pictures of an image; families of nothing are dealt the first `DEALT` that were measured."""
DEALT = 8
CHECKED = 20_000
"""Images times sets below which AP is reduced as a run does it."""


def dealt_from(metric: Any) -> list[str]:
    """The pictures that are dealt."""
    return [c for c in PICTURES if metric.has(c)][:DEALT]


class Means:
    """A metric of images, and its mean over a set."""

    level_images = 0
    """Images from which on levels have intervals."""

    def __init__(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        """Take the images' values by condition."""
        self.values = values
        self.size = len(next(iter(values.values())))

    def has(self, condition: str) -> bool:
        """Whether the population was measured so."""
        return condition in self.values

    def drawn(self, condition: str, images: Any, counts: Any) -> NDArray[np.float64]:
        """Values of sets that hold some images so often, ``(B,)``."""
        found: NDArray[np.float64] = counts @ self.values[condition][images] / counts.sum(1)
        return found

    def dealt(self, images: Any, dealt: Any, counts: Any) -> list[NDArray[np.float64]]:
        """The same of conditions whose pictures were dealt, ``dealt`` ``(conditions, images)``."""
        table = np.stack([self.values[c] for c in dealt_from(self)])
        return [counts @ table[mine, images] / counts.sum(1) for mine in dealt]


class Overlap(Means):
    """Mean IoU of the pixels of a set."""

    level_images = FEW_FOR_LEVELS

    def drawn(self, condition: str, images: Any, counts: Any) -> NDArray[np.float64]:
        """As in `Means`."""
        matrices = self.values[condition][images]
        flat = counts.astype(np.float64) @ matrices.reshape(len(matrices), -1)
        return means(flat.reshape(len(counts), *matrices.shape[1:]))["miou"]


class Pooled:
    """Pooled AP of a set."""

    level_images = 0

    def __init__(self, ranked: Mapping[str, Ranked]) -> None:
        """Take the detections by condition; all of them are ranked once, by score."""
        score = np.concatenate([r.score for r in ranked.values()])
        order = np.argsort(-score, kind="stable")
        self.matched, self.counted = (
            np.concatenate([getattr(r, name) for r in ranked.values()], axis=1)[:, order]
            for name in ("matched", "counted")
        )
        self.objects = next(iter(ranked.values())).objects
        self.size = images = len(self.objects)
        image = np.concatenate([images * i + r.image for i, r in enumerate(ranked.values())])[order]
        by_image = np.argsort(image, kind="stable")
        ends = np.searchsorted(image[by_image], range(1, images * len(ranked)))
        split = np.split(by_image, ends)
        self.places = {c: split[images * i : images * (i + 1)] for i, c in enumerate(ranked)}

    def has(self, condition: str) -> bool:
        """As in `Means`."""
        return condition in self.places

    def drawn(self, condition: str, images: Any, counts: Any) -> NDArray[np.float64]:
        """As in `Means`."""
        return self._of([self.places[condition][i] for i in images], images, counts)

    def dealt(self, images: Any, dealt: Any, counts: Any) -> list[NDArray[np.float64]]:
        """As in `Means`."""
        pictures = [self.places[c] for c in dealt_from(self)]
        return [
            self._of(
                [pictures[c][i] for c, i in zip(mine, images, strict=True)],
                images,
                counts,
            )
            for mine in dealt
        ]

    def _of(self, mine: list[Any], images: Any, counts: Any) -> NDArray[np.float64]:
        place = np.concatenate(mine)
        order = np.argsort(place, kind="stable")
        image = np.repeat(np.arange(len(mine)), [len(m) for m in mine])[order]
        place = place[order]
        counted = self.counted[:, place]
        hits = self.matched[:, place] & counted
        ranking = Ranking(0, image, hits, counted, self.objects[images])
        if len(images) * len(counts) < CHECKED:
            found: NDArray[np.float64] = resampled(ranking, counts).mean(1)
            return found
        return by_rows(ranking, counts)


def by_rows(ranking: Ranking, counts: Any) -> NDArray[np.float64]:
    """What `resampled` gives, all sets at a time: faster where images are few.

    A recall counts as reached where rounding decides, so that a value may differ by 0.0005.
    """
    hits = [np.flatnonzero(row) for row in ranking.matched]
    every = np.unique(np.concatenate(hits))
    objects = counts @ ranking.objects
    if not every.size:
        return np.where(objects > 0, 0.0, np.nan)
    weights = np.ascontiguousarray(counts.T.astype(np.float32))  # (images, B)
    per_object = (100 / np.maximum(objects, 1)).astype(np.float32)
    first = ranking.counted[0]
    above = _above(ranking, every, np.flatnonzero(first[: every[-1] + 1]), weights)
    total = np.zeros(len(counts))
    for mine, counted in zip(hits, ranking.counted, strict=True):
        if not mine.size:
            continue
        true = _running(np.add, weights[ranking.image[mine]])
        precision = above[np.searchsorted(every, mine)]
        other = np.flatnonzero(counted != first)
        sign = np.where(counted[other], 1, -1).astype(np.float32)[:, None]
        more = _running(np.add, sign * weights[ranking.image[other]])
        before = np.searchsorted(other, mine)
        precision[before > 0] += more[before[before > 0] - 1]
        np.divide(true, np.maximum(precision, 1, out=precision), out=precision)
        _running(np.maximum, precision[::-1])
        true *= per_object
        reached = np.floor(np.add(true, np.float32(1.0001), out=true), out=true)
        steps = reached[1:] - reached[:-1]
        total += np.einsum("hb,hb->b", precision[1:], steps) + precision[0] * reached[0]
    values: NDArray[np.float64] = total / (len(RECALLS) * len(ranking.matched))
    return np.where(objects > 0, values, np.nan)


def _above(ranking: Ranking, hits: Any, counted: Any, weights: Any) -> NDArray[np.float32]:
    """How many detections that count stand at or above each hit, ``(hits, B)``."""
    from scipy.sparse import csr_array

    place = (np.searchsorted(hits, counted), ranking.image[counted])
    ones = np.ones(len(counted), np.float32)
    found = csr_array((ones, place), shape=(len(hits), len(weights))) @ weights
    return _running(np.add, found)


def _running(step: np.ufunc, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """``step.accumulate`` over rows in place, seven times as fast as NumPy's own of wide rows."""
    rows = list(table)
    for before, row in pairwise(rows):
        step(before, row, out=row)
    return table


def metric_of(population: Population, metric: str) -> Any:
    """What a metric's sets are reduced by."""
    make = {"psnr": Means, "miou": Overlap, "ap_pooled": Pooled, "mask_ap_pooled": Pooled}[metric]
    name = {"miou": "confusion", "ap_pooled": "boxes", "mask_ap_pooled": "masks"}.get(metric)
    return make(getattr(population, name or metric))
