"""Make a miniature CamVid: frames of every drive, with every class and void in the label maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

FRAMES = {
    "train": ("0001TP_006690", "0006R0_f00930", "0016E5_00390"),
    "val": ("0016E5_07959",),
    "test": ("0001TP_008550", "Seq05VD_f00000", "Seq05VD_f00030"),
}
HEIGHT_PX, WIDTH_PX = 48, 64
PALETTED = "Seq05VD_f00030"
"""Its label map is stored with a palette, the others grey."""


def make(root: Path) -> Path:
    """Write ``<split>/`` and ``<split>annot/`` below ``root``."""
    for split, stems in FRAMES.items():
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir(parents=True)
        for number, stem in enumerate(stems):
            labels = bands(number)
            noise = np.random.default_rng(number).integers(-9, 10, (HEIGHT_PX, WIDTH_PX, 3))
            shades = np.stack([20 * labels, 255 - 20 * labels, 12 * labels], -1).astype(np.int64)
            frame = np.clip(shades + noise, 0, 255).astype(np.uint8)
            Image.fromarray(frame).save(root / split / f"{stem}.png")
            picture = Image.fromarray(labels)
            if stem == PALETTED:
                picture.putpalette(bytes(range(36)))
            picture.save(root / f"{split}annot" / f"{stem}.png")
    return root


def bands(shift: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A band of four rows for each class and void, moved down by ``shift`` rows."""
    rows = (np.arange(HEIGHT_PX) - shift) % HEIGHT_PX // 4
    return np.repeat(rows.astype(np.uint8)[:, None], WIDTH_PX, 1)


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
