"""Label maps and pictures of instances as PNG files: one number per pixel."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import UNREADABLE, NDArrayByte, UnreadableImageError

STEPS = {b"\x02\x00": 85, b"\x04\x00": 17}
"""By a PNG's bits per value and 0 for grey: by how much Pillow's values lie apart, which it spreads
over 0 to 255 as of a photograph's brightness."""
WIDE = ("I;16", "I;16B", "I")
"""Pillow's words for 16 bits."""
WIDEST = 255
_FORM = slice(24, 26)
"""Where a PNG says its bits per value and whether it is grey."""


def decode_labels(data: bytes, name: str) -> NDArrayByte:
    """Decode a PNG of one value per pixel, grey or by palette, to the values that were written.

    Args:
        data: The file's bytes.
        name: What to call it in an error.

    Returns:
        ``uint8 (H, W)``: grey levels as stored, in 2, 4, 8 or 16 bits, or places in the palette.

    Raises:
        UnreadableImageError: If the bytes are no such image, a value needs more than 8 bits, or it
            has too many pixels.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            stored, mode = np.array(picture), picture.mode
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise UnreadableImageError(
            f"{name}: not a PNG, or damaged; copy or download it again"
        ) from error
    values = _values(stored, mode)
    if values is None:
        raise UnreadableImageError(
            f"{name}: expected one byte per pixel, got mode {mode}: save the classes' numbers as a "
            "grey PNG of 8 bits"
        )
    step = STEPS.get(data[_FORM], 1)
    return values // step if values.max(initial=0) >= step else values


def _values(stored: NDArray[Any], mode: str) -> NDArrayByte | None:
    """One byte per pixel of what Pillow decoded; None where it holds more, or a single bit."""
    if mode in ("L", "P") or (mode in WIDE and int(stored.max(initial=0)) <= WIDEST):
        return np.asarray(stored, np.uint8)
    return None


def encode_labels(values: NDArrayByte) -> bytes:
    """Encode ``uint8 (H, W)`` as a grey PNG, losslessly."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(values))
    if not done:
        raise UnreadableImageError("PNG encoding failed")
    return data.tobytes()
