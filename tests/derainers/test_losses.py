"""What derainers are trained to make small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.vgg import cfgs, make_layers

from datasets.image import to_tensor
from derainers.training.data import loader
from derainers.training.losses import LOSSES, Judge, Perceptual, laplacian, ssim
from derainers.training.recipes import PAPER, RELEASE, Loss, short
from tasks.quality.ssim import ssim_rgb_dcsfn
from tests.derainers.photographs import PICTURES, RAIN, built, crops_of


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
    groups = next(iter(loader(crops_of(replace(recipe, batch=2, patch_px=32)), 0, 0)))
    (rainy, clean), network = groups[0], derainer.module.train()
    black, white = derainer.range
    x, y = (images * (white - black) + black for images in (rainy, clean))
    adam = torch.optim.Adam(network.parameters(), betas=recipe.betas)
    losses = []
    for step in range(3):
        adam.param_groups[0]["lr"] = recipe.rate(step, recipe.steps(1), recipe.steps(1))
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
