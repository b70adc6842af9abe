"""The picture of one image that is kept for the page, with what the tasks saw in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import datasets.image as image_io
from datasets import draw
from datasets.image import NDArrayByte
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.work.scene import Scene

PICTURE_PX = 640
"""Longest side of a picture with coloured labels."""
Box = tuple[float, float, float, float, float, str]
"""Left, top, right, bottom in pixels, confidence and class."""


@dataclass(frozen=True)
class Seen:
    """What task networks saw in one image: of each task the first."""

    tasks: frozenset[str] = frozenset()
    boxes: tuple[Box, ...] = ()
    colours: Mapping[str, NDArrayByte] = field(default_factory=dict)
    """Label of every pixel, by task."""

    def also(self, task: TaskPlan, prediction: Any) -> Seen:
        """With what one more task's network saw."""
        if task.name in self.tasks:
            return self
        boxes, colours = task.task.boxes(prediction), task.task.colours(prediction)
        more = {} if colours is None else {task.name: colours}
        seen = self.tasks | {task.name}
        return Seen(seen, tuple(boxes) or self.boxes, {**self.colours, **more})


def picture(scene: Scene, condition: ConditionPlan, image: NDArrayByte, seen: Seen) -> bytes:
    """Picture, boxes and coloured labels for the page: a line of JSON, then the JPEG.

    Args:
        scene: The image before it was derained.
        condition: What became of it.
        image: What the tasks were shown.
        seen: What they saw.
    """
    plan, sample = scene.plan, scene.entry.sample
    height, width = image.shape[:2]
    labelled = {}
    for name, labels in seen.colours.items():
        coloured = image.copy()
        draw.tint_classes(coloured, labels)
        labelled[name] = _inline(coloured)
    is_first = condition == plan.conditions[0]
    head = {
        "width": width,
        "height": height,
        "boxes": seen.boxes,
        "labelled": labelled,
        "truth": next(filter(None, (task.task.truth(sample) for task in plan.tasks)), []),
        "truths": _truths(plan, scene, image) if is_first else {},
    }
    return json.dumps(head).encode() + b"\n" + image_io.encode_jpeg(image, 90)


def _truths(plan: Plan, scene: Scene, image: NDArrayByte) -> dict[str, str]:
    """What the tasks that colour pixels should have found."""
    pictures = {t.name: t.task.labelled(image, scene.entry.sample) for t in plan.tasks}
    return {name: _inline(shown) for name, shown in pictures.items() if shown is not None}


def _inline(picture: NDArrayByte) -> str:
    """A picture for the page as text."""
    data = image_io.encode_jpeg(image_io.shrink(picture, PICTURE_PX), 90)
    return base64.b64encode(data).decode()
