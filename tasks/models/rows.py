"""Task networks by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datasets.installed import Table
from tasks.models.options import (
    IMAGENET,
    RCNN_OPTIONS,
    RETINANET_OPTIONS,
    ULTRALYTICS_OPTIONS,
    ZOO_OPTIONS,
)


@dataclass(frozen=True)
class ModelRow:
    """One family of task networks."""

    task: str
    build: Callable[[Path, str], Any]
    """Loads a file on a device: a `tasks.network.Detector` or a `tasks.semantic.Segmenter`."""
    options: dict[str, Any]
    """What decides the predictions beside the weights."""
    packages: tuple[str, ...]
    """Packages whose versions decide the predictions."""
    licence: str
    """Licence of the package that runs it; weights have terms of their own."""
    needs: str = "torch"
    """Module that must be importable."""
    remedy: str = ""
    """How to get it."""
    origin: str | None = None
    """The installed package that adds the row, see `datasets.installed`; None = ours."""

    def lacking(self) -> str | None:
        """Why it cannot run here, with the remedy; None if it can."""
        if importlib.util.find_spec(self.needs) is not None:
            return None
        return f"{self.needs} is not installed: {self.remedy}"


def _ultralytics(task: str, file: Path, device: str) -> Any:
    from tasks.models import ultralytics

    return {
        "detection": ultralytics.UltralyticsDetector,
        "instance": ultralytics.UltralyticsInstance,
        "semantic": ultralytics.UltralyticsSemantic,
    }[task](file, device)


def _torchvision_detector(name: str, options: Mapping[str, Any], file: Path, device: str) -> Any:
    from tasks.models.torchvision import TorchvisionDetector

    return TorchvisionDetector(name, options, file, device)


def _torchvision_segmenter(name: str, options: Mapping[str, Any], file: Path, device: str) -> Any:
    from tasks.models.torchvision import torchvision_segmenter

    return torchvision_segmenter(name, options, file, device)


def _refinenet(file: Path, device: str) -> Any:
    from tasks.models.refinenet import refinenet_segmenter

    return refinenet_segmenter(file, device)


def _detectron2(config: str, file: Path, device: str) -> Any:
    from tasks.models.detectron2 import Detectron2Detector

    return Detectron2Detector(config, file, device)


def _onnx(file: Path, device: str) -> Any:
    from tasks.models.segmenter import OnnxSegmenter

    return OnnxSegmenter(file, device)


_ULTRALYTICS = ("torch", "torchvision", "ultralytics", "opencv-python")
_TORCHVISION = ("torch", "torchvision")
_DETECTRON2 = ("torch", "torchvision", "detectron2", "pillow")
_INSTALL = "see https://detectron2.readthedocs.io/tutorials/install.html"


def _rcnn(name: str, task: str = "detection") -> ModelRow:
    build = partial(_torchvision_detector, name, RCNN_OPTIONS)
    return ModelRow(task, build, RCNN_OPTIONS, _TORCHVISION, "BSD-3-Clause")


def _retinanet(name: str) -> ModelRow:
    build = partial(_torchvision_detector, name, RETINANET_OPTIONS)
    return ModelRow("detection", build, RETINANET_OPTIONS, _TORCHVISION, "BSD-3-Clause")


def _fcn(name: str) -> ModelRow:
    build = partial(_torchvision_segmenter, name, IMAGENET)
    return ModelRow("semantic", build, IMAGENET, _TORCHVISION, "BSD-3-Clause")


def _zoo(config: str, task: str) -> ModelRow:
    build = partial(_detectron2, config)
    return ModelRow(
        task, build, ZOO_OPTIONS, _DETECTRON2, "Apache-2.0", needs="detectron2", remedy=_INSTALL
    )


def _yolo(task: str) -> ModelRow:
    build = partial(_ultralytics, task)
    return ModelRow(task, build, ULTRALYTICS_OPTIONS, _ULTRALYTICS, "AGPL-3.0", needs="ultralytics")


MODELS: Table[ModelRow] = Table(
    "models",
    ModelRow,
    {
        "ultralytics": _yolo("detection"),
        "ultralytics-seg": _yolo("instance"),
        "ultralytics-sem": _yolo("semantic"),
        "yolo": _yolo("detection"),
        "yolo-seg": _yolo("instance"),
        "fasterrcnn_resnet50_fpn": _rcnn("fasterrcnn_resnet50_fpn"),
        "fasterrcnn_resnet50_fpn_v2": _rcnn("fasterrcnn_resnet50_fpn_v2"),
        "retinanet_resnet50_fpn": _retinanet("retinanet_resnet50_fpn"),
        "retinanet_resnet50_fpn_v2": _retinanet("retinanet_resnet50_fpn_v2"),
        "maskrcnn_resnet50_fpn": _rcnn("maskrcnn_resnet50_fpn", "instance"),
        "maskrcnn_resnet50_fpn_v2": _rcnn("maskrcnn_resnet50_fpn_v2", "instance"),
        "deeplabv3_resnet50": _fcn("deeplabv3_resnet50"),
        "deeplabv3_resnet101": _fcn("deeplabv3_resnet101"),
        "deeplabv3_mobilenet_v3_large": _fcn("deeplabv3_mobilenet_v3_large"),
        "refinenet": ModelRow("semantic", _refinenet, {}, ("torch",), "Apache-2.0"),
        "onnx": ModelRow(
            task="semantic",
            build=_onnx,
            options={},
            packages=("onnxruntime",),
            licence="MIT",
            needs="onnxruntime",
            remedy="pip install 'derain-harness[onnx]'",
        ),
        "faster_rcnn_R_50_FPN_3x": _zoo("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", "detection"),
        "mask_rcnn_R_50_FPN_3x": _zoo(
            "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml", "instance"
        ),
        "mask_rcnn_R_101_FPN_3x": _zoo(
            "COCO-InstanceSegmentation/mask_rcnn_R_101_FPN_3x.yaml", "instance"
        ),
    },
)
"""Every family of task networks, literally, and those of installed packages."""

DEFAULTS = {"detection": "yolov8n", "instance": "yolov8n-seg"}
"""The network of a task where none is named."""

WEIGHTS = Path(__file__).parent.parent / "weights"
BUNDLED = {
    ("detection", "yolo-streetsim"): "yolo",
    ("instance", "yolo-streetsim"): "yolo-seg",
    ("semantic", "refinenet-streetsim"): "refinenet",
    ("semantic", "refinenet-camvid"): "refinenet",
}
"""Networks whose weights lie in `WEIGHTS`, ``NAME.safetensors`` with a card: family by task and
name."""

OF_DATASET = {
    ("streetsim", "detection"): "yolo-streetsim",
    ("streetsim", "instance"): "yolo-streetsim",
    ("streetsim", "semantic"): "refinenet-streetsim",
    ("camvid", "semantic"): "refinenet-camvid",
}
"""The network of a data set and task where none is named, before `DEFAULTS`."""

OF_CONTENT = {
    "detection": {".pt": "ultralytics"},
    "instance": {".pt": "ultralytics-seg"},
    "semantic": {".pt": "ultralytics-sem", ".onnx": "onnx"},
}
"""The family of a file that is named alone, by task and suffix."""

TRAINED_ON: dict[str, tuple[str, str]] = {
    "31e20dde3def09e2cf938c7be6fe23d9150bbbe503982af13345706515f2ef95": ("coco", "train2017"),
    "d39e867b2c3a5dbc1aa764411544b475cb14727bf6af1ec46c238f8bb1351ab9": ("coco", "train2017"),
}
"""Data set and split on which a published checkpoint was trained, by the file's sha256."""
