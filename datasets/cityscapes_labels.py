"""Label files of Cityscapes and the sets in its form: pictures of ids, and polygons.

Reference:
    M. Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016,
    and its cityscapesScripts, for the numbers of labels and how polygons are drawn.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from datasets import fields
from datasets.class_png import CLASSES
from datasets.image import UNREADABLE, NDArrayByte, UnreadableImageError, size_px
from datasets.instance_map import labelled, regions
from datasets.label_png import decode_labels
from datasets.masks import MAX_PIXELS, MAX_SIDE_PX, encode
from datasets.sample import IGNORED, Annotations, DatasetError

# fmt: off
LABELS = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic",
    "ground", "road", "sidewalk", "parking", "rail track", "building", "wall", "fence",
    "guard rail", "bridge", "tunnel", "pole", "polegroup", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "caravan", "trailer",
    "train", "motorcycle", "bicycle",
)
# fmt: on
"""By label id, 0 to 33; ``license plate`` is -1."""
ID_OF = {name: i for i, name in enumerate(LABELS)}
HIDDEN = "license plate"
OBJECTS = {ID_OF[name]: name for name in CLASSES if ID_OF[name] >= ID_OF["person"]}
"""Those of the 19 classes that have instances, by label id."""
WITH_INSTANCES = {*OBJECTS, ID_OF["caravan"], ID_OF["trailer"]}
TRAIN_IDS = np.full(256, IGNORED, np.uint8)
"""Class of each label id."""
TRAIN_IDS[[ID_OF[name] for name in CLASSES]] = np.arange(len(CLASSES))
PER_LABEL = 1000
LEAST_PX2 = 100
"""Objects of fewer pixels are ignored, as cityscapesScripts does."""


def decode_label_ids(data: bytes, name: str) -> NDArrayByte:
    """Decode a picture of label ids to classes, ``uint8 (H, W)``: 0 to 18 or `IGNORED`.

    Raises:
        UnreadableImageError: If it cannot be decoded, or a pixel is no label.
    """
    ids = decode_labels(data, name)
    wrong = ids[(ids >= len(LABELS)) & (ids != IGNORED)]  # -1 is stored as 255
    if wrong.size:
        raise UnreadableImageError(f"{name}: pixel {wrong[0]} is none of the label ids 0 to 33")
    return np.asarray(TRAIN_IDS[ids], np.uint8)


def decode_train_ids(data: bytes, name: str) -> NDArrayByte:
    """Decode a picture of train ids, ``uint8 (H, W)``: 0 to 18 or `IGNORED`.

    Raises:
        UnreadableImageError: If it cannot be decoded, or a pixel is no class, as in a picture of
            label ids under this name.
    """
    ids = decode_labels(data, name)
    wrong = int(ids[ids != IGNORED].max(initial=0))
    if wrong >= len(CLASSES):
        remedy = (
            f"void is written as {IGNORED}"
            if wrong == len(CLASSES)  # which many write for void
            else "are these label ids? Then call it labelIds"
        )
        raise UnreadableImageError(
            f"{name}: pixel {wrong} is none of the train ids 0 to 18 and {IGNORED}: {remedy}"
        )
    return ids


def decode_polygons(data: bytes, name: str) -> NDArrayByte:
    """Draw polygons as classes, ``uint8 (H, W)``: 0 to 18 or `IGNORED`.

    Raises:
        UnreadableImageError: If the file is no such JSON.
    """
    try:
        drawn = _drawn(data, name)
    except DatasetError as error:
        raise UnreadableImageError(str(error)) from error
    labels = np.where(drawn >= PER_LABEL, drawn // PER_LABEL, drawn)
    return np.asarray(TRAIN_IDS[labels], np.uint8)


DECODERS = {
    "labelIds.png": decode_label_ids,
    "labelTrainIds.png": decode_train_ids,
    "polygons.json": decode_polygons,
}
KINDS = (*DECODERS, "instanceIds.png")


def labelled_px(file: Path) -> tuple[int, int] | None:
    """Height and width of the picture that a file labels; None of what is no such file."""
    if file.suffix != ".json":
        return size_px(file)
    try:
        return _sides(json.loads(file.read_bytes()), file.name)
    except (ValueError, RecursionError, OSError):
        return None  # That is told where it is read.


def read_objects(file: Path, masks: bool) -> Annotations:
    """Objects of a picture of instances, or of polygons.

    Groups, and objects below `LEAST_PX2`, are marked as crowds. The region leaves out pixels whose
    label no score counts, as cityscapesScripts does, which takes an instance of a caravan or a
    trailer for none of them. The boxes of objects that count belong to it, so that what finds a
    thin one is kept, whatever else its box holds.
    """
    data = file.read_bytes()
    read = _drawn if file.suffix == ".json" else _instance_ids
    numbers, found = read(data, file.name), []
    is_void = (numbers < PER_LABEL) & (TRAIN_IDS[numbers.clip(max=IGNORED)] == IGNORED)
    for region in regions(numbers):
        is_group = region.number < PER_LABEL
        label = region.number if is_group else region.number // PER_LABEL
        if label in OBJECTS:
            is_ignored = is_group or int(region.inside.sum()) < LEAST_PX2
            found.append(labelled(region, numbers.shape, label, is_ignored, masks))
            is_void[region.window] &= is_ignored
    return replace(Annotations.of(found), region=encode(~is_void))


def _instance_ids(data: bytes, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """A 16-bit picture of instances."""
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.mode not in ("I", "I;16", "I;16B", "L"):
                raise DatasetError(f"{name}: expected 16 bits per pixel, got {picture.mode}")
            numbers: np.ndarray[tuple[int, int], np.dtype[np.int32]] = np.array(picture, np.int32)
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{name}: not a PNG, or damaged; download it again") from error
    return numbers


def _drawn(data: bytes, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Polygons as instances, one over the other, as cityscapesScripts draws them."""
    from PIL import Image, ImageDraw

    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name}: no JSON ({error}): download it again") from error
    height_px, width_px = _sides(content, name)
    picture = Image.new("I", (width_px, height_px), 0)
    pen = ImageDraw.Draw(picture)
    counts: dict[int, int] = {}
    entries = fields.field(content, "objects", name)
    for i, entry in enumerate(entries if isinstance(entries, list) else ()):
        where = f"{name}: objects[{i}]"
        word = fields.text(entry, "label", where)
        is_group = word not in ID_OF and word.endswith("group")
        label = ID_OF.get(word.removesuffix("group") if is_group else word)
        if entry.get("deleted") or word == HIDDEN:
            continue
        if label is None:
            raise DatasetError(f"{where}: '{word}' is no label of Cityscapes")
        number = label
        if label in WITH_INSTANCES and not is_group:
            number = label * PER_LABEL + counts.get(label, 0)
            counts[label] = counts.get(label, 0) + 1
        pen.polygon(_points(entry, where), fill=number)
    return np.array(picture, np.int32)


def _sides(content: Any, name: str) -> tuple[int, int]:
    """Height and width that a file of polygons says."""
    height_px, width_px = (fields.integer(content, s, name) for s in ("imgHeight", "imgWidth"))
    sides = (height_px, width_px)
    if not 0 < min(sides) <= max(sides) <= MAX_SIDE_PX or height_px * width_px > MAX_PIXELS:
        raise DatasetError(f"{name}: {width_px}x{height_px} pixels are no picture")
    return sides


def _points(entry: Any, where: str) -> list[tuple[float, float]]:
    """The corners of one polygon."""
    points = fields.field(entry, "polygon", where)
    if not isinstance(points, list) or len(points) < 2:
        raise DatasetError(f"{where}: 'polygon' must be at least two points [x, y]")
    corners = []
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise DatasetError(f"{where}: 'polygon' must be points [x, y]")
        x, y = (fields.real({"polygon": v}, "polygon", where) for v in point)
        if max(abs(x), abs(y)) > MAX_SIDE_PX:
            raise DatasetError(f"{where}: 'polygon' lies far outside the picture")
        corners.append((x, y))
    return corners
