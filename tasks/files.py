"""Predictions in the formats of the official tools: COCO results, and label maps as PNG.

BDD100K's own form of boxes and masks is read here too, and translated in `tasks.bdd_results`.

Detection is one COCO results file. Instance segmentation is two, ``boxes.json`` and ``masks.json``,
line by line of the same objects, since pycocotools takes a box's size for the mask's where a result
has both; or one file of masks alone, whose boxes are theirs. Semantic segmentation is one grey PNG
per image, under the image file's stem.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, UnreadableImageError, decode_indices, encode_indices
from datasets.sample import Mask, Sample
from tasks import bdd_results, rle
from tasks.coco_ap import Detections
from tasks.task import TaskError

FAR = 4
"""A box may lie at most this many image sizes outside the image."""
LARGEST_BYTES = 2_000_000_000
_BLANK = " \t\r\n"


def write_detections(
    folder: Path, predictions: Iterable[tuple[Sample, Detections]], masks: bool
) -> None:
    """Write COCO results: ``detection.json``, or ``instance/boxes.json`` and ``masks.json``."""
    files = ["instance/boxes.json", "instance/masks.json"] if masks else ["detection.json"]
    lines: list[list[str]] = [[] for _ in files]
    for sample, found in predictions:
        image_id = int(sample.id) if sample.id.isdecimal() else sample.id
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


def write_label_maps(folder: Path, predictions: Iterable[tuple[Sample, NDArrayByte]]) -> None:
    """Write ``semantic/<stem>.png``."""
    (folder / "semantic").mkdir(parents=True, exist_ok=True)
    for sample, labels in predictions:
        (folder / "semantic" / f"{sample.path.stem}.png").write_bytes(encode_indices(labels))


def read_detections(
    path: Path, samples: Sequence[Sample], categories: Mapping[int, str], masks: bool
) -> dict[str, Detections]:
    """Read COCO results, or BDD100K's frames.

    Args:
        path: A file of either; of masks, also a folder with ``boxes.json`` and ``masks.json``.
        samples: All images that may have predictions.
        categories: Those that the data set has.
        masks: Whether every result needs a mask.

    Returns:
        Predictions by sample id, for every sample.

    Raises:
        TaskError: Naming file, row and field of what cannot be scored.
    """
    by_id = {sample.id: sample for sample in samples}
    if not masks:
        return _read(path, by_id, categories, ("bbox",)).detections(samples)
    if not path.is_dir():
        return _read(path, by_id, categories, ("segmentation",)).detections(samples)
    boxes = _read(path / "boxes.json", by_id, categories, ("bbox",))
    shapes = _read(path / "masks.json", by_id, categories, ("segmentation",))
    for name in ("images", "categories", "scores"):
        if getattr(boxes, name) != getattr(shapes, name):
            raise TaskError(
                f"{path}: boxes.json and masks.json are not of the same objects line by line "
                f"({name} differ)"
            )
    shapes.boxes = boxes.boxes
    return shapes.detections(samples)


def read_label_maps(
    folder: Path, samples: Sequence[Sample], whole: Sequence[Sample]
) -> dict[str, NDArrayByte]:
    """Read one PNG per image, by stem.

    Args:
        folder: Where they lie.
        samples: The images to read them for.
        whole: All images that may have one.

    Raises:
        TaskError: If one is missing or no label map, or two images share a stem.
    """
    if not folder.is_dir():
        raise TaskError(f"{folder}: no such folder; label maps are a folder of PNG files")
    stems = {sample.path.stem for sample in whole}
    if len(stems) < len(whole):
        raise TaskError("two images of the data set have one stem: label maps cannot be told apart")
    strange = next((f for f in sorted(folder.glob("*.png")) if f.stem not in stems), None)
    if strange is not None:
        raise TaskError(f"{strange.name}: the data set has no image of that stem")
    found = {}
    for sample in samples:
        file = folder / f"{sample.path.stem}.png"
        if not file.is_file():
            raise TaskError(f"{folder} has no {file.name} for image {sample.id}")
        try:
            found[sample.id] = decode_indices(file.read_bytes(), file.name)
        except UnreadableImageError as error:
            raise TaskError(str(error)) from error
    return found


@dataclass
class _Columns:
    """Results as columns: a million of them as dicts would take a gigabyte."""

    images: array[int] = field(default_factory=lambda: array("q"))
    """Place of the image among the samples by id."""
    categories: array[int] = field(default_factory=lambda: array("q"))
    scores: array[float] = field(default_factory=lambda: array("d"))
    boxes: array[float] = field(default_factory=lambda: array("d"))
    masks: list[Mask] = field(default_factory=list)

    def detections(self, samples: Sequence[Sample]) -> dict[str, Detections]:
        """The results of each sample, in the order of the file."""
        image = np.array(self.images, np.int64)
        order = np.argsort(image, kind="stable")
        ends = np.searchsorted(image[order], np.arange(len(samples) + 1))
        boxes = np.array(self.boxes, np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        scores = np.array(self.scores, np.float32)
        categories = np.array(self.categories, np.int64)
        found = {}
        for i, sample in enumerate(samples):
            rows = order[ends[i] : ends[i + 1]]
            masks = tuple(self.masks[row] for row in rows) if self.masks else ()
            found[sample.id] = Detections(
                boxes[rows].astype(np.float32), scores[rows], categories[rows], masks
            )
        return found


def _read(
    file: Path, by_id: Mapping[str, Sample], categories: Mapping[int, str], needs: Sequence[str]
) -> _Columns:
    """A results file as columns, every field checked."""
    columns, places = _Columns(), {sample_id: i for i, sample_id in enumerate(by_id)}
    sizes: dict[str, tuple[int, int]] = {}
    for where, row in _results(file, by_id, categories):
        if not isinstance(row, dict):
            raise TaskError(f"{where}: expected an object, got {type(row).__name__}")
        missing = next((k for k in ("image_id", "category_id", "score", *needs) if k not in row), 0)
        if missing:
            raise TaskError(f"{where}: '{missing}' is missing")
        image, category, score = row["image_id"], row["category_id"], row["score"]
        if not isinstance(image, int | str) or (image_id := str(image)) not in places:
            raise TaskError(f"{where}: image_id {_shown(image)} is not in the data set")
        if type(category) is not int or category not in categories:
            raise TaskError(f"{where}: category_id {_shown(category)} is not in the data set")
        if not _finite(score):
            raise TaskError(f"{where}: score must be a finite number, got {_shown(score)}")
        if image_id not in sizes:
            height, width, _ = by_id[image_id].image().shape
            sizes[image_id] = (height, width)
        if "segmentation" in needs:
            mask = _mask(row["segmentation"], sizes[image_id], where)
            columns.masks.append(mask)
            columns.boxes.extend(_bounds(mask))
        else:
            columns.boxes.extend(_box(row["bbox"], sizes[image_id], where))
        columns.images.append(places[image_id])
        columns.categories.append(category)
        columns.scores.append(score)
    return columns


def _results(
    file: Path, by_id: Mapping[str, Sample], categories: Mapping[int, str]
) -> Iterator[tuple[str, Any]]:
    """COCO results one at a time, each with what to call it in an error."""
    by_stem = {sample.path.stem: sample_id for sample_id, sample in by_id.items()}
    by_name = {name: number for number, name in categories.items()}
    for number, row in enumerate(_rows(file)):
        if bdd_results.is_frame(row):
            where = f"{file.name}: frame {number}"
            yield from bdd_results.as_coco(row, by_stem, by_name, where)
        else:
            yield f"{file.name}: result {number}", row


def _rows(file: Path) -> Iterator[Any]:
    """The elements of a file that holds one JSON list, one at a time."""
    if not file.is_file():
        raise TaskError(f"{file}: no such file")
    if file.stat().st_size > LARGEST_BYTES:
        raise TaskError(
            f"{file.name}: {file.stat().st_size / 1e9:.1f} GB, at most {LARGEST_BYTES / 1e9:g} GB "
            "are read: leave out boxes of low score"
        )
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TaskError(f"{file.name}: not a JSON file") from error
    decoder = json.JSONDecoder(parse_constant=float)
    at = _next(text, 0)
    if text[at : at + 1] != "[":
        raise TaskError(f"{file.name}: expected a list of COCO results or of BDD100K's frames")
    at = _next(text, at + 1)
    while text[at : at + 1] != "]":
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            reason = "nested too deep" if deep else " ".join(str(error).split())[:100]
            raise TaskError(f"{file.name}: not a JSON file ({reason})") from error
        yield row
        at = _next(text, at)
        if text[at : at + 1] == ",":
            at = _next(text, at + 1)
        elif text[at : at + 1] != "]":
            raise TaskError(f"{file.name}: not a JSON file (it ends early at character {at})")
    if _next(text, at + 1) < len(text):
        raise TaskError(f"{file.name}: not a JSON file (more follows after its list)")


def _next(text: str, at: int) -> int:
    """The next place that is not blank."""
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _shown(value: Any) -> str:
    """A value for a message: short, and none of a deep structure."""
    if isinstance(value, list):
        return f"[{', '.join(_shown(v) for v in value[:4] if not isinstance(v, list | dict))}]"
    return repr(value)[:60] if isinstance(value, int | float | str) else type(value).__name__


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < 1e15 and not math.isnan(value)


def _box(box: Any, size_px: tuple[int, int], where: str) -> list[float]:
    """A box ``[x, y, width, height]`` near the image."""
    if not (isinstance(box, list) and len(box) == 4 and all(map(_finite, box))):
        raise TaskError(f"{where}: bbox must be four finite numbers, got {_shown(box)}")
    x, y, width, height = map(float, box)
    reach_x, reach_y = FAR * size_px[1], FAR * size_px[0]
    if width < 0 or height < 0:
        raise TaskError(f"{where}: bbox {_shown(box)} has a negative size")
    if not (-reach_x <= x <= x + width <= reach_x and -reach_y <= y <= y + height <= reach_y):
        raise TaskError(f"{where}: bbox {_shown(box)} lies far outside the image")
    return [x, y, width, height]


def _mask(shape: Any, size_px: tuple[int, int], where: str) -> Mask:
    """A mask from COCO's run lengths, compressed or listed, of the image's size."""
    if not isinstance(shape, dict) or shape.get("size") != list(size_px):
        size = _shown(shape.get("size") if isinstance(shape, dict) else shape)
        raise TaskError(
            f"{where}: segmentation must be run lengths of size {list(size_px)}, got {size}"
        )
    counts = shape.get("counts")
    if isinstance(counts, list):
        total = size_px[0] * size_px[1]
        if not all(type(c) is int and 0 <= c <= total for c in counts) or sum(counts) != total:
            raise TaskError(f"{where}: the run lengths do not fill the image")
        from pycocotools import mask as coco_mask

        counts = coco_mask.frPyObjects({"size": list(size_px), "counts": counts}, *size_px)[
            "counts"
        ]
    elif isinstance(counts, str) and counts.isascii():
        counts = counts.encode()
    else:
        raise TaskError(f"{where}: segmentation has no run lengths")
    mask = Mask(*size_px, counts)
    rle.check([mask], size_px, where)
    return mask


def _bounds(mask: Mask) -> NDArray[np.float64]:
    """The box ``[x, y, width, height]`` around a mask."""
    from pycocotools import mask as coco_mask

    one = {"size": [mask.height_px, mask.width_px], "counts": mask.counts}
    box: NDArray[np.float64] = coco_mask.toBbox(one)
    return box
