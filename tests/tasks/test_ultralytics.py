"""The ultralytics adapter against ultralytics' own predictor."""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from datasets.image import NDArrayByte, decode
from tasks import rle
from tasks.detection import Detection
from tasks.models.ultralytics import (
    UltralyticsDetector,
    UltralyticsInstance,
    UltralyticsSemantic,
)
from tasks.task import TaskError


def same_as_predict(
    file: Path, pictures: list[NDArrayByte], is_detr: bool = False, imgsz: int | None = None
) -> int:
    """Compare box by box with ``YOLO.predict``; returns how many boxes there were."""
    from ultralytics import RTDETR, YOLO

    threads = torch.get_num_threads()
    options: dict[str, Any] = {"conf": 0.001, "max_det": 300, "device": "cpu", "verbose": False}
    options |= {} if is_detr else {"iou": 0.7}
    options |= {} if imgsz is None else {"imgsz": imgsz}
    try:
        model = RTDETR(file) if is_detr else YOLO(file)
        model.predict(np.zeros((32, 32, 3), np.uint8), **options)  # sets torch's threads once
        torch.set_num_threads(1)
        detector = UltralyticsDetector(file, "cpu", imgsz)
        boxes = 0
        for picture in pictures:
            bgr = np.ascontiguousarray(picture[:, :, ::-1])
            theirs = model.predict(bgr, **options)[0].boxes
            ours = detector.detect([picture])[0]
            assert np.array_equal(ours.categories, theirs.cls.numpy().astype(int))
            assert np.abs(ours.boxes_xyxy_px - theirs.xyxy.numpy()).max(initial=0) == 0
            assert np.abs(ours.scores - theirs.conf.numpy()).max(initial=0) == 0
            boxes += len(ours.scores)
    finally:
        torch.set_num_threads(threads)
    return boxes


def test_predictions_are_ultralytics_own(detector_file: Path) -> None:
    photo = astronaut()
    pictures = [photo, photo[:333, :211], photo[:37], np.ascontiguousarray(photo[::2, ::3])]
    assert same_as_predict(detector_file, pictures) > 100


def random_file(file: Path, architecture: str, **training: Any) -> Path:
    """An untrained checkpoint of two classes, of a family's architecture made narrow."""
    from ultralytics.nn import tasks

    torch.manual_seed(0)
    described = tasks.yaml_model_load(architecture)
    if "scales" in described:
        depth, _, most = described["scales"]["n"]
        described["scales"] = {"n": [depth, 0.0625, most]}
    kind = "SegmentationModel" if "-seg" in architecture else "DetectionModel"
    model = getattr(tasks, kind)(described, ch=3, nc=2, verbose=False)
    model.names = {0: "person", 1: "car"}
    head = model.model[-1]
    for layers in (head.cv3, getattr(head, "one2one_cv3", ())):
        for branch in layers:  # an untrained head is sure of nothing
            branch[-1].bias.data += 6.0
    normalise(model)
    task = "segment" if "-seg" in architecture else "detect"
    torch.save({"model": model.half(), "train_args": {"task": task, **training}}, file)
    return file


def normalise(model: torch.nn.Module) -> None:
    """Set what a training would measure."""
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            for values, least in ((part.running_mean, -0.1), (part.running_var, 0.5)):
                assert values is not None
                values.uniform_(least, least + 0.5)


RT_DETR: dict[str, Any] = {
    "nc": 2,
    "scales": {"l": [1.0, 1.0, 1024]},
    "backbone": [
        [-1, 1, "HGStem", [8, 8]],
        [-1, 1, "DWConv", [8, 3, 2, 1, False]],
        [-1, 1, "HGBlock", [8, 16, 3]],
        [-1, 1, "DWConv", [16, 3, 2, 1, False]],
        [-1, 2, "HGBlock", [8, 16, 5, True, False]],
    ],
    "head": [
        [-1, 1, "Conv", [16, 1, 1, None, 1, 1, False]],
        [-1, 1, "AIFI", [32, 4]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 2], 1, "Concat", [1]],
        [-1, 1, "RepC3", [16]],
        [[9, 6], 1, "RTDETRDecoder", ["nc", 16, 60, 2, 2, 2, 32]],
    ],
}


def random_detr(file: Path, was_run: bool = False, **training: Any) -> Path:
    """An untrained RT-DETR of sixty queries, saved as trainings do, which run it before."""
    from ultralytics.nn.tasks import RTDETRDetectionModel

    torch.manual_seed(0)
    model = RTDETRDetectionModel(copy.deepcopy(RT_DETR), ch=3, verbose=False)
    model.names = {0: "person", 1: "car"}
    normalise(model)
    head = model.model[-1]
    for boxes in (*head.dec_bbox_head, head.enc_bbox_head):  # untrained ones keep to the anchors
        torch.nn.init.normal_(boxes.layers[-1].weight, std=0.3)
    if was_run:
        model.eval()(torch.zeros(1, 3, 320, 320))
    torch.save({"ema": model.half(), "train_args": {"task": "detect", **training}}, file)
    return file


PICTURES = [np.ascontiguousarray(astronaut()[:333, :211])]


@pytest.mark.parametrize("family", ["yolov8n", "yolo11n", "yolo26n", "yolov10n"])
def test_boxes_of_every_family_are_ultralytics_own(family: str, tmp_path: Path) -> None:
    safe = list(torch.serialization.get_safe_globals())
    file = random_file(tmp_path / "a.pt", f"{family}.yaml")
    assert same_as_predict(file, PICTURES) > 100
    assert torch.serialization.get_safe_globals() == safe


@pytest.mark.parametrize("family", ["yolov8n", "yolo11n", "yolo26n"])
def test_masks_of_every_family_are_ultralytics_own(family: str, tmp_path: Path) -> None:
    safe = list(torch.serialization.get_safe_globals())
    file = random_file(tmp_path / "a.pt", f"{family}-seg.yaml")
    assert same_masks_as_predict(file, PICTURES) > 50
    assert torch.serialization.get_safe_globals() == safe


@pytest.mark.parametrize(
    ("was_run", "imgsz"),
    [(False, None), (False, 300), (False, [256, 448]), (True, 320), (True, 288)],
)
def test_boxes_of_rt_detr_are_ultralytics_own(was_run: bool, imgsz: Any, tmp_path: Path) -> None:
    training = {} if imgsz is None else {"imgsz": imgsz}
    file = random_detr(tmp_path / "a.pt", was_run, **training)
    pictures = [*PICTURES, np.ascontiguousarray(astronaut()[::4, ::2])]
    assert same_as_predict(file, pictures, is_detr=True) > 100
    first = UltralyticsDetector(file, "cpu").detect(pictures)[0]
    assert first.boxes_xyxy_px.max() > 100  # pixels of a picture of 333x211


def test_anchors_that_are_none_are_refused(tmp_path: Path) -> None:
    file = random_detr(tmp_path / "a.pt", was_run=True)
    content = torch.load(file, weights_only=False)
    content["ema"].model[-1].shapes = [[40, 40], [20, 21]]
    torch.save(content, file)
    with pytest.raises(TaskError, match=r"a\.pt: its anchors are not those of its sizes"):
        UltralyticsDetector(file, "cpu")


@pytest.mark.parametrize("imgsz", [320, 768, 300, [192, 320]])
def test_pictures_are_seen_at_the_size_of_the_training(imgsz: Any, tmp_path: Path) -> None:
    file = random_file(tmp_path / "a.pt", "yolov8n.yaml", imgsz=imgsz)
    assert same_as_predict(file, PICTURES) > 50
    own, other = (UltralyticsDetector(file, "cpu", px).detect(PICTURES)[0] for px in (None, 640))
    assert not np.array_equal(own.boxes_xyxy_px, other.boxes_xyxy_px)


def test_masks_are_made_at_the_size_of_the_training(tmp_path: Path) -> None:
    file = random_file(tmp_path / "a.pt", "yolov8n-seg.yaml", imgsz=[192, 320])
    assert same_masks_as_predict(file, PICTURES) > 50


def test_another_size_can_be_asked_for(tmp_path: Path) -> None:
    file = random_file(tmp_path / "a.pt", "yolov8n.yaml", imgsz="large")
    assert same_as_predict(file, PICTURES, imgsz=320) > 50
    with pytest.raises(
        TaskError, match=r"a\.pt: its imgsz is 'large', .* px: give ,imgsz=N behind its word"
    ):
        UltralyticsDetector(file, "cpu")


@pytest.mark.data
def test_boxes_of_published_weights_are_ultralytics_own(data: Path) -> None:
    safe = list(torch.serialization.get_safe_globals())
    files = sorted((data / "coco128" / "images" / "train2017").iterdir())[:6]
    pictures = [decode(f.read_bytes(), f.name) for f in files]
    assert same_as_predict(data / "weights" / "yolov8n.pt", pictures) > 300
    assert torch.serialization.get_safe_globals() == safe


def test_numbers_that_a_training_set_are_taken(tmp_path: Path) -> None:
    """Another epsilon in the normalisation, a fused network, and a head told to suppress."""
    from ultralytics.nn.tasks import DetectionModel

    file = random_file(tmp_path / "a.pt", "yolov8n.yaml")
    content = torch.load(file, weights_only=False)
    model: DetectionModel = content["model"].float()
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eps = 0.5
    torch.save(content, file)
    assert same_as_predict(file, PICTURES) > 100
    torch.save({"ema": model.fuse(verbose=False)}, file)
    assert same_as_predict(file, PICTURES) > 100
    file = random_file(tmp_path / "b.pt", "yolo26n.yaml")
    content = torch.load(file, weights_only=False)
    content["model"].end2end = False
    torch.save(content, file)
    assert same_as_predict(file, PICTURES) > 100


@pytest.mark.data
@pytest.mark.slow
def test_predictions_on_coco128_are_ultralytics_own(data: Path) -> None:
    files = sorted((data / "coco128" / "images" / "train2017").iterdir())
    pictures = [decode(f.read_bytes(), f.name) for f in files]
    assert same_as_predict(data / "weights" / "yolov8n.pt", pictures) > 5000


def same_masks_as_predict(file: Path, pictures: list[NDArrayByte]) -> int:
    """Compare box by box and pixel by pixel with ``YOLO.predict``; returns how many there were."""
    from ultralytics import YOLO

    threads = torch.get_num_threads()
    options = {"conf": 0.001, "iou": 0.7, "max_det": 300, "retina_masks": True, "device": "cpu"}
    try:
        model = YOLO(file)
        model.predict(np.zeros((32, 32, 3), np.uint8), verbose=False, **options)
        torch.set_num_threads(1)
        network = UltralyticsInstance(file, "cpu")
        objects = 0
        for picture in pictures:
            bgr = np.ascontiguousarray(picture[:, :, ::-1])
            theirs = model.predict(bgr, verbose=False, **options)[0]
            ours = network.detect([picture])[0]
            assert np.array_equal(ours.boxes_xyxy_px, theirs.boxes.xyxy.numpy())
            assert np.array_equal(ours.scores, theirs.boxes.conf.numpy())
            assert np.array_equal(ours.categories, theirs.boxes.cls.numpy().astype(int))
            if len(ours.masks):
                assert ours.masks == rle.encoded(theirs.masks.data.byte().numpy())
                assert (ours.masks[0].height_px, ours.masks[0].width_px) == picture.shape[:2]
            objects += len(ours.masks)
    finally:
        torch.set_num_threads(threads)
    return objects


@pytest.fixture(scope="session")
def instance_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained network of two classes that draws masks."""
    from ultralytics.nn.tasks import SegmentationModel

    torch.manual_seed(0)
    model = SegmentationModel("yolov8n-seg.yaml", ch=3, nc=2, verbose=False)
    model.names = {0: "person", 1: "car"}
    for branch in model.model[-1].cv3:
        branch[-1].bias.data += 6.0
    file = tmp_path_factory.mktemp("weights") / "tiny-seg.pt"
    torch.save({"model": model, "train_args": {"task": "segment"}}, file)
    return file


def test_masks_are_ultralytics_own(instance_file: Path) -> None:
    photo = astronaut()
    pictures = [photo[:333, :211], np.ascontiguousarray(photo[::2, ::3])]
    assert same_masks_as_predict(instance_file, pictures) > 100


@pytest.mark.data
def test_masks_of_published_weights_are_ultralytics_own(data: Path) -> None:
    files = sorted((data / "coco128" / "images" / "train2017").iterdir())[:6]
    pictures = [decode(f.read_bytes(), f.name) for f in files]
    assert same_masks_as_predict(data / "weights" / "yolov8n-seg.pt", pictures) > 300


def test_label_maps_are_ultralytics_own(tmp_path: Path) -> None:
    from ultralytics import YOLO
    from ultralytics.nn.tasks import SemanticSegmentationModel

    torch.manual_seed(0)
    model = SemanticSegmentationModel("yolo26n-sem.yaml", ch=3, nc=4, verbose=False)
    model.names = dict(enumerate("abcd"))
    file = tmp_path / "tiny-sem.pt"
    torch.save({"model": model, "train_args": {"task": "semantic"}}, file)
    photo = np.ascontiguousarray(astronaut()[:333, :211])
    network = UltralyticsSemantic(file, "cpu")
    assert network.names == list("abcd")
    bgr = np.ascontiguousarray(photo[:, :, ::-1])
    theirs = YOLO(file).predict(bgr, verbose=False, device="cpu")[0].semantic_mask
    ours = network.segment([photo])[0]
    assert ours.shape == photo.shape[:2]
    assert (ours == np.asarray(theirs.data).squeeze()).mean() > 0.999


def test_images_of_one_shape_share_a_forward(detector_file: Path) -> None:
    photo = astronaut()
    pictures = [photo, photo[:300], np.ascontiguousarray(photo[::-1])]
    detector = UltralyticsDetector(detector_file, "cpu")
    together = detector.detect(pictures)
    for picture, found in zip(pictures, together, strict=True):
        alone = detector.detect([picture])[0]
        assert len(alone.scores) == len(found.scores)
        assert np.abs(alone.boxes_xyxy_px - found.boxes_xyxy_px).max() < 0.1


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def test_a_foreign_class_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Evil()}, "evil.pt")
    with pytest.raises(TaskError, match=r"evil\.pt: refused") as caught:
        UltralyticsDetector(Path("evil.pt"), "cpu")
    assert "\n" not in str(caught.value)
    assert not Path("owned").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 no archive"])
def test_a_damaged_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(TaskError, match=r"a\.pt"):
        UltralyticsDetector(tmp_path / "a.pt", "cpu")


def test_plain_weights_and_other_files_are_named(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "a.pt")
    with pytest.raises(TaskError, match=r"not an ultralytics model: give .* \(best\.pt\)"):
        UltralyticsDetector(tmp_path / "a.pt", "cpu")
    with pytest.raises(TaskError, match=r"b\.pt not found"):
        UltralyticsDetector(tmp_path / "b.pt", "cpu")


def test_checkpoints_of_yolov5s_own_code_are_told_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = ModuleType("models.yolo")
    network = type("DetectionModel", (torch.nn.Module,), {"__module__": "models.yolo"})
    monkeypatch.setattr(code, "DetectionModel", network, raising=False)
    monkeypatch.setitem(sys.modules, "models", ModuleType("models"))
    monkeypatch.setitem(sys.modules, "models.yolo", code)
    torch.save({"model": network()}, tmp_path / "a.pt")
    with pytest.raises(TaskError, match=r"YOLOv7's own code .*: export it there to ONNX"):
        UltralyticsDetector(tmp_path / "a.pt", "cpu")


@pytest.mark.data
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("PoseModel", "is a model for 'pose', not for detection, instance or semantic"),
        ("OBBModel", "is a model for 'obb', not for"),
        ("ClassificationModel", "is a model for 'classify', not for"),
        ("WorldModel", "is a WorldModel, whose classes are words: .* and export it to ONNX"),
        ("YOLOESegModel", "is a YOLOESegModel, whose classes are words: "),
    ],
)
def test_networks_for_other_tasks_are_named(kind: str, says: str, tmp_path: Path) -> None:
    from ultralytics.nn import tasks as networks

    model = getattr(networks, kind).__new__(getattr(networks, kind))
    torch.nn.Module.__init__(model)
    torch.save({"model": model, "train_args": {}}, tmp_path / "a.pt")
    with pytest.raises(TaskError, match=rf"a\.pt: it {says}"):
        UltralyticsDetector(tmp_path / "a.pt", "cpu")


def test_a_segmenter_is_no_detector(data: Path) -> None:
    with pytest.raises(TaskError, match="for 'segment', not for detection"):
        UltralyticsDetector(data / "weights" / "yolov8n-seg.pt", "cpu")


def test_a_detector_of_other_classes_is_told(detector_file: Path) -> None:
    task = Detection({1: "zebra"}, lambda: UltralyticsDetector(detector_file, "cpu"))
    with pytest.raises(TaskError, match="none of the data set's categories; it knows person"):
        task.load()
