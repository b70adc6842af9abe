"""Structural similarity of one image; a set's value is the mean over images.

Args of each function: ``reference`` is the clean image, ``restored`` the one to judge, both
``uint8 (H, W, 3) RGB`` of one shape. Each returns at most 1, NaN where no window fits.

Reference:
    Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE TIP 2004, equation 13, doi:10.1109/TIP.2003.819861.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.luma import pil_luma, studio_luma, studio_luma_unrounded

_SIDE = 11
_GAUSSIAN = np.exp(-((np.arange(_SIDE) - _SIDE // 2) ** 2) / (2 * 1.5**2))
_GAUSSIAN /= _GAUSSIAN.sum()
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim_y(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """SSIM of studio-range luma rounded to bytes: the field's MATLAB protocol.

    Gaussian window 11x11 with sigma 1.5, valid region only, population moments, no down-sampling.
    """
    return _ssim(
        studio_luma(reference).astype(np.float64), studio_luma(restored).astype(np.float64)
    )


def ssim_rgb(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """Mean of the three channels' SSIM; the rest as in `ssim_y`."""
    a, b = reference.astype(np.float64), restored.astype(np.float64)
    return float(np.mean([_ssim(a[..., c], b[..., c]) for c in range(3)]))


def ssim_y_prenet(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """SSIM as the script of PReNet's authors takes it: unrounded luma, automatic down-sampling.

    Wang's ``ssim.m`` averages and skips by f = max(1, round(min(H, W)/256)) first.
    """
    height, width = reference.shape[:2]
    factor = max(1, int(min(height, width) / 256 + 0.5))
    return _ssim(
        _down(studio_luma_unrounded(reference), factor),
        _down(studio_luma_unrounded(restored), factor),
    )


def ssim_y_pil(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """SSIM of full-range luma as NLEDN's authors take it: scikit-image's default, 7x7 uniform."""
    from skimage.metrics import structural_similarity

    if min(reference.shape[:2]) < 7:
        return float("nan")
    score = structural_similarity(pil_luma(reference), pil_luma(restored), data_range=255)
    return float(score)


def _down(luma: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Mean of factor x factor pixels, borders mirrored, every factor-th pixel kept."""
    if factor == 1:
        return luma
    anchor = (factor - 1) // 2
    mean = cv2.blur(luma, (factor, factor), anchor=(anchor, anchor), borderType=cv2.BORDER_REFLECT)
    return np.ascontiguousarray(mean[::factor, ::factor], np.float64)


def _ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if min(x.shape) < _SIDE:
        return float("nan")
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
