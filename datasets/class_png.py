"""BDD100K's pictures of classes: every pixel is a class's number, or its colour."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from datasets.image import NDArrayByte, UnreadableImageError, decode
from datasets.label_png import decode_labels
from datasets.sample import IGNORED
from datasets.scalabel import HEIGHT_PX, WIDTH_PX

CLASSES: dict[str, tuple[int, int, int]] = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
"""Classes 0 to 18 of label maps, those of Cityscapes, with their colours in colormaps."""
Colours = Mapping[tuple[int, int, int], int]
"""Class of each colour."""
COLOURS: Colours = {**{colour: i for i, colour in enumerate(CLASSES.values())}, (0, 0, 0): IGNORED}
"""Black is ignored."""


def decode_classes(data: bytes, name: str) -> NDArrayByte:
    """Decode a mask or colormap to classes, ``uint8 (720, 1280)``: 0 to 18 or `IGNORED`.

    Raises:
        UnreadableImageError: If it cannot be decoded, has another size, or a pixel is no class.
    """
    has_colours = data[25:26] in (b"\x02", b"\x06")  # a PNG's header says so there
    classes = classes_of_colours(decode(data, name), COLOURS, name) if has_colours else None
    classes = _by_palette(data, decode_labels(data, name)) if classes is None else classes
    if classes.shape != (HEIGHT_PX, WIDTH_PX):
        raise UnreadableImageError(
            f"{name}: {classes.shape[1]}x{classes.shape[0]} pixels, BDD100K's frames are "
            f"{WIDTH_PX}x{HEIGHT_PX}"
        )
    wrong = classes[(classes >= len(CLASSES)) & (classes != IGNORED)]
    if wrong.size:
        raise UnreadableImageError(
            f"{name}: pixel {wrong[0]} is none of the classes 0 to 18 and {IGNORED} (Cityscapes' "
            "trainIds, not its labelIds)"
        )
    return classes


def _by_palette(data: bytes, places: NDArrayByte) -> NDArrayByte:
    """Classes from places in a palette, which are the classes unless their colours say another.

    Programs that make PNG smaller put the colours of a palette in an order of their own.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        listed = (picture.getpalette("RGB") if picture.mode == "P" else None) or []
    colours = [*zip(listed[::3], listed[1::3], listed[2::3], strict=True)]
    held = np.flatnonzero(np.bincount(places.ravel(), minlength=256)).tolist()
    told = {i: COLOURS[colours[i]] for i in held if colours[i : i + 1] and colours[i] in COLOURS}
    if len(told) < len(held) or all(told[place] in (place, IGNORED) for place in held):
        return places
    classes = np.full(256, IGNORED, np.uint8)
    classes[[*told]] = [*told.values()]
    return np.asarray(classes[places], np.uint8)


def classes_of_colours(image: NDArrayByte, colours: Colours, name: str) -> NDArrayByte:
    """Classes from colours, ``uint8 (H, W)``.

    Args:
        image: ``uint8 (H, W, 3) RGB``.
        colours: All that may stand there.
        name: What to call it in an error.

    Raises:
        UnreadableImageError: If a colour is no class's.
    """
    weights = np.array([65536, 256, 1])
    known = np.array([*colours]) @ weights
    values = np.array([*colours.values()], np.uint8)
    order = np.argsort(known)
    pixels = image.astype(np.int64) @ weights
    place = np.searchsorted(known[order], pixels).clip(max=len(order) - 1)
    if (known[order][place] != pixels).any():
        row, column = np.argwhere(known[order][place] != pixels)[0]
        raise UnreadableImageError(f"{name}: the colour at x {column}, y {row} is no class's")
    return np.asarray(values[order][place], np.uint8)
