"""Make a miniature YOLO data set: boxes and outlines, an image turned, one without labels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("person", "car", "dog")
WIDTH_PX, HEIGHT_PX = 160, 120
TURNED, EMPTY = "c", "d"
LINES = {
    "a": "0 0.5 0.5 0.25 0.5\n1 0.1 0.2 0.1 0.2\n",
    "b": "1 0.1 0.1 0.6 0.1 0.6 0.8 0.1 0.8\n2 0.7 0.7 0.9 0.7 0.8 0.95\n",
    "c": "2 0.25 0.25 0.5 0.5\n",
}
"""Labels by stem: boxes, outlines, a box of an image that is stored on its side."""


def make(root: Path, split: str = "val") -> Path:
    """Write ``data.yaml``, ``images/<split>/`` and ``labels/<split>/`` below ``root``."""
    (root / "images" / split).mkdir(parents=True)
    (root / "labels" / split).mkdir(parents=True)
    for number, stem in enumerate("abcd"):
        pixels = np.random.default_rng(number).integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        (root / "images" / split / f"{stem}.jpg").write_bytes(jpeg(pixels, stem == TURNED))
        if stem != EMPTY:
            (root / "labels" / split / f"{stem}.txt").write_text(LINES[stem])
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(NAMES))
    text = f"path: ../datasets/mine\ntrain: images/train\n{split}: images/{split}\nnames:\n{names}"
    (root / "data.yaml").write_text(text)
    return root


def jpeg(pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]], is_turned: bool) -> bytes:
    """Encode, on its side with an EXIF orientation or upright."""
    image, exif = Image.fromarray(pixels), Image.Exif()
    if is_turned:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
