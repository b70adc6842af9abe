"""A photograph, a worse one, and what metrics are called with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

from datasets.image import NDArrayByte
from tasks import quality

PHOTO = astronaut()[:200, :150]
WORSE = np.clip(PHOTO + np.random.default_rng(0).normal(0, 20, PHOTO.shape), 0, 255).astype(
    np.uint8
)


def value(metric: str, a: NDArrayByte | None, b: NDArray[Any]) -> float:
    return float(quality.evidence(a, b, (metric,))[metric])


def ssim_options() -> dict[str, object]:
    return {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
    }
