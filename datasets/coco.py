"""COCO: photographs with an ``instances_<split>.json`` (Lin et al. 2014, https://cocodataset.org)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from datasets import fields
from datasets.fields import Problems
from datasets.masks import FAR, from_coco
from datasets.sample import Annotations, Dataset, DatasetError, LabelledObject, Sample


def open_coco(
    root: Path, split: str | None, masks: bool = False, problems: Problems | None = None
) -> Dataset:
    """Open one split of a COCO tree.

    Args:
        root: Folder with ``annotations/instances_<split>.json`` and the photographs in
            ``images/<split>/`` or ``<split>/``.
        split: E.g. ``val2017``; None takes the only annotation file there is.
        masks: Whether objects carry their masks, which takes time to read.
        problems: Takes what is wrong with single entries, which are then left out.

    Returns:
        Samples named by COCO's image id, crowd regions kept and marked.

    Raises:
        DatasetError: If something is missing or wrong; the message names file, field and remedy.
    """
    split = split or _only_split(root)
    file = root / "annotations" / f"instances_{split}.json"
    if not file.is_file():
        raise DatasetError(
            f"{file} not found: give the folder that holds annotations/ with --data-root, "
            f"and one of its splits with --split (found: {', '.join(_splits(root)) or 'none'})"
        )
    content = _content(file, problems)
    categories: dict[int, str] = {}
    for i, entry in enumerate(_list(content, "categories", file)):
        where = f"{file.name}: categories[{i}]"
        number = fields.integer(entry, "id", where)
        if number in categories:
            raise DatasetError(f"{where}: id {number} stands there twice")
        categories[number] = fields.text(entry, "name", where)
    images = _images(content, file, problems)
    objects = _objects(content, file, images, categories, masks, problems)
    folder = next((f for f in (root / "images" / split, root / split) if f.is_dir()), None)
    if folder is None:
        raise DatasetError(f"{root}: no folder images/{split} or {split} with the photographs")
    samples = []
    for image_id, image in images.items():
        with fields.told(problems):
            path = folder / fields.inner_path(image, "file_name", f"{file.name}: image {image_id}")
            if not path.is_file():
                raise DatasetError(
                    f"{file.name}: image {image_id} names {image['file_name']}, "
                    f"which is not in {folder}: add the file or remove its entry"
                )
            labels = Annotations.of(objects[image_id])
            size_px = (image["height"], image["width"])
            samples.append(
                Sample(str(image_id), path, group=str(image_id), labels=labels, size_px=size_px)
            )
    export = partial(_export, content, file.name, len(folder.relative_to(root).parts))
    return Dataset("coco", split, samples, categories, export_labels=export)


def _export(
    content: dict[str, Any], name: str, depth: int, out: Path, places: Mapping[str, PurePosixPath]
) -> None:
    """Write the annotation file of a copy that holds the images in ``places`` alone.

    Args:
        content: The whole annotation file.
        name: What it is called.
        depth: How many folders of a place lead to the image folder.
        out: Folder of the copy.
        places: New path of each image, by sample id, relative to ``out``.
    """
    images = [
        {**image, "file_name": "/".join(places[str(image["id"])].parts[depth:])}
        for image in content["images"]
        if str(image["id"]) in places
    ]
    objects = [entry for entry in content["annotations"] if str(entry["image_id"]) in places]
    (out / "annotations").mkdir(exist_ok=True)
    text = json.dumps({**content, "images": images, "annotations": objects})
    (out / "annotations" / name).write_text(text, encoding="utf-8")


def _splits(root: Path) -> list[str]:
    """Splits that have an annotation file."""
    files = (root / "annotations").glob("instances_*.json")
    return sorted(f.stem.removeprefix("instances_") for f in files)


def _only_split(root: Path) -> str:
    """The split, where there is just one."""
    splits = _splits(root)
    if len(splits) == 1:
        return splits[0]
    if splits:
        raise DatasetError(
            f"{root} has several splits, choose one with --split: {', '.join(splits)}"
        )
    raise DatasetError(
        f"{root}: no annotations/instances_*.json there: give the COCO folder with --data-root"
    )


def _content(file: Path, problems: Problems | None) -> dict[str, Any]:
    """The annotation file as a dict."""
    content = fields.read_json(file, problems)
    if not isinstance(content, dict):
        raise DatasetError(f"{file}: expected an object with images, annotations and categories")
    return content


def _list(content: dict[str, Any], key: str, file: Path) -> list[Any]:
    """A list of objects under a required key."""
    if key not in content:
        raise DatasetError(
            f"{file}: the key '{key}' is missing: is this an instances file of COCO?"
        )
    if not isinstance(content[key], list):
        raise DatasetError(f"{file}: '{key}' must be a list, got {type(content[key]).__name__}")
    return list(content[key])


def _images(
    content: dict[str, Any], file: Path, problems: Problems | None
) -> dict[int, dict[str, Any]]:
    """Image entries by id."""
    images: dict[int, dict[str, Any]] = {}
    for i, image in enumerate(_list(content, "images", file)):
        where = f"{file.name}: images[{i}]"
        with fields.told(problems):
            image_id = fields.integer(image, "id", where)
            fields.inner_path(image, "file_name", where)
            for side in ("width", "height"):
                if fields.integer(image, side, where) < 1:
                    raise DatasetError(f"{where}: '{side}' must be at least 1")
            if image_id in images:
                raise DatasetError(f"{where}: image id {image_id} stands there twice")
            images[image_id] = image
    if not images:
        raise DatasetError(f"{file}: 'images' is empty")
    return images


def _objects(
    content: dict[str, Any],
    file: Path,
    images: dict[int, dict[str, Any]],
    categories: dict[int, str],
    masks: bool,
    problems: Problems | None,
) -> dict[int, list[LabelledObject]]:
    """Every object by image id."""
    objects: dict[int, list[LabelledObject]] = defaultdict(list)
    ids: set[int] = set()
    for i, entry in enumerate(_list(content, "annotations", file)):
        where = f"{file.name}: annotations[{i}]"
        with fields.told(problems):
            image_id = fields.integer(entry, "image_id", where)
            if image_id not in images:
                raise DatasetError(f"{where}: image_id {image_id} is not among the images")
            if "id" in entry:
                number = fields.integer(entry, "id", where)
                if number in ids:
                    raise DatasetError(f"{where}: id {number} stands there twice")
                ids.add(number)
            objects[image_id].append(_object(entry, images[image_id], categories, masks, where))
    return objects


def _object(
    entry: dict[str, Any],
    frame: dict[str, Any],
    categories: dict[int, str],
    masks: bool,
    where: str,
) -> LabelledObject:
    """One object of the image whose entry is ``frame``."""
    category = fields.integer(entry, "category_id", where)
    if category not in categories:
        raise DatasetError(f"{where}: category_id {category} is not among the categories")
    box = fields.field(entry, "bbox", where)
    if not (isinstance(box, list) and len(box) == 4):
        raise DatasetError(f"{where}: 'bbox' must be [x, y, width, height], got {box!r}"[:200])
    x, y, w, h = (fields.real({"bbox": v}, "bbox", where) for v in box)
    if w < 0 or h < 0:
        raise DatasetError(f"{where}: 'bbox' has a negative size ({w} x {h})")
    reach_x, reach_y = FAR * frame["width"], FAR * frame["height"]
    if not (-reach_x <= x <= x + w <= reach_x and -reach_y <= y <= y + h <= reach_y):
        raise DatasetError(f"{where}: 'bbox' {box} lies far outside image {frame['id']}")
    area = fields.real(entry, "area", where)
    crowd = bool(fields.integer({"iscrowd": 0, **entry}, "iscrowd", where))
    mask = None
    if masks:
        outline = fields.field(entry, "segmentation", where)
        mask = from_coco(outline, frame["height"], frame["width"], where)
    return LabelledObject((x, y, x + w, y + h), category, area, crowd, mask)
