"""A checkpoint of ultralytics' own that ``train yolo`` begins with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from exports import NAMES, checkpoint
from safetensors.torch import save_file

from datasets import masks
from datasets.image import encode_png
from datasets.sample import Annotations, LabelledObject, Sample
from tasks.models.ultralytics import UltralyticsInstance
from tasks.models.ultralytics_checkpoint import checkpoint_network
from tasks.task import TaskError
from tasks.training.checkpoint import Checkpoint
from tasks.training.yolo import Recipe, begin_with, described, seen_px, train

CATEGORIES = {10 * number: name for number, name in sorted(NAMES.items())}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("begun"), "yolov8n-seg")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Two images with a square each."""
    made = []
    for i in range(2):
        image = np.full((64, 96, 3), 30, np.uint8)
        image[20:52, 10:42] = 220
        (tmp_path / f"{i}.png").write_bytes(encode_png(image))
        mask = masks.encode(image[:, :, 0] > 100)
        truth = LabelledObject((10.0, 20.0, 42.0, 52.0), 10, 1024.0, False, mask)
        labels = Annotations.of([truth])
        made.append(Sample(str(i), tmp_path / f"{i}.png", group=str(i), labels=labels))
    return made


def test_a_training_goes_on_from_its_weights_and_layers(
    samples: list[Sample], begun: Path, tmp_path: Path
) -> None:
    recipe = Recipe(epochs=1, batch=2, image_px=64, learning_rate=1e-9)
    model = train(samples, CATEGORIES, recipe, Checkpoint(tmp_path / "a.pt"), begin=begun)
    state = model.state_dict()
    before = checkpoint_network(begun).state_dict()
    weights = [name for name in before if name.endswith("conv.weight")]
    assert before.keys() == state.keys()
    assert all(torch.allclose(state[n], before[n].float(), atol=1e-4) for n in weights)

    file = tmp_path / "yolo-own.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, file)
    card = {"classes": list(NAMES.values()), "recipe": {"image_px": 64}, **described(model)}
    file.with_name(file.name + ".json").write_text(json.dumps(card))
    (found,) = UltralyticsInstance(file, "cpu").detect([samples[0].image()])
    assert len(found.scores)
    again = begin_with(file, CATEGORIES)
    assert again.architecture == begin_with(begun, CATEGORIES).architecture


def test_what_it_cannot_begin_with_is_one_line(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="3 classes are not the 2 of the images"):
        begin_with(begun, {1: "person", 2: "car"})
    with pytest.raises(TaskError, match="for boxes and masks, not fused"):
        begin_with(checkpoint(tmp_path, "yolov8n"), CATEGORIES)
    (tmp_path / "a.pt").write_bytes(b"none")
    with pytest.raises(TaskError, match=r"a\.pt"):
        begin_with(tmp_path / "a.pt", CATEGORIES)


def test_a_cards_layers_are_those_that_are_known(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save_file({"weight": torch.zeros(1)}, file)
    layer = [-1, 1, "os.system", ["true"]]
    card = {"architecture": {"nc": 1, "backbone": [layer], "head": [layer]}}
    file.with_name(file.name + ".json").write_text(json.dumps(card))
    with pytest.raises(TaskError, match="unknown layer"):
        begin_with(file, CATEGORIES)


def test_images_are_seen_as_large_as_before(begun: Path, tmp_path: Path) -> None:
    assert seen_px(begun) == 640
    assert seen_px(None) == Recipe.image_px
    content = torch.load(begun, weights_only=False) | {"train_args": {"imgsz": 320}}
    torch.save(content, tmp_path / "small.pt")
    assert seen_px(tmp_path / "small.pt") == 320
