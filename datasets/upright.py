"""The size of a picture as it is decoded, found without decoding it where its header is enough."""

from __future__ import annotations

from pathlib import Path

from datasets.image import UnreadableImageError, decode, is_turned, size_px

_JPEG = b"\xff\xd8"


def upright_px(file: Path) -> tuple[int, int] | None:
    """Height and width of a picture turned upright; None where it cannot be told.

    Of a turned picture that is no JPEG only decoding tells: Pillow gives a TIFF's size turned
    already in some versions, and other forms' as stored. So it does where Pillow knows no size,
    as of very large pictures.
    """
    try:
        with file.open("rb") as opened:
            is_jpeg = opened.read(len(_JPEG)) == _JPEG
        told = size_px(file) if is_jpeg or not is_turned(file) else None
        if told is not None:
            return told
        height_px, width_px, _ = decode(file.read_bytes(), file.name).shape
    except (UnreadableImageError, OSError):
        return None
    return height_px, width_px
