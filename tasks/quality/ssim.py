"""Structural similarity of one image; a set's value is the mean over images.

Args of each function: ``reference`` is the clean image, ``restored`` the one to judge, both
``uint8 (H, W, 3) RGB`` of one shape, or `Planes` of them. Each returns at most 1, NaN where no
window fits.

With the weighted means mu, variances s² and covariance s_xy of one window, K1 = 0.01, K2 = 0.03,
C1 = (K1 L)², C2 = (K2 L)², L the peak::

    SSIM = (2 mu_x mu_y + C1) (2 s_xy + C2) / ((mu_x² + mu_y² + C1) (s_x² + s_y² + C2))

What is filtered for it is the difference d = y - x, since of a clean image x the moments are made
once, whatever it is compared with (`tasks.quality.planes.Planes`). With mu = mu_d, s² and s_xd of d
and Q = s_x² + s_xd + C2/2, R = mu_x² + mu_x mu + C1/2::

    SSIM = Q R / ((Q + s²/2) (R + mu²/2))

Bytes are compared in single precision: an error of Q or R cancels but for the share of s²/2 or
mu²/2, and these are small where y is near x. Where they are not, `_is_sound` says so, and the strip
is computed in double precision; so the value is that of doubles to 1e-6, whatever the images.

Reference:
    Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE Transactions on Image Processing 13(4), 2004, equation 13,
    doi:10.1109/TIP.2003.819861.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.luma import pil_luma, studio_luma, studio_luma_unrounded
from tasks.quality.planes import OfPlanes, Planes

STRIP_PX = 64
"""Rows worked on at a time, so that all maps of a strip stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class _Window:
    """A separable window."""

    kernel: NDArray[np.float64]
    """``(side,)`` weights that add up to 1."""
    bessel: float = 1.0
    """Factor of the variances: 1 for population moments, n / (n - 1) for sample moments."""

    @property
    def margin(self) -> int:
        """Pixels at each side that no window is centred on."""
        return self.kernel.size // 2

    @cached_property
    def single(self) -> NDArray[np.float32]:
        """The weights in single precision, which still add up to 1: flat parts stay flat."""
        weights = self.kernel.astype(np.float32)
        weights[[0, -1]] += np.float32((1 - weights.sum(dtype=np.float64)) / 2)
        return weights


def _gaussian(side: int, sigma: float) -> NDArray[np.float64]:
    weights = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(), np.float64)


GAUSSIAN = _Window(_gaussian(11, 1.5))
_UNIFORM = _Window(np.full(7, 1 / 7), bessel=49 / 48)


@OfPlanes
def ssim_y(reference: Planes, restored: Planes) -> float:
    """SSIM of studio-range luma rounded to bytes: the field's MATLAB protocol.

    Gaussian window 11x11 with sigma 1.5, valid region only, population moments, no down-sampling.
    """
    return _between(studio_luma, reference, restored, GAUSSIAN)


def ssim_of_luma(reference: NDArray[Any], restored: NDArray[Any]) -> float:
    """SSIM of any luma, ``(H, W)`` 0..255 in bytes or floats; the rest as in `ssim_y`."""
    return _ssim(Planes(reference), Planes(restored), GAUSSIAN)


@OfPlanes
def ssim_rgb(reference: Planes, restored: Planes) -> float:
    """Mean of the three channels' SSIM; the rest as in `ssim_y`."""
    return _ssim(reference, restored, GAUSSIAN)


@OfPlanes
def ssim_y_prenet(reference: Planes, restored: Planes) -> float:
    """SSIM as the script of PReNet's authors takes it: unrounded luma, automatic down-sampling.

    Wang's ``ssim.m`` averages and skips by f = max(1, round(min(H, W)/256)) first.
    """
    return _between(_sampled_luma, reference, restored, GAUSSIAN)


@OfPlanes
def ssim_y_pil(reference: Planes, restored: Planes) -> float:
    """SSIM of full-range luma as NLEDN's authors take it: scikit-image's default, 7x7 uniform."""
    return _between(pil_luma, reference, restored, _UNIFORM)


@OfPlanes
def ssim_rgb_hrrsr(reference: Planes, restored: Planes) -> float:
    """Mean of the channels' SSIM with scikit-image's default window, 7x7 uniform.

    That is what ``evaluate.py`` of HRRSR's authors does; their ``test.py`` takes a Gaussian window
    of sigma 1.5, and the paper does not say which one its tables are from.
    """
    return _ssim(reference, restored, _UNIFORM)


@OfPlanes
def ssim_rgb_dcsfn(reference: Planes, restored: Planes) -> float:
    """SSIM of floats, zeros around the image, mean over channels, as DCSFN's authors take it.

    Their code leaves values outside [0, 1] as they are; a derainer's output is in that range here.

    Args:
        reference: ``uint8 (H, W, 3) RGB``.
        restored: ``float32 (H, W, 3) RGB`` in [0, 1].
    """
    return _ssim(
        reference.through(_surrounded, 255),
        restored.through(_surrounded, 1),
        GAUSSIAN,
        peak=1.0,
    )


def _between(
    luma: Callable[[NDArrayByte], NDArray[Any]], x: Planes, y: Planes, window: _Window
) -> float:
    """SSIM of a luma that is made once of each image."""
    return _ssim(x.through(luma), y.through(luma), window)


def _surrounded(image: NDArray[Any], peak: int) -> NDArray[np.float32]:
    """The image in [0, 1] with zeros around it."""
    margin = GAUSSIAN.margin
    around = ((margin, margin), (margin, margin), (0, 0))
    return np.pad(image.astype(np.float32) / np.float32(peak), around)


def _sampled_luma(image: NDArrayByte) -> NDArray[np.float64]:
    """Unrounded luma, the mean of factor x factor pixels, borders mirrored, sampled by factor."""
    luma = studio_luma_unrounded(image)
    factor = max(1, int(min(luma.shape) / 256 + 0.5))
    if factor == 1:
        return luma
    anchor = (factor - 1) // 2
    mean = cv2.blur(luma, (factor, factor), anchor=(anchor, anchor), borderType=cv2.BORDER_REFLECT)
    return np.ascontiguousarray(mean[::factor, ::factor], np.float64)


def _ssim(x: Planes, y: Planes, window: _Window, peak: float = 255.0) -> float:
    """Mean over all windows that fit, and over channels; strip by strip in the same memory."""
    around = 2 * window.margin
    height, width = x.image.shape[0] - around, x.image.shape[1] - around
    if height < 1 or width < 1:
        return math.nan
    known = x.of(_moments, window, peak)
    scratch = np.empty((6, *_strip_shape(x.image, window)), known.mean.dtype)
    sums = []
    for top in range(0, height, STRIP_PX):
        centres = slice(top, min(top + STRIP_PX, height))
        rows = slice(top, centres.stop + around)
        part = x.image[rows], y.image[rows]
        here = _Moments(known.mean[centres], known.spread[centres])
        total = _strip(*part, here, window, peak, scratch[:, : rows.stop - top])
        sums.append(_exact_strip(*part, window, peak) if total is None else total)
    return math.fsum(sums) / float(height * width * x.image[0, 0].size)


class _Moments(NamedTuple):
    """Of each window that fits, in rows; the first and last columns hold nothing."""

    mean: NDArray[Any]
    """mu_x."""
    spread: NDArray[Any]
    """s_x² + C2/2, C2 without Bessel's factor."""


def _strip_shape(image: NDArray[Any], window: _Window) -> tuple[int, ...]:
    return (min(STRIP_PX + 2 * window.margin, len(image)), *image.shape[1:])


def _moments(image: NDArray[Any], window: _Window, peak: float) -> _Moments:
    """Made in double precision; kept in single precision of bytes."""
    margin, height = window.margin, len(image) - 2 * window.margin
    kind = np.float32 if image.dtype == np.uint8 else np.float64
    kept = _Moments(*(np.empty((height, *image.shape[1:]), kind) for _ in range(2)))
    scratch = np.empty((3, *_strip_shape(image, window)))
    for top in range(0, height, STRIP_PX):
        centres = slice(top, min(top + STRIP_PX, height))
        rows = slice(top, centres.stop + 2 * margin)
        values, mean, square = scratch[:, : rows.stop - top]
        values[...] = image[rows]
        _mean(values, window, mean)
        _mean(np.multiply(values, values, out=values), window, square, plus=_c2(window, peak) / 2)
        mean, square = mean[margin:-margin], square[margin:-margin]
        kept.mean[centres] = mean
        mean *= mean
        square -= mean
        kept.spread[centres] = square
    return kept


def _strip(
    x: NDArray[Any],
    y: NDArray[Any],
    known: _Moments,
    window: _Window,
    peak: float,
    scratch: NDArray[Any],
) -> float | None:
    """Sum of SSIM over the windows that fit; None where single precision is not enough.

    Bessel's factor cancels but in C2. Each line works in place, because fresh memory costs more
    than the arithmetic.
    """
    margin, is_single = window.margin, scratch.dtype == np.float32
    d, product, mean, covariance, variance, half = scratch
    # An equal step everywhere costs single precision its digits, and no variance.
    step = round(cv2.mean(_flat(y))[0] - cv2.mean(_flat(x))[0]) if is_single else 0
    depth = cv2.CV_32F if is_single else cv2.CV_64F
    cv2.addWeighted(_flat(y), 1, _flat(x), -1, -step, dst=_flat(d), dtype=depth)
    half[...] = x
    _mean(d, window, mean)
    _mean(np.multiply(half, d, out=product), window, covariance)
    cv2.multiply(d, d, dst=product, scale=0.5)
    _mean(product, window, variance)
    mean, covariance, variance, half = (
        plane[margin:-margin] for plane in (mean, covariance, variance, half)
    )
    covariance -= np.multiply(mean, known.mean, out=half)
    q = np.add(covariance, known.spread, out=covariance)
    cv2.multiply(mean, mean, dst=half, scale=0.5)
    variance -= half
    if is_single and not _is_sound(q, variance, half, mean, known.mean):
        return None
    if step:
        mean += step
        cv2.multiply(mean, mean, dst=half, scale=0.5)
    q_below = np.add(variance, q, out=variance)
    mean += known.mean
    mean *= known.mean
    r = np.add(mean, (0.01 * peak) ** 2 / 2, out=mean)
    r_below = np.add(half, r, out=half)
    q *= r
    q_below *= r_below
    q /= q_below
    return math.fsum(cv2.sumElems(q[:, margin:-margin]))


def _exact_strip(x: NDArray[Any], y: NDArray[Any], window: _Window, peak: float) -> float:
    """The same in double precision."""
    known = _moments(x.astype(np.float64), window, peak)
    total = _strip(x, y, known, window, peak, np.empty((6, *x.shape)))
    assert total is not None
    return total


def _is_sound(
    q: NDArray[np.float32],
    variance: NDArray[np.float32],
    square: NDArray[np.float32],
    mean: NDArray[np.float32],
    level: NDArray[np.float32],
) -> bool:
    """Whether the mean of a strip's SSIM in single precision is right to 1e-6.

    Of a square, the filters are off by up to 1.2e-7 of it on average, and by up to 4.5e-7 where the
    field is flat: rounding goes one way where windows have one mean, to a grey level, and another
    way where they have another. That enters SSIM by s²/2 and by Q, whose derivatives are taken at
    every eighth pixel of every eighth row. What else is rounded is off by 4e-7 at most.

    Args:
        q: Q.
        variance: s²/2.
        square: mu²/2, without the equal step.
        mean: mu, likewise.
        level: mu_x.
    """
    q, variance, square, mean, level = (
        plane[::8, ::8] for plane in (q, variance, square, mean, level)
    )
    below = q + variance
    slope = 2 * (square + variance * level * np.abs(mean) / below) / below
    error = slope * np.where(variance < 0.5, 4.5e-7, 1.2e-7)
    levels = np.rint(mean).astype(np.intp).ravel()
    of_levels = np.bincount(levels - levels.min(), weights=error.ravel())
    return float(np.hypot.reduce(of_levels)) < 4e-7 * error.size


def _flat(image: NDArray[Any]) -> NDArray[Any]:
    """Rows of all channels, as one channel."""
    return image.reshape(len(image), -1)


def _c2(window: _Window, peak: float) -> float:
    return (0.03 * peak) ** 2 / window.bessel


def _mean(field: NDArray[Any], window: _Window, out: NDArray[Any], plus: float = 0.0) -> None:
    """Weighted mean of the window around each pixel, plus a constant."""
    kernel = window.single if field.dtype == np.float32 else window.kernel
    cv2.sepFilter2D(field, -1, kernel, kernel, dst=out, delta=plus)
