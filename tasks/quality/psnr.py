"""Peak signal-to-noise ratio of one image, in decibels; a set's value is the mean over images."""

from __future__ import annotations

import math

import numpy as np

from datasets.image import NDArrayByte
from tasks.quality.luma import studio_luma


def psnr_y_db(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """PSNR of studio-range luma rounded to bytes, peak 255: the field's MATLAB protocol.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB``.
        restored: The image to judge, same shape.

    Returns:
        Decibels; infinity for equal luma.
    """
    return _psnr_db(studio_luma(reference), studio_luma(restored))


def psnr_rgb_db(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """PSNR from one mean squared error over the three channels, peak 255; see `psnr_y_db`."""
    return _psnr_db(reference, restored)


def _psnr_db(a: NDArrayByte, b: NDArrayByte) -> float:
    difference = a.astype(np.int16) - b
    total = int(np.einsum("i,i->", difference.ravel(), difference.ravel(), dtype=np.int64))
    return 10 * math.log10(255.0**2 * difference.size / total) if total else math.inf
