"""The pictures of a run in one sheet: with boxes, masks and label maps as the networks saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from datasets.image import NDArrayByte, decode
from reports.pages.contact_sheet import contact_sheet, font
from reports.tables.text import label, plain

if TYPE_CHECKING:
    from reports.results.gallery import GalleryItem
    from reports.results.results import Results

COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0))
"""The colours of boxes, by class: Okabe and Ito's, readable with colour-blind eyes."""
SAMPLES = 2
WIDTH_PX = 400
BOXES = 100
"""Boxes drawn in one picture at most, the surest."""


def pictures(results: Results) -> NDArrayByte:
    """Lay out the first samples: a row each for boxes and for every task that colours pixels.

    Returns:
        ``uint8 (H, W, 3) RGB``: conditions across, each picture with its caption.
    """
    columns = list(dict.fromkeys(g.condition for g in results.gallery))
    samples = list(dict.fromkeys(g.sample for g in results.gallery))[:SAMPLES]
    tasks = list(dict.fromkeys(t for g in results.gallery for t in g.labelled))
    classes = sorted({box[5] for g in results.gallery for box in g.boxes})
    found = {(g.sample, g.condition): g for g in results.gallery}
    cells = []
    for sample in samples:
        for task in (None, *tasks):
            for column in columns:
                item = found.get((sample, column))
                jpeg = None if item is None else item.labelled.get(task) if task else item.jpeg
                if item is None or jpeg is None:
                    cells.append((np.full((1, WIDTH_PX, 3), 255, np.uint8), ""))
                    continue
                picture = _scaled(decode(jpeg, sample), item)
                if task is None:
                    picture = _boxed(picture, item, classes)
                cells.append((picture, label(column) + (f"\n{task}" if task else "")))
    return contact_sheet(cells, len(columns))


def _scaled(picture: NDArrayByte, item: GalleryItem) -> NDArrayByte:
    size = WIDTH_PX, max(1, round(WIDTH_PX * item.height / item.width))
    smaller = picture.shape[1] > WIDTH_PX
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _boxed(picture: NDArrayByte, item: GalleryItem, classes: list[str]) -> NDArrayByte:
    """The picture with its boxes, the surest on top."""
    from PIL import Image, ImageDraw

    canvas = Image.fromarray(picture)
    pen = ImageDraw.Draw(canvas)
    scale = WIDTH_PX / item.width
    for *corners, score, name in sorted(item.boxes, key=lambda box: box[4])[-BOXES:]:
        colour = COLOURS[classes.index(name) % len(COLOURS)]
        left, top, right, bottom = (scale * side for side in corners)
        pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=2)
        text = plain(f"{name} {score:.2f}")
        place = (left + 2, max(0.0, top - 11))
        pen.rectangle(pen.textbbox(place, text, font=font(10)), fill=colour)
        pen.text(place, text, fill="white", font=font(10))
    return np.asarray(canvas, np.uint8)
