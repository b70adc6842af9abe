"""Make a miniature COCO: a handful of drawn photographs with every oddity that real ones have."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

CATEGORIES = {1: "person", 3: "car", 18: "dog"}
SPLIT = "val2017"
TALL, GREY, TURNED, EMPTY, CROWDED = 2, 3, 4, 5, 6
"""Image ids of the odd ones."""


def make(root: Path, images: int = 8) -> Path:
    """Write ``annotations/instances_val2017.json`` and ``images/val2017/`` below ``root``."""
    folder = root / "images" / SPLIT
    folder.mkdir(parents=True)
    (root / "annotations").mkdir()
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id in range(1, images + 1):
        width, height = (97, 131) if image_id == TALL else (160, 120)
        picture, boxes = draw(image_id, width, height)
        name = f"{image_id:012d}.jpg"
        (folder / name).write_bytes(jpeg(picture, image_id))
        entries.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for category, box in [] if image_id == EMPTY else boxes:
            crowd = image_id == CROWDED and box == boxes[0][1]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category,
                    "bbox": box,
                    "area": 0.8 * box[2] * box[3],
                    "iscrowd": int(crowd),
                    "segmentation": segmentation(box, width, height, crowd),
                }
            )
    content = {
        "images": entries,
        "annotations": annotations,
        "categories": [{"id": k, "name": v} for k, v in CATEGORIES.items()],
    }
    (root / "annotations" / f"instances_{SPLIT}.json").write_text(json.dumps(content))
    return root


def segmentation(box: list[float], width: int, height: int, crowd: bool) -> Any:
    """The box as a polygon; as run lengths, column by column, where it is a crowd."""
    x, y, w, h = (int(v) for v in box)
    if not crowd:
        return [[x, y, x + w, y, x + w, y + h, x, y + h]]
    pixels = np.zeros((width, height), np.int8)
    pixels[x : x + w, y : y + h] = 1
    ends = np.flatnonzero(np.diff(pixels.ravel(), prepend=0)).tolist()
    return {"size": [height, width], "counts": np.diff([0, *ends, pixels.size]).tolist()}


def draw(
    seed: int, width: int, height: int
) -> tuple[NDArray[np.uint8], list[tuple[int, list[float]]]]:
    """A shaded ground with one coloured shape per category; boxes as COCO writes them."""
    rng = np.random.default_rng(seed)
    ground = np.linspace(60, 180, height)[:, None] + rng.normal(0, 6, (height, width))
    picture = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    boxes = []
    for category, colour in zip(CATEGORIES, ("#c33", "#36c", "#cc3"), strict=True):
        w, h = (int(v) for v in rng.integers(12, 45, 2))
        x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
        pen.rectangle((x, y, x + w - 1, y + h - 1), fill=colour, outline="black")
        boxes.append((category, [float(x), float(y), float(w), float(h)]))
    return np.asarray(picture), boxes


def jpeg(picture: NDArray[np.uint8], image_id: int) -> bytes:
    """Encode; one image is grey, one stored on its side with an EXIF orientation."""
    image = Image.fromarray(picture)
    exif = Image.Exif()
    if image_id == GREY:
        image = image.convert("L")
    if image_id == TURNED:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
