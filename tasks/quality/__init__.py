"""Image quality: one file and one pure function per metric, evidence and scores over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks.quality.psnr import psnr_rgb_db, psnr_y_db
from tasks.quality.ssim import ssim_rgb, ssim_y
from tasks.task import Evidence, Score

METRICS: dict[str, tuple[Callable[[NDArrayByte, NDArrayByte], float], int]] = {
    "psnr_y_db": (psnr_y_db, 1),
    "psnr_rgb_db": (psnr_rgb_db, 1),
    "ssim_y": (ssim_y, 1),
    "ssim_rgb": (ssim_rgb, 1),
}
"""Every metric, literally: name -> function of (reference, restored), and its version."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "psnr": ("psnr_y_db", "psnr_rgb_db"),
    "ssim": ("ssim_y", "ssim_rgb"),
    "all": tuple(METRICS),
    "none": (),
}
"""Words for several metrics."""


def chosen(words: Iterable[str]) -> tuple[str, ...]:
    """Metrics that the words name, in the table's order.

    Raises:
        ValueError: For an unknown word; known ones are listed.
    """
    wanted: set[str] = set()
    for word in words:
        if word not in METRICS and word not in FAMILIES:
            known = ", ".join([*FAMILIES, *METRICS])
            raise ValueError(f"unknown quality metric '{word}': choose among {known}")
        wanted.update(FAMILIES.get(word, (word,)))
    return tuple(m for m in METRICS if m in wanted)


def evidence(reference: NDArrayByte, restored: NDArrayByte, metrics: Sequence[str]) -> Evidence:
    """Each metric of one image, as float64 scalars.

    Raises:
        ValueError: If the two images differ in size.
    """
    if reference.shape != restored.shape:
        raise ValueError(f"sizes differ: reference {reference.shape}, restored {restored.shape}")
    return {m: np.array(METRICS[m][0](reference, restored)) for m in metrics}


def reduce(evidences: Sequence[Evidence], metrics: Sequence[str]) -> dict[str, Score]:
    """Mean over images of each metric; infinite values are counted, undefined ones left out."""
    scores = {}
    for metric in metrics:
        values = np.array([float(e[metric]) for e in evidences])
        finite = values[np.isfinite(values)]
        identical = int(np.isposinf(values).sum())
        why = None
        if not finite.size:
            why = "every image is identical to its reference" if identical else "images too small"
        value = math.fsum(finite) / finite.size if finite.size else None
        unit = "dB" if metric.endswith("_db") else "fraction"
        scores[metric] = Score(value, unit, why, identical)
    return scores


def resample(
    evidences: Sequence[Evidence], metrics: Sequence[str], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Means of resampled sets; see `tasks.task.Task.resample`."""
    draws = {}
    for metric in metrics:
        values = np.array([float(e[metric]) for e in evidences])
        finite = np.isfinite(values)
        weights = counts[:, finite].astype(np.float64)
        with np.errstate(invalid="ignore"):
            draws[metric] = (weights @ values[finite]) / weights.sum(1)
    return draws
