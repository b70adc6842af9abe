"""The small network for boxes and masks: its files, its trainer, its predictions."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from datasets import masks
from datasets.image import NDArrayByte, encode_png
from datasets.sample import Annotations, LabelledObject, Sample
from tasks.models.ultralytics import (
    UltralyticsDetector,
    UltralyticsInstance,
    _Network,
    street_image_px,
    street_network,
)
from tasks.networks.yolo_street import ARCHITECTURE
from tasks.task import TaskError
from tasks.training.checkpoint import Checkpoint, read_checkpoint
from tasks.training.yolo import Recipe, steps_per_epoch, train
from tasks.training.yolo_images import Images, outlines

CATEGORIES = {3: "car", 1: "person"}


def square(left: int, top: int, side: int, category: int, is_crowd: bool = False) -> LabelledObject:
    pixels = np.zeros((64, 96), bool)
    pixels[top : top + side, left : left + side] = True
    mask = masks.encode(pixels)
    box = (float(left), float(top), float(left + side), float(top + side))
    return LabelledObject(box, category, float(side * side), is_crowd, mask)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Bright squares on dark ground."""
    made = []
    for i in range(4):
        image = np.full((64, 96, 3), 30, np.uint8)
        image[20:52, 10 + i : 42 + i] = 220
        (tmp_path / f"{i}.png").write_bytes(encode_png(image))
        truth = Annotations.of([square(10 + i, 20, 32, 3), square(60, 5, 9, 1, is_crowd=True)])
        made.append(Sample(str(i), tmp_path / f"{i}.png", group=str(i), labels=truth))
    return made


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "a.pt")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights whose scores are not all near 0."""
    from ultralytics.nn.tasks import SegmentationModel

    torch.manual_seed(0)
    model = SegmentationModel(copy.deepcopy(ARCHITECTURE), nc=2, verbose=False)
    for branch in model.model[-1].cv3:
        branch[-1].bias.data += 6.0
    file = tmp_path / "street.safetensors"
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, file)
    card(file, ["person", "car"])
    return file


def card(file: Path, names: list[str], image_px: int = 96) -> None:
    text = json.dumps({"classes": names, "recipe": {"image_px": image_px}})
    file.with_name(file.name + ".json").write_text(text)


def test_size() -> None:
    from ultralytics.nn.tasks import SegmentationModel

    model = SegmentationModel(copy.deepcopy(ARCHITECTURE), nc=6, verbose=False)
    assert sum(p.numel() for p in model.parameters()) == 1_627_010
    assert model.stride.tolist() == [8, 16, 32]


def test_outlines_fill_what_the_masks_do() -> None:
    import cv2

    both = np.zeros((64, 96), bool)
    both[5:15, 5:15] = both[40:60, 70:90] = True
    two = LabelledObject((5, 5, 90, 60), 1, float(both.sum()), False, masks.encode(both))
    truth = Annotations.of([square(30, 8, 24, 3), two, square(2, 2, 9, 3, is_crowd=True)])
    lines = [line.split() for line in outlines(truth, sorted(CATEGORIES))]
    assert [line[0] for line in lines] == ["1", "0"]
    for line, mask in zip(lines, truth.masks, strict=False):
        points = np.array(line[1:], float).reshape(-1, 2) * (96, 64) - 0.5
        drawn = np.zeros((64, 96), np.uint8)
        cv2.fillPoly(drawn, [points.round().astype(np.int32)], 1)
        wanted = masks.decode(mask)
        # Pieces are joined by a line of one pixel's width.
        assert (drawn.astype(bool) & wanted).sum() == wanted.sum()
        assert (drawn.astype(bool) & ~wanted).sum() < 80


def test_boxes_alone_are_those_of_the_masks_network(weights: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    (boxes,) = UltralyticsDetector(weights, "cpu").detect([image])
    instance = UltralyticsInstance(weights, "cpu")
    (both,) = instance.detect([image])
    assert instance.names == ["person", "car"]
    assert len(boxes.scores) >= len(both.scores) > 0
    found = {tuple(row) for row in boxes.boxes_xyxy_px.tolist()}
    assert all(tuple(row) in found for row in both.boxes_xyxy_px.tolist())
    assert {(m.height_px, m.width_px) for m in both.masks} == {(60, 80)}


def test_images_are_seen_as_large_as_in_training(weights: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    for side_px, padded in ((96, (96, 96)), (320, (256, 320))):
        card(weights, ["person", "car"], side_px)
        ((_, shape, _),) = _Network(weights, "cpu", "detection").outputs([image])
        assert shape == padded
    beside = weights.with_name(weights.name + ".json")
    beside.write_text(json.dumps(json.loads(beside.read_text()) | {"image_px": 160}))
    assert street_image_px(weights) == 160
    beside.write_text('{"classes": ["person", "car"]}')
    with pytest.raises(TaskError, match="no recipe with image_px: train it again"):
        UltralyticsDetector(weights, "cpu")


def test_other_weights_are_one_line(weights: Path, tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(TaskError, match="holds no network of tasks"):
        street_network(tmp_path / "a.safetensors")
    card(weights, ["person"])
    with pytest.raises(TaskError, match="2 classes, 1 names"):
        street_network(weights)


def test_images_and_outlines_are_what_ultralytics_reads_from_files(
    samples: list[Sample], tmp_path: Path
) -> None:
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset

    for folder in ("images", "labels"):
        (tmp_path / "own" / folder).mkdir(parents=True)
    for sample in samples:
        assert sample.annotations is not None
        (tmp_path / "own" / "images" / sample.path.name).write_bytes(sample.path.read_bytes())
        lines = outlines(sample.annotations, sorted(CATEGORIES))
        text = "".join(f"{line}\n" for line in lines)
        (tmp_path / "own" / "labels" / f"{sample.path.stem}.txt").write_text(text)
    options: dict[str, Any] = {"hyp": get_cfg(), "stride": 32, "augment": True}
    options["data"] = {"names": {0: "person", 1: "car"}, "channels": 3}
    for image_px in (64, 96, 160):
        own = Images(samples, CATEGORIES, None, imgsz=image_px, **options)
        images = str(tmp_path / "own" / "images")
        theirs = YOLODataset(img_path=images, task="segment", imgsz=image_px, **options)
        for i in range(len(samples)):
            a, b = own.load_image(i), theirs.load_image(i)
            assert a[1:] == b[1:]
            assert np.array_equal(a[0], b[0])
            one, other = own.labels[i], theirs.labels[i]
            assert list(one) == list(other)
            for key in ("shape", "normalized", "bbox_format", "keypoints"):
                assert one[key] == other[key]
            assert np.array_equal(one["cls"], other["cls"])
            assert np.array_equal(one["bboxes"], other["bboxes"])
            assert all(map(np.array_equal, one["segments"], other["segments"]))
            assert len(one["segments"]) == 1


def test_an_image_that_has_gone_ends_the_training_in_a_line(
    samples: list[Sample], checkpoint: Checkpoint
) -> None:
    samples[1].path.write_bytes(b"no image")
    with pytest.raises(TaskError, match=r"the training ended at an image: 1\.png") as caught:
        train(samples, CATEGORIES, Recipe(epochs=1, batch=2, image_px=96), checkpoint)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_network_is_one_line(
    samples: list[Sample], checkpoint: Checkpoint
) -> None:
    contents: list[Any] = [{"epoch": 1}, {"epoch": "1"}, [], {"epoch": 1, "network": {"a": 1}}]
    for content in contents:
        torch.save(content, checkpoint.file)
        with pytest.raises(TaskError, match=r"a\.pt is .*: give a new --out"):
            train(samples, CATEGORIES, Recipe(epochs=2, batch=2, image_px=96), checkpoint)


def test_batches_have_no_border_that_all_images_share(
    samples: list[Sample], checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.nn.tasks import SegmentationModel

    shapes: set[tuple[int, ...]] = set()
    forward = SegmentationModel.loss

    def seen(self: Any, batch: dict[str, Any], preds: Any = None) -> Any:
        nonlocal shapes
        shapes |= {tuple(batch["img"].shape)} if self.training else set()
        return forward(self, batch, preds)

    monkeypatch.setattr(SegmentationModel, "loss", seen)
    train(samples, CATEGORIES, Recipe(epochs=1, batch=2, image_px=96), checkpoint)
    assert shapes == {(2, 3, 64, 96)}


@pytest.mark.slow
def test_training_goes_on_where_it_was_broken_off(
    samples: list[Sample], checkpoint: Checkpoint
) -> None:
    recipe = Recipe(epochs=2, batch=2, image_px=64, dtype="bf16")
    numbers = []

    def told(epoch: int, loss: float) -> bool:
        assert np.isfinite(loss)
        numbers.append(epoch)
        return len(numbers) > 1

    train(samples, CATEGORIES, recipe, checkpoint, told)
    model = train(samples, CATEGORIES, recipe, checkpoint, told)
    assert numbers == [1, 2]
    assert list(model.names.values()) == ["person", "car"]
    assert all(torch.isfinite(v.float()).all() for v in model.state_dict().values())


def test_the_learning_rate_is_that_of_biases_too(
    samples: list[Sample], checkpoint: Checkpoint, weights: Path
) -> None:
    recipe = Recipe(epochs=2, batch=2, image_px=64, learning_rate=1e-7)
    before = load_file(weights)
    for name, after in train(
        samples, CATEGORIES, recipe, checkpoint, begin=weights
    ).named_parameters():
        assert (after - before[name]).abs().max() < 1e-5, name


def test_each_epoch_sees_every_image_anew(samples: list[Sample], checkpoint: Checkpoint) -> None:
    seen: list[tuple[int, str]] = []

    def view(sample: Sample, clean: NDArrayByte, epoch: int) -> NDArrayByte:
        assert np.array_equal(clean, sample.image())
        seen.append((epoch, sample.id))
        return np.full_like(clean, 90)

    recipe = Recipe(epochs=2, batch=3, image_px=64)
    goes_on = iter([False, True])
    for _ in range(2):
        train(samples, CATEGORIES, recipe, checkpoint, lambda *_: next(goes_on), None, view)
    # ultralytics looks at the first batch to learn what it holds.
    assert {(epoch, str(i)) for epoch in (0, 1) for i in range(4)} == set(seen)
    assert read_checkpoint(checkpoint.file)["updates"] == 2 * steps_per_epoch(4, recipe) == 4
