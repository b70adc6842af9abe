"""Structural similarity of one image; a set's value is the mean over images."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.luma import studio_luma

_SIDE = 11
_GAUSSIAN = np.exp(-((np.arange(_SIDE) - _SIDE // 2) ** 2) / (2 * 1.5**2))
_GAUSSIAN /= _GAUSSIAN.sum()
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim_y(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """SSIM of studio-range luma rounded to bytes: the field's MATLAB protocol.

    Gaussian window 11x11 with sigma 1.5, valid region only, population moments, no down-sampling.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB``.
        restored: The image to judge, same shape.

    Returns:
        At most 1; NaN for images under 11 px, where no window fits.

    Reference:
        Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to
        Structural Similarity", IEEE TIP 2004, equation 13, doi:10.1109/TIP.2003.819861.
    """
    return _ssim(studio_luma(reference), studio_luma(restored))


def ssim_rgb(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """Mean of the three channels' SSIM; see `ssim_y`."""
    return float(np.mean([_ssim(reference[..., c], restored[..., c]) for c in range(3)]))


def _ssim(a: NDArrayByte, b: NDArrayByte) -> float:
    if min(a.shape) < _SIDE:
        return float("nan")
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    xx, yy, xy = mean_x * mean_x, mean_y * mean_y, mean_x * mean_y
    variances = _blur(x * x) + _blur(y * y) - xx - yy
    covariance = _blur(x * y) - xy
    score = (2 * xy + _C1) * (2 * covariance + _C2) / ((xx + yy + _C1) * (variances + _C2))
    return float(score.mean())


def _blur(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian mean where the whole window fits."""
    margin = _SIDE // 2
    blurred = cv2.sepFilter2D(field, cv2.CV_64F, _GAUSSIAN, _GAUSSIAN)
    return np.asarray(blurred, np.float64)[margin:-margin, margin:-margin]
