"""How much rain is in an image, measured from the image alone: streaks and veil."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte

WIDEST, SHORTEST = 1 / 60, 1 / 24
"""Of the image's shorter side: the widest streak, and the shortest."""
SLANTS_DEG = (-30, -15, 0, 15, 30)
"""Of streaks, from the vertical."""
PATCH = 1 / 32
"""Of the shorter side: side of the patches of the dark channel."""


DRY_DARK = 0.216
"""Median of the dark channel of dry images, as a share of the brightest; `benchmarks/amount.py`
finds it and what follows."""
FLOOR = 1e-4
"""Added to streaks before their logarithm is taken."""
DRY_STREAKS, DRY_VEIL = (-6.02, 0.76), (0.0, 0.164)
"""Mean and standard deviation on dry images, of the streaks' logarithm and of the veil."""


class RainAmount(NamedTuple):
    """Both parts of the rain in an image."""

    streaks: float
    """Mean brightness that thin, upright, bright lines add, in [0, 1]."""
    veil: float
    """Share of the scene's light that the veil takes: at most 1, below 0 in dark scenes."""

    @property
    def deviations(self) -> float:
        """How unusual the larger part is, in standard deviations above the mean of dry images."""
        streaks = (math.log(self.streaks + FLOOR) - DRY_STREAKS[0]) / DRY_STREAKS[1]
        return max(streaks, (self.veil - DRY_VEIL[0]) / DRY_VEIL[1])


def rain_amount(image: NDArrayByte) -> RainAmount:
    """Measure the rain in an image.

    Streaks are what an opening along a short horizontal line takes away (thin bright things) and
    one along a longer, nearly upright line leaves (long ones). The veil is the median of the dark
    channel, the darkest value of three channels in a patch, over its brightest: what scatters light
    lifts the darkest things, and of dry images the rest is known.

    Args:
        image: ``uint8 (H, W, 3) RGB``.

    References:
        He, Sun and Tang, "Single Image Haze Removal Using Dark Channel Prior", CVPR 2009.
    """
    side = min(image.shape[:2])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    across = cv2.getStructuringElement(cv2.MORPH_RECT, (max(3, round(WIDEST * side) | 1), 1))
    thin = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, across)
    long = np.max([cv2.morphologyEx(thin, cv2.MORPH_OPEN, line) for line in _lines(side)], axis=0)
    patch = np.ones((max(3, round(PATCH * side)),) * 2, np.uint8)
    dark = cv2.erode(image.min(2), patch)
    brightest = max(float(np.percentile(dark, 99.5)), 1.0)
    median = min(1.0, float(np.median(dark)) / max(brightest, 128.0))
    return RainAmount(float(long.mean()) / 255, (median - DRY_DARK) / (1 - DRY_DARK))


def _lines(side: int) -> list[NDArray[np.uint8]]:
    """Lines of the shortest streaks' length."""
    length = max(5, round(SHORTEST * side))
    lines = []
    for slant in SLANTS_DEG:
        half = round(length / 2 * math.tan(math.radians(slant)))
        line = np.zeros((length, 2 * abs(half) + 1), np.uint8)
        cv2.line(line, (abs(half) + half, 0), (abs(half) - half, length - 1), 1)
        lines.append(line)
    return lines
