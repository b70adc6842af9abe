"""The only place that knows how pixels are stored: files, numpy arrays and tensors.

Between rooms an image is ``uint8 (H, W, 3) RGB``; inside networks it is ``float32 (B, 3, H, W)`` in
[0, 1].
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from PIL import Image

NDArrayByte = NDArray[np.uint8]
NDArrayFloat = NDArray[np.float32]

UNREADABLE = (OSError, SyntaxError, ValueError, ImportError)
"""What Pillow raises of bytes that are no image. ImportError: once ultralytics is imported, Pillow
looks for a package that reads other formats."""
VERSION = 1
"""Raised whenever the same file decodes to other pixels."""


ORIENTATION = 0x0112
"""EXIF's tag for how a picture is to be turned; from `ON_ITS_SIDE` on, width becomes height."""
ON_ITS_SIDE = 5
_JPEG_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""In compressed data 255 is followed by 0, or by the number of a restart."""
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS, _APART, _MORE_SAMPLES = 258, 284, 338
"""TIFF's tags for the depth of each channel, how they lie and what they are beyond colours."""
_STRAIGHT, _BYTE = 2, 8
"""The number there of an opacity that the colours do not hold; a depth in bits."""
_START, _END, _SCAN, _ALONE = 0xD8, 0xD9, 0xDA, 0x01
_BETWEEN_SCANS = {0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}
"""Segments that may follow compressed data: tables, the next scan, comments, applications."""
_LONGEST_CHUNK = 2**30
"""Bytes in a part of a PNG, which may be a byte short of 2 GiB."""
_STRIP_PX = 64
"""Rows that are rounded at a time."""


class UnreadableImageError(ValueError):
    """An image that cannot be decoded (damaged, none, or too large), or not be encoded."""


def decode(data: bytes, name: str) -> NDArrayByte:
    """Decode an image file to RGB, turned upright as its EXIF orientation says.

    Args:
        data: The file's bytes (JPEG, PNG or whatever else OpenCV reads); grey becomes three equal
            channels, 16 bit becomes 8, transparency is dropped.
        name: What to call the image in an error.

    Returns:
        ``uint8 (H, W, 3) RGB``.

    Raises:
        UnreadableImageError: If the bytes are no image, the image ends early, or it has more pixels
            than ``OPENCV_IO_MAX_IMAGE_PIXELS`` allowed when OpenCV was first imported.
    """
    if not data:
        raise UnreadableImageError(f"{name}: is empty; copy or download the file again")
    if data[:2] == b"\xff\xd8" and not _has_jpeg_end(data):
        # libjpeg fills a truncated picture with grey and calls it a success.
        raise UnreadableImageError(f"{name}: the JPEG ends early; copy or download the file again")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UnreadableImageError(f"{name}: cannot be decoded: {error.err or error}") from error
    if bgr is None:
        raise UnreadableImageError(f"{name}: {_why_not(data)}")
    if data[:4] in _TIFF and (opaque := _without_alpha(data, name)) is not None:
        return opaque
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr), np.uint8)


def _why_not(data: bytes) -> str:
    """Why a file is no image that can be read, with the remedy."""
    if data.startswith(_LFS_POINTER):
        return "a pointer of Git LFS, not the image: git lfs pull"
    levels = None
    with contextlib.suppress(cv2.error):
        levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None:
        return "not an image, or damaged; copy or download the file again"
    # Scaled by its largest number a picture would be as bright as its brightest pixel.
    return (
        f"its pixels are numbers of {levels.dtype}, of which no file says what is white: save it "
        "as PNG of 8 or 16 bits"
    )


def _without_alpha(data: bytes, name: str) -> NDArrayByte | None:
    """The colours of a TIFF with transparency, by which OpenCV darkens them; None for others."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as picture:
            tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
            if _STRAIGHT not in tags.get(_MORE_SAMPLES, ()):
                return None
            apart_in_16_bits = tags.get(_APART, 1) != 1 and max(tags.get(_BITS, (8,))) > _BYTE
            opaque = None if apart_in_16_bits else np.array(picture.convert("RGB"))
    except (*UNREADABLE, Image.DecompressionBombError):
        return None
    if opaque is None:  # OpenCV darkens these, Pillow mixes them up.
        raise UnreadableImageError(
            f"{name}: a TIFF with transparency whose 16-bit channels lie apart; save it as PNG"
        )
    return opaque


def _has_jpeg_end(data: bytes) -> bool:
    """Whether a JPEG's own end is reached; what stands behind it, a film say, does not count.

    Reference:
        ITU-T T.81, annex B: segments tell their length, compressed data end at the next marker.
    """
    at, in_scan = 2, False
    while found := _JPEG_MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == _END:
            return True
        if in_scan and marker not in _BETWEEN_SCANS:
            return False
        if marker not in (_START, _ALONE):
            at += max(int.from_bytes(data[at : at + 2]), 2)
        in_scan = in_scan or marker == _SCAN
    return False


def is_turned(file: Path) -> bool:
    """Whether a picture says that it is to be turned or mirrored when it is shown."""
    return _header(file)[1] != 1


def size_px(file: Path) -> tuple[int, int] | None:
    """Height and width of a picture turned upright, by its header; None where it tells none."""
    size, orientation = _header(file)
    return size[::-1] if size and orientation >= ON_ITS_SIDE else size


def _header(file: Path) -> tuple[tuple[int, int] | None, int]:
    """Height and width as stored, and EXIF's orientation."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            return (picture.height, picture.width), _orientation(picture)
    except (*UNREADABLE, Image.DecompressionBombError):
        return None, 1  # Decoding tells what is wrong.


def _orientation(picture: Image.Image) -> int:
    """EXIF's orientation, 1 where it says none; Pillow's own way takes XMP's in its place.

    The decoder turns by EXIF alone, and leaves a picture as it is whose EXIF is damaged.
    """
    from PIL import Image

    tags: Mapping[int, Any] | None = getattr(picture, "tag_v2", None)  # of a TIFF
    if tags is None:
        tags = exif = Image.Exif()
        with contextlib.suppress(*UNREADABLE, struct.error):
            exif.load(picture.info.get("exif", b""))
    said = tags.get(ORIENTATION, 1)
    return said if said in range(1, 9) else 1


def decode_depth(data: bytes, name: str) -> NDArrayFloat:
    """Decode a PNG of distances in centimetres, 16 bits each, to metres.

    Args:
        data: The file's bytes.
        name: What to call it in an error.

    Returns:
        ``float32 (H, W)``, above 0.

    Raises:
        UnreadableImageError: If the bytes are no such image, or a distance is 0.
    """
    try:
        levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UnreadableImageError(f"{name}: cannot be decoded: {error.err or error}") from error
    if levels is None or levels.dtype != np.uint16 or levels.ndim != 2:
        raise UnreadableImageError(f"{name}: expected a PNG with one 16-bit distance per pixel")
    if not levels.all():
        raise UnreadableImageError(f"{name}: holds a distance of 0: must be at least 1 cm")
    return np.asarray(levels.astype(np.float32) / np.float32(100), np.float32)


def encode_depth(depth_m: NDArrayFloat) -> bytes:
    """Encode ``float32 (H, W)`` metres as PNG of centimetres, 0.01 m to 655.35 m."""
    levels = np.clip(np.rint(depth_m * np.float32(100)), 1, 65535).astype(np.uint16)
    done, data = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise UnreadableImageError("PNG encoding failed")
    return data.tobytes()


def encode_png(image: NDArrayByte) -> bytes:
    """Encode ``uint8 (H, W, 3) RGB`` as PNG, losslessly and fast rather than small.

    Rows hold differences between neighbours, compressed by Intel's ISA-L: a tenth of the time of
    zlib's quickest level, and as small.

    Reference:
        W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", sections 5.3 (chunks)
        and 9.2 (filter type 1, Sub).
    """
    from isal import isal_zlib

    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, 3 * width)
    filtered = np.empty((height, 1 + 3 * width), np.uint8)
    filtered[:, 0] = 1
    filtered[:, 1:4] = rows[:, :3]
    np.subtract(rows[:, 3:], rows[:, :-3], out=filtered[:, 4:])
    data = isal_zlib.compress(filtered, 1)
    parts = [data[i : i + _LONGEST_CHUNK] for i in range(0, len(data), _LONGEST_CHUNK)]
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        *((b"IDAT", part) for part in parts),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", _crc(kind, body))
        for kind, body in chunks
    )


def _crc(kind: bytes, body: bytes) -> int:
    """Checksum of a PNG chunk."""
    from isal import isal_zlib

    return int(isal_zlib.crc32(body, isal_zlib.crc32(kind)))


def encode_jpeg(image: NDArrayByte, quality: int = 85) -> bytes:
    """Encode ``uint8 (H, W, 3) RGB`` as JPEG, for pages and thumbnails only."""
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise UnreadableImageError("JPEG encoding failed")
    return data.tobytes()


def shrink(image: NDArrayByte, longest_px: int) -> NDArrayByte:
    """The image with its longer side at most ``longest_px``, by area averaging."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def to_tensor(images: list[NDArrayByte], device: str | torch.device = "cpu") -> torch.Tensor:
    """Stack equally sized ``uint8 (H, W, 3) RGB`` into ``float32 (B, 3, H, W)`` in [0, 1].

    Bytes travel to the device, which makes floats of them.
    """
    import torch

    batch = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2)
    return batch.to(torch.float32).div_(255.0)


def from_tensor(batch: torch.Tensor) -> list[NDArrayFloat]:
    """Split ``float (B, 3, H, W)`` in [0, 1] into ``float32 (H, W, 3) RGB`` in [0, 1], one each."""
    import torch

    array = batch.detach().to("cpu", torch.float32).permute(0, 2, 3, 1).contiguous().numpy()
    return list(array)


def round_to_bytes(image: NDArrayFloat) -> NDArrayByte:
    """Round ``float (H, W, 3)`` in [0, 1] to the nearest of 256 levels, as a saved file would."""
    levels = np.empty(image.shape, np.uint8)
    for top in range(0, len(image), _STRIP_PX):
        # Strips stay in the processor's cache.
        strip = np.clip(image[top : top + _STRIP_PX], 0.0, 1.0)
        strip *= 255.0
        levels[top : top + _STRIP_PX] = np.rint(strip, out=strip)
    return levels
