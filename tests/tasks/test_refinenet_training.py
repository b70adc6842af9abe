"""The trainer of the light-weight RefineNet."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from datasets.image import encode_png
from datasets.label_png import encode_labels
from datasets.sample import IGNORED, Sample
from tasks.task import TaskError
from tasks.training import refinenet
from tasks.training.checkpoint import Checkpoint
from tasks.training.refinenet import Recipe, train

RECIPE = Recipe(epochs=2, batch=1, crop_px=64, scale=(0.0, 0.0))


def samples(folder: Path, labelled: int) -> list[Sample]:
    """Three images, of which some have labels."""
    found = []
    for i in range(3):
        image, labels = folder / f"{i}.png", folder / f"{i}-labels.png"
        image.write_bytes(encode_png(np.full((64, 64, 3), 40 * i, np.uint8)))
        value = i % 2 if i < labelled else IGNORED
        labels.write_bytes(encode_labels(np.full((64, 64), value, np.uint8)))
        found.append(Sample(str(i), image, str(i), label_map_path=labels))
    return found


@pytest.mark.parametrize("labelled", [2, 0])
def test_crops_without_a_label_teach_nothing(labelled: int, tmp_path: Path) -> None:
    losses: list[float] = []

    def told(_: int, loss: float) -> bool:
        losses.append(loss)
        return True

    network = train(
        samples(tmp_path, labelled),
        2,
        RECIPE,
        Checkpoint(tmp_path / "checkpoint.pt"),
        report=told,
    )
    assert len(losses) == 2
    assert all(map(math.isfinite, losses))
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = np.full(2, np.nan, np.float32)
    monkeypatch.setattr(refinenet, "class_weights", lambda *_: nothing)
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(TaskError, match="the loss became nan"):
        train(samples(tmp_path, 3), 2, RECIPE, Checkpoint(checkpoint))
    assert not checkpoint.exists()
