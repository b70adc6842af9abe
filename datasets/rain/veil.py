"""The veil of rain too far away to be seen as drops: I = T·J + (1 − T)·A, to the byte.

The exponential comes from two small tables and a product, which no processor rounds otherwise.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat

_STEPS = 4096
_FULL = 1 << 20
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
    depth = np.minimum(optical_depth.astype(np.float64), _DEEPEST)
    whole, part = np.divmod(np.rint(depth * _STEPS**2).astype(np.int64), _STEPS)
    return (np.rint(coarse[whole] * fine[part] * _FULL) / _FULL).astype(np.float32)


def veil(image: NDArrayByte, through: NDArrayFloat, airlight_byte: int) -> NDArrayByte:
    """Lay the veil over an image.

    Args:
        image: ``uint8 (H, W, 3)``.
        through: `transmission`, ``float32 (H, W)`` or, where a row has but one, ``(H, 1)``.
        airlight_byte: Brightness of the veil, 0 to 255.
    """
    parts = (through * np.float32(_FULL)).astype(np.uint32)[:, :, None]
    if parts.shape[1] < image.shape[1]:
        return _veil_rows(image, parts, airlight_byte)
    mixed = image * parts
    mixed += (_FULL - parts) * np.uint32(airlight_byte) + np.uint32(_FULL // 2)
    mixed >>= np.uint32(20)
    return mixed.astype(np.uint8)


def _veil_rows(image: NDArrayByte, parts: NDArray[np.uint32], airlight_byte: int) -> NDArrayByte:
    """The same with one table of 256 entries per row instead of a product per pixel."""
    table = veil(
        np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (len(image), 256, 1)),
        np.broadcast_to(parts[:, :, 0] / np.float32(_FULL), (len(image), 256)),
        airlight_byte,
    )[:, :, 0]
    result = np.empty_like(image)
    for row, entries in enumerate(table):
        np.take(entries, image[row], out=result[row])
    return result
