"""Predictions in BDD100K's own form, Scalabel: frames by name with scored labels.

Reference: https://doc.bdd100k.com/evaluate.html (detection, instance segmentation by run lengths).
The last column and row of a ``box2d`` belong to the object, as in BDD100K's labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets.sample import Sample
from tasks.classes import matched
from tasks.coco_ap import Detections
from tasks.image_names import ImageNames
from tasks.task import TaskError


def is_frame(row: Any) -> bool:
    """Whether an element of a list of predictions is a frame, and no COCO result.

    Scalabel leaves out ``labels`` of a frame in which nothing was found.
    """
    return (
        isinstance(row, dict)
        and bool({"labels", "name"} & row.keys())
        and not ({"image_id", "category_id"} & row.keys())
    )


def numbers_by_name(
    rows: Iterable[Any], categories: Mapping[int, str]
) -> tuple[dict[str, int], str | None]:
    """The category of each name in frames, matched as a network's are, and how where that differs.

    Args:
        rows: All of a file.
        categories: The data set's; of those with one name the last stands for all.
    """
    numbers = {name: number for number, name in categories.items()}
    labels = (row.get("labels") for row in rows if is_frame(row))
    named = (label for some in labels if isinstance(some, list) for label in some)
    said = (label.get("category") for label in named if isinstance(label, dict))
    theirs = sorted({name for name in said if isinstance(name, str)})
    found = {one: ours for ours, one in matched(numbers, theirs).items() if one not in (None, ours)}
    told = "; ".join(f"{ours} as {one}" for one, ours in found.items())
    note = f"classes of other names are matched: {told}" if found else None
    return numbers | {str(one): numbers[ours] for one, ours in found.items()}, note


def as_coco(
    frame: Mapping[str, Any],
    names: ImageNames,
    categories: Mapping[str, int],
    where: str,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A frame's labels as COCO results, each with what to call it in an error.

    Args:
        frame: ``{"name": FILE, "labels": [{"category", "score", "box2d" or "rle"}, …]}``.
        names: Those of the images.
        categories: Category id by name.
        where: What to call the frame.

    Raises:
        TaskError: For an unknown image or category, or labels that are no list of objects.
    """
    name, labels = frame.get("name"), frame.get("labels")
    if not isinstance(name, str) or names.place(name) is None:
        told = names.doubt(name) if isinstance(name, str) else ""
        said = told or "is no image of the data set"
        raise TaskError(f"{where}: name {str(name)[:60]!r} {said}")
    if labels is not None and not isinstance(labels, list):
        raise TaskError(f"{where}: 'labels' must be a list, got {type(labels).__name__}")
    for i, label in enumerate(labels or []):
        here = f"{where}: labels[{i}]"
        if not isinstance(label, dict):
            raise TaskError(f"{here}: expected an object, got {type(label).__name__}")
        category = label.get("category")
        if not isinstance(category, str) or category not in categories:
            raise TaskError(f"{here}: category {str(category)[:60]!r} is not in the data set")
        row = {"image_id": name, "file_name": name, "category_id": categories[category]}
        row |= {"score": label["score"]} if "score" in label else {}
        row |= {"segmentation": label["rle"]} if "rle" in label else {}
        row |= {"bbox": _xywh(label["box2d"], here)} if "box2d" in label else {}
        yield here, row


def write_frames(
    file: Path,
    predictions: Iterable[tuple[Sample, Detections]],
    categories: Mapping[int, str],
) -> None:
    """Write boxes, and masks where there are some, a frame per line."""
    lines = []
    for sample, found in predictions:
        labels = []
        for i, (x1, y1, x2, y2) in enumerate(found.boxes_xyxy_px.tolist()):
            label: dict[str, Any] = {
                "id": str(i),
                "category": categories[int(found.categories[i])],
                "score": float(found.scores[i]),
                "box2d": {"x1": x1, "y1": y1, "x2": x2 - 1, "y2": y2 - 1},
            }
            if found.masks:
                mask = found.masks[i]
                size = [mask.height_px, mask.width_px]
                label["rle"] = {"size": size, "counts": mask.counts.decode()}
            labels.append(label)
        lines.append(json.dumps({"name": sample.path.name, "labels": labels}))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[" + ",\n".join(lines) + "]\n", encoding="utf-8")


def _xywh(box: Any, where: str) -> Any:
    """COCO's box; what is no box stays as it is, to be refused with COCO's."""
    if not isinstance(box, dict):
        return box
    sides = {side: box.get(side) for side in ("x1", "y1", "x2", "y2")}
    numbers = [v for v in sides.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(sides):
        raise TaskError(f"{where}: box2d must have the numbers {', '.join(sides)}")
    x1, y1, x2, y2 = numbers
    return [x1, y1, x2 + 1 - x1, y2 + 1 - y1]
