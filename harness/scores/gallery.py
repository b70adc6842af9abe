"""Which images stand for a run on its page: where deraining did most, middling and least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.ledger.ledger import Ledger
from harness.plan.plan import Plan
from harness.plan.unit_keys import Entry, Keyring
from reports.results.gallery import GalleryItem
from reports.results.record import parts_of
from reports.results.results import ByImage

ENDS = 2
"""Images from either end."""
SOME = 4
"""Images that are shown where there is nothing to choose them by."""


def exemplary(by_image: ByImage, tasks: tuple[str, ...]) -> dict[str, str]:
    """Ids of the images to show, and why each of them, in words.

    An image's gain is its score after deraining less its rainy score, averaged over derainers and
    rains; the score is that of the first task that has one, else PSNR. Without a derainer it is
    rainy less clean.

    Args:
        by_image: Numbers of single images.
        tasks: In the order of the run.
    """
    for task in (*tasks, "quality"):
        gains, what = _gains(by_image, task)
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


def _gains(by_image: ByImage, task: str) -> tuple[NDArray[np.float64], str]:
    """Each image's gain, NaN where there is none, and what changes what."""
    cells = {parts_of(cell): v for cell, v in by_image.values.items()}
    metrics = [c[3] for c in cells if c[2] == task]
    metric = next((m for m in metrics if task != "quality" or m.startswith("psnr_y_db")), "")
    shown = {c[:2]: v for c, v in cells.items() if c[2:] == (task, metric)}
    rainy = {rain: v for (rain, derainer), v in shown.items() if derainer == "identity"}
    derained = [
        values - rainy[rain]
        for (rain, derainer), values in shown.items()
        if rain != "none" and derainer != "identity" and "/" not in derainer and rain in rainy
    ]
    name = {"psnr_y_db": "PSNR-Y", "miou": "mIoU", "f1": "F1"}.get(metric.partition("@")[0], "")
    if derained:
        return _mean(derained), f"deraining changes {name}"
    fallen = [v - rainy["none"] for r, v in rainy.items() if r != "none" and "none" in rainy]
    return _mean(fallen), f"rain changes {name}"


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
            key, rain, derainer = u.picture(), u.ring.condition.rain, u.ring.condition.derainer.name
            if key in rows:
                items.append(GalleryItem.of((sample, why, rain, derainer, key), rows[key]))
    return items
