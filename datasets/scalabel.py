"""Scalabel: the JSON form of BDD100K's labels, a list of frames with their labels.

Reference:
    https://doc.scalabel.ai/format.html; how categories are renamed and which are ignored stands in
    ``bdd100k/configs/det.toml`` and ``ins_seg.toml`` of BDD100K's toolkit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets import fields
from datasets.fields import Problems
from datasets.masks import FAR, area_px2, box_xyxy_px, from_polygons, from_run_lengths
from datasets.sample import DatasetError, LabelledObject, Mask
from datasets.weather import defined

HEIGHT_PX, WIDTH_PX = 720, 1280
"""Every frame of BDD100K has this size."""

RENAMED = {
    "bike": "bicycle",
    "caravan": "car",
    "motor": "motorcycle",
    "person": "pedestrian",
    "van": "car",
}
UNCERTAIN = {"other person": "pedestrian", "other vehicle": "car", "trailer": "truck"}
"""Labelled as if they were crowds: a detection there is neither right nor wrong."""
CURVE_STEPS = 8
"""Straight pieces that a Bézier curve of a polygon is drawn with."""


def read_frames(file: Path, problems: Problems | None = None) -> dict[str, dict[str, Any]]:
    """Frames by stem of the image's name; those that are wrong go into ``problems``.

    Raises:
        DatasetError: If the file is no list of frames, or two have one name.
    """
    content = fields.read_json(file, problems)
    if isinstance(content, dict) and "frames" in content:
        content = content["frames"]
    if not isinstance(content, list):
        raise DatasetError(f"{file}: expected a list of frames")
    frames: dict[str, dict[str, Any]] = {}
    for i, frame in enumerate(content):
        where = f"{file.name}: frame {i}"
        with fields.told(problems):
            stem = fields.inner_path(frame, "name", where).stem
            if stem in frames:
                raise DatasetError(f"{where}: the name {stem} stands there twice")
            frames[stem] = frame
    return frames


def attributes(frame: Mapping[str, Any]) -> dict[str, str]:
    """What the frame says of the whole image, where it is known: weather, scene, time of day."""
    found = frame.get("attributes")
    if not isinstance(found, dict):
        return {}
    return defined({str(k): v for k, v in found.items() if isinstance(v, str)})


def labels(frame: Mapping[str, Any], where: str) -> list[Any]:
    """The frame's labels; frames without any hold null or no list."""
    found = frame.get("labels")
    if found is not None and not isinstance(found, list):
        raise DatasetError(f"{where}: 'labels' must be a list, got {type(found).__name__}")
    return found or []


def boxes(
    frame: Mapping[str, Any],
    categories: Mapping[str, int],
    where: str,
    problems: Problems | None = None,
) -> list[LabelledObject]:
    """Objects from ``box2d``, whose last column and row belong to the object.

    Args:
        frame: One frame.
        categories: Id of each category by name.
        where: What to call the frame in an error.
        problems: Takes what is wrong with single labels, which are then left out.
    """
    objects = []
    for i, label in enumerate(labels(frame, where)):
        with fields.told(problems):
            objects.append(_box(label, categories, f"{where}: labels[{i}]"))
    return objects


def _box(label: Any, categories: Mapping[str, int], where: str) -> LabelledObject:
    """One object from its box."""
    category, is_crowd = _category(label, categories, where)
    box = fields.field(label, "box2d", where)
    x1, y1, x2, y2 = (
        fields.real(box, side, f"{where}: box2d") for side in ("x1", "y1", "x2", "y2")
    )
    if x2 < x1 or y2 < y1:
        raise DatasetError(f"{where}: 'box2d' has a negative size, x {x1} {x2}, y {y1} {y2}")
    if max(abs(x1), abs(x2)) > FAR * WIDTH_PX or max(abs(y1), abs(y2)) > FAR * HEIGHT_PX:
        raise DatasetError(f"{where}: 'box2d' lies far outside the frame")
    area = (x2 + 1 - x1) * (y2 + 1 - y1)
    return LabelledObject((x1, y1, x2 + 1, y2 + 1), category, area, is_crowd)


def outlines(
    frame: Mapping[str, Any],
    categories: Mapping[str, int],
    where: str,
) -> list[LabelledObject]:
    """Objects with masks from ``rle`` or ``poly2d``; empty ones are left out."""
    objects = []
    for i, label in enumerate(labels(frame, where)):
        here = f"{where}: labels[{i}]"
        category, is_crowd = _category(label, categories, here)
        mask = _mask(label, here)
        area = area_px2(mask)
        if area:
            box = box_xyxy_px(mask)
            objects.append(LabelledObject(box, category, area, is_crowd, mask))
    return objects


def classes(
    frame: Mapping[str, Any], names: Mapping[str, int], ground: int, where: str
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Label map painted from ``rle``, ``uint8 (720, 1280)``; ``ground`` where nothing is."""
    from datasets.masks import decode

    painted = np.full((HEIGHT_PX, WIDTH_PX), ground, np.uint8)
    for i, label in enumerate(labels(frame, where)):
        here = f"{where}: labels[{i}]"
        name = fields.text(label, "category", here)
        if name not in names:
            raise DatasetError(f"{here}: category '{name}' is none of {', '.join(names)}")
        painted[decode(_mask(label, here))] = names[name]
    return painted


def _category(label: Any, categories: Mapping[str, int], where: str) -> tuple[int, bool]:
    """Id of a label's category, and whether scorers ignore the label."""
    word = fields.text(label, "category", where)
    name = UNCERTAIN.get(word, RENAMED.get(word, word))
    if name not in categories:
        raise DatasetError(f"{where}: category '{word}' is none of {', '.join(categories)}")
    said = label.get("attributes")
    said = said if isinstance(said, dict) else {}
    crowd = any(said.get(key) is True for key in ("crowd", "ignored", "ignore"))
    return categories[name], crowd or word in UNCERTAIN


def _mask(label: Any, where: str) -> Mask:
    """The label's mask, from run lengths or else polygons."""
    if "rle" in label:
        return from_run_lengths(label["rle"], HEIGHT_PX, WIDTH_PX, f"{where}: 'rle'")
    parts = fields.field(label, "poly2d", where)
    if not isinstance(parts, list):
        raise DatasetError(f"{where}: 'poly2d' must be a list, got {type(parts).__name__}")
    polygons = [_flattened(part, f"{where}: poly2d[{i}]") for i, part in enumerate(parts)]
    return from_polygons(polygons, HEIGHT_PX, WIDTH_PX, where)


def _flattened(part: Any, where: str) -> list[float]:
    """One closed outline as ``[x, y, x, y, …]``, its Bézier curves cut into straight pieces."""
    vertices, types = fields.field(part, "vertices", where), fields.text(part, "types", where)
    if not isinstance(vertices, list) or len(vertices) != len(types) or set(types) - {"L", "C"}:
        raise DatasetError(f"{where}: 'types' must name each of the vertices L or C")
    if not all(isinstance(v, list) and len(v) == 2 for v in vertices):
        raise DatasetError(f"{where}: 'vertices' must be points [x, y]")
    points = [tuple(fields.real({"vertices": c}, "vertices", where) for c in v) for v in vertices]
    flat: list[float] = []
    i = 0
    while i < len(points):
        if types[i] == "L":
            flat += points[i]
            i += 1
            continue
        if types[i : i + 2] != "CC" or not flat:
            raise DatasetError(f"{where}: a curve needs a point and two control points before it")
        start, ends = points[i - 1], points[(i + 2) % len(points)]
        flat += _curve(start, points[i], points[i + 1], ends)
        flat += ends
        i += 3
    return flat


def _curve(*points: Sequence[float]) -> list[float]:
    """Points inside a cubic Bézier curve, without its ends."""
    t = np.arange(1, CURVE_STEPS)[:, None] / CURVE_STEPS
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    inside: list[float] = (weights @ np.array(points, np.float64)).ravel().tolist()
    return inside
