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
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.luma import studio_luma
from tasks.quality.planes import OfPlanes, Planes

SIDE_PX = 8


@OfPlanes
def uqi(reference: Planes, restored: Planes) -> float:
    """UQI of studio-range luma rounded to bytes, the luma of PSNR-Y; window 8x8 at every pixel.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB``.
        restored: The image to judge, of the same shape.

    Returns:
        In [-1, 1], 1 for equal lumas; NaN where no window fits.
    """
    return _uqi(reference.through(studio_luma), restored.through(studio_luma))


def uqi_of_luma(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """UQI of one channel, ``uint8 (H, W)``."""
    return _uqi(Planes(reference), Planes(restored))


def _uqi(reference: Planes, restored: Planes) -> float:
    if min(reference.image.shape) < SIDE_PX:
        return math.nan
    x, y = reference.of(_moments), restored.of(_moments)
    # Sums of whole numbers below 2^31 are exact, so that zero means zero.
    product, power = x.total * y.total, x.total * x.total + y.total * y.total
    both = cv2.multiply(reference.image, restored.image, dtype=cv2.CV_16U)
    covariance = SIDE_PX**2 * _sums(both) - product
    variance = SIDE_PX**2 * (x.squares + y.squares) - power
    # Where both windows are flat only the means count, and where both are black they are equal.
    contrast = np.divide(2 * covariance, variance, where=variance != 0, out=np.ones(power.shape))
    means = np.divide(2 * product, power, where=power != 0, out=np.ones(power.shape))
    return float((contrast * means).mean())


class _Moments(NamedTuple):
    """Of the windows of one luma."""

    total: NDArray[np.int32]
    squares: NDArray[np.int32]
    """Sum of the squared values."""


def _moments(luma: NDArrayByte) -> _Moments:
    return _Moments(_sums(luma), _sums(cv2.multiply(luma, luma, dtype=cv2.CV_16U)))


def _sums(field: NDArray[Any]) -> NDArray[np.int32]:
    """Sum of each window that fits."""
    sums = cv2.boxFilter(field, cv2.CV_32S, (SIDE_PX, SIDE_PX), anchor=(0, 0), normalize=False)
    return np.asarray(sums, np.int32)[: 1 - SIDE_PX, : 1 - SIDE_PX]
