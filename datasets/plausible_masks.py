"""Whether masks can be of the objects whose boxes stand beside them: others score near 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Mask

LEAST_IOU = 0.5
"""Of a mask's bounds and its box; corners are rounded in many ways, of small objects too."""


def elsewhere(images: Iterable[tuple[NDArray[np.float64], Sequence[Mask]]]) -> str | None:
    """What to say where most masks of a set lie elsewhere than their boxes.

    Args:
        images: Of each ``(N, 4)`` boxes, left, top, right and bottom in pixels, and their N masks.
            Those without a pixel lie nowhere and do not count.
    """
    apart = [_are_apart(boxes, masks) for boxes, masks in images if masks]
    number, total = sum(int(each.sum()) for each in apart), sum(map(len, apart))
    if 2 * number <= total:
        return None
    return (
        f"the masks of {number:,} of {total:,} objects lie elsewhere than their boxes (IoU below "
        f"{LEAST_IOU:g}): are they drawn on pictures of another size, or run lengths row by row "
        "where COCO's go column by column?"
    )


def _are_apart(boxes: NDArray[np.float64], masks: Sequence[Mask]) -> NDArray[np.bool_]:
    """``bool (M,)`` of the masks that hold a pixel."""
    from pycocotools import mask as coco

    coded = [{"size": [m.height_px, m.width_px], "counts": m.counts} for m in masks]
    bounds = np.asarray(coco.toBbox(coded), np.float64)
    first, last = bounds[:, :2], bounds[:, :2] + bounds[:, 2:]
    shared = np.minimum(last, boxes[:, 2:]) - np.maximum(first, boxes[:, :2])
    both = shared.clip(min=0).prod(axis=1)
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=0)
    either = bounds[:, 2:].prod(axis=1) + sides.prod(axis=1) - both
    is_apart: NDArray[np.bool_] = both < LEAST_IOU * either
    return is_apart[bounds[:, 2:].all(axis=1)]
