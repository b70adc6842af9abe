"""Peak signal-to-noise ratio of one image, in decibels; a set's value is the mean over images.

Args of each function: ``reference`` is the clean image, ``restored`` the one to judge, both
``uint8 (H, W, 3) RGB`` of one shape. Each returns decibels, infinity for equal values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from tasks.quality.luma import pil_luma, studio_luma, studio_luma_unrounded


def psnr_y_db(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """PSNR of studio-range luma rounded to bytes, peak 255: the field's MATLAB protocol."""
    return psnr_db(studio_luma(reference), studio_luma(restored))


def psnr_rgb_db(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """PSNR from one mean squared error over the three channels, peak 255."""
    return psnr_db(reference, restored)


def psnr_y_db_prenet(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """PSNR of studio-range luma left unrounded, as the script of PReNet's authors takes it."""
    return psnr_db(studio_luma_unrounded(reference), studio_luma_unrounded(restored))


def psnr_y_db_pil(reference: NDArrayByte, restored: NDArrayByte) -> float:
    """PSNR of full-range luma in bytes, as NLEDN's authors take it."""
    return psnr_db(pil_luma(reference), pil_luma(restored))


def psnr_rgb_db_dcsfn(reference: NDArrayByte, restored: NDArrayFloat) -> float:
    """PSNR of floats that were never rounded, clipped to [0, 1], as DCSFN's authors take it.

    Args:
        reference: ``uint8 (H, W, 3) RGB``.
        restored: ``float32 (H, W, 3) RGB`` in [0, 1].
    """
    clean = reference.astype(np.float32) / np.float32(255)
    return psnr_db(clean.astype(np.float64), np.clip(restored, 0, 1).astype(np.float64), peak=1.0)


def psnr_db(a: NDArray[Any], b: NDArray[Any], peak: float = 255.0) -> float:
    """Decibels below the peak; sums of bytes are exact."""
    if a.dtype == np.uint8:
        difference = a.astype(np.int16) - b
        total = float(np.einsum("i,i->", difference.ravel(), difference.ravel(), dtype=np.int64))
    else:
        total = float(np.square(a - b).sum())
    return 10 * math.log10(peak**2 * a.size / total) if total else math.inf
