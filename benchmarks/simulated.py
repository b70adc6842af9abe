"""The metrics of simulated studies: values of drawn sets of a population's images, quickly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from populations import HEAVY, MEDIUM, Population, Ranked

from tasks.coco_ap import RECALLS
from tasks.confusion import means
from tasks.resampled_ap import Ranking, recalls_passed, resampled

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

    def drawn(self, condition: str, images: Any, counts: Any) -> NDArray[np.float64]:
        """As in `Means`."""
        matrices = self.values[condition][images]
        flat = counts.astype(np.float64) @ matrices.reshape(len(matrices), -1)
        return means(flat.reshape(len(counts), *matrices.shape[1:]))["miou"]


class Pooled:
    """Pooled AP of a set."""

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
        return by_products(ranking, counts)


def by_products(ranking: Ranking, counts: Any) -> NDArray[np.float64]:
    """What `resampled` gives, by products of matrices: faster where images are few.

    Both are compared on one set of a study, see `main`.
    """
    objects = counts @ ranking.objects
    weights = np.ascontiguousarray(counts.T.astype(np.float32))
    total = np.zeros(len(counts))
    images = len(ranking.objects)
    for matched, counted in zip(ranking.matched, ranking.counted, strict=True):
        hits = np.flatnonzero(matched)
        if not hits.size:
            continue
        mine = np.flatnonzero(counted)
        nearest = np.searchsorted(hits, mine)  # the first hit at or below each detection
        mine, nearest = mine[nearest < len(hits)], nearest[nearest < len(hits)]
        above, true = (
            np.bincount(at * images + image, minlength=len(hits) * images)
            .reshape(len(hits), images)
            .cumsum(0)
            .astype(np.float32)
            @ weights
            for at, image in (
                (nearest, ranking.image[mine]),
                (np.arange(len(hits)), ranking.image[hits]),
            )
        )
        precision = true / (above + np.float32(1e-30))
        envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        passed = recalls_passed(true.astype(np.int32), np.maximum(objects, 1))
        steps = np.diff(passed, axis=0, prepend=0)
        total += (envelope * steps).sum(0)
    values: NDArray[np.float64] = total / (len(RECALLS) * len(ranking.matched))
    return np.where(objects > 0, values, np.nan)


def metric_of(population: Population, metric: str) -> Any:
    """What a metric's sets are reduced by."""
    make = {"psnr": Means, "miou": Overlap, "ap_pooled": Pooled, "mask_ap_pooled": Pooled}[metric]
    name = {"miou": "confusion", "ap_pooled": "boxes", "mask_ap_pooled": "masks"}.get(metric)
    return make(getattr(population, name or metric))
