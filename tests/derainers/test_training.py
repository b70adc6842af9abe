"""Losses, crops and the loop that trains derainers."""

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
from skimage.data import astronaut
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from datasets.image import NDArrayByte, NDArrayFloat, to_tensor
from datasets.rain import RAINS
from derainers import DERAINERS, DerainerError
from derainers.derainer import Derainer
from derainers.training.data import Crops, loader
from derainers.training.learner import Checkpoint, Learner, Means, average_of
from derainers.training.loop import Trained, train
from derainers.training.losses import LOSSES, Judge, Perceptual, laplacian, ssim
from derainers.training.recipes import PAPER, RELEASE, Loss, Plateau, Recipe, short
from derainers.training.state import Row
from tasks.quality.psnr import psnr_y_db
from tasks.quality.ssim import ssim_rgb_dcsfn

RAIN = RAINS["rain100l"]


@dataclass(frozen=True)
class Picture:
    """A photograph in memory."""

    id: str
    pixels: NDArrayByte

    def image(self) -> NDArrayByte:
        return self.pixels

    def given_rain(self) -> NDArrayByte:
        return 255 - self.pixels

    has_depth = False

    def depth_m(self) -> NDArrayFloat | None:
        return None


PICTURES = [
    Picture("face", np.ascontiguousarray(astronaut()[:160, 150:250])),
    Picture("flag", np.ascontiguousarray(astronaut()[100:200, :140])),
]
EACH_EPOCH = Plateau(by=0.5, patience=9, floor=0.1)
"""Validates after every epoch."""
TINY = replace(short("prn-r"), epochs=3, steps_per_epoch=2, batch=2, patch_px=32, large_px=48)


def built(name: str, seed: int = 0) -> Derainer:
    torch.manual_seed(seed)
    derainer = DERAINERS[name].build(None)
    assert isinstance(derainer, Derainer)
    return derainer


def crops_of(recipe: Recipe, steps: int = 6, **changes: object) -> Crops:
    return replace(Crops(PICTURES, (RAIN,), recipe, steps, 8), **changes)  # type: ignore[arg-type]


def score(derainer: Derainer) -> Mapping[str, float]:
    restored = derainer.restore(PICTURES[0].pixels, "")
    return {"closeness": -float(np.abs(restored - PICTURES[0].pixels / 255).mean())}


def test_ssim_is_the_one_that_dcsfns_authors_score() -> None:
    clean = PICTURES[0].pixels
    rainy = RAIN.render(clean, np.random.default_rng(0)).image
    ours = float(ssim(to_tensor([rainy]).double(), to_tensor([clean]).double()))
    assert ours == pytest.approx(ssim_rgb_dcsfn(clean, (rainy / 255).astype(np.float32)), abs=2e-5)


def test_edges_of_an_even_image_are_nothing_inside() -> None:
    edges = laplacian(torch.full((1, 3, 6, 6), 0.5))
    assert edges[:, :, 1:-1, 1:-1].abs().max() < 1e-6
    point = torch.zeros(1, 1, 5, 5)
    point[0, 0, 2, 2] = 1
    assert torch.equal(
        laplacian(point)[0, 0, 1:4, 1:4], torch.tensor([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    )


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        *((n, short(n).loss) for n in ("mspfn-light", "dcsfn-light", "granet", "mscg", "prn")),
        *((n, short(n).loss) for n in ("hrrsr", "rescan", "nledn")),
        *(("hrrsr-x1", of["hrrsr"].loss) for of in (PAPER, RELEASE)),
        ("hrrsr-x1", short("hrrsr").loss),
    ],
)
def test_two_steps_lower_the_loss_of_a_batch(name: str, loss: Loss) -> None:
    derainer, recipe = built(name), short(name)
    groups = next(iter(loader(crops_of(replace(recipe, batch=2, patch_px=64)), 0, 0)))
    (rainy, clean), network = groups[0], derainer.module.train()
    black, white = derainer.range
    x, y = (images * (white - black) + black for images in (rainy, clean))
    adam = torch.optim.Adam(network.parameters(), betas=recipe.betas)
    losses = []
    for step in range(3):
        adam.param_groups[0]["lr"] = recipe.rate(step, recipe.steps_per_epoch or 1)
        torch.manual_seed(0)  # of dropout
        found, restored = LOSSES[loss](network, x, y)
        assert restored.shape == y.shape
        adam.zero_grad()
        found.backward()
        adam.step()
        losses.append(found.item())
    assert losses[2] < losses[1] < losses[0]


def test_the_released_loss_of_hrrsr_weighs_images_of_twice_the_range() -> None:
    """A constant error of 0.1 in [0, 1] is 0.2 in the authors' [-1, 1]; edges are equal then."""

    class Shifted:
        def stages(self, rainy: Tensor) -> tuple[Tensor, list[Tensor]]:
            return rainy + 0.1, [rainy[:, :, ::2, ::2] + 0.1] * 3

    clean = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.8
    loss, restored = LOSSES["two-stage-release"](Shifted(), clean, clean)
    assert float(loss) == pytest.approx(4 * 0.2**2 + 1 - float(ssim(restored, clean)), rel=1e-5)
    tilted = clean + torch.linspace(0, 0.3, 16)  # rising by 0.02 a pixel, by 0.04 in [-1, 1]
    flat = torch.full_like(clean, 0.5)

    class Tilted(Shifted):
        def stages(self, rainy: Tensor) -> tuple[Tensor, list[Tensor]]:
            return flat + (tilted - clean), [flat[:, :, ::2, ::2]] * 3

    loss, restored = LOSSES["two-stage-release"](Tilted(), flat, flat)
    squares = 4 * float((restored - flat).square().mean())
    expected = squares + 1 - float(ssim(restored, flat)) + 0.04
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_both_sides_of_the_game_learn() -> None:
    torch.manual_seed(0)
    judge = Judge()
    clean, rainy = (to_tensor([PICTURES[0].pixels[:64, :64] // k]) for k in (1, 2))
    adam = torch.optim.Adam(judge.parameters(), 2e-4)
    before = judge.error(rainy, clean, rainy).item()
    price = judge(rainy, rainy).item()
    for _ in range(20):
        adam.zero_grad()
        judge.error(rainy, clean, rainy).backward()
        adam.step()
    assert judge.error(rainy, clean, rainy).item() < before
    assert judge(rainy, rainy).item() > price


def test_the_perceptual_term_is_nothing_for_equal_images(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = make_layers(cfgs["D"]).state_dict()
    state = {f"features.{name}": value for name, value in layers.items()}
    torch.save(state | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "vgg16.pth")
    term = Perceptual(tmp_path / "vgg16.pth")
    image = to_tensor([PICTURES[0].pixels[:32, :32]])
    assert float(term(image, image)) == 0
    assert float(term(image.flip(2), image)) > 0
    assert not any(p.requires_grad for p in term.parameters())


def test_a_crop_is_the_same_whoever_asks() -> None:
    crops = crops_of(TINY)
    for number in (0, 3, 10):
        ((rainy, clean),) = crops[number]
        (again,) = crops[number]
        assert np.array_equal(rainy, again[0])
        assert np.array_equal(clean, again[1])
        assert rainy.shape == clean.shape == (48, 48, 3) if number == 10 else (32, 32, 3)
    assert not np.array_equal(crops[0][0][1], crops[2][0][1])


def test_crops_of_one_render_show_one_photograph() -> None:
    pictures = [Picture(str(i), np.full((60, 60, 3), i, np.uint8)) for i in range(4)]
    recipe = replace(TINY, batch=6, crops_per_render=3)
    crops = crops_of(recipe, photographs=pictures, rains=())
    steps = [[clean for _, clean in groups] for groups in loader(crops, 0, 0)]
    seen = [
        [len(set(clean.flatten(1)[n].tolist())) for n in range(len(clean))] for (clean,) in steps
    ]
    assert [len(clean) for (clean,) in steps] == [6, 6, 6, 6, 6, 1]
    assert all(count == 1 for step in seen for count in step)
    shown = [clean[:, 0, 0, 0].tolist() for (clean,) in steps[:-1]]
    assert all(len(set(step[:3])) == len(set(step[3:])) == 1 for step in shown)
    assert {round(255 * value) for step in shown[:2] for value in step} == set(range(4))
    corners = loader(crops_of(recipe), 0, 0)
    ((rainy, _),) = next(iter(corners))
    assert not torch.equal(rainy[0], rainy[1])


def test_rainy_and_clean_are_the_same_window() -> None:
    crops = crops_of(TINY, rains=())
    for number in range(6):
        ((rainy, clean),) = crops[number]
        assert np.array_equal(rainy, 255 - clean)


def test_no_rain_leaves_its_share_clean() -> None:
    crops = crops_of(TINY, steps=20, rains=(RAIN, None))
    pairs = [pair for number in range(len(crops)) for pair in crops[number]]
    dry = sum(np.array_equal(rainy, clean) for rainy, clean in pairs)
    assert 10 <= dry <= len(pairs) - 10


def test_every_photograph_is_seen_once_in_an_epoch() -> None:
    pictures = [Picture(str(i), np.full((40, 40, 3), i, np.uint8)) for i in range(7)]
    crops = crops_of(replace(TINY, batch=7), photographs=pictures, rains=())
    for epoch in range(2):
        assert {int(crops[7 * epoch + i][0][1][0, 0, 0]) for i in range(7)} == set(range(7))


def test_whole_images_come_one_by_one() -> None:
    crops = crops_of(replace(PAPER["granet"], batch=3))
    (groups, *_) = loader(crops, 0, 0)
    sizes = {tuple(rainy.shape) for rainy, _ in groups}
    assert len(groups) == 3
    assert sizes == {(1, 3, 160, 96), (1, 3, 96, 136)}


def test_processes_share_a_step() -> None:
    crops = crops_of(TINY)
    whole = [rainy for groups in loader(crops, 0, 0) for rainy, _ in groups]
    parts = [[r for groups in loader(crops, 0, 0, rank, 2) for r, _ in groups] for rank in (0, 1)]
    assert torch.equal(whole[0][0::2], parts[0][0])
    assert torch.equal(whole[0][1::2], parts[1][0])


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
    assert [(p.state.step, p.is_done) for p in parts] == [(1, False), (4, False), (6, True)]
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


def test_the_average_forgets_where_it_began() -> None:
    averaged, now = [torch.tensor([100.0])], [torch.tensor([1.0])]
    update = average_of(0.999)
    for steps in range(1, 101):
        update(averaged, now, torch.tensor(steps))
    assert averaged[0].item() == pytest.approx(1, abs=1e-3)
    update(averaged, [torch.tensor([0.0])], torch.tensor(100_000))
    assert averaged[0].item() == pytest.approx(0.999, abs=1e-3)


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
    clean = [PICTURES[0].pixels[i : i + 64, :64].copy() for i in (0, 20, 50, 90)]
    rainy = [RAIN.render(c, np.random.default_rng(i)).image for i, c in enumerate(clean)]

    @dataclass(frozen=True)
    class Pair(Picture):
        def given_rain(self) -> NDArrayByte:
            return rainy[int(self.id)]

    pairs = [Pair(str(i), c) for i, c in enumerate(clean)]
    recipe = replace(short("prenet"), epochs=1, batch=4, patch_px=64, large_px=None)
    crops = crops_of(recipe, 1000, photographs=pairs, rains=())
    trained = train(built("prenet"), crops, Checkpoint(tmp_path / "a.pt"), validate=score)
    derainer = Derainer(trained.network)
    restored = [derainer.restore(image, "") for image in rainy]
    gained = [
        psnr_y_db(c, np.rint(r * 255).astype(np.uint8))
        for c, r in zip(clean, restored, strict=True)
    ]
    assert np.mean(gained) >= 35


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
