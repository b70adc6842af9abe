"""Image in, prediction, evidence, scores out."""

from __future__ import annotations

TASKS: dict[str, str] = {
    "detection": "boxes of objects: COCO average precision, precision, recall, IoU",
    "instance": "boxes and masks of objects: COCO average precision of both",
    "semantic": "class of every pixel: mean IoU, pixel accuracy, IoU of each class",
    "none": "image quality alone",
}
"""Every task, literally, with what it measures."""
