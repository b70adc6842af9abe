"""COCO's JSON as many tools write it: indexed at once, decoded image by image when asked for.

A file of 100,000 images is mostly outlines that a run of eight images never looks at. So its lists
are cut into entries without decoding them (`msgspec.Raw`), and only ids are read of all.

Tools differ in what COCO leaves no doubt about: ids stand there as text or as 7.0, ``iscrowd`` as
true, ``area`` not at all. That is read as it is meant; anything else is refused.

Reference:
    https://cocodataset.org/#format-data
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from datasets import fields
from datasets.fields import Problems
from datasets.masks import FAR, area_px2, box_xyxy_px, from_coco
from datasets.sample import Annotations, DatasetError, LabelledObject
from datasets.upright import upright_px
from datasets.weather import defined

PLAIN = {
    *("id", "file_name", "height", "width", "license", "date_captured"),
    *("coco_url", "flickr_url", "url", "path"),
}
"""Fields of an image that say nothing of what it shows."""
_NOWHERE = np.zeros(0, np.int64)
NESTED = ("attributes", "extra", "user_extra", "tags")
"""Fields that may hold what does."""


# Entries as COCO itself writes them, which are checked at once. Where one is not, all are gone
# through one by one: those of other tools are read then, and what is wrong is named.


class _Image(msgspec.Struct, gc=False):
    """What is read of every image."""

    id: int | str
    file_name: str
    height: Annotated[int, msgspec.Meta(ge=1)]
    width: Annotated[int, msgspec.Meta(ge=1)]


class _Annotation(msgspec.Struct, gc=False):
    """What is read of every annotation."""

    image_id: int
    id: int
    area: float | None = None


@dataclass(frozen=True, slots=True)
class CocoImage:
    """The entry of one image."""

    id: str
    entry: dict[str, Any]
    """As it stands in the file."""
    file: str
    """Name of that file."""
    size_px: tuple[int, int] | None
    """Height and width that stand there; None where neither does."""

    @property
    def where(self) -> str:
        """What to call it in an error."""
        return f"{self.file}: image {self.id}"

    @property
    def attributes(self) -> dict[str, str]:
        """Every field that holds one value and says what the image shows, as text."""
        if self.entry.keys() <= PLAIN:
            return {}
        said = {k: v for k, v in self.entry.items() if k not in PLAIN}
        for nested in NESTED:
            inside = self.entry.get(nested)
            said |= inside if isinstance(inside, dict) else {}
        return defined({k: _text(v) for k, v in said.items() if isinstance(v, str | int | float)})


@dataclass(frozen=True)
class CocoJson:
    """A file whose images are known and whose annotations are not decoded yet."""

    file: Path
    head: dict[str, msgspec.Raw]
    """Whatever else stands there: info, licences."""
    categories: dict[int, str]
    images: dict[str, CocoImage]
    """By id."""
    places: Mapping[str, NDArray[np.int64]]
    """Annotations of each image."""
    annotations: list[msgspec.Raw]
    notes: tuple[str, ...] = ()
    """What a reader of numbers must know of them."""
    mend: Callable[[Any], Any] | None = None
    """What is made of each annotation before it is read; None leaves it out."""

    def labels(
        self, image_id: str, picture: Path, masks: bool, problems: Problems | None = None
    ) -> Annotations:
        """The objects of one image.

        Args:
            image_id: One of `images`.
            picture: Its file, whose size is asked where the entry says none.
            masks: Whether they carry their masks.
            problems: Takes what is wrong with single objects, which are then left out.

        Raises:
            DatasetError: If an object is wrong; the message names entry and field.
        """
        image = self.images[image_id]
        size_px = image.size_px or upright_px(picture)
        if size_px is None:
            raise DatasetError(f"{image.where}: says no size, and {picture.name} is no picture")
        objects = []
        for place in self.places.get(image_id, _NOWHERE).tolist():
            where = f"{self.file.name}: annotations[{place}]"
            with fields.told(problems):
                entry = _decoded(self.annotations[place], where)
                entry = entry if self.mend is None else self.mend(entry)
                if entry is not None or self.mend is None:
                    objects.append(_object(entry, size_px, self.categories, masks, where))
        return Annotations.of(objects)

    def part(self, names: Mapping[str, str]) -> bytes:
        """The file of a copy that holds some images under new names.

        Args:
            names: New ``file_name`` by image id.
        """
        images = [{**self.images[key].entry, "file_name": name} for key, name in names.items()]
        kept = sorted(place for key in names for place in self.places.get(key, _NOWHERE).tolist())
        annotations = [self.annotations[place] for place in kept]
        return msgspec.json.encode({**self.head, "images": images, "annotations": annotations})


def read_coco_json(file: Path, problems: Problems | None = None) -> CocoJson:
    """Index an annotation file.

    Args:
        file: An export with ``images``, ``annotations`` and ``categories``: of COCO itself, for
            instances or keypoints, of Label Studio, CVAT, Roboflow, FiftyOne.
        problems: Takes what is wrong with single entries, which are then left out.

    Raises:
        DatasetError: If it is no such file; the message names entry, field and remedy.
    """
    content = _content(file, problems)
    categories = _categories(content, file)
    images = _images(content, file, problems)
    annotations = _list(content, "annotations", file)
    places, blank = _places(content, annotations, images, file, problems)
    head = {k: v for k, v in content.items() if k not in ("images", "annotations")}
    note = (
        f"{blank:,} of {len(annotations):,} annotations have an area of 0 or less: that of the "
        "outline or box is taken"
    )
    notes = (note,) if blank else ()
    return CocoJson(file, head, categories, images, places, annotations, notes)


def _content(file: Path, problems: Problems | None) -> dict[str, msgspec.Raw]:
    """The file's parts."""
    data = file.read_bytes()
    encoding = json.detect_encoding(data)
    try:
        if encoding != "utf-8":  # a byte order mark, or what PowerShell writes
            data = data.decode(encoding).encode()
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        # The slow way says better what is wrong, or that it is in single entries alone.
        content = fields.read_json(file, problems)
    if not isinstance(content, dict):
        raise DatasetError(f"{file}: expected an object with images, annotations and categories")
    try:
        texts = {k: json.dumps(v, ensure_ascii=False, allow_nan=False) for k, v in content.items()}
    except ValueError as error:
        raise DatasetError(f"{file}: holds infinite numbers: export it again") from error
    # Halves of characters become question marks, for what uses the text to judge.
    return {k: msgspec.Raw(text.encode(errors="replace")) for k, text in texts.items()}


def _list(content: dict[str, msgspec.Raw], key: str, file: Path) -> list[msgspec.Raw]:
    """The entries under a required key."""
    if key not in content:
        raise DatasetError(
            f"{file}: the key '{key}' is missing: is this an annotation file of COCO?"
        )
    try:
        return msgspec.json.decode(content[key], type=list[msgspec.Raw])
    except ValueError as error:
        found = type(_decoded(content[key], f"{file}: '{key}'")).__name__
        raise DatasetError(f"{file}: '{key}' must be a list, got {found}") from error


def _decoded(raw: msgspec.Raw, where: str) -> Any:
    """One entry; numbers beyond a double become infinite, which who reads them refuses."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return json.loads(bytes(raw))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: no valid JSON ({error}): export it again") from error


def _categories(content: dict[str, msgspec.Raw], file: Path) -> dict[int, str]:
    """Names by id."""
    categories: dict[int, str] = {}
    for i, raw in enumerate(_list(content, "categories", file)):
        where = f"{file.name}: categories[{i}]"
        entry = _decoded(raw, where)
        number = _number(entry, "id", where)
        if number in categories:
            raise DatasetError(f"{where}: id {number} stands there twice")
        categories[number] = fields.text(entry, "name", where)
    return categories


def _images(
    content: dict[str, msgspec.Raw], file: Path, problems: Problems | None
) -> dict[str, CocoImage]:
    """Image entries by id."""
    images: dict[str, CocoImage] = {}
    raws = _list(content, "images", file)
    with contextlib.suppress(ValueError, RecursionError):
        rows = msgspec.json.decode(content["images"], type=list[_Image])
        for row, entry in zip(rows, msgspec.json.decode(content["images"]), strict=True):
            image_id = str(row.id)
            images[image_id] = CocoImage(image_id, entry, file.name, (row.height, row.width))
    if len(images) < len(raws):
        images.clear()
        for i, raw in enumerate(raws):
            with fields.told(problems):
                image = _image(raw, file, i)
                if image.id in images:
                    where = f"{file.name}: images[{i}]"
                    raise DatasetError(f"{where}: image id {image.id} stands there twice")
                images[image.id] = image
    if not images:
        raise fields.nothing_read(problems, f"{file}: 'images' is empty")
    return images


def _image(raw: msgspec.Raw, file: Path, place: int) -> CocoImage:
    """One entry, whose numbers may be written in another way."""
    where = f"{file.name}: images[{place}]"
    entry = _decoded(raw, where)
    image_id = _identity(fields.field(entry, "id", where), "id", where)
    fields.text(entry, "file_name", where)
    if all(entry.get(side) is None for side in ("height", "width")):
        return CocoImage(image_id, entry, file.name, None)
    height_px, width_px = (_number(entry, side, where) for side in ("height", "width"))
    if height_px < 1 or width_px < 1:
        raise DatasetError(f"{where}: 'width' and 'height' must be at least 1")
    return CocoImage(image_id, entry, file.name, (height_px, width_px))


def _places(
    content: dict[str, msgspec.Raw],
    annotations: Sequence[msgspec.Raw],
    images: Mapping[str, CocoImage],
    file: Path,
    problems: Problems | None,
) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Which annotations belong to each image, and how many have an area of nothing."""
    with contextlib.suppress(ValueError, TypeError, OverflowError, RecursionError):
        rows = msgspec.json.decode(content["annotations"], type=list[_Annotation])
        if len({row.id for row in rows}) == len(rows):
            known = _grouped(np.fromiter((row.image_id for row in rows), np.int64, len(rows)))
            if known.keys() <= images.keys():
                return known, sum(row.area is not None and row.area <= 0 for row in rows)
    places: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    blank = 0
    for i, raw in enumerate(annotations):
        where = f"{file.name}: annotations[{i}]"
        with fields.told(problems):
            entry = _decoded(raw, where)
            places[_image_of(entry, images, seen, where)].append(i)
            area = entry.get("area")
            blank += isinstance(area, int | float) and area <= 0
    return {image_id: np.array(found) for image_id, found in places.items()}, blank


def _grouped(image_ids: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Places of each id, rising."""
    order = np.argsort(image_ids, kind="stable")
    grouped = image_ids[order]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]][: len(order)])
    ends = [*starts[1:].tolist(), len(order)]
    return {
        str(name): order[start:end]
        for name, start, end in zip(grouped[starts].tolist(), starts.tolist(), ends, strict=False)
    }


def _image_of(entry: Any, images: Mapping[str, CocoImage], seen: set[str], where: str) -> str:
    """The image that an annotation belongs to; its own id, if it has one, must be new."""
    image_id = _identity(fields.field(entry, "image_id", where), "image_id", where)
    if image_id not in images:
        raise DatasetError(f"{where}: image_id {image_id} is not among the images")
    if entry.get("id") is not None:
        own = _identity(entry["id"], "id", where)
        if own in seen:
            raise DatasetError(f"{where}: id {own} stands there twice")
        seen.add(own)
    return image_id


def _identity(value: Any, key: str, where: str) -> str:
    """An id as text: 7, 7.0 and "7" are one."""
    if isinstance(value, str) and value:
        return value
    return str(_number({key: value}, key, where))


def _number(entry: Any, key: str, where: str) -> int:
    """A whole number, also as text or as 7.0."""
    value = fields.field(entry, key, where)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 20:
        value = int(value)
    return fields.integer({key: value}, key, where)


def _text(value: str | float) -> str:
    """A value as one types it after ``--where``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _object(
    entry: Any, size_px: tuple[int, int], categories: Mapping[int, str], masks: bool, where: str
) -> LabelledObject:
    """One object of an image."""
    category = _number(entry, "category_id", where)
    if category not in categories:
        raise DatasetError(f"{where}: category_id {category} is not among the categories")
    box = None if entry.get("bbox") is None else _box(entry, size_px, where)
    area = None if entry.get("area") is None else fields.real(entry, "area", where)
    if area is not None and area <= 0 and (box is None or _area_px2(box)):
        area = None  # What holds something has one, which the tool did not write.
    mask, outline = None, entry.get("segmentation")
    if outline and outline != [[]] and (masks or box is None or area is None):
        mask = from_coco(outline, *size_px, where)
    if box is None:
        box = _box(entry, size_px, where) if mask is None else box_xyxy_px(mask)
    if area is None:
        area = _area_px2(box) if mask is None else area_px2(mask)
    is_crowd = _is_crowd(entry, where)
    if masks and mask is None:
        raise DatasetError(f"{where}: {fields.NO_OUTLINE}")
    return LabelledObject(box, category, area, is_crowd, mask if masks else None)


def _box(entry: Any, size_px: tuple[int, int], where: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    box = fields.field(entry, "bbox", where)
    if not (isinstance(box, list) and len(box) == 4):
        raise DatasetError(f"{where}: 'bbox' must be [x, y, width, height], got {box!r}"[:200])
    x, y, w, h = (fields.real({"bbox": v}, "bbox", where) for v in box)
    if w < 0 or h < 0:
        raise DatasetError(f"{where}: 'bbox' has a negative size ({w} x {h})")
    reach_y, reach_x = FAR * size_px[0], FAR * size_px[1]
    if not (-reach_x <= x <= x + w <= reach_x and -reach_y <= y <= y + h <= reach_y):
        raise DatasetError(f"{where}: 'bbox' {box} lies far outside image {entry['image_id']}")
    return x, y, x + w, y + h


def _area_px2(box: tuple[float, float, float, float]) -> float:
    """The area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def _is_crowd(entry: Any, where: str) -> bool:
    """Whether scorers ignore the object."""
    value = entry.get("iscrowd")
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return bool(_number({"iscrowd": value}, "iscrowd", where))
