"""Task networks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.network import Detector


@dataclass(frozen=True)
class ModelRow:
    """One family of task networks."""

    task: str
    build: Callable[[Path, str], Detector]
    """Loads a file on a device."""
    options: dict[str, Any]
    """What decides the predictions beside the weights."""
    packages: tuple[str, ...]
    """Packages whose versions decide the predictions."""
    licence: str


def _ultralytics(file: Path, device: str) -> Detector:
    from tasks.models.ultralytics import UltralyticsDetector

    return UltralyticsDetector(file, device)


ULTRALYTICS_OPTIONS = {"conf": 0.001, "iou": 0.7, "max_det": 300, "imgsz": 640}
"""Those of ultralytics' own COCO validation."""

MODELS: dict[str, ModelRow] = {
    "ultralytics": ModelRow(
        task="detection",
        build=_ultralytics,
        options=ULTRALYTICS_OPTIONS,
        packages=("torch", "torchvision", "ultralytics", "opencv-python"),
        licence="AGPL-3.0",
    ),
}
"""Every family of task networks, literally."""

TRAINED_ON: dict[str, tuple[str, str]] = {
    "31e20dde3def09e2cf938c7be6fe23d9150bbbe503982af13345706515f2ef95": ("coco", "train2017"),
}
"""Data set and split on which a published checkpoint was trained, by the file's sha256."""
