"""The veil of rain too far away to be seen as drops: I = T·J + (1 − T)·A, to the byte.

The exponential comes from two small tables and a product, which no processor rounds otherwise.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat

_BITS = 12
_STEPS = 1 << _BITS
FULL = 1 << 20
"""Transmission is counted in 1/2²⁰."""
_DEEPEST = 14.0
"""Optical depth beyond which less than 1/2²⁰ is left."""


@cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """exp(−i/4096) for i up to the deepest, and exp(−j/4096²) for j below 4096, rounded."""
    coarse = [round(math.exp(-i / _STEPS), 10) for i in range(int(_DEEPEST * _STEPS) + 1)]
    fine = [round(math.exp(-j / _STEPS**2), 10) for j in range(_STEPS)]
    return np.array(coarse), np.array(fine)


def transmission(optical_depth: NDArray[np.floating[Any]]) -> NDArrayFloat:
    """exp(−x) for x ≥ 0 within 1e-6, in multiples of 1/2²⁰, ``float32`` of the same shape."""
    coarse, fine = _tables()
    depth = np.minimum(optical_depth, _DEEPEST, dtype=np.float64)
    depth *= _STEPS**2
    steps = np.rint(depth, out=depth).astype(np.int32)
    through = coarse.take(steps >> _BITS)
    through *= fine.take(steps & (_STEPS - 1))
    through *= FULL
    np.rint(through, out=through)
    through *= 1 / FULL
    return np.asarray(through, np.float32)


def lay_veil(image: NDArrayByte, through: NDArrayFloat, airlight_byte: int) -> NDArrayByte:
    """Lay the veil over an image.

    Args:
        image: ``uint8 (H, W, 3)``.
        through: `transmission`, ``float32 (H, W)`` or, where a row has but one, ``(H, 1)``.
        airlight_byte: Brightness of the veil, 0 to 255.
    """
    if through.shape[1] < image.shape[1]:
        return _veil_rows(image, through, airlight_byte)
    parts = (through * np.float32(FULL)).astype(np.int32)
    added = (FULL - parts) * np.int32(airlight_byte)
    added += FULL // 2
    # At most 255 · 2²⁰, in the form that merges without a copy of its own.
    mixed = np.asarray(cv2.merge([parts] * 3), np.int32)
    mixed *= image
    mixed += np.asarray(cv2.merge([added] * 3), np.int32)
    mixed >>= 20
    return mixed.astype(np.uint8)


def _veil_rows(image: NDArrayByte, through: NDArrayFloat, airlight_byte: int) -> NDArrayByte:
    """The same with one table of 256 entries per row instead of a product per pixel."""
    table = lay_veil(
        np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (len(image), 256, 1)),
        np.broadcast_to(through, (len(image), 256)),
        airlight_byte,
    )[:, :, 0]
    result = np.empty_like(image)
    for row, entries in enumerate(table):
        np.take(entries, image[row], out=result[row])
    return result


def lay_over(behind: NDArrayByte, opacity: NDArrayByte, light: int | NDArrayByte) -> NDArrayByte:
    """J + (light − J)·S/255, rounded to nearest, in whole numbers.

    Args:
        behind: J, ``uint8 (H, W, 3)``.
        opacity: S, ``uint8 (H, W)``.
        light: A brightness, or ``uint8 (H, W, 3)``.
    """
    # Below 2¹⁶: 255·255 + 128; (x + (x >> 8)) >> 8 is x/255 rounded where x holds the half.
    left = np.asarray(cv2.merge([255 - opacity] * 3), np.uint16)
    if isinstance(light, int):
        added = np.asarray(cv2.merge([opacity * np.uint16(light)] * 3), np.uint16)
    else:
        added = np.asarray(cv2.merge([opacity] * 3), np.uint16) * light
    left *= behind
    left += added
    left += np.uint16(128)
    left += left >> 8
    left >>= 8
    return left.astype(np.uint8)
