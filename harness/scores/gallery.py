"""Which images stand for a run on its page: where deraining did most, middling and least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.ledger.ledger import Ledger
from harness.plan.plan import Plan
from harness.plan.unit_keys import Entry, Keyring
from reports.results.cell import Judge
from reports.results.gallery import GalleryItem
from reports.results.results import Results

ENDS = 2
"""Images from either end."""
SOME = 4
"""Images that are shown where there is nothing to choose them by."""


def exemplary(results: Results) -> dict[str, str]:
    """Ids of the images to show, and why each of them, in words.

    An image's gain is its score after deraining less its rainy score, averaged over derainers and
    rains; the score is that of the first task that has one, else PSNR. Without a derainer it is
    rainy less clean.

    Args:
        results: The run, with its numbers of single images.
    """
    by_image = results.by_image
    for judge in results.judges:
        gains, what = _gains(results, judge)
        defined = np.flatnonzero(np.isfinite(gains))
        if not defined.size:
            continue
        order = sorted(defined.tolist(), key=lambda i: (-gains[i], by_image.samples[i]))
        ends = min(ENDS, (len(order) - 1) // 2)
        chosen = dict.fromkeys(order[:ends], "among the best")
        chosen[order[len(order) // 2]] = "the median"
        chosen |= dict.fromkeys(order[len(order) - ends :], "among the worst")
        return {
            by_image.samples[i]: f"{why}, {what} by {gains[i]:+.3g}" for i, why in chosen.items()
        }
    return dict.fromkeys(by_image.samples[:SOME], "one of the first")


def _gains(results: Results, judge: Judge) -> tuple[NDArray[np.float64], str]:
    """Each image's gain, NaN where there is none, and what changes what."""
    metric = results.image_metric(judge.task)
    if metric is None:
        return np.zeros(0), ""
    row = results.metrics[metric]
    sign = 1 if row.higher_is_better else -1
    shown = {
        cell.condition: sign * values
        for cell, values in results.by_image.values.items()
        if (cell.judge, cell.metric) == (judge, metric)
    }
    wet = {c: v for c, v in shown.items() if not c.is_dry}
    with np.errstate(invalid="ignore"):  # where both are infinite there is no gain
        derained = [
            v - shown[c.rainy] for c, v in wet.items() if c.is_restored and c.rainy in shown
        ]
        fallen = [v - shown[c.clean] for c, v in wet.items() if c.is_input and c.clean in shown]
    if derained:
        return _mean(derained), f"deraining changes {row.title}"
    return _mean(fallen), f"rain changes {row.title}"


def _mean(parts: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Mean of what is finite, NaN where nothing is."""
    if not parts:
        return np.zeros(0)
    stacked = np.stack(parts).astype(np.float64)
    finite = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(finite, stacked, 0).sum(0) / finite.sum(0)
    return mean


def gallery(
    plan: Plan, ledger: Ledger, entries: Sequence[Entry], chosen: Mapping[str, str]
) -> list[GalleryItem]:
    """The pictures of the chosen images, image by image in the order of the choice."""
    items = []
    found = {e.sample.id: e for e in entries}
    rings = [Keyring(plan, condition) for condition in plan.conditions]
    for sample, why in chosen.items():
        units = [ring.of(found[sample]) for ring in rings]
        rows = ledger.get("pictures", [u.picture() for u in units])
        for u in units:
            key = u.picture()
            if key in rows:
                place = u.ring.condition.place
                items.append(GalleryItem.of(sample, why, place, key, rows[key]))
    return items
