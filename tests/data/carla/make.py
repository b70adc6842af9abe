"""Make a miniature CARLARain: two scenes with every kind of picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

STEMS = ("seqTown01Clear_000044", "seqTown03ClearNight_009422")
WIDTH_PX, HEIGHT_PX = 96, 64
SKY, ROAD, LINE, CAR, STATIC = (
    *((70, 130, 180), (128, 64, 128), (157, 234, 50)),
    *((0, 0, 142), (110, 190, 160)),
)
BOXES = {(14, 33, 120): (10, 30, 40, 50), (14, 107, 123): (50, 35, 60, 45)}
"""Two cars by their colour in the picture of instances: left, top, right, bottom."""


def make(root: Path) -> Path:
    """Write ``clean/``, ``rainy/``, ``semantic/``, ``instance/`` and ``depth/`` below ``root``."""
    for number, stem in enumerate(STEMS):
        rng = np.random.default_rng(number)
        clean = rng.integers(0, 150, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        classes = np.full((HEIGHT_PX, WIDTH_PX, 3), SKY, np.uint8)
        classes[28:] = ROAD
        classes[60:] = LINE
        classes[20:28, 80:] = STATIC
        objects = np.full((HEIGHT_PX, WIDTH_PX, 3), (11, 0, 3), np.uint8)
        for colour, (left, top, right, bottom) in BOXES.items():
            classes[top:bottom, left:right] = CAR
            objects[top:bottom, left:right] = colour
        depth = np.linspace(255, 120, HEIGHT_PX).astype(np.uint8)[:, None].repeat(WIDTH_PX, 1)
        pictures = {
            **{"clean": clean, "rainy": clean + 60},
            **{"semantic": classes, "instance": objects, "depth": depth},
        }
        for kind, picture in pictures.items():
            (root / kind).mkdir(parents=True, exist_ok=True)
            suffix = "jpg" if kind in ("clean", "rainy") else "png"
            Image.fromarray(picture).save(root / kind / f"{stem}.{suffix}")
    return root


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
