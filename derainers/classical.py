"""Classical baselines: pure functions from ``uint8 (H, W, 3) RGB`` to the same."""

from __future__ import annotations

import cv2
import numpy as np

from datasets.image import NDArrayByte


def identity(image: NDArrayByte) -> NDArrayByte:
    """The image as it is: clean images give the ceiling, rainy ones the floor."""
    return image


def median(image: NDArrayByte, size_px: int = 5) -> NDArrayByte:
    """Median of ``size_px`` x ``size_px`` pixels in each channel, borders repeated.

    Five pixels take away streaks up to two pixels wide, and the image's own detail of that size.
    """
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(image), size_px), np.uint8)
