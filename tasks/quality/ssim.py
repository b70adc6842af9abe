"""Structural similarity of one image; a set's value is the mean over images.

Args of each function: ``reference`` is the clean image, ``restored`` the one to judge, both
``uint8 (H, W, 3) RGB`` of one shape. Each returns at most 1, NaN where no window fits.

With the weighted means mu, variances s² and covariance s_xy of one window, K1 = 0.01, K2 = 0.03,
C1 = (K1 L)², C2 = (K2 L)², L the peak::

    SSIM = (2 mu_x mu_y + C1) (2 s_xy + C2) / ((mu_x² + mu_y² + C1) (s_x² + s_y² + C2))

Reference:
    Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE Transactions on Image Processing 13(4), 2004, equation 13,
    doi:10.1109/TIP.2003.819861.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from tasks.quality.luma import pil_luma, studio_luma, studio_luma_unrounded

STRIP_PX = 96
"""Rows worked on at a time, so that all maps of a strip stay in the processor's cache."""


@dataclass(frozen=True)
class _Window:
    """A separable window."""

    kernel: NDArray[np.float64]
    """``(side,)`` weights that add up to 1."""
    bessel: float = 1.0
    """Factor of the variances: 1 for population moments, n / (n - 1) for sample moments."""


def _gaussian(side: int, sigma: float) -> NDArray[np.float64]:
    weights = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(), np.float64)


_GAUSSIAN = _Window(_gaussian(11, 1.5))
_UNIFORM = _Window(np.full(7, 1 / 7), bessel=49 / 48)


def ssim_y(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """SSIM of studio-range luma rounded to bytes: the field's MATLAB protocol.

    Gaussian window 11x11 with sigma 1.5, valid region only, population moments, no down-sampling.
    """
    return ssim_of_luma(studio_luma(reference), studio_luma(restored))


def ssim_of_luma(reference: NDArray[Any], restored: NDArray[Any]) -> float:
    """SSIM of any luma, ``(H, W)`` 0..255 in bytes or floats; the rest as in `ssim_y`."""
    return _ssim(reference, restored, _GAUSSIAN)


def ssim_rgb(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """Mean of the three channels' SSIM; the rest as in `ssim_y`."""
    return _mean_of_channels(reference, restored, _GAUSSIAN)


def ssim_y_prenet(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """SSIM as the script of PReNet's authors takes it: unrounded luma, automatic down-sampling.

    Wang's ``ssim.m`` averages and skips by f = max(1, round(min(H, W)/256)) first.
    """
    height, width = reference.shape[:2]
    factor = max(1, int(min(height, width) / 256 + 0.5))
    return ssim_of_luma(
        _down(studio_luma_unrounded(reference), factor),
        _down(studio_luma_unrounded(restored), factor),
    )


def ssim_y_pil(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """SSIM of full-range luma as NLEDN's authors take it: scikit-image's default, 7x7 uniform."""
    return _ssim(pil_luma(reference), pil_luma(restored), _UNIFORM)


def ssim_rgb_hrrsr(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """Mean of the channels' SSIM with scikit-image's default window, 7x7 uniform.

    That is what ``evaluate.py`` of HRRSR's authors does; their ``test.py`` takes a Gaussian window
    of sigma 1.5, and the paper does not say which one its tables are from.
    """
    return _mean_of_channels(reference, restored, _UNIFORM)


def ssim_rgb_dcsfn(reference: NDArrayByte, restored: NDArrayFloat) -> float:
    """SSIM of floats, zeros around the image, mean over channels, as DCSFN's authors take it.

    Their code leaves values outside [0, 1] as they are; a derainer's output is in that range here.

    Args:
        reference: ``uint8 (H, W, 3) RGB``.
        restored: ``float32 (H, W, 3) RGB`` in [0, 1].
    """
    margin = _GAUSSIAN.kernel.size // 2
    around = ((margin, margin), (margin, margin), (0, 0))
    clean = reference.astype(np.float32) / np.float32(255)
    x, y = np.pad(clean, around), np.pad(restored, around)
    return _mean_of_channels(x, y, _GAUSSIAN, peak=1.0)


def _mean_of_channels(
    x: NDArray[Any], y: NDArray[Any], window: _Window, peak: float = 255.0
) -> float:
    scores = [
        _ssim(np.ascontiguousarray(x[..., c]), np.ascontiguousarray(y[..., c]), window, peak)
        for c in range(3)
    ]
    return math.fsum(scores) / 3


def _down(luma: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Mean of factor x factor pixels, borders mirrored, every factor-th pixel kept."""
    if factor == 1:
        return luma
    anchor = (factor - 1) // 2
    mean = cv2.blur(luma, (factor, factor), anchor=(anchor, anchor), borderType=cv2.BORDER_REFLECT)
    return np.ascontiguousarray(mean[::factor, ::factor], np.float64)


def _ssim(x: NDArray[Any], y: NDArray[Any], window: _Window, peak: float = 255.0) -> float:
    """Mean over all windows that fit, of one channel; strip by strip in the same memory."""
    more = window.kernel.size - 1
    height, width = x.shape[0] - more, x.shape[1] - more
    if height < 1 or width < 1:
        return math.nan
    scratch = np.empty((6, min(STRIP_PX, height) + more, x.shape[1]))
    sums = []
    for top in range(0, height, STRIP_PX):
        rows = slice(top, min(top + STRIP_PX, height) + more)
        sums.append(_strip(x[rows], y[rows], window, peak, scratch[:, : rows.stop - top]))
    return math.fsum(sums) / float(height * width)


def _strip(
    x: NDArray[Any], y: NDArray[Any], window: _Window, peak: float, scratch: NDArray[np.float64]
) -> float:
    """Sum of SSIM over the windows that fit.

    With a = x + y and b = x - y, 4 mu_x mu_y = mu_a² - mu_b² and 2 (mu_x² + mu_y²) = mu_a² + mu_b²,
    and likewise for the second moments: four filters do instead of five. Bessel's factor cancels
    but in C2. Each line works in place, because fresh memory costs more than the arithmetic.
    """
    a, b, mean_a, mean_b, square_a, square_b = scratch
    c1, c2 = 2 * (0.01 * peak) ** 2, 2 * (0.03 * peak) ** 2 / window.bessel
    cv2.add(x, y, dst=a, dtype=cv2.CV_64F)
    cv2.subtract(x, y, dst=b, dtype=cv2.CV_64F)
    _mean(a, window, mean_a)
    _mean(b, window, mean_b)
    _mean(np.multiply(a, a, out=a), window, square_a, plus=c1 + c2)
    _mean(np.multiply(b, b, out=b), window, square_b)
    mean_a *= mean_a
    mean_b *= mean_b
    mean_a += c1
    means, powers = np.subtract(mean_a, mean_b, out=a), np.add(mean_a, mean_b, out=mean_a)
    moments, sums = np.subtract(square_a, square_b, out=b), np.add(square_a, square_b, out=square_a)
    moments -= means
    sums -= powers
    moments *= means
    sums *= powers
    moments /= sums
    margin = window.kernel.size // 2
    return float(moments[margin:-margin, margin:-margin].sum())


def _mean(
    field: NDArray[np.float64], window: _Window, out: NDArray[np.float64], plus: float = 0.0
) -> None:
    """Weighted mean of the window around each pixel, plus a constant."""
    cv2.sepFilter2D(field, cv2.CV_64F, window.kernel, window.kernel, dst=out, delta=plus)
