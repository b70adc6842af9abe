"""Label maps as PNG files: what was written is read."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import camvid
from datasets.cityscapes_labels import decode_label_ids, decode_train_ids
from datasets.class_png import CLASSES, decode_classes
from datasets.image import NDArrayByte, UnreadableImageError, encode_png
from datasets.label_png import decode_labels, encode_labels
from datasets.sample import IGNORED, Sample
from datasets.scalabel import HEIGHT_PX, WIDTH_PX
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


def test_sixteen_bits_are_read_where_eight_are_enough() -> None:
    """As scikit-image and OpenCV write arrays of uint16."""
    values = np.arange(256, dtype=np.uint16).reshape(8, 32)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    assert np.array_equal(decode_labels(buffer.getvalue(), "a"), values)
    buffer = io.BytesIO()
    Image.fromarray(values + 1).save(buffer, "PNG")
    with pytest.raises(UnreadableImageError, match=r"got mode I;16: save the classes' numbers"):
        decode_labels(buffer.getvalue(), "a")


def test_colours_say_the_classes_where_their_order_was_changed() -> None:
    """As programs do that make PNG smaller."""
    colours = [*CLASSES.values()]
    classes = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    classes[:300], classes[300:400], classes[400:] = 10, 13, IGNORED

    def written(places: NDArrayByte, palette: Sequence[tuple[int, ...]]) -> bytes:
        picture = Image.frombytes("P", (WIDTH_PX, HEIGHT_PX), places.tobytes())
        picture.putpalette([value for colour in palette for value in colour])
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return buffer.getvalue()

    published = written(classes, [*colours, *[(0, 0, 0)] * (256 - len(colours))])
    assert np.array_equal(decode_classes(published, "a"), classes)
    order = [colours[13], (0, 0, 0), colours[10]]
    places = np.select([classes == 13, classes == 10], [0, 2], 1).astype(np.uint8)
    assert np.array_equal(decode_classes(written(places, order), "a"), classes)
    plain = written(places, [(i, i, i) for i in range(3)])  # colours of no meaning
    assert np.array_equal(decode_classes(plain, "a"), places)


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
