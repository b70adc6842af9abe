"""Label maps and pictures of instances as PNG files: the numbers that were written."""

from __future__ import annotations

from datasets.image import NDArrayByte, decode_indices

PNG = b"\x89PNG"
STEPS = {b"\x02\x00": 85, b"\x04\x00": 17}
"""By a PNG's bits per value and 0 for grey: by how much Pillow's values lie apart, which it spreads
over 0 to 255 as of a photograph's brightness."""


def decode_labels(data: bytes, name: str) -> NDArrayByte:
    """As `datasets.image.decode_indices`, and of grey PNGs of 2 or 4 bits what was written.

    Raises:
        UnreadableImageError: If the bytes are no such image, or it has too many pixels.
    """
    values = decode_indices(data, name)
    step = STEPS.get(data[24:26], 1) if data.startswith(PNG) else 1
    return values // step if values.max(initial=0) >= step else values
