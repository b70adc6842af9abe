"""Labels drawn on their image, for people to look at."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from datasets.image import NDArrayByte
from datasets.masks import decode
from datasets.sample import IGNORED, Annotations

COLOURS = np.array(
    [
        (230, 25, 75),
        (60, 180, 75),
        (255, 225, 25),
        (0, 130, 200),
        (245, 130, 48),
        (145, 30, 180),
        (70, 240, 240),
        (240, 50, 230),
        (210, 245, 60),
        (250, 190, 212),
        (0, 128, 128),
        (170, 110, 40),
    ],
    np.uint8,
)
"""RGB, taken in turn by category or class."""


def drawn(
    image: NDArrayByte,
    annotations: Annotations | None,
    categories: Mapping[int, str],
    label_map: NDArrayByte | None = None,
) -> NDArrayByte:
    """Draw classes under masks under boxes with their names; crowds are boxes with thin lines.

    Args:
        image: ``uint8 (H, W, 3) RGB``, left as it is.
        annotations: Objects, or None.
        categories: Names by id.
        label_map: Class of every pixel, ``uint8 (H, W)``; `IGNORED` stays uncoloured.

    Returns:
        ``uint8 (H, W, 3) RGB``.
    """
    picture = image.copy()
    if label_map is not None:
        tint_classes(picture, label_map)
    if annotations is None:
        return picture
    colours = COLOURS[annotations.categories % len(COLOURS)]
    for mask, colour in zip(annotations.masks, colours, strict=False):
        _tint(picture, np.broadcast_to(colour, picture.shape), decode(mask))
    height_px, width_px = picture.shape[:2]
    line_px = max(1, round(max(height_px, width_px) / 400))
    for box, category, crowd, colour in zip(
        annotations.boxes_xyxy_px,
        annotations.categories.tolist(),
        annotations.is_crowd,
        colours.tolist(),
        strict=True,
    ):
        left, top, right, bottom = np.rint(box).astype(int).tolist()
        cv2.rectangle(
            picture, (left, top), (right - 1, bottom - 1), colour, 1 if crowd else line_px
        )
        name = categories.get(category, str(category)) + (" (crowd)" if crowd else "")
        place = (max(left, 0) + line_px, max(top, 0) + 12 * line_px)
        cv2.putText(picture, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * line_px, colour, line_px)
    return picture


def tint_classes(picture: NDArrayByte, label_map: NDArrayByte) -> None:
    """Mix the colour of each pixel's class into a picture, but for `IGNORED`."""
    _tint(picture, COLOURS[label_map % len(COLOURS)], label_map != IGNORED)


def _tint(
    picture: NDArrayByte,
    colours: NDArrayByte,
    where: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    """Mix colours into some pixels, half and half."""
    picture[where] = (picture[where].astype(np.uint16) + colours[where]) // 2
