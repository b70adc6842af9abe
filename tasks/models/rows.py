"""Task networks by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from datasets.installed import Table, installing
from tasks.models.options import (
    EXPORTED_OPTIONS,
    FCOS_OPTIONS,
    IMAGENET,
    RCNN_320_OPTIONS,
    RCNN_OPTIONS,
    RETINANET_OPTIONS,
    SSD_OPTIONS,
    SSDLITE_OPTIONS,
    ZOO_OPTIONS,
)


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # an import hook that refuses, a module that was taken out
        return False


def _themselves(*files: Path) -> Sequence[Path]:
    return files


@dataclass(frozen=True)
class ModelRow:
    """One family of task networks."""

    task: str
    build: Callable[..., Any]
    """Loads a file on a device: a `tasks.network.Detector` or a `tasks.semantic.Segmenter`. It gets
    the file, all of ``paths``, the device and, where ``takes_imgsz``, ``imgsz=N``."""
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
    shown: str = ""
    """The size at which it sees pictures, and how they are prepared."""
    takes_imgsz: bool = False
    """Whether the word may set that size."""
    paths: int = 1
    """How many files its word names, each behind an @."""
    is_folder: bool = False
    """Whether it is a folder."""
    reads: Callable[..., Sequence[Path]] = _themselves
    """Function of these: all files whose contents make the network."""
    trained_px: Callable[[Path], str | None] = lambda _: None
    """The size that a file's training had, as ``imgsz`` says it; None: the family's usual one."""
    origin: str | None = None
    """The installed package that adds the row, see `datasets.installed`; None = ours."""

    def lacking(self) -> str | None:
        """Why it cannot run here, with the remedy; None if it can."""
        if installed(self.needs):
            return None
        return f"{self.needs} is not installed: {self.remedy}"


def _ultralytics(task: str, file: Path, device: str, imgsz: int | None = None) -> Any:
    from tasks.models import ultralytics

    return {
        "detection": ultralytics.UltralyticsDetector,
        "instance": ultralytics.UltralyticsInstance,
        "semantic": ultralytics.UltralyticsSemantic,
    }[task](file, device, imgsz)


def _trained_px(file: Path) -> str | None:
    from tasks.models.architecture import unusual_px

    return unusual_px(file)


def _torchvision_detector(
    name: str, options: Mapping[str, Any], file: Path, device: str, imgsz: int | None = None
) -> Any:
    from tasks.models.torchvision import TorchvisionDetector

    return TorchvisionDetector(name, options, file, device, imgsz)


def _torchvision_segmenter(name: str, options: Mapping[str, Any], file: Path, device: str) -> Any:
    from tasks.models.torchvision import torchvision_segmenter

    return torchvision_segmenter(name, options, file, device)


def _refinenet(file: Path, device: str) -> Any:
    from tasks.models.refinenet import refinenet_segmenter

    return refinenet_segmenter(file, device)


def _detectron2(task: str, config: Path, file: Path, device: str, imgsz: int | None = None) -> Any:
    from tasks.models import detectron2

    if task == "semantic":
        return detectron2.Detectron2Segmenter(config, file, device, imgsz)
    return detectron2.Detectron2Detector(config, file, device, task == "instance", imgsz)


def _zoo_network(config: str, task: str, file: Path, device: str, imgsz: int | None = None) -> Any:
    from tasks.models.detectron2 import zoo_config

    return _detectron2(task, zoo_config(config), file, device, imgsz)


def _configured(config: Path, file: Path) -> Sequence[Path]:
    from tasks.models.detectron2 import config_files

    return [*config_files(config), file]


def _exported(
    kind: Literal["onnx", "torchscript"],
    task: str,
    file: Path,
    device: str,
    imgsz: int | None = None,
) -> Any:
    from tasks.models.exported import exported

    return exported(kind, task, file, device, imgsz)


def _transformers(task: str, folder: Path, device: str, imgsz: int | None = None) -> Any:
    from tasks.models import transformers

    return {
        "detection": transformers.TransformersDetector,
        "instance": transformers.TransformersInstance,
        "semantic": transformers.TransformersSegmenter,
    }[task](folder, device, imgsz)


def _in_folder(folder: Path) -> Sequence[Path]:
    from tasks.models.transformers import folder_files

    return folder_files(folder)


_ULTRALYTICS = ("torch", "torchvision", "ultralytics", "opencv-python")
_TORCHVISION = ("torch", "torchvision")
_DETECTRON2 = ("torch", "torchvision", "detectron2", "pillow")
_TRANSFORMERS = ("torch", "torchvision", "transformers", "pillow")
_EXPORTED = ("torch", "torchvision", "opencv-python")
_INSTALL = "see https://detectron2.readthedocs.io/tutorials/install.html"
_AGPL = (
    f"{installing('ultralytics')} (AGPL-3.0), or give another network with --model, see list "
    "models, or choose --task semantic or --task none"
)


def _vision(
    name: str, options: Mapping[str, Any], task: str = "detection", shown: str = ""
) -> ModelRow:
    """A detector of torchvision."""
    sides = f"shorter side {options.get('min_size')} px, longer at most {options.get('max_size')}"
    return ModelRow(
        task,
        partial(_torchvision_detector, name, options),
        dict(options),
        _TORCHVISION,
        "BSD-3-Clause",
        shown=f"{shown or sides}; RGB, normalised by the network",
        takes_imgsz="min_size" in options,
    )


def _fcn(name: str) -> ModelRow:
    """A segmenter of torchvision."""
    return ModelRow(
        "semantic",
        partial(_torchvision_segmenter, name, IMAGENET),
        IMAGENET,
        _TORCHVISION,
        "BSD-3-Clause",
        shown="the picture's own size; RGB, ImageNet's mean and deviation",
    )


def _zoo(config: str, task: str) -> ModelRow:
    """A network of detectron2's zoo."""
    return ModelRow(
        task,
        partial(_zoo_network, config, task),
        ZOO_OPTIONS,
        _DETECTRON2,
        "Apache-2.0",
        needs="detectron2",
        remedy=_INSTALL,
        shown="shorter side 800 px, longer at most 1333; BGR, normalised by the network",
        takes_imgsz=True,
    )


def _own_config(task: str) -> ModelRow:
    """A network of detectron2 with a configuration of the user's."""
    return ModelRow(
        task,
        partial(_detectron2, task),
        {},
        _DETECTRON2,
        "Apache-2.0",
        needs="detectron2",
        remedy=_INSTALL,
        shown="its configuration's INPUT; normalised by the network",
        takes_imgsz=True,
        paths=2,
        reads=_configured,
    )


def _file(kind: Literal["onnx", "torchscript"], task: str) -> ModelRow:
    """An exported network."""
    is_onnx = kind == "onnx"
    shown = "letterboxed in grey, DETR's stretched" if task != "semantic" else "stretched if fixed"
    return ModelRow(
        task,
        partial(_exported, kind, task),
        dict(EXPORTED_OPTIONS) if task != "semantic" else {},
        (*_EXPORTED, *(["onnxruntime"] if is_onnx else [])),
        "MIT" if is_onnx else "BSD-3-Clause",
        needs="onnxruntime" if is_onnx else "torch",
        remedy=installing("derain-harness[onnx]") if is_onnx else "",
        shown=f"its input's, metadata's or card's size, {shown}; RGB in 0..1, or as its card says",
        takes_imgsz=True,
    )


def _folder(task: str) -> ModelRow:
    """A network in a folder of transformers."""
    return ModelRow(
        task,
        partial(_transformers, task),
        {"conf": EXPORTED_OPTIONS["conf"]} if task != "semantic" else {},
        _TRANSFORMERS,
        "Apache-2.0",
        needs="transformers",
        remedy=installing("derain-harness[transformers]"),
        shown="as its preprocessor_config.json says",
        takes_imgsz=True,
        is_folder=True,
        reads=_in_folder,
    )


def _yolo(task: str) -> ModelRow:
    """A checkpoint of ultralytics, or ours in its network."""
    return ModelRow(
        task,
        partial(_ultralytics, task),
        dict(EXPORTED_OPTIONS),
        _ULTRALYTICS,
        "AGPL-3.0",
        needs="ultralytics",
        remedy=_AGPL,
        shown="its training's longer side, else 640 px, letterboxed in grey, RT-DETR's stretched; "
        "RGB in 0..1",
        takes_imgsz=True,
        trained_px=_trained_px,
    )


MODELS: Table[ModelRow] = Table(
    "models",
    ModelRow,
    {
        "ultralytics": _yolo("detection"),
        "ultralytics-seg": _yolo("instance"),
        "ultralytics-sem": _yolo("semantic"),
        "yolo": _yolo("detection"),
        "yolo-seg": _yolo("instance"),
        **{
            name: _vision(name, options)
            for name, options in (
                ("fasterrcnn_resnet50_fpn", RCNN_OPTIONS),
                ("fasterrcnn_resnet50_fpn_v2", RCNN_OPTIONS),
                ("fasterrcnn_mobilenet_v3_large_fpn", RCNN_OPTIONS),
                ("fasterrcnn_mobilenet_v3_large_320_fpn", RCNN_320_OPTIONS),
                ("keypointrcnn_resnet50_fpn", RCNN_OPTIONS),
                ("retinanet_resnet50_fpn", RETINANET_OPTIONS),
                ("retinanet_resnet50_fpn_v2", RETINANET_OPTIONS),
                ("fcos_resnet50_fpn", FCOS_OPTIONS),
            )
        },
        "ssd300_vgg16": _vision("ssd300_vgg16", SSD_OPTIONS, shown="300x300 px, stretched"),
        "ssdlite320_mobilenet_v3_large": _vision(
            "ssdlite320_mobilenet_v3_large", SSDLITE_OPTIONS, shown="320x320 px, stretched"
        ),
        "maskrcnn_resnet50_fpn": _vision("maskrcnn_resnet50_fpn", RCNN_OPTIONS, "instance"),
        "maskrcnn_resnet50_fpn_v2": _vision("maskrcnn_resnet50_fpn_v2", RCNN_OPTIONS, "instance"),
        **{
            name: _fcn(name)
            for name in (
                "fcn_resnet50",
                "fcn_resnet101",
                "deeplabv3_resnet50",
                "deeplabv3_resnet101",
                "deeplabv3_mobilenet_v3_large",
                "lraspp_mobilenet_v3_large",
            )
        },
        "refinenet": ModelRow(
            "semantic",
            _refinenet,
            {},
            ("torch",),
            "Apache-2.0",
            shown="the picture's own size, or its card's scales of it; RGB in 0..1",
        ),
        "onnx": _file("onnx", "detection"),
        "onnx-seg": _file("onnx", "instance"),
        "onnx-sem": _file("onnx", "semantic"),
        "torchscript": _file("torchscript", "detection"),
        "torchscript-seg": _file("torchscript", "instance"),
        "torchscript-sem": _file("torchscript", "semantic"),
        "transformers": _folder("detection"),
        "transformers-seg": _folder("instance"),
        "transformers-sem": _folder("semantic"),
        "detectron2": _own_config("detection"),
        "detectron2-seg": _own_config("instance"),
        "detectron2-sem": _own_config("semantic"),
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
    "detection": {".pt": "ultralytics", ".onnx": "onnx"},
    "instance": {".pt": "ultralytics-seg", ".onnx": "onnx-seg"},
    "semantic": {".pt": "ultralytics-sem", ".onnx": "onnx-sem"},
}
"""The family of a file that is named alone, by task and suffix."""

ENDINGS = {"detection": "", "instance": "-seg", "semantic": "-sem"}
"""What a family's name ends in, by task; a word may leave it out: ``semantic=onnx@FILE``."""

PREFIXES = ("torchscript", "transformers")
"""Families whose file or folder stands behind a colon."""

RUNS_CODE = ("torchscript", "torchscript-seg", "torchscript-sem")
"""Families whose files are code, which the word asks to run."""

TRAINED_ON: dict[str, tuple[str, str]] = {
    "31e20dde3def09e2cf938c7be6fe23d9150bbbe503982af13345706515f2ef95": ("coco", "train2017"),
    "d39e867b2c3a5dbc1aa764411544b475cb14727bf6af1ec46c238f8bb1351ab9": ("coco", "train2017"),
}
"""Data set and split on which a published checkpoint was trained, by the file's sha256."""
