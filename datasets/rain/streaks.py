"""Drawing that the models with streaks of noise share: fall, then lean.

All fields are float32 that hold whole numbers below 2²⁴, so every sum and product is exact and no
build of NumPy or OpenCV can round it otherwise.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat

SUBPIXEL = 16
"""Streaks are sheared in steps of 1/16 px; `shear` multiplies its values by as much."""


def slope_of(angle_deg: float) -> float:
    """Columns that a streak leans per row, for an angle against the vertical in (-90, 90)."""
    # Rounding absorbs the last digit, in which mathematical libraries differ.
    return round(math.tan(math.radians(angle_deg)) * 4096) / 4096


def rows_of(length_px: float, slope: float) -> int:
    """Rows that a streak of this length covers: L/√(1 + slope²), at least one."""
    return max(1, round(length_px / math.sqrt(1 + slope * slope)))


def lean_px(height: int, slope: float) -> int:
    """Columns beside the image that `shear` needs for its lower rows."""
    return math.ceil(abs(slope) * height) + 1


def fall(noise: cv2.typing.MatLike, rows: int) -> NDArrayFloat:
    """Sum of each pixel and the ``rows - 1`` below it, ``float32 (H, W)``; rows ≤ 65,793."""
    return np.asarray(
        cv2.boxFilter(noise, cv2.CV_32F, (1, rows), normalize=False, anchor=(0, 0)), np.float32
    )


def shear(field: NDArrayFloat, width: int, slope: float) -> NDArrayFloat:
    """Shift each row by slope × row with linear interpolation, times 16.

    Args:
        field: Whole numbers below 2²⁰, ``float32 (H, ≥ width + lean_px(H, slope))``.
        width: Columns of the result.
        slope: Columns per row; positive leans to the right.
    """
    height = field.shape[0]
    offset = lean_px(height, slope) - 1 if slope > 0 else 0
    left = offset * SUBPIXEL - np.rint(slope * np.arange(height) * SUBPIXEL).astype(np.int64)
    shifted = np.empty((height, width + 1), np.float32)
    for row, whole in enumerate((left // SUBPIXEL).tolist()):
        shifted[row] = field[row, whole : whole + width + 1]
    # a·(16 − p) + b·p, in fewer passes.
    sheared = shifted[:, 1:] - shifted[:, :-1]
    sheared *= (left % SUBPIXEL).astype(np.float32)[:, None]
    shifted *= SUBPIXEL
    sheared += shifted[:, :-1]
    return sheared


def screen(image: NDArrayByte, light: NDArrayByte) -> NDArrayByte:
    """255 − (255 − image)(255 − light)/255, rounded to nearest, as editors lay light over light.

    A product of two bytes over 255 is never nearer than 1/510 to a half, so whatever the
    precision and order inside OpenCV, the rounded result is the one right byte.

    Args:
        image: ``uint8 (H, W)`` or ``(H, W, 3)``.
        light: ``uint8 (H, W)``.
    """
    dark = cv2.bitwise_not(light)
    if image.ndim == 3:
        dark = cv2.cvtColor(dark, cv2.COLOR_GRAY2RGB)
    product = cv2.multiply(cv2.bitwise_not(image), dark, scale=1 / 255)
    return np.asarray(cv2.bitwise_not(product, dst=product), np.uint8)


@cache
def normal_quantiles() -> tuple[float, ...]:
    """Φ⁻¹((i + ½)/256) for i below 256: as many equally likely draws of a normal variable.

    From bisection of the error function, so that after rounding every machine holds the same.
    """
    upper = []
    for i in range(128, 256):
        low, high = 0.0, 8.0
        for _ in range(60):
            middle = (low + high) / 2
            if 0.5 * (1 + math.erf(middle / math.sqrt(2))) < (i + 0.5) / 256:
                low = middle
            else:
                high = middle
        upper.append(low)
    return (*(-q for q in reversed(upper)), *upper)
