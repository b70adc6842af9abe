"""Make a miniature BDD100K: drawn frames in its tree, with every form of labels and oddity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

HEIGHT_PX, WIDTH_PX = 720, 1280
PART = "val"

FRAMES = {
    "aaaaaaaa-00000001": ("clear", "daytime", "city street"),
    "aaaaaaaa-00000002": ("rainy", "night", "highway"),
    "bbbbbbbb-00000001": ("snowy", "daytime", "residential"),
    "cccccccc-00000001": ("foggy", "dawn/dusk", "tunnel"),
    "dddddddd-00000001": ("undefined", "dawn/dusk", "city street"),
    "eeeeeeee-00000001": ("overcast", "night", "parking lot"),
}
"""Weather, time of day and scene of the 100k frames."""
EMPTY = "eeeeeeee-00000001"
"""Its labels are null."""
BOXES: list[tuple[str, list[float], bool]] = [
    ("car", [100.5, 200, 299.25, 319], False),
    ("person", [600, 300, 639, 419], False),
    ("other vehicle", [900, 100, 999, 149], False),
    ("traffic light", [10, 10, 19, 39], False),
    ("car", [0, 500, 399, 719], True),
]
"""Category, corners and crowd flag; renamed and uncertain ones among them."""
PLACES = {"11111111-00000001": 0, "22222222-00000001": 40}
"""The 10k frames, and how far their objects lie to the right."""
OBJECTS = [
    (1, "car", (100, 400, 300, 500), 8),
    (2, "pedestrian", (500, 350, 540, 470), 4),
    (300, "truck", (700, 300, 900, 450), 0),
    (7, "car", (1000, 420, 1100, 470), 2),
    (9, "pedestrian", (400, 360, 460, 440), 1),
]
"""Instance, category, corners and the bits truncated, occluded, crowd, ignored."""
CATEGORIES = ["pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]
TRAIN_IDS = {"road": 0, "sky": 10, "person": 11, "car": 13, "truck": 14}
PALETTE = {
    0: (128, 64, 128),
    10: (70, 130, 180),
    11: (220, 20, 60),
    13: (0, 0, 142),
    14: (0, 0, 70),
}
UNKNOWN_ROWS = slice(700, 720)
"""Not labelled in label maps: 255."""


def make(root: Path) -> Path:
    """Write ``images/`` and ``labels/`` below ``root``."""
    frames: list[dict[str, Any]] = []
    for name, said in FRAMES.items():
        picture = Image.fromarray(ground(len(frames)))
        pen = ImageDraw.Draw(picture)
        for _, box, _ in [] if name == EMPTY else BOXES:
            pen.rectangle(box, fill="#246")
        save(picture, root / "images" / "100k" / PART / f"{name}.jpg")
        labels = None if name == EMPTY else [box_label(i, *row) for i, row in enumerate(BOXES)]
        attributes = dict(zip(("weather", "timeofday", "scene"), said, strict=True))
        frames.append({"name": f"{name}.jpg", "attributes": attributes, "labels": labels})
    write(frames, root / "labels" / "det_20" / f"det_{PART}.json")
    for name, shift in PLACES.items():
        picture = Image.fromarray(ground(shift))
        pen = ImageDraw.Draw(picture)
        for _, _, (x1, y1, x2, y2), _ in OBJECTS:
            pen.rectangle((x1 + shift, y1, x2 + shift - 1, y2 - 1), fill="#642")
        save(picture, root / "images" / "10k" / PART / f"{name}.jpg")
        instances(root / "labels" / "ins_seg", name, shift)
        classes(root / "labels" / "sem_seg", name, shift)
    polygons = [
        {
            "name": f"{name}.jpg",
            "attributes": {"weather": "clear"},
            "labels": [outline(*row, shift, "poly2d") for row in OBJECTS],
        }
        for name, shift in PLACES.items()
    ]
    write(polygons, root / "labels" / "ins_seg" / "polygons" / f"ins_seg_{PART}.json")
    rles = [
        {"name": f"{name}.jpg", "labels": [outline(*row, shift, "rle") for row in OBJECTS]}
        for name, shift in PLACES.items()
    ]
    write({"frames": rles}, root / "labels" / "ins_seg" / "rles" / f"ins_seg_{PART}.json")
    painted = [
        {
            "name": f"{name}.jpg",
            "labels": [
                {"category": word, "rle": run_lengths(label_map(shift) == train_id)}
                for word, train_id in TRAIN_IDS.items()
            ],
        }
        for name, shift in PLACES.items()
    ]
    write(painted, root / "labels" / "sem_seg" / "rles" / f"sem_seg_{PART}.json")
    return root


def ground(seed: int) -> NDArray[np.uint8]:
    """A shaded ground with a little noise."""
    rows = np.linspace(70, 170, HEIGHT_PX)[:, None] + np.random.default_rng(seed).normal(0, 5, 1280)
    return np.repeat(np.clip(rows, 0, 255).astype(np.uint8)[:, :, None], 3, 2)


def save(picture: Image.Image, file: Path) -> None:
    """Write an image in its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def write(content: Any, file: Path) -> None:
    """Write JSON in its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def box_label(number: int, category: str, box: list[float], crowd: bool) -> dict[str, Any]:
    """One label of the detection set."""
    return {
        "id": str(number),
        "category": category,
        "attributes": {"occluded": False, "truncated": False, "crowd": crowd},
        "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
    }


def rectangle(corners: tuple[int, int, int, int], shift: int) -> NDArray[np.bool_]:
    """Pixels of an object."""
    x1, y1, x2, y2 = corners
    pixels = np.zeros((HEIGHT_PX, WIDTH_PX), np.bool_)
    pixels[y1:y2, x1 + shift : x2 + shift] = True
    return pixels


def run_lengths(pixels: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's run lengths, not compressed."""
    column_by_column = pixels.T.ravel()
    ends = np.flatnonzero(np.diff(column_by_column, prepend=False)).tolist()
    return {"size": [*pixels.shape], "counts": np.diff([0, *ends, pixels.size]).tolist()}


def outline(
    number: int, category: str, corners: tuple[int, int, int, int], bits: int, shift: int, form: str
) -> dict[str, Any]:
    """One label of the instance set."""
    x1, y1, x2, y2 = corners
    points = [[x + shift, y] for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))]
    shape: Any = [{"vertices": points, "types": "LLLL", "closed": True}]
    if form == "rle":
        shape = run_lengths(rectangle(corners, shift))
    is_person = category == "pedestrian"
    ignored = bool(bits & 1) and is_person
    return {
        "id": str(number),
        "category": "other person" if ignored else "person" if is_person else category,
        "attributes": {"crowd": bool(bits & 2), "occluded": bool(bits & 4)},
        form: shape,
    }


def instances(home: Path, name: str, shift: int) -> None:
    """Write bitmask and colormap."""
    bitmask = np.zeros((HEIGHT_PX, WIDTH_PX, 4), np.uint8)
    numbers = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    for place, (number, category, corners, bits) in enumerate(OBJECTS, start=1):
        inside = rectangle(corners, shift)
        kind = CATEGORIES.index(category) + 1
        bitmask[inside] = (kind, bits, number // 256, number % 256)
        numbers[inside] = place
    # The toolkit marks regions that nobody labelled so.
    bitmask[UNKNOWN_ROWS] = (0, 3, 0, 200)
    save(Image.fromarray(bitmask), home / "bitmasks" / PART / f"{name}.png")
    picture = Image.fromarray(numbers)
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    save(picture, home / "colormaps" / PART / f"{name}.png")


def label_map(shift: int) -> NDArray[np.uint8]:
    """Train ids of every pixel."""
    labels = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    labels[:250] = TRAIN_IDS["sky"]
    for _, category, corners, _ in OBJECTS:
        word = "person" if category == "pedestrian" else category
        labels[rectangle(corners, shift)] = TRAIN_IDS[word]
    labels[UNKNOWN_ROWS] = 255
    return labels


def classes(home: Path, name: str, shift: int) -> None:
    """Write mask and colormap; the second frame's colormap has colours instead of a palette."""
    labels = label_map(shift)
    save(Image.fromarray(labels), home / "masks" / PART / f"{name}.png")
    colours = np.zeros((256, 3), np.uint8)
    for train_id, colour in PALETTE.items():
        colours[train_id] = colour
    picture = Image.fromarray(colours[labels] if shift else labels)
    if not shift:
        picture.putpalette(colours.tobytes())
    save(picture, home / "colormaps" / PART / f"{name}.png")


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
