"""Pairs of a photograph and a darker copy of it, which a network soon learns to brighten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage.data import coffee

from datasets.image import encode_png

PAIRS = 6


def write_pairs(root: Path, height_px: int, width_px: int) -> Path:
    """Write ``input/N.png`` and ``target/N.png`` below a folder, which is returned."""
    for folder, factor in (("input", 2), ("target", 1)):
        (root / folder).mkdir(parents=True)
        for i in range(PAIRS):
            y, x = 20 * i, 30 * i
            image = np.ascontiguousarray(coffee()[y : y + height_px, x : x + width_px])
            (root / folder / f"{i}.png").write_bytes(encode_png(image // factor))
    return root
