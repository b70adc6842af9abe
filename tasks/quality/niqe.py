"""Naturalness of one image without a reference; lower is better. A set's value is the mean.

Locally normalised luma of natural photographs has a typical distribution. Eighteen features of it
in each 96x96 block at full size and eighteen at half size have mean nu1 and covariance S1 over 125
pristine photographs (`niqe_pristine.npz`), nu2 and S2 over the blocks of the image at hand::

    NIQE = sqrt((nu1 - nu2)^T ((S1 + S2) / 2)^-1 (nu1 - nu2))

Reference:
    Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal
    Processing Letters 20(3), 2013, section II, doi:10.1109/LSP.2012.2227726; what the paper
    leaves open as in the authors' MATLAB release of 2012. MATLAB's built-in ``niqe`` has another
    model and gives other values.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.quality.halve import halve
from tasks.quality.luma import gray
from tasks.quality.planes import OfPlanes, Planes

BLOCK_PX = 96
FEWEST_BLOCKS = 2
"""Fewer blocks have no covariance."""
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products are features: right, below, and the two diagonals."""


@OfPlanes
def niqe(restored: Planes) -> float:
    """NIQE of MATLAB's ``rgb2gray``, as the release takes it of a colour image.

    Args:
        restored: ``uint8 (H, W, 3) RGB``.

    Returns:
        At least 0, natural photographs near 3; NaN below two whole blocks, or where fewer than two
        blocks have structure.
    """
    return niqe_of_luma(restored.through(gray).image.astype(np.float64))


def niqe_of_luma(luma: NDArray[np.float64]) -> float:
    """NIQE of any luma, ``float64 (H, W)``, 0..255."""
    rows, columns = luma.shape[0] // BLOCK_PX, luma.shape[1] // BLOCK_PX
    if rows * columns < FEWEST_BLOCKS:
        return math.nan
    image = luma[: rows * BLOCK_PX, : columns * BLOCK_PX]
    features = np.hstack([_features(image, BLOCK_PX), _features(halve(image), BLOCK_PX // 2)])
    # As the release: the mean of what is defined, column by column, but the covariance of
    # complete rows. A flat block is not complete, since its distribution has no width.
    defined = ~np.isnan(features)
    complete = features[defined.all(1)]
    if len(complete) < FEWEST_BLOCKS:
        return math.nan
    mean = np.where(defined, features, 0).sum(0) / defined.sum(0)
    pristine_mean, pristine_covariance = _pristine()
    away = pristine_mean - mean
    spread = (pristine_covariance + np.cov(complete, rowvar=False)) / 2
    inverse = np.linalg.pinv(spread, rcond=len(spread) * np.finfo(np.float64).eps)
    return math.sqrt(max(0.0, float(away @ inverse @ away)))


@lru_cache(maxsize=1)
def _pristine() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean ``(36,)`` and covariance ``(36, 36)`` of pristine photographs."""
    with np.load(Path(__file__).with_name("niqe_pristine.npz"), allow_pickle=False) as model:
        return model["mean"], model["covariance"]


def _features(image: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """``(blocks, 18)`` features: shape and width of each block's values and neighbour products."""
    normal = _blocks(_normalised(image), side)
    own = _fitted(normal)
    columns = [own.shape, (own.left + own.right) / 2]
    for shift in _SHIFTS:
        product = _fitted(normal * np.roll(normal, shift, (1, 2)))
        columns += [product.shape, product.mean, product.left, product.right]
    return np.stack(columns, 1)


def _normalised(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Luma less its local mean, over its local deviation plus 1; Gaussian 7x7, sigma 7/6."""
    weights = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    weights /= weights.sum()

    def local(field: NDArray[np.float64]) -> Any:
        return cv2.sepFilter2D(field, cv2.CV_64F, weights, weights, borderType=cv2.BORDER_REPLICATE)

    mean = local(image)
    deviation = np.sqrt(np.abs(local(image * image) - mean * mean))
    difference = image - mean
    # Where the image is flat, rounding alone decides the sign; the fit would count those signs.
    difference[np.abs(difference) < 1e-9] = 0
    return np.asarray(difference / (deviation + 1), np.float64)


def _blocks(image: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """``(blocks, side, side)``."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    split = image.reshape(rows, side, columns, side).swapaxes(1, 2)
    return np.ascontiguousarray(split).reshape(-1, side, side)


class _Fit(NamedTuple):
    """Asymmetric generalised Gaussian of each block, ``(blocks,)`` each."""

    shape: NDArray[np.float64]
    left: NDArray[np.float64]
    """Width below 0; NaN where no value lies there."""
    right: NDArray[np.float64]
    mean: NDArray[np.float64]


def _fitted(blocks: NDArray[np.float64]) -> _Fit:
    """Fit by moments; a block without a shape gets the table's first, as in the release."""
    values = blocks.reshape(len(blocks), -1)
    squares = values * values
    positive = values > 0
    count_right, count_left = positive.sum(1), (values < 0).sum(1)
    power, power_right = squares.sum(1), (squares * positive).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.sqrt((power - power_right) / count_left)
        right = np.sqrt(power_right / count_right)
        ratio = left / right
        peaked = np.abs(values).mean(1) ** 2 / (power / values.shape[1])
        wanted = peaked * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    table = _shapes()
    above = np.clip(np.searchsorted(table.ratio, wanted), 1, len(table.ratio) - 1)
    nearer = np.abs(table.ratio[above - 1] - wanted) <= np.abs(table.ratio[above] - wanted)
    row = np.where(np.isnan(wanted), 0, above - nearer)
    left, right = left * table.width[row], right * table.width[row]
    return _Fit(table.shape[row], left, right, (right - left) * table.mean[row])


class _Shapes(NamedTuple):
    """What belongs to each shape that is tried."""

    shape: NDArray[np.float64]
    ratio: NDArray[np.float64]
    """Squared mean magnitude over mean square."""
    width: NDArray[np.float64]
    """Width over standard deviation."""
    mean: NDArray[np.float64]
    """Mean over difference of the widths."""


@lru_cache(maxsize=1)
def _shapes() -> _Shapes:
    from scipy.special import gammaln

    shape = np.arange(200, 10001) / 1000
    one, two, three = (gammaln(k / shape) for k in (1, 2, 3))
    return _Shapes(
        shape, np.exp(2 * two - one - three), np.exp((one - three) / 2), np.exp(two - one)
    )
