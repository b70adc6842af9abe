"""Make a miniature VOC: the development kit's folders, with a difficult object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH_PX, HEIGHT_PX = 100, 80
Boxes = Sequence[tuple[str, tuple[float, float, float, float], int]]
"""Name, xmin, ymin, xmax, ymax counted from 1, and whether it is difficult."""
OBJECTS: Mapping[str, Boxes] = {
    "000001": [("car", (1, 1, 50, 40), 0), ("person", (60, 10, 70, 50), 0)],
    "000002": [("car", (11, 21, 40, 60), 1), ("car", (50, 20, 100, 80), 0)],
    "000003": [],
}


def make(root: Path) -> Path:
    """Write ``Annotations/``, ``JPEGImages/`` and ``ImageSets/Main/test.txt`` below ``root``."""
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for stem, boxes in OBJECTS.items():
        image(root / "JPEGImages" / f"{stem}.jpg")
        (root / "Annotations" / f"{stem}.xml").write_text(xml(f"{stem}.jpg", boxes))
    (root / "ImageSets" / "Main" / "test.txt").write_text("000001\n000002\n")
    (root / "ImageSets" / "Main" / "car_test.txt").write_text("000001  1\n000002 -1\n")
    return root


def image(file: Path) -> None:
    """Noise of a seed that is the file's name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(sum(file.stem.encode()))
    Image.fromarray(rng.integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)).save(file)


def xml(filename: str, boxes: Boxes) -> str:
    """One file of annotations."""
    objects = "".join(
        f"<object><name>{name}</name><pose>Left</pose><truncated>0</truncated>"
        f"<difficult>{difficult}</difficult><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
        f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>"
        "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>"
        "</bndbox></part></object>"
        for name, (x1, y1, x2, y2), difficult in boxes
    )
    return (
        f"<annotation><folder>VOC</folder><filename>{filename}</filename><size>"
        f"<width>{WIDTH_PX}</width><height>{HEIGHT_PX}</height><depth>3</depth></size>"
        f"{objects}</annotation>"
    )


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
