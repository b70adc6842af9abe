"""BT.601 luma in the studio range, as MATLAB's ``rgb2ycbcr`` gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte

_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255.0


def studio_luma(image: NDArrayByte) -> NDArrayByte:
    """Y in 16..235, rounded to bytes.

    Args:
        image: ``uint8 (H, W, 3) RGB``.

    Returns:
        ``uint8 (H, W)``.

    Reference:
        ITU-R BT.601; MATLAB ``rgb2ycbcr`` of a uint8 image.
    """
    luma: NDArray[np.float64] = image @ _WEIGHTS
    rounded: NDArrayByte = np.rint(luma + 16.0).astype(np.uint8)
    return rounded
