"""RefineNet and its trainer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import interpolate

from datasets.image import encode_png, to_tensor
from datasets.label_png import encode_labels
from datasets.sample import IGNORED, Sample
from tasks.models.refinenet import refinenet_segmenter
from tasks.networks.refinenet import RefineNet
from tasks.task import TaskError
from tasks.training.checkpoint import Checkpoint, read_checkpoint
from tasks.training.refinenet import Recipe, class_weights, learning_rate, train

SMALL = Recipe(epochs=3, batch=2, crop_px=32, warm_up_epochs=1)


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("light", [True, False])
def test_any_size_and_every_weight_has_a_gradient(light: bool) -> None:
    torch.manual_seed(0)
    network = RefineNet(5, widths=(8, 8, 8, 8), decoder=8, light=light)
    logits = network(torch.rand(2, 3, 97, 65))
    assert logits.shape == (2, 5, 97, 65)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_sizes() -> None:
    """The light decoder saves what the paper says it does: most of the decoder."""
    assert count(RefineNet(11)) == 2_594_315
    assert count(RefineNet(11, light=False)) == 6_554_123


def test_learning_rate_at_three_epochs() -> None:
    recipe = Recipe(epochs=103, warm_up_epochs=3)
    assert learning_rate(0, recipe) == pytest.approx(1e-3 * 0.1 / 3.1)
    assert learning_rate(3, recipe) == pytest.approx(1e-3)
    assert learning_rate(53, recipe) == pytest.approx(1e-3 * (0.01 + 0.99 / 2))
    assert learning_rate(103, recipe) == pytest.approx(1e-5)


def test_rare_classes_weigh_more_and_ignored_pixels_nothing() -> None:
    labels = np.zeros((10, 10), np.uint8)
    labels[0, 0] = 1
    labels[9] = IGNORED
    weights = class_weights([labels], 3)
    assert weights == pytest.approx(1 / np.log(1.1 + np.array([89 / 90, 1 / 90, 0])))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Bright squares on dark ground."""
    made = []
    for i in range(4):
        labels = np.zeros((40, 48), np.uint8)
        labels[8 + i : 28 + i, 10:30] = 1
        labels[:2] = IGNORED
        image = np.repeat(40 + 160 * (labels == 1)[:, :, None], 3, 2).astype(np.uint8)
        (tmp_path / f"{i}.png").write_bytes(encode_png(image))
        (tmp_path / f"{i}l.png").write_bytes(encode_labels(labels))
        paths = tmp_path / f"{i}.png", tmp_path / f"{i}l.png"
        made.append(Sample(str(i), paths[0], group=str(i), label_map_path=paths[1]))
    return made


def test_what_was_broken_off_goes_on_with_the_same_losses(
    samples: list[Sample], tmp_path: Path
) -> None:
    def losses(name: str, *ends: int) -> list[float]:
        curve: list[float] = []
        for end in ends:

            def told(epoch: int, loss: float, end: int = end) -> bool:
                curve.append(loss)
                return epoch < end

            train(samples, 2, SMALL, Checkpoint(tmp_path / name), told)
        return curve

    whole, broken = losses("whole.pt", 3), losses("broken.pt", 1, 2, 3)
    assert len(whole) == 3
    assert broken == pytest.approx(whole, abs=1e-6)


def test_a_short_training_ships_what_it_came_to(samples: list[Sample], tmp_path: Path) -> None:
    torch.manual_seed(SMALL.seed)
    first = RefineNet(2).state_dict()["classify.weight"]
    file = tmp_path / "c.pt"
    train(samples, 2, replace(SMALL, epochs=10), Checkpoint(file))
    kept = read_checkpoint(file)
    last, average = (kept[part] for part in ("network", "average"))
    moved = (last["classify.weight"] - first).norm()
    assert (average["module.classify.weight"] - last["classify.weight"]).norm() < 0.4 * moved


@pytest.mark.slow
def test_it_learns(samples: list[Sample], tmp_path: Path) -> None:
    recipe = Recipe(epochs=20, batch=2, crop_px=32, warm_up_epochs=1, largest_ema_decay=0.5)
    curve: list[float] = []

    def told(epoch: int, loss: float) -> bool:
        curve.append(loss)
        return True

    network = train(samples, 2, recipe, Checkpoint(tmp_path / "c.pt"), told)
    assert len(curve) == 20
    assert curve[-1] < 0.7 * curve[0]
    assert not network.training


def test_weights_come_with_their_classes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "street.safetensors"
    network = RefineNet(3).eval()
    save_file(network.state_dict(), file)
    with pytest.raises(TaskError, match="3 classes, 0 names are known"):
        refinenet_segmenter(file, "cpu")
    (tmp_path / "street.safetensors.json").write_text('{"classes": ["road", "sky", "car"]}')
    segmenter = refinenet_segmenter(file, "cpu")
    assert segmenter.names == ["road", "sky", "car"]
    image = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    (labels,) = segmenter.segment([image])
    with torch.no_grad():
        expected = network(to_tensor([image]))[0].argmax(0)
    assert np.array_equal(labels, expected)
    save_file({"weight": torch.zeros(1)}, file)
    with pytest.raises(TaskError, match="holds no RefineNet"):
        refinenet_segmenter(file, "cpu")


def test_the_card_says_at_which_sizes_a_picture_is_seen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "street.safetensors"
    network = RefineNet(3).eval()
    save_file(network.state_dict(), file)
    card = tmp_path / "street.safetensors.json"
    card.write_text('{"classes": ["road", "sky", "car"], "scales": [1, 1.5]}')
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    (labels,) = refinenet_segmenter(file, "cpu").segment([image])
    x = to_tensor([image])
    with torch.no_grad():
        large = network(interpolate(x, (48, 72), mode="bilinear"))
        back = interpolate(large, (32, 48), mode="bilinear")
        alone, both = network(x).softmax(1), network(x).softmax(1) + back.softmax(1)
    assert np.array_equal(labels, both[0].argmax(0))
    assert not np.array_equal(labels, alone[0].argmax(0))
    for wrong in ("[]", "[0]", "[9]", '["1"]', "2", "null"):
        card.write_text(f'{{"classes": ["road", "sky", "car"], "scales": {wrong}}}')
        with pytest.raises(TaskError, match="scales are a list of factors up to 4"):
            refinenet_segmenter(file, "cpu")
