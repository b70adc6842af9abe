"""Every family of torchvision, untrained and small, against torchvision's own answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torchvision import models

from tasks.models import MODELS
from tasks.models.torchvision import CLASSIFIERS, TorchvisionDetector
from tasks.task import TaskError

PHOTO = np.ascontiguousarray(astronaut()[100:200, 100:230])
NAMES = ["background", "person", "car"]
DETECTORS = [
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "ssdlite320_mobilenet_v3_large",
    pytest.param("fasterrcnn_mobilenet_v3_large_fpn", marks=pytest.mark.slow),
    pytest.param("keypointrcnn_resnet50_fpn", marks=pytest.mark.slow),
    pytest.param("fcos_resnet50_fpn", marks=pytest.mark.slow),
    pytest.param("ssd300_vgg16", marks=pytest.mark.slow),
    pytest.param("retinanet_resnet50_fpn", marks=pytest.mark.slow),
    pytest.param("fasterrcnn_resnet50_fpn_v2", marks=pytest.mark.slow),
]
SEGMENTERS = [
    "lraspp_mobilenet_v3_large",
    pytest.param("fcn_resnet50", marks=pytest.mark.slow),
    pytest.param("deeplabv3_resnet50", marks=pytest.mark.slow),
]


def made(folder: Path, name: str, **options: Any) -> tuple[Path, torch.nn.Module]:
    """Untrained weights of three classes whose scores are high, and the network."""
    torch.manual_seed(0)
    module = models.get_model(
        name, weights=None, weights_backbone=None, num_classes=3, **options
    ).eval()
    for key, value in module.state_dict().items():
        if key.endswith(("cls_score.weight", "cls_logits.weight")) or "classification_head" in key:
            value.mul_(8)
    file = folder / f"{name}.pth"
    torch.save(module.state_dict(), file)
    (folder / f"{name}.pth.json").write_text(json.dumps({"classes": NAMES}))
    return file, module


@pytest.mark.parametrize("name", DETECTORS)
def test_boxes_are_torchvisions(name: str, tmp_path: Path) -> None:
    options = dict(MODELS[name].options)
    if "min_size" in options:
        options["min_size"] = 128  # for speed
    file, plain = made(tmp_path, name, **options)
    detector = TorchvisionDetector(name, options, file, "cpu")
    assert detector.names == NAMES
    (ours,) = detector.detect([PHOTO])
    with torch.inference_mode():
        theirs = plain([torch.from_numpy(PHOTO).permute(2, 0, 1) / 255])[0]
    assert len(ours.scores) > 0
    assert np.array_equal(ours.boxes_xyxy_px, theirs["boxes"].numpy())
    assert np.array_equal(ours.categories, theirs["labels"].numpy())


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_checkpoints_of_trainers_are_read(name: str, tmp_path: Path) -> None:
    file, plain = made(tmp_path, name)
    state = {f"model.{key}": value for key, value in plain.state_dict().items()}
    for content in ({"model_state_dict": plain.state_dict()}, {"state_dict": state, "epoch": 3}):
        torch.save(content, file)
        assert MODELS[name].build(file, "cpu").names == NAMES


@pytest.mark.parametrize("name", SEGMENTERS)
def test_label_maps_are_torchvisions(name: str, tmp_path: Path) -> None:
    file, plain = made(tmp_path, name)
    segmenter = MODELS[name].build(file, "cpu")
    mean, std = (torch.tensor(MODELS[name].options[k])[:, None, None] for k in ("mean", "std"))
    with torch.inference_mode():
        shown = (torch.from_numpy(PHOTO).permute(2, 0, 1) / 255 - mean) / std
        theirs = plain(shown[None])["out"][0].argmax(0)
    assert segmenter.names == NAMES
    assert (segmenter.segment([PHOTO])[0] == theirs.numpy()).mean() > 0.999


def test_a_size_of_the_word_is_the_shorter_side(tmp_path: Path) -> None:
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    options = MODELS[name].options | {"min_size": 96, "max_size": 160}
    file, plain = made(tmp_path, name, **options)
    (ours,) = MODELS[name].build(file, "cpu", imgsz=96).detect([PHOTO])
    with torch.inference_mode():
        theirs = plain([torch.from_numpy(PHOTO).permute(2, 0, 1) / 255])[0]
    assert np.array_equal(ours.boxes_xyxy_px, theirs["boxes"].numpy())


def test_all_of_torchvisions_families_have_a_row() -> None:
    theirs = {
        name
        for module in (models.detection, models.segmentation)
        for name in models.list_models(module=module)
    }
    assert theirs <= set(MODELS)
    assert {name.partition("_")[0] for name in theirs} == set(CLASSIFIERS)


@pytest.mark.parametrize(
    "name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"]
)
def test_options_are_torchvisions_own(name: str) -> None:
    plain: Any = models.get_model(name, weights=None, weights_backbone=None)
    given: Any = models.get_model(name, weights=None, weights_backbone=None, **MODELS[name].options)
    for part in ("", "transform", "roi_heads"):
        if part and not hasattr(plain, part):
            continue
        one, two = (m.get_submodule(part) for m in (plain, given))
        numbers = {k: v for k, v in vars(one).items() if isinstance(v, float | int | tuple)}
        assert numbers == {k: vars(two)[k] for k in numbers}


def test_weights_of_another_family_are_told(tmp_path: Path) -> None:
    file, _ = made(tmp_path, "lraspp_mobilenet_v3_large")
    with pytest.raises(TaskError, match="holds the weights of another network than ssd300_vgg16"):
        MODELS["ssd300_vgg16"].build(file, "cpu")
