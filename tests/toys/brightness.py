"""How bright an image is."""

from __future__ import annotations

from datasets.image import NDArrayByte


def brightness(restored: NDArrayByte) -> float:
    """Mean of all values of ``uint8 (H, W, 3) RGB``, in [0, 255]."""
    return float(restored.mean())
