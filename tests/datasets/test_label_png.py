"""Label maps as PNG files: what was written is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import camvid
from datasets.cityscapes_labels import decode_label_ids, decode_train_ids
from datasets.image import NDArrayByte, UnreadableImageError, encode_png
from datasets.label_png import decode_labels, encode_labels
from datasets.sample import Sample
from tests.miniatures import packed_png


@pytest.mark.parametrize("mode", ["L", "P"])
def test_label_maps_are_their_values(mode: str) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(8, 32)
    picture = Image.fromarray(values)
    if mode == "P":
        picture = Image.frombytes("P", (32, 8), values.tobytes())
        picture.putpalette([255 - i // 3 for i in range(768)])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    assert np.array_equal(decode_labels(buffer.getvalue(), "a"), values)
    assert np.array_equal(decode_labels(encode_labels(values), "a"), values)


def test_what_is_no_label_map_is_told() -> None:
    colours = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(
        UnreadableImageError, match=r"a\.png: expected one byte per pixel, got mode RGB"
    ):
        decode_labels(encode_png(colours), "a.png")
    with pytest.raises(UnreadableImageError, match=r"a\.png: not a PNG, or damaged"):
        decode_labels(encode_labels(colours[:, :, 0])[:40], "a.png")


def test_bytes_that_are_no_png_are_named_after_ultralytics_changed_pillow() -> None:
    import ultralytics.utils.patches

    assert ultralytics.utils.patches
    with pytest.raises(UnreadableImageError, match="a: not a PNG"):
        decode_labels(b"\x89PNG", "a")


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_numbers_are_those_that_were_written(bits: int, mode: str) -> None:
    values = np.arange(2**bits, dtype=np.uint8).reshape(2, -1)
    data = packed_png(values, bits, 0 if mode == "L" else 3)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == mode
    assert np.array_equal(decode_labels(data, "a.png"), values)
    assert np.array_equal(decode_labels(encode_labels(values), "a.png"), values)


@pytest.mark.parametrize(
    "of_set",
    [camvid.decode_label_map, decode_label_ids, decode_train_ids],
    ids=lambda f: f.__name__,
)
def test_labels_of_few_classes_in_few_bits_are_what_they_are(
    of_set: Callable[[bytes, str], NDArrayByte],
) -> None:
    values = np.arange(8, dtype=np.uint8).reshape(2, 4)
    few, whole = packed_png(values, 4, 0), encode_labels(values)
    assert np.array_equal(of_set(few, "a"), of_set(whole, "a"))


def test_a_set_without_a_decoder_of_its_own_reads_few_bits_as_they_are(tmp_path: Path) -> None:
    values = np.arange(4, dtype=np.uint8).reshape(2, 2)
    file = tmp_path / "labels.png"
    file.write_bytes(packed_png(values, 2, 0))
    sample = Sample("a", tmp_path / "a.png", "a", label_map_path=file)
    assert np.array_equal(sample.label_map(), values)
