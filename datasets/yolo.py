"""YOLO: a text file of boxes or outlines for each photograph, as ultralytics trains on them.

Reference:
    https://docs.ultralytics.com/datasets/detect/ and /segment/: a line is a class and the box's
    centre and size, or the class and the outline's points, in shares of the upright image.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets import fields
from datasets.below import Below
from datasets.fields import Problems
from datasets.folder import require_data
from datasets.ids import ids_of
from datasets.marked import shown
from datasets.masks import area_px2, from_polygons
from datasets.plain_yaml import plain_yaml
from datasets.plausible_boxes import doubt_centres, no_centres
from datasets.sample import Annotations, Dataset, DatasetError, LabelledObject, Sample
from datasets.upright import upright_px
from datasets.yolo_files import (
    SPLITS,
    Said,
    export,
    folder_of,
    images_of,
    label_file,
    places_of,
    without_image,
)

CLASS_FILES = ("classes.txt", "labels/classes.txt", "obj.names")
"""Names of classes, a line each, where there is no ``data.yaml``."""
SLACK = 0.01
"""How far coordinates may lie outside 0 to 1, as ultralytics allows."""
MAX_BYTES = 2**20
LOOKED_AT = 200
"""Label files whose boxes tell of what form all are."""
_NUMBER = re.compile("0|[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class _Head:
    """What ``data.yaml`` says, or a file of classes."""

    file: Path | None
    names: dict[int, str]
    splits: dict[str, list[Said]]
    """Folders or lists of images."""
    values_per_point: tuple[int, int] | None
    """``kpt_shape`` of a set of poses."""


def open_yolo(
    root: Path,
    split: str | None,
    masks: bool = False,
    problems: Problems | None = None,
    annotations: Path | None = None,
) -> Dataset:
    """Open one split of a YOLO data set.

    Args:
        root: Folder with ``data.yaml``, whose ``train``, ``val`` and ``test`` are folders or lists
            of images below it, or with ``classes.txt``, ``images/`` and ``labels/``. A label file
            has its image's path with ``labels`` for ``images``, or lies beside the image.
        split: ``val`` (the default where it is there), ``train``, ``test``.
        masks: Whether objects carry their masks: then all must be outlines.
        problems: Takes what is wrong with single lines and files, which are then left out.
        annotations: The ``data.yaml``, wherever it lies.

    Returns:
        Samples named by stem, or by path where two have one stem. An image without a label file
        holds no object.

    Raises:
        DatasetError: If something is missing or wrong; the message names file, field and remedy.
    """
    require_data(root)
    head = _head(root, annotations)
    split = split or _only_split(head, root)
    places = places_of(root, head.splits, split)
    paths = list(dict.fromkeys(path for place in places for path in images_of(place, root)))
    if not paths:
        raise DatasetError(f"{root}: no image in the split {split}")
    below = Below(root)
    labels = {path: label_file(path, below) for path in paths}
    if not any(labels.values()):
        raise DatasetError(
            f"{root}: no label file for any of the {len(paths)} images of {split}: expected "
            "labels/… beside images/…, with the images' stems"
        )
    label_files = [file for file in labels.values() if file is not None]
    with fields.told(problems):
        _require_own(labels, root)
    boxes = _written_boxes(label_files)
    with fields.told(problems):
        _require_centres(boxes, split)
    ids = ids_of(paths, root)
    samples = []
    for path in paths:
        with fields.told(problems):
            read = _Labels(path, labels[path], head, masks)
            found = read if problems is None else read(problems)
            samples.append(Sample(ids[path], path, group=ids[path], labels=found))
    heads = [head.file] if head.file is not None and head.file.is_relative_to(root) else []
    files = {ids[p]: [*heads, *([f] if (f := labels[p]) else [])] for p in paths}
    return Dataset(
        "yolo",
        split,
        samples,
        head.names,
        export_labels=partial(export, files, [p for p in places if p.is_file()], ids, root),
        notes=_notes(paths, label_files, boxes),
    )


def _notes(
    images: Sequence[Path], labels: Sequence[Path], boxes: NDArray[np.float64]
) -> tuple[str, ...]:
    """What a reader of results must know: files without their other half, boxes of another form."""
    lacking, alone = len(images) - len(labels), without_image(images, labels)
    said = []
    if lacking:
        said.append(f"{lacking} of {len(images)} images have no label file: no object there")
    if alone:
        said.append(f"{len(alone)} label files have no image, {alone[0].name}: is it missing?")
    doubtful = doubt_centres(boxes)
    return (*said, doubtful) if doubtful else tuple(said)


def _head(root: Path, annotations: Path | None) -> _Head:
    """The names of classes, and where splits lie."""
    if annotations is not None:
        if not annotations.is_file():
            raise DatasetError(f"--annotations {annotations}: no such file")
        return _of_yaml(annotations)
    others = shown([*root.glob("*.yaml"), *root.glob("*.yml")], root)
    if (root / "data.yaml").is_file():
        return _of_yaml(root / "data.yaml")
    for file in others:
        with contextlib.suppress(DatasetError):  # of settings, say
            return _of_yaml(file)
    if others:
        return _of_yaml(others[0])
    for name in CLASS_FILES:
        if (root / name).is_file():
            lines = (root / name).read_text("utf-8-sig").splitlines()
            names = [line.strip() for line in lines if line.strip()]
            return _Head(root / name, dict(enumerate(names)), {}, None)
    raise DatasetError(
        f"{root}: no data.yaml and no classes.txt there, which name the classes: give the folder "
        "that holds one with --data-root, or the file with --annotations"
    )


def _of_yaml(file: Path) -> _Head:
    """A ``data.yaml``."""
    if file.stat().st_size > MAX_BYTES:
        raise DatasetError(f"{file}: more than {MAX_BYTES >> 20} MB: no data.yaml is so large")
    try:
        content = plain_yaml(file.read_text("utf-8-sig"), file.name)
    except ValueError as error:
        raise DatasetError(f"{file}: no YAML that is read: {error}") from error
    names = fields.field(content, "names", file.name)
    pairs = list(enumerate(names)) if isinstance(names, list) else []
    pairs = [(_bare(i), n) for i, n in names.items()] if isinstance(names, dict) else pairs
    if not pairs or not all(type(i) is int and isinstance(n, str | int) for i, n in pairs):
        raise DatasetError(f"{file.name}: 'names' must be a list, or a name by number")
    home = content.get("path") or ""
    if isinstance(home, list | dict):
        raise DatasetError(f"{file.name}: 'path' must be a folder's name")
    splits = {}
    for key in ("train", "val", "valid", "test"):
        said = content.get(key)
        entries = said if isinstance(said, list) else [said]
        if said and all(isinstance(entry, str) for entry in entries):
            splits[key] = [(str(home), entry) for entry in entries]
    shape = content.get("kpt_shape")
    is_pose = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int for n in shape)
    return _Head(file, {i: str(n) for i, n in pairs}, splits, tuple(shape) if is_pose else None)


def _bare(key: Any) -> Any:
    """A number that stands there in quotes; anything else as it is."""
    return int(key) if isinstance(key, str) and _NUMBER.fullmatch(key) else key


def _only_split(head: _Head, root: Path) -> str:
    """``val``, or the only split there is."""
    found = [*head.splits] or [
        name for name in ("train", "val", "valid", "test") if folder_of(root, name) is not None
    ]
    if not found:
        return "all"
    chosen = [name for name in found if name in SPLITS["val"]] or found
    if len(chosen) > 1 and chosen != found:
        chosen = chosen[:1]
    if len(chosen) > 1:
        raise DatasetError(f"{root}: choose a split with --split: {', '.join(found)}")
    return chosen[0]


def _written_boxes(files: Sequence[Path]) -> NDArray[np.float64]:
    """The boxes of `LOOKED_AT` label files, spread over all, as they stand there, ``(N, 4)``.

    Lines that are no box are left out: they are told where they are read.
    """
    rows = []
    for file in files[:: -(-len(files) // LOOKED_AT) or 1]:
        lines = file.read_text("utf-8-sig", errors="replace").splitlines()
        for words in (line.split() for line in lines):
            with contextlib.suppress(ValueError):
                rows += [[float(word) for word in words[1:]]] if len(words) == 5 else []
    boxes = np.array(rows, np.float64).reshape(-1, 4)
    return boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] >= 0).all(axis=1)]


def _require_own(labels: Mapping[Path, Path | None], root: Path) -> None:
    """Refuse a label file of images of one stem in several folders, of which it can be one's."""
    of_file: dict[Path, Path] = {}
    for image, file in labels.items():
        other = image if file is None else of_file.setdefault(file, image)
        if file is not None and other.parent != image.parent:
            one, two = (path.relative_to(root).as_posix() for path in (other, image))
            raise DatasetError(
                f"{file.relative_to(root).as_posix()} would be of {one} and of {two}: give the "
                "label files the images' folders"
            )


def _require_centres(boxes: NDArray[np.float64], split: str) -> None:
    """Refuse boxes that are corners."""
    if (wrong := no_centres(boxes)) is not None:
        raise DatasetError(f"labels of {split}: {wrong}")


@dataclass(frozen=True)
class _Labels:
    """Reads the objects of one image."""

    image: Path
    file: Path | None
    head: _Head
    masks: bool

    def __call__(self, problems: Problems | None = None) -> Annotations:
        """The objects.

        Args:
            problems: Takes what is wrong with single lines, which are then left out.

        Raises:
            DatasetError: If a line is wrong; the message names it.
        """
        if self.file is None:
            return Annotations.of([])
        try:
            lines = self.file.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DatasetError(f"{self.file.name}: no text") from error
        size_px = upright_px(self.image) if any(map(str.strip, lines)) else (0, 0)
        if size_px is None:
            raise DatasetError(f"{self.image.name}: not an image, or damaged")
        objects = []
        for number, line in enumerate(lines, start=1):
            with fields.told(problems):
                if line.strip():
                    where = f"{self.file.name} line {number}"
                    objects.append(self._object(line.split(), size_px, where))
        return Annotations.of(objects)

    def _object(self, words: Sequence[str], size_px: tuple[int, int], where: str) -> LabelledObject:
        """One line."""
        values = [self._value(word, where) for word in words]
        category = int(values[0])
        if values[0] != category or category not in self.head.names:
            raise DatasetError(f"{where}: class {words[0]} is none of {_known(self.head.names)}")
        shares = values[1:]
        if self.head.values_per_point is not None:
            points, each = self.head.values_per_point
            shares = shares[:4] if len(shares) == 4 + points * each else shares
        if len(shares) == 5:
            raise DatasetError(
                f"{where}: six numbers are a prediction with its confidence, not a label"
            )
        if len(shares) != 4 and (len(shares) < 6 or len(shares) % 2):
            raise DatasetError(f"{where}: expected a class with a box of 4 or 3 points and more")
        if not all(-SLACK <= share <= 1 + SLACK for share in shares):
            raise DatasetError(f"{where}: coordinates are shares of the image, 0 to 1")
        read = self._box if len(shares) == 4 else self._outline
        return read(category, shares, size_px, where)

    def _value(self, word: str, where: str) -> float:
        try:
            return fields.real({"value": float(word)}, "value", where)
        except ValueError as error:
            raise DatasetError(f"{where}: {word[:20]!r} is no number") from error

    def _box(
        self, category: int, shares: Sequence[float], size_px: tuple[int, int], where: str
    ) -> LabelledObject:
        """Centre and size."""
        height_px, width_px = size_px
        x, y, w, h = shares
        if w < 0 or h < 0:
            raise DatasetError(f"{where}: the box has a negative size")
        if self.masks:
            raise DatasetError(f"{where}: {fields.NO_OUTLINE}")
        box = (
            (x - w / 2) * width_px,
            (y - h / 2) * height_px,
            (x + w / 2) * width_px,
            (y + h / 2) * height_px,
        )
        return LabelledObject(box, category, w * width_px * h * height_px, False)

    def _outline(
        self, category: int, shares: Sequence[float], size_px: tuple[int, int], where: str
    ) -> LabelledObject:
        """Points of a polygon."""
        height_px, width_px = size_px
        xs = [x * width_px for x in shares[::2]]
        ys = [y * height_px for y in shares[1::2]]
        points = [value for point in zip(xs, ys, strict=True) for value in point]
        mask = from_polygons([points], height_px, width_px, where)
        box = (min(xs), min(ys), max(xs), max(ys))
        return LabelledObject(box, category, area_px2(mask), False, mask if self.masks else None)


def _known(names: Mapping[int, Any]) -> str:
    return f"{min(names)} to {max(names)}"
