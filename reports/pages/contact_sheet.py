"""Pictures side by side in one image, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from datasets.image import NDArrayByte

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

COLUMNS = 6
CAPTION_PX = 40
"""Height of the two lines under a picture."""
MARGIN_PX = 4


def contact_sheet(
    pictures: Sequence[tuple[NDArrayByte, str]], columns: int | None = None
) -> NDArrayByte:
    """Lay pictures in rows, captions under them.

    Args:
        pictures: At least one (image, caption), images ``uint8 (H, W, 3) RGB``; a caption has up
            to two lines.
        columns: Pictures in a row; None = up to `COLUMNS`, as many in each row as can be.

    Returns:
        ``uint8 (H, W, 3) RGB``: as wide as the widest, each row as high as its highest, white
        margins.
    """
    from PIL import Image, ImageDraw

    if columns is None:
        columns = -(-len(pictures) // -(-len(pictures) // COLUMNS))
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    wide = max(picture.shape[1] for picture, _ in pictures) + MARGIN_PX
    heights = [max(picture.shape[0] for picture, _ in row) for row in rows]
    size = (
        min(columns, len(pictures)) * wide + MARGIN_PX,
        sum(heights) + len(rows) * (CAPTION_PX + MARGIN_PX) + MARGIN_PX,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    top = MARGIN_PX
    for row, height in zip(rows, heights, strict=True):
        for column, (picture, caption) in enumerate(row):
            left = MARGIN_PX + column * wide
            sheet.paste(Image.fromarray(picture), (left, top))
            below = (left, top + picture.shape[0] + 1)
            draw.multiline_text(below, caption, fill="black", font=font(14), spacing=2)
        top += height + CAPTION_PX + MARGIN_PX
    return np.asarray(sheet, np.uint8)


@cache
def font(size_px: int) -> FreeTypeFont | ImageFont:
    """Pillow's own font, the same everywhere."""
    from PIL import ImageFont

    return ImageFont.load_default(size=size_px)
