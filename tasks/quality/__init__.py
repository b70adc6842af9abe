"""Image quality: one file and one pure function per metric, evidence and scores over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from tasks.quality.fsim import fsim, fsimc
from tasks.quality.niqe import niqe
from tasks.quality.psnr import (
    psnr_rgb_db,
    psnr_rgb_db_dcsfn,
    psnr_y_db,
    psnr_y_db_pil,
    psnr_y_db_prenet,
)
from tasks.quality.sseq import missing as sseq_missing
from tasks.quality.sseq import sseq
from tasks.quality.ssim import (
    ssim_rgb,
    ssim_rgb_dcsfn,
    ssim_rgb_hrrsr,
    ssim_y,
    ssim_y_pil,
    ssim_y_prenet,
)
from tasks.quality.uqi import uqi
from tasks.task import Evidence, Score

Quantise = Literal["round", "truncate", "none"]


@dataclass(frozen=True)
class Metric:
    """One number of one image, with its protocol."""

    function: Callable[..., float]
    """Of (reference, restored), or of (restored) alone; NaN where it is undefined."""
    version: int = 1
    """Raised whenever the same images give another number."""
    quantise: Quantise = "round"
    """How the restored image becomes bytes before it is judged; ``none`` hands over the float."""
    unit: Literal["dB", "fraction", "score"] = "fraction"
    reference: bool = True
    """Whether it compares with a clean image."""
    higher_is_better: bool = True
    undefined: str = "images too small"
    """Which images have no such number."""
    caption: str | None = None
    """What it computes, where it has one protocol alone; the others' captions are `PROTOCOLS`."""
    missing: Callable[[], str | None] = lambda: None
    """What it needs and does not find here, with the remedy; None if nothing."""
    border_px: int = 0
    """Rows and columns cut off at each side of both images."""


METRICS: dict[str, Metric] = {
    "psnr_y_db": Metric(psnr_y_db, unit="dB"),
    "psnr_rgb_db": Metric(psnr_rgb_db, unit="dB"),
    "ssim_y": Metric(ssim_y, version=2),
    "ssim_rgb": Metric(ssim_rgb, version=2),
    "psnr_y_db@prenet": Metric(psnr_y_db_prenet, version=2, quantise="truncate", unit="dB"),
    "ssim_y@prenet": Metric(ssim_y_prenet, version=2, quantise="truncate"),
    "psnr_y_db@pil-y": Metric(psnr_y_db_pil, quantise="truncate", unit="dB"),
    "ssim_y@pil-y": Metric(ssim_y_pil, version=2, quantise="truncate"),
    "psnr_rgb_db@dcsfn": Metric(psnr_rgb_db_dcsfn, quantise="none", unit="dB"),
    "ssim_rgb@dcsfn": Metric(ssim_rgb_dcsfn, quantise="none"),
    "psnr_rgb_db@hrrsr": Metric(psnr_rgb_db, quantise="truncate", unit="dB"),
    "ssim_rgb@hrrsr": Metric(ssim_rgb_hrrsr, quantise="truncate"),
    "fsim": Metric(
        fsim,
        undefined="images with a constant luma, or smaller than 6 px",
        caption="luma alone, automatic down-sampling, as the authors' FeatureSIM.m",
    ),
    "fsimc": Metric(
        fsimc,
        undefined="images with a constant luma, or smaller than 6 px",
        caption="luma and colour, automatic down-sampling, as the authors' FeatureSIM.m",
    ),
    "uqi": Metric(uqi, caption="studio luma rounded to bytes, uniform 8x8 window"),
    "niqe": Metric(
        niqe,
        unit="score",
        reference=False,
        higher_is_better=False,
        undefined="images with fewer than two 96x96 blocks that have structure",
        caption="lower is better; model of the LIVE release, rgb2gray, 96x96 blocks",
    ),
    "sseq": Metric(
        sseq,
        unit="score",
        reference=False,
        higher_is_better=False,
        undefined="images whose 8x8 blocks are all alike",
        caption="lower is better; model of the LIVE release, rgb2gray",
        missing=sseq_missing,
    ),
}
"""Every metric, literally; another protocol than ``matlab-y`` is a suffix."""

PROTOCOLS: dict[str, str] = {
    "matlab-y": "BT.601 studio luma rounded to bytes, Gaussian 11x11 window, restored image "
    "rounded to bytes",
    "prenet": "unrounded studio luma, Wang's automatic down-sampling, restored image truncated",
    "pil-y": "full-range 8-bit luma, uniform 7x7 window, restored image truncated",
    "dcsfn": "RGB, restored image as floats, Gaussian 11x11 window with zeros around the image",
    "hrrsr": "RGB, uniform 7x7 window, restored image truncated",
}
"""Every protocol of PSNR and SSIM, literally, with what it does: the only captions there are."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "psnr": ("psnr_y_db", "psnr_rgb_db"),
    "ssim": ("ssim_y", "ssim_rgb"),
    "fsim": ("fsim", "fsimc"),
    "all": tuple(name for name in METRICS if "@" not in name),
    "none": (),
}
"""Words for several metrics."""

_BORDER = ":border_px="


def metric(name: str) -> Metric:
    """The metric of a name that `chosen` gave."""
    row, _, border = name.partition(_BORDER)
    found = METRICS[row.removesuffix("@matlab-y")]
    return replace(found, border_px=int(border)) if border else found


def version(name: str) -> int:
    """Version for keys: negative where what the metric needs is missing, so that it is not kept."""
    found = metric(name)
    return found.version if found.missing() is None else -found.version


def chosen(words: Iterable[str], protocols: Sequence[str] = ("matlab-y",)) -> tuple[str, ...]:
    """Metrics that the words name under the protocols, in the table's order.

    Args:
        words: Of `METRICS` without a suffix, or of `FAMILIES`.
        protocols: Of `PROTOCOLS`, or ``all``; each may carry ``:border_px=N``. Metrics that have
            one protocol alone come along under any.

    Raises:
        ValueError: For an unknown word or protocol; known ones are listed.
    """
    wanted: set[str] = set()
    for word in words:
        if word not in FAMILIES["all"] and word not in FAMILIES:
            known = ", ".join([*FAMILIES, *FAMILIES["all"]])
            raise ValueError(f"unknown quality metric '{word}': choose among {known}")
        wanted.update(FAMILIES.get(word, (word,)))
    borders = [pair for word in protocols for pair in _protocols(word)]
    names = []
    for row, found in METRICS.items():
        base, _, protocol = row.partition("@")
        if base not in wanted:
            continue
        if found.caption is not None:
            names.append(row)
            continue
        for border in dict.fromkeys(b for p, b in borders if p == (protocol or "matlab-y")):
            suffix = f"@{protocol or 'matlab-y'}{_BORDER}{border}"
            names.append(base + suffix if border else row)
    if wanted and not names:
        raise ValueError(
            f"the protocols {', '.join(protocols)} have no {', '.join(sorted(wanted))}"
        )
    return tuple(names)


def _protocols(word: str) -> list[tuple[str, int]]:
    """Protocols and the border that a word names."""
    name, colon, options = word.partition(":")
    if name not in PROTOCOLS and name != "all":
        known = ", ".join([*PROTOCOLS, "all"])
        raise ValueError(f"unknown protocol '{name}': choose among {known}")
    key, _, border = options.partition("=")
    if colon and (key != "border_px" or not border.isdecimal()):
        raise ValueError(f"protocol '{word}': expected {name}:border_px=N, N pixels to cut off")
    return [(each, int(border or 0)) for each in (PROTOCOLS if name == "all" else (name,))]


def captions(names: Iterable[str]) -> dict[str, str]:
    """What the protocols of metrics are, by protocol, or by metric where it has one alone."""
    said = {}
    for name in names:
        found = metric(name)
        protocol = name.partition("@")[2] or "matlab-y"
        if found.caption is not None:
            said[name] = found.caption
        else:
            cut = f", {found.border_px} px cut off at each side" if found.border_px else ""
            said[protocol] = PROTOCOLS[protocol.partition(":")[0]] + cut
    return said


def needs_float(names: Iterable[str]) -> bool:
    """Whether a metric judges other values than a saved file would hold."""
    return any(metric(m).quantise != "round" for m in names)


def evidence(
    reference: NDArrayByte | None, restored: NDArrayByte | NDArrayFloat, metrics: Sequence[str]
) -> Evidence:
    """Each metric of one image, as float64 scalars.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB``; None if every metric does without.
        restored: Bytes, or floats in [0, 1] that each metric quantises in its own way.
        metrics: Names as `chosen` gives them.

    Raises:
        ValueError: If an image is of another kind, the two differ in size, or one is missing.
    """
    _check("restored", restored, (np.uint8, np.float32, np.float64))
    if reference is not None:
        _check("reference", reference, (np.uint8,))
        if reference.shape != restored.shape:
            raise ValueError(
                f"sizes differ: reference {reference.shape}, restored {restored.shape}"
            )
    rows = {name: metric(name) for name in metrics}
    levels = {how: _levels(restored, how) for how in {row.quantise for row in rows.values()}}
    values = {}
    for name, row in rows.items():
        judged = _cut(levels[row.quantise], row.border_px)
        if not judged.size:
            value = math.nan
        elif not row.reference:
            value = row.function(judged)
        elif reference is None:
            raise ValueError(f"{name} compares with a reference image, and there is none")
        else:
            value = row.function(_cut(reference, row.border_px), judged)
        values[name] = np.array(value)
    return values


def _check(what: str, image: NDArray[Any], kinds: Sequence[type]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in kinds:
        names = " or ".join(np.dtype(kind).name for kind in kinds)
        raise ValueError(f"{what}: expected {names} (H, W, 3), got {image.dtype} {image.shape}")


def _cut(image: NDArray[Any], border_px: int) -> NDArray[Any]:
    height, width = image.shape[:2]
    return image[border_px : max(height - border_px, 0), border_px : max(width - border_px, 0)]


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
        scores[name] = Score(value, row.unit, "; ".join(reasons) or None, identical)
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
