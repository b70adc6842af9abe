"""Luma of BT.601, in the ranges that the field uses.

Args of each function: ``image`` is ``uint8 (H, W, 3) RGB``.

Reference:
    ITU-R BT.601; the weights are those of MATLAB's ``rgb2ycbcr`` and ``rgb2gray`` and of Pillow.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte

STRIP_PX = 32
"""Rows worked on at a time, so that they stay in the processor's cache."""
_STUDIO = np.array([[65.481, 128.553, 24.966, 16.0 * 255.0]]) / 255.0
# MATLAB inverts a YIQ matrix of three digits, hence not 0.299, 0.587, 0.114.
_GRAY = np.array([[0.298936021293775, 0.587043074451121, 0.114020904255103]])


def studio_luma_unrounded(image: NDArrayByte) -> NDArray[np.float64]:
    """Y in 16..235, ``float64 (H, W)``: ``rgb2ycbcr`` of an image of doubles, times 255."""
    luma = np.empty(image.shape[:2])
    for rows, strip in _weighted(image, _STUDIO):
        luma[rows] = strip
    return luma


def studio_luma(image: NDArrayByte) -> NDArrayByte:
    """Y in 16..235 rounded to bytes, as MATLAB's ``rgb2ycbcr`` gives it for an image of bytes."""
    return _rounded(image, _STUDIO)


def gray(image: NDArrayByte) -> NDArrayByte:
    """Y in 0..255 rounded to bytes, as MATLAB's ``rgb2gray`` gives it for an image of bytes."""
    return _rounded(image, _GRAY)


def pil_luma(image: NDArrayByte) -> NDArrayByte:
    """Y in 0..255 in bytes, as Pillow's ``convert("YCbCr")`` gives it."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("YCbCr"))[:, :, 0]


def _rounded(image: NDArrayByte, weights: NDArray[np.float64]) -> NDArrayByte:
    luma = np.empty(image.shape[:2], np.uint8)
    for rows, strip in _weighted(image, weights):
        luma[rows] = np.rint(strip, out=strip)
    return luma


def _weighted(
    image: NDArrayByte, weights: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Weighted sums of the channels, some rows at a time, in memory that the next rows reuse.

    Of a whole image, the doubles would take 24 bytes a pixel, and getting them from the system
    would take longer than the sums.
    """
    height, width = image.shape[:2]
    colours, sums = np.empty((STRIP_PX, width, 3)), np.empty((STRIP_PX, width))
    for top in range(0, height, STRIP_PX):
        rows = slice(top, min(top + STRIP_PX, height))
        n = rows.stop - top
        colours[:n] = image[rows]
        yield rows, np.asarray(cv2.transform(colours[:n], weights, dst=sums[:n]), np.float64)
