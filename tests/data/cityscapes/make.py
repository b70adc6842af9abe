"""Make miniatures of Cityscapes, its rainy and foggy kind, and ACDC: every form of labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDTH_PX, HEIGHT_PX = 128, 64
KEYS = ("frankfurt_000000_000294", "frankfurt_000001_000019", "lindau_000000_000019")
RAIN = "_rain_alpha_0.02_beta_0.01_dropsize_0.005_pattern_4"
FOG = "_foggy_beta_0.02"
IDS = {"road": 7, "sky": 23, "person": 24, "car": 26, "caravan": 29, "ego vehicle": 1}
OBJECTS: list[dict[str, Any]] = [
    {"label": "sky", "polygon": [[0, 0], [127, 0], [127, 30], [0, 30]]},
    {"label": "road", "polygon": [[0, 31], [127, 31], [127, 63], [0, 63]]},
    {"label": "car", "polygon": [[10, 30], [40, 28], [42, 50], [9, 52]]},
    {"label": "car", "polygon": [[30, 32], [70, 33], [66, 55], [33, 54]]},
    {"label": "license plate", "polygon": [[45, 45], [55, 45], [55, 48], [45, 48]]},
    {"label": "cargroup", "polygon": [[90, 28], [120, 30], [119, 40], [92, 41]]},
    {"label": "person", "polygon": [[75, 20], [80, 20], [80, 45], [75, 45]]},
    {"label": "car", "deleted": 1, "polygon": [[0, 0], [20, 0], [20, 20]]},
    {"label": "caravan", "polygon": [[100, 42], [110, 42], [110, 50], [100, 50]]},
    {"label": "ego vehicle", "polygon": [[0, 58], [127, 58], [127, 63], [0, 63]]},
]


def make(root: Path, kinds: tuple[str, ...] = ("labelIds", "instanceIds", "polygons")) -> Path:
    """Write ``leftImg8bit/val`` and ``gtFine/val`` below ``root``."""
    for number, key in enumerate(KEYS):
        city = key.split("_")[0]
        save(root / "leftImg8bit" / "val" / city / f"{key}_leftImg8bit.png", noise(number))
        labels(root / "gtFine" / "val" / city / f"{key}_gtFine", number, kinds)
    return root


def make_weather(root: Path, folder: str, suffix: str) -> Path:
    """Write ``<folder>/val``, whose labels and clean images are those of `make`."""
    for number, key in enumerate(KEYS):
        file = root / folder / "val" / key.split("_")[0] / f"{key}_leftImg8bit{suffix}.png"
        save(file, noise(number) // 2 + 90)
    return root


def make_acdc(root: Path) -> Path:
    """Write ``rgb_anon/<condition>/val`` and ``gt/<condition>/val`` with both kinds of ids."""
    for number, condition in enumerate(("fog", "night", "rain", "snow")):
        drive = f"GOPR0{number}00"
        key = f"{drive}_frame_000{number}51"
        save(root / "rgb_anon" / condition / "val" / drive / f"{key}_rgb_anon.png", noise(number))
        above = root / "gt" / condition / "val" / drive / f"{key}_gt"
        labels(above, number, ("labelIds", "labelTrainIds"))
    return root


def labels(above: Path, shift: int, kinds: tuple[str, ...]) -> None:
    """Label files whose names begin so, everything ``shift`` pixels to the right."""
    ids, numbers = drawn(shift)
    above.parent.mkdir(parents=True, exist_ok=True)
    if "labelIds" in kinds:
        Image.fromarray(ids).save(f"{above}_labelIds.png")
    if "labelTrainIds" in kinds:
        train = np.full_like(ids, 255)
        for name, train_id in (("road", 0), ("sky", 10), ("person", 11), ("car", 13)):
            train[ids == IDS[name]] = train_id
        Image.fromarray(train).save(f"{above}_labelTrainIds.png")
    if "instanceIds" in kinds:
        Image.fromarray(numbers.astype(np.uint16)).save(f"{above}_instanceIds.png")
    if "polygons" in kinds:
        content = {"imgHeight": HEIGHT_PX, "imgWidth": WIDTH_PX, "objects": moved(shift)}
        Path(f"{above}_polygons.json").write_text(json.dumps(content))


def moved(shift: int) -> list[dict[str, Any]]:
    """The objects, to the right."""
    return [{**o, "polygon": [[x + shift, y] for x, y in o["polygon"]]} for o in OBJECTS]


def drawn(shift: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Label ids and instance ids, drawn as cityscapesScripts draws them."""
    ids, numbers = (Image.new("I", (WIDTH_PX, HEIGHT_PX), 0) for _ in range(2))
    counts: dict[str, int] = {}
    for entry in moved(shift):
        name = entry["label"].removesuffix("group")
        if entry.get("deleted") or name == "license plate":
            continue
        number = IDS[name]
        if name in ("car", "person", "caravan") and name == entry["label"]:
            number = 1000 * IDS[name] + counts.get(name, 0)
            counts[name] = counts.get(name, 0) + 1
        corners = [tuple(point) for point in entry["polygon"]]
        ImageDraw.Draw(ids).polygon(corners, fill=IDS[name])
        ImageDraw.Draw(numbers).polygon(corners, fill=number)
    return np.array(ids, np.uint8), np.array(numbers, np.int32)


def noise(number: int) -> NDArray[np.uint8]:
    """A picture."""
    return np.random.default_rng(number).integers(0, 160, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)


def save(file: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
