"""What is found where nothing is labelled is neither right nor wrong: it is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datasets.masks import decode
from datasets.sample import Annotations
from tasks.coco_ap import Detections

LEAST_INSIDE = 0.5
"""Share of its pixels in the region above which a detection counts."""


def inside(found: Detections, truth: Annotations) -> Detections:
    """The detections that lie where objects are labelled, by their masks or else their boxes."""
    if truth.region is None:
        return found
    region = decode(truth.region)
    if found.masks:
        shares = [_mean(region[decode(mask)]) for mask in found.masks]
    else:
        shares = [_mean(_window(region, box)) for box in found.boxes_xyxy_px.tolist()]
    kept = np.array(shares, np.float64) > LEAST_INSIDE
    return replace(
        found,
        boxes_xyxy_px=found.boxes_xyxy_px[kept],
        scores=found.scores[kept],
        categories=found.categories[kept],
        masks=tuple(m for m, is_kept in zip(found.masks, kept, strict=False) if is_kept),
    )


def _window(region: NDArray[np.bool_], box: list[float]) -> NDArray[np.bool_]:
    """The pixels of the region inside a box, whose sides are rounded."""
    left, top, right, bottom = (max(0, round(side)) for side in box)
    return region[top:bottom, left:right]


def _mean(pixels: NDArray[np.bool_]) -> float:
    """Share of pixels that are set; nothing lies inside nothing."""
    return float(pixels.mean()) if pixels.size else 0.0
