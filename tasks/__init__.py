"""Image in, prediction, evidence, scores out."""

from __future__ import annotations

TASKS: dict[str, str] = {
    "detection": "boxes of objects: COCO average precision, precision, recall, IoU",
    "none": "image quality alone",
}
"""Every task, literally, with what it measures."""
