"""Image quality as a scorer: evidence of one image, and scores over them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from tasks.quality.metrics import Metric, Quantise, metric, metric_row
from tasks.quality.planes import Image, OfPlanes, Planes, planes
from tasks.task import Evidence, MetricRow, Score


def evidence(
    reference: Image | None,
    restored: NDArrayByte | NDArrayFloat,
    metrics: Sequence[str],
) -> Evidence:
    """Each metric of one image, as float64 scalars.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB``; None if every metric does without. Whoever judges
            several images by one gives its `Planes`, made once, so that what is known of it is
            computed once; that changes no value.
        restored: Bytes, or floats in [0, 1] that each metric quantises in its own way.
        metrics: Names as `chosen` gives them.

    Raises:
        ValueError: If an image is of another kind, the two differ in size, or one is missing.
    """
    clean = None if reference is None else planes(reference)
    _check("restored", restored, (np.uint8, np.float32, np.float64))
    if clean is not None:
        _check("reference", clean.image, (np.uint8,))
        if clean.image.shape != restored.shape:
            raise ValueError(
                f"sizes differ: reference {clean.image.shape}, restored {restored.shape}"
            )
    rows = {name: metric(name) for name in metrics}
    levels = {how: Planes(_levels(restored, how)) for how in {r.quantise for r in rows.values()}}
    return {name: _value(name, row, clean, levels[row.quantise]) for name, row in rows.items()}


def _value(name: str, row: Metric, clean: Planes | None, judged: Planes) -> NDArray[np.float64]:
    """One metric; those that others write take plain images."""
    if row.reference and clean is None:
        raise ValueError(f"{name} compares with a reference image, and there is none")
    images = [_inside(image, row.border_px) for image in (clean, judged) if image is not None]
    compared = images if row.reference else images[-1:]
    if not images[-1].image.size:
        return np.array(math.nan)
    taken = compared if isinstance(row.function, OfPlanes) else [i.image for i in compared]
    return np.array(row.function(*taken))


def _inside(image: Planes, border_px: int) -> Planes:
    return image.through(_cut, border_px) if border_px else image


def _check(what: str, image: NDArray[Any], kinds: Sequence[type]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in kinds:
        names = " or ".join(np.dtype(kind).name for kind in kinds)
        raise ValueError(f"{what}: expected {names} (H, W, 3), got {image.dtype} {image.shape}")


def _cut(image: NDArray[Any], border_px: int) -> NDArray[Any]:
    height, width = image.shape[:2]
    within = image[border_px : max(height - border_px, 0), border_px : max(width - border_px, 0)]
    return np.ascontiguousarray(within)


def _levels(image: NDArrayByte | NDArrayFloat, how: Quantise) -> NDArrayByte | NDArrayFloat:
    """The image in bytes, or in float32 for ``none``.

    A value within 1e-4 of a level is that level, whichever way it is cut.
    """
    if how == "none":
        values = image.astype(np.float32, copy=False)
        return values / np.float32(255) if image.dtype == np.uint8 else values
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    levels = np.clip(image.astype(np.float32, copy=False), 0.0, 1.0) * np.float32(255.0)
    cut = np.rint(levels) if how == "round" else np.floor(levels + np.float32(1e-4))
    result: NDArrayByte = cut.astype(np.uint8)
    return result


def reduce(evidences: Sequence[Evidence], metrics: Sequence[str]) -> dict[str, Score]:
    """Mean over images of each metric; infinite values are counted, undefined ones left out."""
    scores = {}
    for name, values in by_image(evidences, metrics).items():
        row = metric(name)
        finite = values[np.isfinite(values)]
        identical, undefined = int(np.isposinf(values).sum()), int(np.isnan(values).sum())
        reasons = []
        if not finite.size and identical:
            reasons.append("every image is identical to its reference")
        if undefined:
            reason = row.missing() or row.undefined
            part = f"{undefined} of {len(values)} images left out: "
            reasons.append(reason if undefined == len(values) else part + reason)
        value = math.fsum(finite) / finite.size if finite.size else None
        scores[name] = Score(value, "; ".join(reasons) or None, identical)
    return scores


AT_ONCE = 80
"""Resampled sets whose weights are held at a time, a multiple of what vector units take."""


def resample(
    evidences: Sequence[Evidence], metrics: Sequence[str], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Means of resampled sets; see `tasks.task.Task.resample`."""
    draws = {}
    for name, values in by_image(evidences, metrics).items():
        finite = np.isfinite(values)
        parts = []
        for start in range(0, len(counts), AT_ONCE):
            weights = counts[start : start + AT_ONCE, finite].astype(np.float64)
            with np.errstate(invalid="ignore"):
                parts.append((weights @ values[finite]) / weights.sum(1))
        draws[name] = np.concatenate(parts)
    return draws


def by_image(evidences: Sequence[Evidence], metrics: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Each metric of each image, ``(n,)``; infinite where an image equals its reference."""
    return {name: np.array([float(e[name]) for e in evidences]) for name in metrics}


@dataclass(frozen=True)
class Quality:
    """Image quality of a set; a `tasks.task.Scorer`."""

    metrics: tuple[str, ...]
    """Names as `chosen` gives them."""
    has_clean: bool = True
    """Whether there is a clean image to compare with; photographs of real rain have none."""

    def rows(self) -> dict[str, MetricRow]:
        """What tables must know of each metric."""
        return {name: metric_row(name) for name in self.metrics}

    def reduce(self, evidences: Sequence[Evidence]) -> dict[str, Score]:
        """The mean over images of each metric."""
        return {
            name: score
            if self.has_clean or not metric(name).reference
            else Score(None, "real rain: there is no clean image")
            for name, score in reduce(evidences, self.metrics).items()
        }

    def resample(
        self,
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable],
    ) -> dict[str, NDArray[np.float64]]:
        """Means of resampled sets."""
        return resample(evidences, self.metrics, counts)

    def by_image(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Each metric of each image."""
        return by_image(evidences, self.metrics)

    def curves(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Nothing: images are not ranked."""
        return {}
