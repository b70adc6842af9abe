"""Pixels in and out."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from datasets.image import (
    UnreadableImageError,
    decode,
    encode_png,
    from_tensor,
    is_turned,
    round_to_bytes,
    shrink,
    size_px,
    to_tensor,
)
from datasets.upright import upright_px

PICTURE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def test_png_keeps_every_pixel() -> None:
    assert np.array_equal(decode(encode_png(PICTURE), "a.png"), PICTURE)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (37, 53)])
def test_png_is_what_every_reader_reads(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.image._LONGEST_CHUNK", 100)  # of which the largest has several
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    data = encode_png(image[:, ::-1])  # rows that do not lie in order
    with Image.open(io.BytesIO(data)) as read:
        read.verify()
    with Image.open(io.BytesIO(data)) as read:
        assert np.array_equal(np.asarray(read), image[:, ::-1])
    assert np.array_equal(decode(data, "a.png"), image[:, ::-1])


def test_bytes_are_the_nearest_levels_of_any_floats() -> None:
    levels = np.random.default_rng(0).uniform(-0.2, 1.2, (150, 7, 3)).astype(np.float32)
    wanted = np.rint(np.clip(levels, 0.0, 1.0) * np.float32(255)).astype(np.uint8)
    assert np.array_equal(round_to_bytes(levels), wanted)
    assert levels.min() < 0  # what it was given is as it was


def test_grey_becomes_three_equal_channels() -> None:
    image = decode(jpeg(Image.new("L", (8, 6), 77)), "grey.jpg")
    assert image.shape == (6, 8, 3)
    assert np.all(image == 77)


def test_exif_orientation_turns_the_image_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(jpeg(Image.new("RGB", (8, 6)), exif=exif), "a.jpg").shape == (8, 6, 3)


def test_a_truncated_jpeg_is_an_error_not_a_grey_area() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = jpeg(Image.fromarray(noise))
    with pytest.raises(UnreadableImageError, match=r"a\.jpg: the JPEG ends early"):
        decode(data[: len(data) // 2], "a.jpg")


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"])
def test_what_is_no_image_is_named(data: bytes) -> None:
    with pytest.raises(UnreadableImageError, match=r"b\.jpg"):
        decode(data, "b.jpg")


def test_a_file_of_nothing_is_called_so() -> None:
    with pytest.raises(UnreadableImageError, match=r"b.jpg: is empty; copy or download"):
        decode(b"", "b.jpg")


def test_an_image_bomb_is_refused_by_its_header() -> None:
    head = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    with pytest.raises(UnreadableImageError, match="bomb"):
        decode(b"\x89PNG\r\n\x1a\n" + chunk + end, "bomb")


def test_trailing_bytes_and_thumbnails_do_not_hide_the_end() -> None:
    thumbnail = jpeg(Image.new("RGB", (8, 8)))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    exif = Image.Exif()
    exif[0x010E] = thumbnail.decode("latin-1")
    data = jpeg(Image.fromarray(noise), exif=exif)
    assert decode(data + bytes(9999), "a.jpg").shape == (64, 64, 3)
    with pytest.raises(UnreadableImageError, match="ends early"):
        decode(data[:-500], "a.jpg")


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
BEHIND = {
    "film": b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 40 + b"\xff\xda\x00\x01abc",
    "scan's sign": b"\xff\xda" * 9,
    "second picture": jpeg(Image.new("RGB", (80, 80), "red")),
    "half a picture": jpeg(Image.fromarray(NOISE))[:900],
    "zeros": bytes(5000),
}
"""What phones, cameras and editors put behind a picture's end."""


@pytest.mark.parametrize("more", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts", "PNG"])
def test_what_goes_on_behind_the_picture_is_no_damage(kind: str, more: bytes) -> None:
    options: dict[str, dict[str, Any]] = {
        "progressive": {"progressive": True},
        "restarts": {"restart_marker_rows": 1},
    }
    made = jpeg(Image.fromarray(NOISE), **options.get(kind, {}))
    data = encode_png(NOISE) if kind == "PNG" else made
    assert np.array_equal(decode(data + more, "a"), decode(data, "a"))
    for cut in (0.3, 0.6, 0.95):
        with pytest.raises(UnreadableImageError, match=r"ends early|damaged"):
            decode(data[: int(len(data) * cut)], "a")


def test_a_cut_jpeg_with_something_behind_it_ends_early() -> None:
    data = jpeg(Image.fromarray(NOISE))
    for more in (bytes(5000), b"\xff\x4f\xff\x51" + BEHIND["film"] + b"\xff\xd9"):
        with pytest.raises(UnreadableImageError, match="the JPEG ends early"):
            decode(data[: len(data) // 2] + more, "a.jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_header_tells_the_upright_size(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg(Image.new("RGB", (8, 6)), exif=exif))
    assert size_px(file) == decode(file.read_bytes(), "a").shape[:2]
    assert is_turned(file) == (orientation != 1)
    file.write_bytes(b"no picture")
    assert size_px(file) is None


def tiff(pixels: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", [1, 6])
def test_transparency_darkens_no_picture(orientation: int) -> None:
    clear = np.dstack([PICTURE, np.arange(5 * 7, dtype=np.uint8).reshape(5, 7)])
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = PICTURE if orientation == 1 else np.rot90(PICTURE, -1)
    assert np.array_equal(decode(tiff(clear, exif=exif), "a.tif"), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_transparency_beside_channels_that_lie_apart_darkens_no_picture(kind: Any) -> None:
    clear = np.dstack([PICTURE, np.arange(5 * 7, dtype=np.uint8).reshape(5, 7)]).astype(kind)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        clear.transpose(2, 0, 1),
        photometric="rgb",
        planarconfig="separate",
        extrasamples=["unassalpha"],
    )
    if kind == np.uint8:
        assert np.array_equal(decode(buffer.getvalue(), "a.tif"), PICTURE)
    else:
        with pytest.raises(
            UnreadableImageError, match=r"a\.tif: a TIFF with transparency .* as PNG"
        ):
            decode(buffer.getvalue(), "a.tif")


@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_numbers_without_a_white_are_no_damage(kind: str) -> None:
    with pytest.raises(UnreadableImageError, match=f"a.tif: its pixels are numbers of {kind}, of"):
        decode(tiff(PICTURE[:, :, 0].astype(kind)), "a.tif")


def test_a_size_that_pillow_does_not_tell_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # a bomb, to Pillow
    (tmp_path / "a.png").write_bytes(encode_png(PICTURE))
    assert upright_px(tmp_path / "a.png") == (5, 7)


XMP = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'


@pytest.mark.parametrize("has_exif", [False, True])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_what_xmp_says_turns_no_picture(form: str, has_exif: bool, tmp_path: Path) -> None:
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    if has_exif:
        exif[0x0110] = "a camera, and no orientation"
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    file = tmp_path / "a"
    Image.new("RGB", (8, 6)).save(file, form, xmp=XMP, pnginfo=text, exif=exif)
    assert decode(file.read_bytes(), "a").shape == (6, 8, 3)
    assert (size_px(file), upright_px(file), is_turned(file)) == ((6, 8), (6, 8), False)


def test_damaged_exif_turns_no_picture_and_hides_no_size(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg(Image.new("RGB", (8, 6)), exif=b"Exif\0\0no TIFF"))
    assert decode(file.read_bytes(), "a").shape == (6, 8, 3)
    assert (upright_px(file), is_turned(file)) == ((6, 8), False)


def test_tensor_and_back_gives_the_same_bytes() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(round_to_bytes(from_tensor(to_tensor([every]))[0]), every)


def test_shrink_keeps_small_images_and_the_aspect_of_large_ones() -> None:
    assert shrink(PICTURE, 7) is PICTURE
    assert shrink(np.zeros((400, 200, 3), np.uint8), 100).shape == (100, 50, 3)
