"""Feature similarity of one image, without and with colour; a set's value is the mean over images.

Where the phases of an image's frequencies agree, people see features. With the phase congruency PC
(`phase_congruency`), gradient magnitude G of luma, and I, Q of YIQ of both images::

    S_PC = (2 PC1 PC2 + T1) / (PC1² + PC2² + T1)          T1 = 0.85
    S_G, S_I, S_Q likewise                                T2 = 160, T3 = T4 = 200
    FSIM  = sum(S_PC S_G PC_m) / sum(PC_m)                PC_m = max(PC1, PC2)
    FSIMc = sum(S_PC S_G (S_I S_Q)^0.03 PC_m) / sum(PC_m)

Args of each function: ``reference`` is the clean image, ``restored`` the one to judge, both
``uint8 (H, W, 3) RGB`` of one shape. Each returns a value in [0, 1], 1 for equal images; NaN where
the luma of either image is constant or a side is shorter than 6 px, the smallest wavelength.

Reference:
    Zhang, Zhang, Mou, Zhang, "FSIM: A Feature Similarity Index for Image Quality Assessment", IEEE
    Transactions on Image Processing 20(8), 2011, sections II and III,
    doi:10.1109/TIP.2011.2109730; constants and automatic down-sampling as in the authors'
    ``FeatureSIM.m``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from datasets.image import NDArrayByte
from tasks.quality.planes import OfPlanes, Planes

_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_SCALES, _ORIENTATIONS = 4, 4
_SHORTEST_PX = 6
"""Wavelength of the finest filter; each further scale doubles it."""
_SPREAD = 0.55
"""Width of a log-Gabor filter over its centre frequency."""
_LEAST_NOISE = 0.1
"""Threshold of noise in levels, from which on single precision gives FSIM to 1e-6."""
_THETA_SIGMA = math.pi / _ORIENTATIONS / 1.2


@OfPlanes
def fsim(reference: Planes, restored: Planes) -> float:
    """FSIM of luma alone."""
    return _similarity(reference, restored, colour=False)


@OfPlanes
def fsimc(reference: Planes, restored: Planes) -> float:
    """FSIM with colour."""
    return _similarity(reference, restored, colour=True)


class _Features(NamedTuple):
    """What is compared of an image, ``float64 (h, w)`` each after down-sampling."""

    congruency: NDArray[np.float64]
    gradient: NDArray[np.float64]
    i: NDArray[np.float64]
    q: NDArray[np.float64]


def _features(image: NDArrayByte) -> _Features | None:
    """None where there are none: a constant luma, or an image too small for the finest filter."""
    if min(image.shape[:2]) < _SHORTEST_PX:
        return None
    y, i, q = _sampled(image)
    # Zeros around the image would give one without an edge some.
    if (
        np.ptp(y[1:-1, 1:-1]) < 1e-9
        and np.ptp(cv2.transform(image.astype(np.float64), _YIQ[:1])) < 1e-9
    ):
        return None
    return _Features(phase_congruency(y), _gradient(y), i, q)


def _similarity(reference: Planes, restored: Planes, *, colour: bool) -> float:
    first, second = reference.of(_features), restored.of(_features)
    if first is None or second is None:
        return math.nan
    weight = np.maximum(first.congruency, second.congruency)
    total = float(weight.sum())
    if total == 0:
        return math.nan
    score = _agree(first.congruency, second.congruency, 0.85)
    score *= _agree(first.gradient, second.gradient, 160.0)
    if colour:
        hue = _agree(first.i, second.i, 200.0) * _agree(first.q, second.q, 200.0)
        # The authors take the real part of the power of a negative product.
        score *= np.abs(hue) ** 0.03 * np.where(hue < 0, math.cos(0.03 * math.pi), 1.0)
    return float((score * weight).sum()) / total


def _agree(a: NDArray[np.float64], b: NDArray[np.float64], constant: float) -> NDArray[np.float64]:
    return np.asarray((2 * a * b + constant) / (a * a + b * b + constant), np.float64)


def _sampled(image: NDArrayByte) -> list[NDArray[np.float64]]:
    """Y, I and Q, averaged and sampled by round(min(H, W)/256), zeros around the image."""
    factor = max(1, int(min(image.shape[:2]) / 256 + 0.5))
    anchor = (factor - 1) // 2
    sums = cv2.boxFilter(
        *(image, cv2.CV_32S, (factor, factor)),
        anchor=(anchor, anchor),
        normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )
    mean = np.asarray(sums[::factor, ::factor] / float(factor * factor), np.float64)
    return [np.ascontiguousarray(plane) for plane in cv2.split(cv2.transform(mean, _YIQ))]


def _gradient(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitude by Scharr's operator, zeros around the image."""
    smooth, slope = np.array([3.0, 10.0, 3.0]) / 16, np.array([-1.0, 0.0, 1.0])
    dx, dy = (
        cv2.sepFilter2D(luma, cv2.CV_64F, across, down, borderType=cv2.BORDER_CONSTANT)
        for across, down in ((slope, smooth), (smooth, slope))
    )
    return np.asarray(np.hypot(dx, dy), np.float64)


def phase_congruency(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phase congruency PC_2 of an image that is not constant.

    Four scales of log-Gabor filters in four orientations give even and odd responses e, o; with
    A = |e + i o| and the mean phase vector (E, O) / |E + i O| of the four scales::

        PC = sum over orientations of max(energy - T, 0) / sum of all A
        energy = sum over scales of (e E + o O - |e O - o E|)

    T is the mean plus two standard deviations of what noise gives, estimated from the median
    response at the finest scale and divided by 1.7, as the authors' code has it.

    Args:
        luma: ``float64 (H, W)``, 0..255.

    Returns:
        ``float64 (H, W)`` in [0, 1].

    Reference:
        Kovesi, "Image Features from Phase Congruency", Videre 1(3), 1999.
    """
    bank, spectrum = _bank(*luma.shape), fft.fft2(luma)
    found = _congruency(bank, np.asarray(spectrum, np.complex64))
    if found is None:
        found = _congruency(bank, spectrum)
    assert found is not None
    return found


def _congruency(bank: _Bank, spectrum: NDArray[Any]) -> NDArray[np.float64] | None:
    """Phase congruency of a spectrum, in its precision; None where single precision is too little.

    That is where hardly anything is found at the finest scale in half of the image: rounding would
    pass for features there. With noise as in any photograph, it is far below the noise's threshold.
    """
    is_single = spectrum.dtype == np.complex64
    energies, amplitudes = (np.zeros(spectrum.shape, spectrum.real.dtype) for _ in range(2))
    bank_filters = bank.single if is_single else bank.filters
    for filters, noise in zip(bank_filters, bank.noise, strict=True):
        responses = fft.ifft2(spectrum * filters, overwrite_x=True)
        even, odd = responses.real, responses.imag
        size = np.sqrt(even * even + odd * odd)
        threshold = float(noise) * float(np.median(size[0]))
        if is_single and threshold < _LEAST_NOISE:
            return None
        amplitudes += size.sum(0)
        all_even, all_odd = even.sum(0), odd.sum(0)
        energy = all_even * all_even + all_odd * all_odd
        length = np.sqrt(energy)
        energy -= np.abs(odd * all_even - even * all_odd).sum(0)
        energy /= length + 1e-4
        energy -= threshold
        energies += np.maximum(energy, 0)
    return np.asarray(energies / amplitudes, np.float64)


class _Bank(NamedTuple):
    """Filters of one image size."""

    filters: NDArray[np.float64]
    """``(orientations, scales, H, W)``, transfer functions with frequency 0 in the corner."""
    single: NDArray[np.float32]
    """The same in single precision."""
    noise: NDArray[np.float64]
    """``(orientations,)``: noise threshold for a median squared response of 1."""


@lru_cache(maxsize=4)
def _bank(height: int, width: int) -> _Bank:
    y, x = np.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius, theta = np.hypot(x, y), np.arctan2(-y, x)
    low_pass = 1 / (1 + (radius / 0.45) ** 30)
    radius[0, 0] = 1.0  # its logarithm is wanted; the filter is 0 there
    filters = np.empty((_ORIENTATIONS, _SCALES, height, width))
    for o in range(_ORIENTATIONS):
        turn = theta - o * math.pi / _ORIENTATIONS
        angle = np.abs(np.arctan2(np.sin(turn), np.cos(turn)))
        across = np.exp(-(angle**2) / (2 * _THETA_SIGMA**2))
        for s in range(_SCALES):
            centre = 1 / (_SHORTEST_PX * 2**s)
            along = np.exp(-(np.log(radius / centre) ** 2) / (2 * math.log(_SPREAD) ** 2))
            filters[o, s] = along * low_pass * across
    filters[..., 0, 0] = 0.0
    # Noise of unit power: expected energy² of the sum over scales, a Rayleigh distribution.
    waves = fft.ifft2(filters).real * math.sqrt(height * width)
    squares = np.square(waves).sum((1, 2, 3))
    crossed = (np.square(waves.sum(1)).sum((1, 2)) - squares) / 2
    power = 1 / (math.log(2) * np.square(filters[:, 0]).sum((1, 2)))
    tau = np.sqrt(power * (squares + 2 * crossed))
    noise = tau * (math.sqrt(math.pi / 2) + 2 * math.sqrt(2 - math.pi / 2)) / 1.7
    return _Bank(filters, filters.astype(np.float32), noise)


def _frequencies(n: int) -> NDArray[np.float64]:
    """Cycles per pixel with 0 first; an odd length is stretched to reach 0.5, as Kovesi has it."""
    steps = np.arange(n) - n // 2
    return np.asarray(fft.ifftshift(steps / (n - 1 if n % 2 else n)), np.float64)
