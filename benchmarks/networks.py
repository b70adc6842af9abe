"""Boxes of task networks beside those of each family's own ``predict``.

    python benchmarks/networks.py                # all that is installed, about five minutes
    python benchmarks/networks.py torchvision    # the families whose name holds a word
    python benchmarks/networks.py --weights DIR  # official checkpoints, where DIR has them

One thread, one image a forward, four photographs of scikit-image. Where no official weights are at
hand they are random ones, whose scores are raised until boxes are found. Differences are the
largest over all corners of all boxes, matched in their order; other numbers of boxes or other
classes are an error.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import harness  # sets the environment before ultralytics is imported
from datasets.image import NDArrayByte
from harness.plan.networks import network_of
from harness.spec import RunSpec
from tasks.models import MODELS
from tasks.models.options import EXPORTED_OPTIONS

assert harness
Boxes = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""``(N, 4)`` xyxy in pixels, and the classes' numbers."""
NAMES = ["person", "car", "dog"]
PREDICT = {**EXPORTED_OPTIONS, "verbose": False, "retina_masks": True}


@dataclass(frozen=True)
class Compared:
    """One network in two hands."""

    word: str
    """As ``--model`` has it."""
    task: str
    theirs: Callable[[NDArrayByte], Boxes]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    family: str
    source: str
    needs: str
    make: Callable[[Path, Path | None], Compared]
    """Function of an empty folder and of the folder of official weights."""


def of_ultralytics(file: Path, task: str, imgsz: int | None) -> Callable[[NDArrayByte], Boxes]:
    """What ultralytics' ``predict`` gives."""
    from ultralytics import RTDETR, YOLO

    kind = {"detection": "detect", "instance": "segment"}[task]
    network = RTDETR(file) if "rtdetr" in file.name else YOLO(file, task=kind)
    size = {} if imgsz is None else {"imgsz": imgsz}

    def predict(image: NDArrayByte) -> Boxes:
        boxes = network.predict(np.ascontiguousarray(image[:, :, ::-1]), **PREDICT, **size)[0].boxes
        return boxes.xyxy.cpu().numpy(), boxes.cls.cpu().numpy()

    return predict


def checkpoint(name: str, folder: Path, weights: Path | None) -> Path:
    """An official checkpoint where there is one, else a random network with raised scores."""
    if weights is not None and (weights / f"{name}.pt").is_file():
        return weights / f"{name}.pt"
    import torch
    from ultralytics.nn import tasks as networks

    torch.manual_seed(0)
    kinds = {"-seg": networks.SegmentationModel, "rtdetr": networks.RTDETRDetectionModel}
    build = next((kinds[k] for k in kinds if k in name), networks.DetectionModel)
    model = build(f"{name}.yaml", ch=3, nc=len(NAMES), verbose=False)
    model.names = dict(enumerate(NAMES))
    head = model.model[-1]
    for group in ("cv3", "one2one_cv3"):
        for branch in getattr(head, group, None) or ():
            branch[-1].bias.data += 5.0
    arguments = {"imgsz": 640, "task": "segment" if name.endswith("-seg") else "detect"}
    torch.save({"model": model, "train_args": arguments}, folder / f"net-{name}.pt")
    return folder / f"net-{name}.pt"


def exported(
    name: str, form: str, options: dict[str, Any], folder: Path, weights: Path | None
) -> Compared:
    """A network of ultralytics in a file of another form, at 320 px."""
    from ultralytics import RTDETR, YOLO

    file = folder / f"net-{name}.pt"
    file.write_bytes(checkpoint(name, folder, weights).read_bytes())
    network = RTDETR(file) if "rtdetr" in name else YOLO(file)
    more = {"simplify": False} if form == "onnx" else {}
    made = Path(network.export(format=form, imgsz=320, verbose=False, **more, **options))
    task = "instance" if name.endswith("-seg") else "detection"
    prefix = "torchscript:" if form == "torchscript" else ""
    return Compared(f"{prefix}{made}", task, of_ultralytics(made, task, 320))


def of_checkpoint(name: str, folder: Path, weights: Path | None) -> Compared:
    """A checkpoint of ultralytics."""
    file = checkpoint(name, folder, weights)
    task = "instance" if name.endswith("-seg") else "detection"
    return Compared(str(file), task, of_ultralytics(file, task, None))


def of_torchvision(name: str, folder: Path, weights: Path | None) -> Compared:
    """A network of torchvision with three classes."""
    import torch
    from torchvision import models

    torch.manual_seed(0)
    module = models.get_model(
        name, weights=None, weights_backbone=None, num_classes=3, **MODELS[name].options
    ).eval()
    for key, value in module.state_dict().items():
        if key.endswith(("cls_score.weight", "cls_logits.weight")) or "classification_head" in key:
            value.mul_(8)
    torch.save(module.state_dict(), folder / "net.pth")
    (folder / "net.pth.json").write_text(json.dumps({"classes": NAMES}))

    @torch.inference_mode()
    def predict(image: NDArrayByte) -> Boxes:
        found = module([torch.from_numpy(image).permute(2, 0, 1) / 255])[0]
        return found["boxes"].numpy(), found["labels"].numpy()

    return Compared(f"{name}@{folder / 'net.pth'}", MODELS[name].task, predict)


def of_detectron2(base: str, is_own: bool, folder: Path, weights: Path | None) -> Compared:
    """A network of detectron2's zoo, or with a configuration of one's own."""
    import torch
    from detectron2.config import get_cfg
    from detectron2.engine.defaults import DefaultPredictor
    from detectron2.modeling import build_model

    from tasks.models.detectron2 import zoo_config

    config = zoo_config(base)
    if is_own:
        classes = "{NUM_CLASSES: 3, SCORE_THRESH_TEST: 0.0}"
        text = f"MODEL: {{ROI_HEADS: {classes}, RETINANET: {classes}}}\n"
        text += "INPUT: {MIN_SIZE_TEST: 400, MAX_SIZE_TEST: 700}\n"
        (folder / "own.yaml").write_text(f"_BASE_: {config}\n{text}")
        (folder / "net.pth.json").write_text(json.dumps({"classes": NAMES}))
        config = folder / "own.yaml"
    settings = get_cfg()
    settings.merge_from_file(str(config))
    settings.MODEL.DEVICE, settings.MODEL.WEIGHTS = "cpu", ""
    torch.manual_seed(0)
    module = build_model(settings)
    for key, value in module.state_dict().items():
        if key.endswith("cls_score.weight") and not is_own:
            value.mul_(30)
    torch.save({"model": module.state_dict()}, folder / "net.pth")
    settings.MODEL.WEIGHTS = str(folder / "net.pth")
    predictor = DefaultPredictor(settings)

    def predict(image: NDArrayByte) -> Boxes:
        found = predictor(image[:, :, ::-1])["instances"]
        return found.pred_boxes.tensor.numpy(), found.pred_classes.numpy()

    task = "instance" if "Instance" in base else "detection"
    name = f"detectron2@{config}" if is_own else Path(base).stem
    return Compared(f"{name}@{folder / 'net.pth'}", task, predict)


def of_transformers(kind: str, folder: Path, weights: Path | None) -> Compared:
    """A network of transformers with three classes, as its pipeline uses it."""
    import torch
    import transformers

    torch.manual_seed(0)
    names = dict(enumerate(NAMES))
    if kind == "Yolos":
        shape: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 64}
        shape |= {"num_attention_heads": 4, "image_size": [256, 256], "num_detection_tokens": 40}
    else:
        backbone = transformers.RTDetrResNetConfig(
            depths=[1, 1, 1, 1], layer_type="basic", hidden_sizes=[16, 32, 64, 128],
            embedding_size=16, out_features=["stage2", "stage3", "stage4"],
        )  # fmt: skip
        sizes = {"encoder_in_channels": [32, 64, 128], "decoder_in_channels": [64, 64, 64]}
        shape = {"backbone_config": backbone, "d_model": 64, "encoder_hidden_dim": 64, **sizes}
        shape |= {"decoder_layers": 2, "num_queries": 100, "num_denoising": 0}
    config = getattr(transformers, f"{kind}Config")(id2label=names, **shape)
    network = getattr(transformers, f"{kind}ForObjectDetection")(config).eval()
    processor = getattr(transformers, f"{kind}ImageProcessor")(size={"height": 256, "width": 256})
    network.save_pretrained(folder / "net")
    processor.save_pretrained(folder / "net")

    @torch.inference_mode()
    def predict(image: NDArrayByte) -> Boxes:
        found = processor.post_process_object_detection(
            network(**processor(images=[image], return_tensors="pt")),
            threshold=EXPORTED_OPTIONS["conf"],
            target_sizes=[image.shape[:2]],
        )[0]
        return found["boxes"].numpy(), found["labels"].numpy()

    return Compared(f"transformers:{folder / 'net'}", "detection", predict)


FUNCTION = """
import torch
from torchvision import models


def build(weights):
    network = models.detection.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=3
    ).eval()
    network.load_state_dict(torch.load(weights, weights_only=True))

    @torch.inference_mode()
    def find(image):
        found = network([torch.from_numpy(image).permute(2, 0, 1) / 255])[0]
        return {"boxes": found["boxes"], "scores": found["scores"], "classes": found["labels"]}

    find.names = ["person", "car", "dog"]
    return find
"""


def of_function(folder: Path, weights: Path | None) -> Compared:
    """A function of one's own around a network of torchvision."""
    other = of_torchvision("ssdlite320_mobilenet_v3_large", folder, weights)
    (folder / "mine.py").write_text(FUNCTION)
    word = f"{folder / 'mine.py'}:build@{folder / 'net.pth'}"
    return Compared(word, "detection", other.theirs)


EXPORTS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("yolov8n", "ONNX, fixed size", "onnx", {}),
    ("yolov8n", "ONNX, any size", "onnx", {"dynamic": True}),
    ("yolov8n", "ONNX, NMS inside", "onnx", {"nms": True}),
    ("yolov8n", "TorchScript", "torchscript", {}),
    ("yolov10n", "ONNX, fixed size", "onnx", {}),
    ("yolo11n", "ONNX, any size", "onnx", {"dynamic": True}),
    ("yolo26n", "ONNX, fixed size", "onnx", {}),
    ("yolo26n", "ONNX, NMS inside", "onnx", {"nms": True}),
    ("yolov8n-seg", "ONNX, fixed size", "onnx", {}),
    ("yolov8n-seg", "TorchScript", "torchscript", {}),
    ("yolo26n-seg", "ONNX, any size", "onnx", {"dynamic": True}),
    ("rtdetr-l", "ONNX, fixed size", "onnx", {}),
)
ZOO = (
    ("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", "zoo", False),
    ("COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml", "zoo", False),
    ("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", "own configuration", True),
    ("COCO-Detection/retinanet_R_50_FPN_3x.yaml", "own configuration", True),
)
TORCHVISION = [
    name
    for name, row in MODELS.items()
    if row.task != "semantic" and row.packages == ("torch", "torchvision")
]
CHECKPOINTS = ("yolov8n", "yolo11n", "yolo26n", "yolov8n-seg", "yolo26n-seg", "rtdetr-l")
ROWS = (
    *(Row(name, "checkpoint", "ultralytics", partial(of_checkpoint, name)) for name in CHECKPOINTS),
    *(
        Row(name, source, "ultralytics", partial(exported, name, form, options))
        for name, source, form, options in EXPORTS
    ),
    *(
        Row(name, "torchvision", "torchvision", partial(of_torchvision, name))
        for name in TORCHVISION
    ),
    *(
        Row(
            Path(base).stem,
            f"detectron2, {source}",
            "detectron2",
            partial(of_detectron2, base, own),
        )
        for base, source, own in ZOO
    ),
    *(
        Row(kind, "transformers", "transformers", partial(of_transformers, kind))
        for kind in ("Yolos", "RTDetr")
    ),
    Row("a function of one's own", "FILE.py:build@FILE", "torchvision", of_function),
)


def photographs() -> Iterator[NDArrayByte]:
    """Four, of four shapes."""
    from skimage import data

    for photo in (data.astronaut(), data.coffee(), data.rocket(), data.chelsea()):
        yield np.ascontiguousarray(photo)


def measured(row: Row, weights: Path | None) -> tuple[str, str]:
    """How many boxes were compared, and their largest difference in pixels."""
    with tempfile.TemporaryDirectory() as name, quiet():
        compared = row.make(Path(name), weights)
        spec = RunSpec(task=(compared.task,))
        ours = network_of(compared.task, compared.word, spec).build("cpu", NAMES)
        boxes, largest = 0, 0.0
        for image in photographs():
            found = ours.detect([image])[0]
            theirs, classes = compared.theirs(image)
            if len(theirs) != len(found.scores) or (classes != found.categories).any():
                return str(len(theirs)), f"{len(found.scores)} boxes for {len(theirs)}, or others"
            boxes += len(theirs)
            largest = max([largest, *np.abs(theirs - found.boxes_xyxy_px).ravel().tolist()])
    return str(boxes), "0" if largest == 0 else f"{largest:.1e}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what packages say of themselves."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(io.StringIO()):
            yield


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of families' or packages' names")
    parser.add_argument("--weights", type=Path, help="folder of official checkpoints, NAME.pt")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as settings:
        os.environ["YOLO_CONFIG_DIR"] = settings
        print("| network | from | boxes | largest difference, px |\n| --- | --- | --- | --- |")
        for row in ROWS:
            said = f"{row.family} {row.source} {row.needs}"
            if arguments.words and not any(word in said for word in arguments.words):
                continue
            try:
                __import__(row.needs)
            except ImportError:
                print(f"| {row.family} | {row.source} | – | {row.needs} is not installed |")
                continue
            boxes, largest = measured(row, arguments.weights)
            print(f"| {row.family} | {row.source} | {boxes} | {largest} |", flush=True)


if __name__ == "__main__":
    main()
