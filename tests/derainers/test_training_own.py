"""Networks and losses of a user's own in the loop, and validations that were broken off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datasets.image import to_tensor
from derainers import DerainerError
from derainers.derainer import Derainer
from derainers.training.learner import Checkpoint, Learner, Means
from derainers.training.loop import OutOfTimeError, Trained, train
from derainers.training.losses import LOSSES, loss_of
from derainers.training.state import Row
from tests.derainers.photographs import EACH_EPOCH, PICTURES, RAIN, TINY, built, crops_of

OWN = Means(is_own=True)


def score(derainer: Derainer) -> Mapping[str, float]:
    clean = np.ascontiguousarray(PICTURES[0].pixels[40:72, 20:52])
    return {"closeness": -float(np.abs(derainer.restore(clean, "") - clean / 255).mean())}


def layer() -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(3, 3, 1)


def ended_once(at: int) -> Callable[[Derainer], Mapping[str, float]]:
    """A validation for whose call number ``at`` there is no time."""
    calls = iter(range(1, 100))

    def validate(derainer: Derainer) -> Mapping[str, float]:
        if next(calls) == at:
            raise OutOfTimeError
        return score(derainer)

    return validate


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_validation_that_was_broken_off_is_made_up(at: int, tmp_path: Path) -> None:
    """With a rate that the validations decide, and at the last step too."""
    decay = replace(EACH_EPOCH, patience=0)
    crops = crops_of(replace(TINY, decay=decay, ema_decay=None))

    def part(file: str, validate: Any) -> tuple[Trained, list[Row]]:
        rows: list[Row] = []
        checkpoint = Checkpoint(tmp_path / file)
        trained = train(built("prn-r"), crops, checkpoint, validate=validate, told=rows.append)
        return trained, rows

    whole, expected = part("whole.pt", score)
    first, _ = part("parts.pt", ended_once(at))
    assert (first.state.step, first.lacks_scores) == (2 * at, True)
    second, found = part("parts.pt", score)
    assert (whole.lacks_scores, second.lacks_scores) == (False, False)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.step, ours.learning_rate) == (theirs.step, theirs.learning_rate)
        assert (ours.loss, ours.scores) == (theirs.loss, theirs.scores)
    assert second.state.best == whole.state.best
    theirs_state = whole.network.state_dict()
    assert all(torch.equal(v, theirs_state[n]) for n, v in second.network.state_dict().items())


def test_ssim_of_a_range_is_that_of_the_images() -> None:
    clean = PICTURES[0].pixels
    rainy = RAIN.render(clean, np.random.default_rng(0)).image
    x, y = (to_tensor([image]).double() for image in (rainy, clean))
    expected, _ = LOSSES["negative-ssim"](lambda each: each, x, y)
    for black, white in ((-1.0, 1.0), (0.0, 255.0)):
        a, b = (images * (white - black) + black for images in (x, y))
        found, restored = loss_of("negative-ssim", (black, white))(lambda each: each, a, b)
        assert float(found) == pytest.approx(float(expected), abs=1e-9)
        assert restored is a
    assert loss_of("negative-ssim", (0.0, 1.0)) is LOSSES["negative-ssim"]


@pytest.mark.parametrize("kind", ["Dropout", "Dropout1d", "Dropout3d", "AlphaDropout"])
@pytest.mark.parametrize("dropout", [False, True])
def test_every_kind_of_dropout_does_as_the_recipe_says(kind: str, dropout: bool) -> None:
    drops = getattr(nn, kind)(0.5)
    derainer = Derainer(nn.Sequential(layer(), drops))
    learner = Learner(derainer, crops_of(replace(TINY, loss="mae", dropout=dropout)), Means())
    assert drops.training is dropout
    assert learner.derainer.module[0].training  # type: ignore[index]


class Grid(nn.Module):
    """Keeps a grid for each size of image."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.grids = layer(), dict[tuple[int, ...], Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        grid = self.grids.setdefault(tuple(x.shape[2:]), torch.ones_like(x[:1]) / 2)
        y: Tensor = self.layer(x) * grid
        return y


def test_what_a_network_keeps_of_a_validation_can_be_learned_with(tmp_path: Path) -> None:
    def large(derainer: Derainer) -> Mapping[str, float]:
        clean = np.ascontiguousarray(PICTURES[0].pixels[:48, :48])  # as the crop of step 6
        return {"white": float(derainer.restore(clean, "").mean())}

    crops = crops_of(replace(TINY, loss="mae", decay=EACH_EPOCH))
    trained = train(Derainer(Grid()), crops, Checkpoint(tmp_path / "a.pt"), large, means=OWN)
    assert trained.state.step == crops.steps


def nothing(restored: Tensor, clean: Tensor) -> Tensor:
    raise KeyError("weights\nof it")


def image(restored: Tensor, clean: Tensor) -> Tensor:
    return restored - clean


def number(restored: Tensor, clean: Tensor) -> Any:
    return float((restored - clean).abs().mean())


def detached(restored: Tensor, clean: Tensor) -> Tensor:
    return (restored.detach() - clean).abs().mean()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (nothing, "the loss raised KeyError: 'weights"),
        (
            image,
            r"the loss must return a tensor of one number, .* not a tensor of \(2, 3, 32, 32\)",
        ),
        (number, "the loss must return a tensor of one number, .* not float"),
        (detached, "the loss does not follow from the restored images"),
    ],
)
def test_a_loss_that_nothing_is_learned_by_is_one_line(
    loss: Any, says: str, tmp_path: Path
) -> None:
    means = replace(OWN, loss=loss)
    with pytest.raises(DerainerError, match=says) as told:
        train(Derainer(layer()), crops_of(TINY), Checkpoint(tmp_path / "a.pt"), score, means=means)
    assert "\n" not in str(told.value)


class Small(nn.Module):
    """Fails on large crops, which no trial of small ones shows."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layer()

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] > 40:
            raise ValueError("too\nlarge")
        y: Tensor = self.layer(x)
        return y


def test_a_step_that_fails_says_which_it_was(tmp_path: Path) -> None:
    crops = crops_of(replace(TINY, loss="mae"))
    says = r"step 6, 1 crop of 48x48, raised ValueError: too large"
    with pytest.raises(DerainerError, match=says):
        train(Derainer(Small()), crops, Checkpoint(tmp_path / "a.pt"), lambda _: {}, means=OWN)


def test_a_validation_that_fails_says_so(tmp_path: Path) -> None:
    def fails(_: Derainer) -> Mapping[str, float]:
        raise AttributeError("no such part")

    crops = crops_of(replace(TINY, loss="mae", decay=EACH_EPOCH))
    says = "the validation at step 2 raised AttributeError: no such part"
    with pytest.raises(DerainerError, match=says):
        train(Derainer(layer()), crops, Checkpoint(tmp_path / "a.pt"), fails, means=OWN)
