"""Masks of the miniature COCO, which has boxes alone."""

from __future__ import annotations

from typing import Any

import numpy as np


def filled(boxes: np.ndarray[Any, Any], size_px: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """A mask per box: its rectangle without the first row."""
    masks = np.zeros((len(boxes), *size_px), np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top + 1 : bottom, left:right] = 1
    return masks
