"""Luma of BT.601, in the ranges that the field uses.

Args of each function: ``image`` is ``uint8 (H, W, 3) RGB``.

Reference:
    ITU-R BT.601; the weights are those of MATLAB's ``rgb2ycbcr`` and ``rgb2gray`` and of Pillow.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte

_STUDIO = np.array([[65.481, 128.553, 24.966, 16.0 * 255.0]]) / 255.0
# MATLAB inverts a YIQ matrix of three digits, hence not 0.299, 0.587, 0.114.
_GRAY = np.array([[0.298936021293775, 0.587043074451121, 0.114020904255103]])


def studio_luma_unrounded(image: NDArrayByte) -> NDArray[np.float64]:
    """Y in 16..235, ``float64 (H, W)``: ``rgb2ycbcr`` of an image of doubles, times 255."""
    return _weighted(image, _STUDIO)


def studio_luma(image: NDArrayByte) -> NDArrayByte:
    """Y in 16..235 rounded to bytes, as MATLAB's ``rgb2ycbcr`` gives it for an image of bytes."""
    return _rounded(studio_luma_unrounded(image))


def gray(image: NDArrayByte) -> NDArrayByte:
    """Y in 0..255 rounded to bytes, as MATLAB's ``rgb2gray`` gives it for an image of bytes."""
    return _rounded(_weighted(image, _GRAY))


def pil_luma(image: NDArrayByte) -> NDArrayByte:
    """Y in 0..255 in bytes, as Pillow's ``convert("YCbCr")`` gives it."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("YCbCr"))[:, :, 0]


def _weighted(image: NDArrayByte, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.transform(image.astype(np.float64), weights), np.float64)


def _rounded(luma: NDArray[np.float64]) -> NDArrayByte:
    levels: NDArrayByte = np.rint(luma).astype(np.uint8)
    return levels
