"""Half the size, as MATLAB's ``imresize(image, 0.5)`` makes it.

The bicubic kernel (a = -0.5) is stretched by two, so that it smooths before it samples: eight
taps, centred between two pixels, the borders mirrored with the edge repeated.

Reference:
    Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE Transactions on
    Acoustics, Speech, and Signal Processing 29(6), 1981, equation 15,
    doi:10.1109/TASSP.1981.1163711; the stretched kernel: MathWorks, documentation of ``imresize``,
    option ``Antialiasing``.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte


def _taps() -> NDArray[np.float64]:
    x = np.abs(np.arange(8) - 3.5) / 2
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x <= 1, near, far)
    return np.asarray(weights / weights.sum(), np.float64)


_TAPS = _taps()
_KEEP = np.ones(1)


def halve(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half of ``float64 (H, W)``, ``(ceil(H/2), ceil(W/2))``."""
    return _along(_along(image, 0), 1)


def halve_bytes(image: NDArrayByte) -> NDArrayByte:
    """Half of ``uint8 (H, W)``; MATLAB rounds bytes after the rows and again after the columns."""
    return _bytes(_along(_bytes(_along(image.astype(np.float64), 0)).astype(np.float64), 1))


def _along(image: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    across, down = (_KEEP, _TAPS) if axis == 0 else (_TAPS, _KEEP)
    anchor = (-1, 3) if axis == 0 else (3, -1)
    smooth = cv2.sepFilter2D(
        image, cv2.CV_64F, across, down, anchor=anchor, borderType=cv2.BORDER_REFLECT
    )
    kept = smooth[::2] if axis == 0 else smooth[:, ::2]
    return np.ascontiguousarray(kept, np.float64)


def _bytes(image: NDArray[np.float64]) -> NDArrayByte:
    levels: NDArrayByte = np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)
    return levels
