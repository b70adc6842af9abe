"""Predicted objects in the formats of the official tools; `tasks.label_maps` has those of pixels.

BDD100K's own form of boxes and masks is read here too, and translated in `tasks.bdd_results`.

Detection is one COCO results file. Instance segmentation is two, ``boxes.json`` and ``masks.json``,
line by line of the same objects, since pycocotools takes a box's size for the mask's where a result
has both; or one file of masks whose rows carry their boxes, or none: then those around the masks
are taken. Images go by a row's ``file_name``, by id, or else by the file's name or stem.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.plausible_boxes import doubt, no_pixels, no_sizes
from datasets.plausible_masks import elsewhere
from datasets.sample import Mask, Sample
from tasks import bdd_results
from tasks.coco_ap import Detections
from tasks.image_names import ImageNames
from tasks.json_rows import json_rows, shown
from tasks.mask_rows import mask_of
from tasks.task import ROUNDING, Predictions, TaskError

_Places = Callable[[int | str], int | None]
"""The place of an image among the samples by its ``image_id``."""
FAR = 4
"""A box may lie at most this many image sizes outside the image."""


def write_detections(
    folder: Path, predictions: Iterable[tuple[Sample, Detections]], masks: bool
) -> None:
    """Write COCO results: ``detection.json``, or ``instance/boxes.json`` and ``masks.json``."""
    files = ["instance/boxes.json", "instance/masks.json"] if masks else ["detection.json"]
    lines: list[list[str]] = [[] for _ in files]
    for sample, found in predictions:
        image_id = _written(sample.id)
        boxes = found.boxes_xyxy_px.astype(np.float64)
        boxes[:, 2:] -= boxes[:, :2]
        for i, box in enumerate(boxes.tolist()):
            one = {"image_id": image_id, "category_id": int(found.categories[i])}
            score = {"score": float(found.scores[i])}
            lines[0].append(json.dumps({**one, "bbox": box, **score}))
            if masks:
                mask = found.masks[i]
                size = [mask.height_px, mask.width_px]
                shape = {"segmentation": {"size": size, "counts": mask.counts.decode()}}
                lines[1].append(json.dumps({**one, **shape, **score}))
    for name, rows in zip(files, lines, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("[" + ",\n".join(rows) + "]\n", encoding="utf-8")


def _written(sample_id: str) -> int | str:
    """An ``image_id``: COCO's are whole numbers; ``007`` is none."""
    is_number = sample_id.isdecimal() and len(sample_id) < 20 and str(int(sample_id)) == sample_id
    return int(sample_id) if is_number else sample_id


def read_detections(
    path: Path, samples: Sequence[Sample], categories: Mapping[int, str], masks: bool
) -> Predictions:
    """Read COCO results, or BDD100K's frames.

    Args:
        path: A file of either; of masks, also a folder with ``boxes.json`` and ``masks.json``.
        samples: All images that may have predictions.
        categories: Those that the data set has.
        masks: Whether every result needs a mask.

    Returns:
        `Detections` by sample id, for every sample.

    Raises:
        TaskError: Naming file, row and field of what cannot be scored.
    """
    by_id = {sample.id: sample for sample in samples}
    if not masks and path.is_dir():
        inside = next(iter(sorted(path.glob("[!.]*.json"))), None)
        remedy = (
            "a file of COCO results or of BDD100K's frames (ultralytics' val writes one with "
            "save_json=True)"
            if inside is None
            else inside
        )
        raise TaskError(f"{path} is a folder: give {remedy}")
    if not masks:
        return _read(path, by_id, categories, ("bbox",)).detections(samples)
    if path.is_dir():
        shapes = _of_two_files(path, by_id, categories)
    else:
        shapes = _read(path, by_id, categories, ("segmentation",))
    found = shapes.detections(samples)
    said = elsewhere((one.boxes_xyxy_px, one.masks) for one in found.values())
    if said is not None:
        found.notes = (*found.notes, f"{path.name}: {said}")
    return found


def _of_two_files(
    folder: Path, by_id: Mapping[str, Sample], categories: Mapping[int, str]
) -> _Columns:
    """Masks, with the boxes that stand line by line in a file of their own."""
    boxes = _read(folder / "boxes.json", by_id, categories, ("bbox",))
    shapes = _read(folder / "masks.json", by_id, categories, ("segmentation",))
    for name in ("images", "categories", "scores"):
        if getattr(boxes, name) != getattr(shapes, name):
            raise TaskError(
                f"{folder}: boxes.json and masks.json are not of the same objects line by line "
                f"({name} differ)"
            )
    shapes.boxes, shapes.notes = boxes.boxes, boxes.notes
    return shapes


def counts_from_one(file: Path) -> bool:
    """Whether results count classes from 1, as ultralytics has them of its own data sets.

    Its rows carry ``file_name`` beside ``image_id``, and none is of class 0. No other tool's do,
    and ultralytics itself counted from 0 only before it wrote that field.
    """
    try:
        rows = [row for row in json_rows(file) if isinstance(row, dict)]
    except TaskError:
        return False  # That is told where it is read.
    return bool(rows) and all(
        {"image_id", "file_name", "category_id"} <= row.keys() and category_of(row) != 0
        for row in rows
    )


@dataclass
class _Columns:
    """Results as columns: a million of them as dicts would take a gigabyte."""

    images: array[int] = field(default_factory=lambda: array("q"))
    """Place of the image among the samples by id."""
    categories: array[int] = field(default_factory=lambda: array("q"))
    scores: array[float] = field(default_factory=lambda: array("d"))
    boxes: array[float] = field(default_factory=lambda: array("d"))
    masks: list[Mask] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a reader of their numbers must know."""

    def detections(self, samples: Sequence[Sample]) -> Predictions:
        """The results of each sample, in the order of the file."""
        image = np.array(self.images, np.int64)
        order = np.argsort(image, kind="stable")
        ends = np.searchsorted(image[order], np.arange(len(samples) + 1))
        boxes = np.array(self.boxes, np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        scores = np.array(self.scores, np.float64)
        categories = np.array(self.categories, np.int64)
        found = Predictions(notes=self.notes)
        for i, sample in enumerate(samples):
            rows = order[ends[i] : ends[i + 1]]
            masks = tuple(self.masks[row] for row in rows) if self.masks else ()
            found[sample.id] = Detections(boxes[rows], scores[rows], categories[rows], masks)
        return found


class _UnknownImageError(TaskError):
    """A row of an image that the data set does not have by the names that are tried."""


def _read(
    file: Path, by_id: Mapping[str, Sample], categories: Mapping[int, str], needs: Sequence[str]
) -> _Columns:
    """A results file as columns, every field checked; images by id, or else by file."""
    places, names = {sample_id: i for i, sample_id in enumerate(by_id)}, ImageNames(by_id.values())
    doubtful: dict[int | str, int] = {}

    def by_either(image: int | str) -> int | None:
        place, other = places.get(str(image)), names.place(image)
        if place is not None and other not in (None, place):
            if isinstance(image, str):
                raise TaskError(
                    f"{file.name}: image_id {shown(image)} is the id of one image and the file "
                    "name of another: write ids as numbers, or names with their suffix"
                )
            doubtful.setdefault(image, place)
        return place

    try:
        columns = _columns(file, by_id, names, by_either, categories, needs)
        names.require_ids(file.name)
    except _UnknownImageError as error:
        try:
            return _columns(file, by_id, names, names.place, categories, needs)
        except _UnknownImageError:
            raise error from None
    if doubtful:
        image, place = next(iter(doubtful.items()))
        columns.notes.append(
            f"{file.name}: image_id {image} is taken for an id, that of "
            f"{[*by_id.values()][place].path.name}, not for the number in a file's name"
        )
    return columns


def _columns(
    file: Path,
    by_id: Mapping[str, Sample],
    names: ImageNames,
    by_image: _Places,
    categories: Mapping[int, str],
    needs: Sequence[str],
) -> _Columns:
    """A results file as columns, with what tells an image's place by ``image_id``.

    The ``file_name`` goes first: ultralytics takes the number in it for the id, whatever the
    labels' are.
    """
    columns, samples = _Columns(), list(by_id.values())
    sizes: dict[int, tuple[int, int]] = {}
    for where, row in _results(file, names, categories, columns.notes):
        if not isinstance(row, dict):
            raise TaskError(f"{where}: expected an object, got {type(row).__name__}")
        missing = next((k for k in ("image_id", "category_id", "score", *needs) if k not in row), 0)
        if missing:
            raise TaskError(f"{where}: '{missing}' is missing")
        image, category = _whole(row["image_id"]), category_of(row)
        name, is_id = row.get("file_name"), type(image) in (int, str)
        place = names.place(name) if isinstance(name, str) else None
        if place is None and is_id:
            place = by_image(image)
            if isinstance(name, str) and names.places(name):
                names.shared(name, image)
        if place is None:
            said = f"image_id {shown(image)} is not in the data set"
            told = names.doubt(name if isinstance(name, str) else image if is_id else "")
            raise _UnknownImageError(
                f"{where}: {f'{shown(name or image)} {told}' if told else said}"
            )
        if type(category) is not int or category not in categories:
            raise TaskError(f"{where}: category_id {_unknown(category, categories)}")
        score = _score(row["score"], where)
        if place not in sizes:
            height, width, _ = samples[place].image().shape
            sizes[place] = (height, width)
        box = row.get("bbox")
        if "segmentation" in needs:
            mask = mask_of(row["segmentation"], sizes[place], where)
            columns.masks.append(mask)
            box = _bounds(mask).tolist() if box in (None, []) else box
        columns.boxes.extend(_box(box, sizes[place], where))
        columns.images.append(place)
        columns.categories.append(category)
        columns.scores.append(score)
    columns.notes += _doubts(file, columns, sizes)
    return columns


def _doubts(
    file: Path, columns: _Columns, sizes_px: Mapping[int, tuple[int, int]]
) -> Iterator[str]:
    """What may be wrong with the form of all boxes; what must be is refused."""
    boxes = np.array(columns.boxes, np.float64).reshape(-1, 4)
    sizes = np.array([sizes_px[place] for place in columns.images], np.float64).reshape(-1, 2)
    for judge in (no_pixels, no_sizes):
        if (wrong := judge(boxes, sizes)) is not None:
            raise TaskError(f"{file.name}: {wrong}")
    if (doubtful := doubt(boxes, sizes)) is not None:
        yield f"{file.name}: {doubtful}"


def _whole(value: Any) -> Any:
    """A whole number that was written with a point, as pandas does; else the value itself."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def category_of(row: Mapping[str, Any]) -> Any:
    """A result's ``category_id``, a number also where it is text; what is none stays as it is."""
    value = row["category_id"]
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return _whole(value)


def _unknown(category: Any, categories: Mapping[int, str]) -> str:
    """What to say of a category that the data set does not have."""
    said = f"{shown(category)} is not in the data set"
    if not categories or type(category) is not int:
        return said
    first, last = min(categories), max(categories)
    remedy = ": count yours from 0" if (first, category) == (0, last + 1) else ""
    return f"{said}, whose ids are {first} to {last}{remedy}"


def _score(score: Any, where: str) -> float:
    """A confidence in [0, 1]."""
    if not _finite(score):
        raise TaskError(f"{where}: score must be a finite number, got {shown(score)}")
    if not 0 <= score <= 1 + ROUNDING:
        raise TaskError(
            f"{where}: score {shown(score)} lies outside [0, 1]: divide percentages by 100, "
            "take the sigmoid or softmax of logits"
        )
    return min(float(score), 1.0)


def _results(
    file: Path, names: ImageNames, categories: Mapping[int, str], notes: list[str]
) -> Iterator[tuple[str, Any]]:
    """COCO results one at a time, each with what to call it in an error.

    What a reader of their numbers must know of the names of classes goes into ``notes``.
    """
    by_name: Mapping[str, int] | None = None
    for number, row in enumerate(json_rows(file)):
        if bdd_results.is_frame(row):
            if by_name is None:
                by_name, said = bdd_results.numbers_by_name(json_rows(file), categories)
                notes += [f"{file.name}: {said}"] if said else []
            where = f"{file.name}: frame {number}"
            yield from bdd_results.as_coco(row, names, by_name, where)
        else:
            yield f"{file.name}: result {number}", row


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < 1e15 and not math.isnan(value)


def _box(box: Any, size_px: tuple[int, int], where: str) -> list[float]:
    """A box ``[x, y, width, height]`` near the image."""
    if not (isinstance(box, list) and len(box) == 4 and all(map(_finite, box))):
        raise TaskError(f"{where}: bbox must be four finite numbers, got {shown(box)}")
    x, y, width, height = map(float, box)
    reach_x, reach_y = FAR * size_px[1], FAR * size_px[0]
    if width < 0 or height < 0:
        raise TaskError(f"{where}: bbox {shown(box)} has a negative size")
    if not (-reach_x <= x <= x + width <= reach_x and -reach_y <= y <= y + height <= reach_y):
        raise TaskError(f"{where}: bbox {shown(box)} lies far outside the image")
    return [x, y, width, height]


def _bounds(mask: Mask) -> NDArray[np.float64]:
    """The box ``[x, y, width, height]`` around a mask."""
    from pycocotools import mask as coco_mask

    one = {"size": [mask.height_px, mask.width_px], "counts": mask.counts}
    box: NDArray[np.float64] = coco_mask.toBbox(one)
    return box
