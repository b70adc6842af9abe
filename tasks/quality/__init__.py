"""Image quality: one file and one pure function per metric, evidence and scores over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from tasks.quality.psnr import psnr_rgb_db, psnr_y_db, psnr_y_db_pil, psnr_y_db_prenet
from tasks.quality.ssim import ssim_rgb, ssim_y, ssim_y_pil, ssim_y_prenet
from tasks.task import Evidence, Score


@dataclass(frozen=True)
class Metric:
    """One number of one image, with its protocol."""

    function: Callable[[NDArrayByte, NDArrayByte], float]
    """Of (reference, restored)."""
    version: int = 1
    """Raised whenever the same images give another number."""
    quantise: Literal["round", "truncate"] = "round"
    """How the restored image becomes bytes before it is judged."""


METRICS: dict[str, Metric] = {
    "psnr_y_db": Metric(psnr_y_db),
    "psnr_rgb_db": Metric(psnr_rgb_db),
    "ssim_y": Metric(ssim_y),
    "ssim_rgb": Metric(ssim_rgb),
    "psnr_y_db@prenet": Metric(psnr_y_db_prenet, quantise="truncate"),
    "ssim_y@prenet": Metric(ssim_y_prenet, quantise="truncate"),
    "psnr_y_db@pil-y": Metric(psnr_y_db_pil, quantise="truncate"),
    "ssim_y@pil-y": Metric(ssim_y_pil, quantise="truncate"),
}
"""Every metric, literally; another protocol than ``matlab-y`` is a suffix."""

PROTOCOLS: dict[str, str] = {
    "matlab-y": "studio luma rounded to bytes, Gaussian 11x11 window, restored image rounded",
    "prenet": "unrounded studio luma, Wang's automatic down-sampling, restored image truncated",
    "pil-y": "full-range 8-bit luma, uniform 7x7 window, restored image truncated",
}
"""Every protocol, literally, with what it does."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "psnr": ("psnr_y_db", "psnr_rgb_db"),
    "ssim": ("ssim_y", "ssim_rgb"),
    "all": ("psnr_y_db", "psnr_rgb_db", "ssim_y", "ssim_rgb"),
    "none": (),
}
"""Words for several metrics."""


def chosen(words: Iterable[str], protocols: Iterable[str] = ("matlab-y",)) -> tuple[str, ...]:
    """Metrics that the words name under the protocols, in the table's order.

    Raises:
        ValueError: For an unknown word or protocol; known ones are listed.
    """
    plain = [metric for metric in METRICS if "@" not in metric]
    wanted: set[str] = set()
    for word in words:
        if word not in plain and word not in FAMILIES:
            known = ", ".join([*FAMILIES, *plain])
            raise ValueError(f"unknown quality metric '{word}': choose among {known}")
        wanted.update(FAMILIES.get(word, (word,)))
    names: set[str] = set()
    for protocol in protocols:
        if protocol not in PROTOCOLS and protocol != "all":
            known = ", ".join([*PROTOCOLS, "all"])
            raise ValueError(f"unknown protocol '{protocol}': choose among {known}")
        for each in PROTOCOLS if protocol == "all" else (protocol,):
            names |= {m if each == "matlab-y" else f"{m}@{each}" for m in wanted}
    return tuple(m for m in METRICS if m in names)


def needs_float(metrics: Iterable[str]) -> bool:
    """Whether a metric judges other bytes than a saved file would hold."""
    return any(METRICS[m].quantise != "round" for m in metrics)


def evidence(
    reference: NDArrayByte, restored: NDArrayByte | NDArrayFloat, metrics: Sequence[str]
) -> Evidence:
    """Each metric of one image, as float64 scalars.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB``.
        restored: Bytes, or floats in [0, 1] that each metric turns into bytes in its own way.
        metrics: Names in `METRICS`.

    Raises:
        ValueError: If the two images differ in size.
    """
    if reference.shape != restored.shape:
        raise ValueError(f"sizes differ: reference {reference.shape}, restored {restored.shape}")
    bytes_of = {how: _bytes(restored, how) for how in {METRICS[m].quantise for m in metrics}}
    return {
        m: np.array(METRICS[m].function(reference, bytes_of[METRICS[m].quantise])) for m in metrics
    }


def _bytes(image: NDArrayByte | NDArrayFloat, how: str) -> NDArrayByte:
    """The image in bytes; a value within 1e-4 of a level is that level, whichever way it is cut."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    levels = np.clip(image.astype(np.float32, copy=False), 0.0, 1.0) * np.float32(255.0)
    cut = np.rint(levels) if how == "round" else np.floor(levels + np.float32(1e-4))
    result: NDArrayByte = cut.astype(np.uint8)
    return result


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
        unit = "dB" if metric.partition("@")[0].endswith("_db") else "fraction"
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
