"""The loop that trains derainers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from datasets.image import NDArrayByte
from derainers import DerainerError
from derainers.derainer import Derainer
from derainers.training.data import Crops
from derainers.training.learner import Checkpoint, Learner, Means
from derainers.training.loop import Trained, train
from derainers.training.recipes import PAPER, Plateau, short
from derainers.training.state import Row
from tasks.quality.psnr import psnr_y_db
from tests.derainers.photographs import EACH_EPOCH, PICTURES, RAIN, TINY, Picture, built, crops_of


def score(derainer: Derainer) -> Mapping[str, float]:
    clean = np.ascontiguousarray(PICTURES[0].pixels[40:88, 20:84])
    return {"closeness": -float(np.abs(derainer.restore(clean, "") - clean / 255).mean())}


def is_step(last: int, step: int, _: float) -> bool:
    return step == last


def in_parts(crops: Crops, checkpoint: Path, *stops: int) -> tuple[list[Trained], list[Row]]:
    """A training that is broken off after some steps, and what came of each part."""
    by_step: dict[int, Row] = {}
    parts = [
        train(
            built("prn-r", number),  # what a later part begins with is forgotten
            crops,
            Checkpoint(checkpoint),
            validate=score,
            told=lambda row: by_step.update({row.step: row}),
            stop=partial(is_step, stop),
        )
        for number, stop in enumerate(stops)
    ]
    return parts, [*by_step.values()]


def test_broken_off_training_goes_on_with_the_same_losses(tmp_path: Path) -> None:
    crops = crops_of(replace(TINY, decay=EACH_EPOCH))
    (whole,), expected = in_parts(crops, tmp_path / "whole.pt", 6)
    parts, found = in_parts(crops, tmp_path / "parts.pt", 1, 4, 6)
    assert [p.state.step for p in parts] == [1, 4, 6]
    assert [r.step for r in found] == [r.step for r in expected] == [2, 4, 6]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-6)
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-6)
    state = whole.network.state_dict()
    last = parts[-1].network.state_dict()
    assert all(torch.allclose(value, state[name], atol=1e-7) for name, value in last.items())


def test_the_discriminator_goes_on_too(tmp_path: Path) -> None:
    crops = crops_of(replace(TINY, adversarial=0.01, large_px=None), 4)
    _, whole = in_parts(crops, tmp_path / "whole.pt", 4)
    _, parts = in_parts(crops, tmp_path / "parts.pt", 2, 4)
    assert parts[-1].loss == pytest.approx(whole[-1].loss, abs=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["prn-r", "granet", "mspfn-light", "dcsfn-light"])
def test_cuda_replays_the_steps_of_the_cpu(name: str, tmp_path: Path) -> None:
    recipe = replace(short(name), epochs=3, steps_per_epoch=2, batch=2, patch_px=32, large_px=48)
    crops = crops_of(recipe)
    weights = built(name).module.state_dict()
    losses: dict[str, list[float]] = {}
    for device in ("cpu", "cuda"):
        derainer = built(name)
        derainer.module.load_state_dict(weights)
        rows: list[Row] = []
        file = tmp_path / f"{device}.pt"
        train(
            derainer, crops, Checkpoint(file), validate=score, told=rows.append, means=Means(device)
        )
        losses[device] = [row.loss for row in rows]
    assert losses["cuda"] == pytest.approx(losses["cpu"], abs=2e-3)


@pytest.mark.parametrize("name", ["granet", "mscg", "hrrsr-x1", "rescan"])
def test_bfloat16_reaches_the_layers(name: str, tmp_path: Path) -> None:
    formats: set[torch.dtype] = set()
    derainer = built(name)
    for layer in derainer.module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(
                lambda _, __, y: formats.add(y.dtype) if y.requires_grad else None
            )
    recipe = replace(short(name), epochs=1, steps_per_epoch=1, batch=1, patch_px=32, large_px=None)
    means = Means(dtype="bf16")
    train(
        derainer,
        crops_of(recipe, 1),
        Checkpoint(tmp_path / "bf16.pt"),
        validate=lambda _: {},
        means=means,
    )
    assert formats == {torch.bfloat16}


def test_the_weights_are_those_that_the_validation_chose(tmp_path: Path) -> None:
    recipe = replace(TINY, decay=EACH_EPOCH)
    values = iter([1.0, 3.0, 2.0])
    seen: list[torch.Tensor] = []

    def validate(derainer: Derainer) -> Mapping[str, float]:
        seen.append(next(derainer.module.parameters()).detach().clone())
        return {"psnr": next(values)}

    trained = train(
        built("prn-r"), crops_of(recipe), Checkpoint(tmp_path / "a.pt"), validate=validate
    )
    assert trained.state.best == 3.0
    assert torch.equal(next(trained.network.parameters()), seen[1])
    assert not torch.equal(seen[1], seen[2])


@pytest.mark.parametrize("dropout", [False, True])
def test_dropout_is_for_long_trainings(dropout: bool, tmp_path: Path) -> None:
    dropped: list[bool] = []

    class Layer(nn.Dropout2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            dropped.append(self.training)
            return super().forward(input)

    recipe = replace(TINY, loss="mae", decay=EACH_EPOCH, dropout=dropout)
    derainer = Derainer(nn.Sequential(nn.Conv2d(3, 3, 1), Layer()))
    train(derainer, crops_of(recipe), Checkpoint(tmp_path / "a.pt"), validate=score)
    assert any(dropped) is dropout
    assert dropped[-1] is False  # it is validated without
    assert (short("hrrsr").dropout, PAPER["hrrsr"].dropout) == (False, True)


def test_a_plateau_lowers_the_rate_down_to_its_floor(tmp_path: Path) -> None:
    decay = Plateau(by=0.5, patience=1, floor=1e-4 / 5e-4)
    recipe = replace(PAPER["granet"], epochs=8, batch=1, patch_px=32, decay=decay)
    rows: list[Row] = []
    crops = crops_of(recipe, 8)
    checkpoint = Checkpoint(tmp_path / "a.pt")
    train(built("prn-r"), crops, checkpoint, validate=lambda _: {"p": 0.0}, told=rows.append)
    rates = [row.learning_rate for row in rows]
    assert rates == pytest.approx([5e-4] * 3 + [2.5e-4] * 2 + [1.25e-4] * 2 + [1e-4])


def test_nan_stops_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "a.pt"
    train(
        built("prn-r"),
        crops_of(TINY),
        Checkpoint(checkpoint),
        score,
        stop=lambda step, _: step == 2,
    )
    before = checkpoint.read_bytes()
    broken = replace(TINY, learning_rate=float("inf"))
    with pytest.raises(
        DerainerError, match=r"loss or gradient became nan at step 4: the last checkpoint stays in"
    ):
        train(built("prn-r"), crops_of(broken), Checkpoint(checkpoint), validate=score)
    assert checkpoint.read_bytes() == before


def test_a_recipe_may_be_validated_by_crops(tmp_path: Path) -> None:
    recipe = replace(TINY, validated_every_crops=4, large_px=64)
    rows: list[Row] = []
    train(built("prn-r"), crops_of(recipe), Checkpoint(tmp_path / "a.pt"), score, rows.append)
    assert [(row.step, row.crops) for row in rows] == [(2, 4), (4, 8), (6, 14)]


def test_a_checkpoint_is_kept_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derainers.training.loop.SAVED_AT_LEAST_EVERY_S", -1)
    noted: list[Path] = []
    checkpoint = Checkpoint(tmp_path / "a.pt", {"of": ["this"]}, noted.append)
    train(built("prn-r"), crops_of(TINY), checkpoint, score, stop=lambda step, _: step == 3)
    assert len(noted) == 3
    kept = torch.load(tmp_path / "a.pt")
    assert kept["training"] == {"of": ["this"]}
    (leg,) = kept["state"]["legs"]
    assert (leg["steps"], leg["crops"], leg["dtype"]) == (3, 6, "fp32")


def test_a_checkpoint_of_a_gpu_goes_on_here(tmp_path: Path) -> None:
    file, crops = tmp_path / "a.pt", crops_of(TINY)
    train(built("prn-r"), crops, Checkpoint(file), score, stop=lambda step, _: step == 1)
    content = torch.load(file)
    content["optimiser"]["param_groups"][0]["fused"] = True  # as Adam is on CUDA
    torch.save(content, file)
    learner = Learner(built("prn-r"), crops, Means())
    assert learner.restored(file).step == 1
    assert [group["fused"] for group in learner.optimiser.param_groups] == [None]


@pytest.mark.slow
def test_four_patches_can_be_learned_by_heart(tmp_path: Path) -> None:
    clean = [PICTURES[0].pixels[i : i + 32, :32].copy() for i in (0, 20, 50, 90)]
    rainy = [RAIN.render(c, np.random.default_rng(i)).image for i, c in enumerate(clean)]

    @dataclass(frozen=True)
    class Pair(Picture):
        def given_rain(self) -> NDArrayByte:
            return rainy[int(self.id)]

    pairs = [Pair(str(i), c) for i, c in enumerate(clean)]
    recipe = replace(short("prenet"), epochs=1, batch=4, patch_px=32, large_px=None)
    crops = crops_of(recipe, 500, photographs=pairs, rains=())
    trained = train(built("prenet"), crops, Checkpoint(tmp_path / "a.pt"), validate=score)
    derainer = Derainer(trained.network)
    restored = [derainer.restore(image, "") for image in rainy]
    gained = [
        psnr_y_db(c, np.rint(r * 255).astype(np.uint8))
        for c, r in zip(clean, restored, strict=True)
    ]
    assert np.mean(gained) >= 40


def test_an_error_leaves_no_process_behind(tmp_path: Path) -> None:
    def broken(_: Derainer) -> Mapping[str, float]:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space") as kept:
        train(
            built("prn-r"),
            crops_of(TINY),
            Checkpoint(tmp_path / "c.pt"),
            broken,
            means=Means(workers=1),
        )
    assert kept.tb is not None
    assert not multiprocessing.active_children()


def test_a_checkpoint_of_another_training_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "c.pt"
    for data in (b"", b"no checkpoint"):
        file.write_bytes(data)
        with pytest.raises(DerainerError, match=r"c\.pt: cannot be read"):
            train(built("prn-r"), crops_of(TINY), Checkpoint(file), score)
    contents: list[Any] = [[], {"network": {}}, {"state": {"step": "x"}}]
    for content in contents:
        torch.save(content, file)
        with pytest.raises(DerainerError, match=r"c\.pt is another training's"):
            train(built("prn-r"), crops_of(TINY), Checkpoint(file), score)
