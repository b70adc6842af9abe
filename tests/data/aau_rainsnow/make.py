"""Make a miniature AAU RainSnow: two sequences, each with the region that is labelled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH_PX, HEIGHT_PX = 160, 120
FRAMES = ("Egensevej/Egensevej-1/cam1-00055.png", "Egensevej/Egensevej-5/cam1-00010.png")
CATEGORIES = {1: "person", 3: "car"}
BOXES = ((3, (20, 50, 30, 20)), (1, (70, 60, 8, 20)), (3, (10, 2, 40, 12)))
"""A car and a person in the labelled region, which begins in row 40, and a car outside."""


def make(root: Path) -> Path:
    """Write ``aauRainSnow-rgb.json``, frames and regions below ``root``."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, name in enumerate(FRAMES, start=1):
        frame = root / name
        frame.parent.mkdir(parents=True)
        rng = np.random.default_rng(image_id)
        Image.fromarray(rng.integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)).save(frame)
        region = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
        region[40:] = 255
        ending = "" if frame.parent.name == "Egensevej-5" else "-mask"
        Image.fromarray(region).save(frame.parent.parent / f"{frame.parent.name}{ending}.png")
        images.append({"id": image_id, "file_name": name, "width": WIDTH_PX, "height": HEIGHT_PX})
        for category, (x, y, w, h) in BOXES:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
    # As in the archive: a box of negative size, and an object without an outline.
    annotations[0]["bbox"] = [50, 70, -30, -20]
    annotations.append({**annotations[1], "id": 99, "segmentation": []})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": k, "name": v} for k, v in CATEGORIES.items()],
    }
    (root / "aauRainSnow-rgb.json").write_text(json.dumps(content))
    return root


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
