"""Classical baselines: pure functions from ``uint8 (H, W, 3) RGB`` to the same."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte


def identity(image: NDArrayByte) -> NDArrayByte:
    """The image as it is: clean images give the ceiling, rainy ones the floor."""
    return image


def median(image: NDArrayByte, size_px: int = 5) -> NDArrayByte:
    """Median of ``size_px`` x ``size_px`` pixels in each channel, borders repeated.

    Five pixels take away streaks up to two pixels wide, and the image's own detail of that size.
    """
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(image), size_px), np.uint8)


def bilateral(
    image: NDArrayByte, size_px: int = 9, sigma_level: float = 75.0, sigma_px: float = 75.0
) -> NDArrayByte:
    """Mean of near pixels of near colour (Tomasi and Manduchi 1998), OpenCV's usual strength.

    Smooths faint streaks away and keeps edges, those of bright streaks among them.
    """
    smooth = cv2.bilateralFilter(np.ascontiguousarray(image), size_px, sigma_level, sigma_px)
    return np.asarray(smooth, np.uint8)


def guided(image: NDArrayByte, radius_px: int = 4, epsilon: float = 0.04) -> NDArrayByte:
    """Each channel filtered under its own guidance: suppresses high frequencies, keeps edges.

    Around each pixel the result is a·I + b with a = σ²/(σ² + ε) and b = (1 − a)·μ, averaged over
    the windows that hold it (He, Sun, Tang, "Guided Image Filtering", ECCV 2010, equations 4 to 8,
    with the radius and ε = 0.2² of its smoothing examples). The low-frequency part of guided-filter
    derainers.
    """
    side = 2 * radius_px + 1
    levels = image.astype(np.float64) / 255.0

    def mean(field: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.blur(field, (side, side), borderType=cv2.BORDER_REFLECT), np.float64)

    mu = mean(levels)
    variance = mean(levels * levels) - mu * mu
    a = variance / (variance + epsilon)
    smooth = mean(a) * levels + mean((1 - a) * mu)
    filtered: NDArrayByte = np.rint(np.clip(smooth, 0.0, 1.0) * 255.0).astype(np.uint8)
    return filtered
