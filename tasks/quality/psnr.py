"""Peak signal-to-noise ratio of one image, in decibels; a set's value is the mean over images.

Args of each function: ``reference`` is the clean image, ``restored`` the one to judge, both
``uint8 (H, W, 3) RGB`` of one shape, or `Planes` of them. Each returns decibels, infinity for equal
values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.luma import pil_luma, studio_luma, studio_luma_unrounded
from tasks.quality.planes import OfPlanes, Planes


@OfPlanes
def psnr_y_db(reference: Planes, restored: Planes) -> float:
    """PSNR of studio-range luma rounded to bytes, peak 255: the field's MATLAB protocol."""
    return _between(studio_luma, reference, restored)


@OfPlanes
def psnr_rgb_db(reference: Planes, restored: Planes) -> float:
    """PSNR from one mean squared error over the three channels, peak 255."""
    return psnr_db(reference.image, restored.image)


@OfPlanes
def psnr_y_db_prenet(reference: Planes, restored: Planes) -> float:
    """PSNR of studio-range luma left unrounded, as the script of PReNet's authors takes it."""
    return _between(studio_luma_unrounded, reference, restored)


@OfPlanes
def psnr_y_db_pil(reference: Planes, restored: Planes) -> float:
    """PSNR of full-range luma in bytes, as NLEDN's authors take it."""
    return _between(pil_luma, reference, restored)


@OfPlanes
def psnr_rgb_db_dcsfn(reference: Planes, restored: Planes) -> float:
    """PSNR of floats that were never rounded, clipped to [0, 1], as DCSFN's authors take it.

    Args:
        reference: ``uint8 (H, W, 3) RGB``.
        restored: ``float32 (H, W, 3) RGB`` in [0, 1].
    """
    clean, judged = reference.image, restored.image
    floats = clean.astype(np.float32) / np.float32(255)
    return psnr_db(floats.astype(np.float64), np.clip(judged, 0, 1).astype(np.float64), peak=1.0)


def _between(
    luma: Callable[[NDArrayByte], NDArray[Any]], reference: Planes, restored: Planes
) -> float:
    """PSNR of a luma that is made once of each image."""
    return psnr_db(reference.through(luma).image, restored.through(luma).image)


def psnr_db(a: NDArray[Any], b: NDArray[Any], peak: float = 255.0) -> float:
    """Decibels below the peak; sums of bytes are exact."""
    if a.dtype == np.uint8:
        total = float(round(cv2.norm(a, b, cv2.NORM_L2SQR)))
    else:
        total = float(np.square(a - b).sum())
    return 10 * math.log10(peak**2 * a.size / total) if total else math.inf
