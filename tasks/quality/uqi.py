"""Universal image quality index of one image; a set's value is the mean over images.

With mean, variance and covariance of an 8x8 window::

    Q = 4 s_xy mu_x mu_y / ((s_x² + s_y²) (mu_x² + mu_y²))

The index is SSIM without its constants and with a uniform window, hence unstable where an image is
flat; the authors' conventions for the vanishing denominators are kept.

Reference:
    Wang, Bovik, "A Universal Image Quality Index", IEEE Signal Processing Letters 9(3), 2002,
    equation 1, doi:10.1109/97.995823; block size and vanishing denominators as in the authors'
    ``img_qi.m``.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.luma import studio_luma

SIDE_PX = 8


def uqi(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """UQI of studio-range luma rounded to bytes, the luma of PSNR-Y; window 8x8 at every pixel.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB``.
        restored: The image to judge, of the same shape.

    Returns:
        In [-1, 1], 1 for equal lumas; NaN where no window fits.
    """
    return uqi_of_luma(studio_luma(reference), studio_luma(restored))


def uqi_of_luma(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """UQI of one channel, ``uint8 (H, W)``."""
    if min(reference.shape) < SIDE_PX:
        return math.nan
    x, y = reference.astype(np.float64), restored.astype(np.float64)
    n = float(SIDE_PX**2)
    sum_x, sum_y = _sums(x), _sums(y)
    # Sums of whole numbers below 2^53 are exact, so that zero means zero.
    product, power = sum_x * sum_y, sum_x * sum_x + sum_y * sum_y
    covariance = n * _sums(x * y) - product
    variance = n * _sums(x * x + y * y) - power
    # Where both windows are flat only the means count, and where both are black they are equal.
    flat, black = variance == 0, power == 0
    contrast = np.where(flat, 1.0, 2 * covariance / np.where(flat, 1.0, variance))
    means = np.where(black, 1.0, 2 * product / np.where(black, 1.0, power))
    return float((contrast * means).mean())


def _sums(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of each window that fits."""
    sums = cv2.boxFilter(field, cv2.CV_64F, (SIDE_PX, SIDE_PX), anchor=(0, 0), normalize=False)
    return np.asarray(sums, np.float64)[: 1 - SIDE_PX, : 1 - SIDE_PX]
