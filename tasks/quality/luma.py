"""Luma of BT.601, in the two ranges that the field uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte

_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255.0


def studio_luma_unrounded(image: NDArrayByte) -> NDArray[np.float64]:
    """Y in 16..235, as MATLAB's ``rgb2ycbcr`` gives it for an image of doubles, times 255.

    Args:
        image: ``uint8 (H, W, 3) RGB``.

    Returns:
        ``float64 (H, W)``.

    Reference:
        ITU-R BT.601; MATLAB ``rgb2ycbcr``.
    """
    luma: NDArray[np.float64] = image @ _WEIGHTS + 16.0
    return luma


def studio_luma(image: NDArrayByte) -> NDArrayByte:
    """Y in 16..235 rounded to bytes, as MATLAB's ``rgb2ycbcr`` gives it for an image of bytes."""
    rounded: NDArrayByte = np.rint(studio_luma_unrounded(image)).astype(np.uint8)
    return rounded


def pil_luma(image: NDArrayByte) -> NDArrayByte:
    """Y in 0..255 in bytes, as Pillow's ``convert("YCbCr")`` gives it."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("YCbCr"))[:, :, 0]
