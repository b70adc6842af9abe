"""Label maps and pictures of instances as PNG files: one number per pixel."""

from __future__ import annotations

import io

import cv2
import numpy as np

from datasets.image import UNREADABLE, NDArrayByte, UnreadableImageError

STEPS = {b"\x02\x00": 85, b"\x04\x00": 17}
"""By a PNG's bits per value and 0 for grey: by how much Pillow's values lie apart, which it spreads
over 0 to 255 as of a photograph's brightness."""
_FORM = slice(24, 26)
"""Where a PNG says its bits per value and whether it is grey."""


def decode_labels(data: bytes, name: str) -> NDArrayByte:
    """Decode a PNG of one value per pixel, grey or by palette, to the values that were written.

    Args:
        data: The file's bytes.
        name: What to call it in an error.

    Returns:
        ``uint8 (H, W)``: grey levels as stored, in 2, 4 or 8 bits, or places in the palette.

    Raises:
        UnreadableImageError: If the bytes are no such image, or it has too many pixels.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.mode not in ("L", "P"):
                raise UnreadableImageError(
                    f"{name}: expected one byte per pixel, got mode {picture.mode}"
                )
            values = np.array(picture, np.uint8)
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        if isinstance(error, UnreadableImageError):
            raise
        raise UnreadableImageError(
            f"{name}: not a PNG, or damaged; copy or download it again"
        ) from error
    step = STEPS.get(data[_FORM], 1)
    return values // step if values.max(initial=0) >= step else values


def encode_labels(values: NDArrayByte) -> bytes:
    """Encode ``uint8 (H, W)`` as a grey PNG, losslessly."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(values))
    if not done:
        raise UnreadableImageError("PNG encoding failed")
    return data.tobytes()
