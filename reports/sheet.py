"""Pictures side by side in one image, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datasets.image import NDArrayByte

COLUMNS = 6
CAPTION_PX = 40
"""Height of the two lines under a picture."""
MARGIN_PX = 4


def contact_sheet(
    pictures: Sequence[tuple[NDArrayByte, str]], columns: int = COLUMNS
) -> NDArrayByte:
    """Lay pictures in rows, captions under them.

    Args:
        pictures: At least one (image, caption), images of one size ``uint8 (H, W, 3) RGB``; a
            caption has up to two lines.
        columns: Pictures in a row.

    Returns:
        ``uint8 (rows · (H + caption), columns · W, 3) RGB`` with white margins.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = pictures[0][0].shape[:2]
    tall, wide = height + CAPTION_PX + MARGIN_PX, width + MARGIN_PX
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * wide + MARGIN_PX, rows * tall + MARGIN_PX), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for place, (picture, caption) in enumerate(pictures):
        row, column = divmod(place, columns)
        left, top = MARGIN_PX + column * wide, MARGIN_PX + row * tall
        sheet.paste(Image.fromarray(picture), (left, top))
        draw.multiline_text((left, top + height + 1), caption, fill="black", font=font, spacing=2)
    return np.asarray(sheet, np.uint8)
