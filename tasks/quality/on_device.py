"""PSNR and SSIM of images that lie on a device, computed there.

In double precision, of which a device's memory is the limit and not its arithmetic; equal to what
the processor gives to 1e-6, hence the same evidence. Not for devices without doubles (MPS).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import torch

from tasks.quality.luma import studio_luma
from tasks.quality.planes import Planes
from tasks.quality.ssim import GAUSSIAN
from tasks.task import Evidence

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def evidence(
    reference: torch.Tensor | Planes, restored: torch.Tensor, metrics: Sequence[str]
) -> Evidence:
    """Some of `METRICS` of one image, as `tasks.quality.evidence` gives them.

    Args:
        reference: Clean ``uint8 (H, W, 3) RGB`` on a device, or its `Planes` where several images
            are judged by it.
        restored: The image to judge, of the same kind, shape and device.
        metrics: Names of `METRICS`.

    Raises:
        ValueError: If an image is of another kind, or the two differ in shape or device.
    """
    clean = reference if isinstance(reference, Planes) else Planes(reference)
    known: torch.Tensor = clean.image
    for name, image in (("reference", known), ("restored", restored)):
        if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[2] != 3:
            found = f"{image.dtype} {tuple(image.shape)}"
            raise ValueError(f"{name}: expected torch.uint8 (H, W, 3), got {found}")
    if known.shape != restored.shape or known.device != restored.device:
        raise ValueError(
            f"reference {tuple(known.shape)} on {known.device}, "
            f"restored {tuple(restored.shape)} on {restored.device}"
        )
    judged = Planes(restored)
    return {name: np.array(METRICS[name](clean, judged)) for name in metrics}


def _psnr_y_db(reference: Planes, restored: Planes) -> float:
    return _psnr_db(reference.of(_luma), restored.of(_luma))


def _psnr_rgb_db(reference: Planes, restored: Planes) -> float:
    return _psnr_db(reference.image, restored.image)


def _ssim_y(reference: Planes, restored: Planes) -> float:
    return _ssim(reference.through(_luma), restored.through(_luma))


@cache
def _luma_of_colours(device: torch.device) -> torch.Tensor:
    """``uint8 (2^24,)``: the luma of every colour, so that it is rounded as on the processor."""
    level = np.arange(256, dtype=np.uint8)
    colours = np.empty((256, 256, 3), np.uint8)
    colours[..., 1], colours[..., 2] = level[:, None], level
    table = np.empty((256, 256, 256), np.uint8)
    for red in range(256):
        colours[..., 0] = red
        table[red] = studio_luma(colours)
    return torch.from_numpy(table.ravel()).to(device)


def _luma(image: torch.Tensor) -> torch.Tensor:
    """Studio luma in bytes, ``uint8 (H, W)``."""
    red, green, blue = image.to(torch.int32).unbind(-1)
    return _luma_of_colours(image.device)[(red << 16) + (green << 8) + blue]


def _psnr_db(a: torch.Tensor, b: torch.Tensor) -> float:
    total = int((a.to(torch.int32) - b.to(torch.int32)).square().sum(dtype=torch.int64))
    return 10 * math.log10(255**2 * a.numel() / total) if total else math.inf


def _ssim(reference: Planes, restored: Planes) -> float:
    """The mean of all windows and channels; formula as in `tasks.quality.ssim`."""
    x, d = reference.image.double(), restored.image.double() - reference.image.double()
    if min(x.shape[:2]) < GAUSSIAN.kernel.size:
        return math.nan
    mean_x, spread = reference.of(_moments)
    mean = _mean(d)
    half = mean.square() / 2
    variance = _mean(d.square() / 2) - half
    q = _mean(x * d) - mean * mean_x + spread
    r = mean_x * (mean_x + mean) + _C1 / 2
    return float((q * r / ((q + variance) * (r + half))).mean())


def _moments(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """mu_x, and s_x² + C2/2."""
    x = image.double()
    mean = _mean(x)
    return mean, _mean(x.square()) - mean.square() + _C2 / 2


def _mean(field: torch.Tensor) -> torch.Tensor:
    """Weighted mean of each window that fits: sums of shifted images are the same everywhere."""
    for axis in (0, 1):
        kept = field.shape[axis] - GAUSSIAN.kernel.size + 1
        parts = (
            float(weight) * field.narrow(axis, shift, kept)
            for shift, weight in enumerate(GAUSSIAN.kernel)
        )
        field = sum(parts, start=torch.zeros((), dtype=field.dtype, device=field.device))
    return field


METRICS: Mapping[str, Callable[[Planes, Planes], float]] = {
    "psnr_y_db": _psnr_y_db,
    "psnr_rgb_db": _psnr_rgb_db,
    "ssim_y": _ssim_y,
    "ssim_rgb": _ssim,
}
"""What can be computed on a device; each takes `Planes` of tensors."""
