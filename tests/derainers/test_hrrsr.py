"""HRRSR: counts, patches, the rain model."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from derainers.networks.hrrsr import HRRSR, PATCHES, stable_patches


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_releases_parameters() -> None:
    network = HRRSR(release=True)
    assert count(network) == 11_661_560
    assert count(network.transmission) == 9_853_103
    assert count(network.streaks) == 543_507
    assert count(network.patch_features) == 616_723
    assert count(network.refinement) == 507_459


@pytest.mark.parametrize("models", [("add", "mul"), ("ats", "mul"), ("ats", "add"), ("mul",)])
@pytest.mark.parametrize("release", [False, True])
def test_any_models_of_the_first_stage(models: tuple[str, ...], release: bool) -> None:
    network = HRRSR(models=models, release=release).eval()
    x = torch.rand(1, 3, 64, 96)
    stages = network.stages(x)
    assert stages.restored.shape == x.shape
    assert [tuple(image.shape) for image in stages.models] == [(1, 3, 32, 48)] * len(models)
    assert torch.isfinite(stages.restored).all()


def test_full_size_form_sees_every_pixel() -> None:
    network = HRRSR(scale=1).eval()
    (image, *_), x = network.stages(torch.rand(1, 3, 32, 48)).models, (1, 3, 32, 48)
    assert tuple(image.shape) == x


@pytest.mark.parametrize("scale", [1, 2])
def test_an_untrained_network_gives_the_image_back(scale: int) -> None:
    x = torch.rand(1, 3, 64, 96)
    kept = x[:, :, ::scale, ::scale].repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    with torch.no_grad():
        stages = HRRSR(scale=scale).eval().stages(x)
    assert (stages.restored - kept).abs().max() < 0.05
    assert all((image - x[:, :, ::scale, ::scale]).abs().max() < 0.05 for image in stages.models)


def test_patches_begin_at_the_stable_regions() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    image = cv2.resize(levels, (192, 128), interpolation=cv2.INTER_CUBIC)
    found = [point.pt for point in cv2.MSER.create().detect(image)][:PATCHES]
    assert 2 < len(found) < PATCHES
    picture = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    patches = stable_patches(picture).unflatten(1, (PATCHES, 3))[0]
    assert patches.shape == (PATCHES, 3, 8, 12)
    bordered = torch.nn.functional.pad(picture, (0, 12, 0, 8), mode="replicate")[0]
    for patch, (x, y) in zip(patches, found, strict=False):
        assert torch.equal(patch, bordered[:, int(y) : int(y) + 8, int(x) : int(x) + 12])
    assert torch.equal(patches[len(found) - 1], patches[-1])  # the last one fills up


def test_without_regions_a_grid_stands_in() -> None:
    ramp = torch.arange(32 * 32, dtype=torch.float32).reshape(1, 1, 32, 32) / 4096
    patches = stable_patches(ramp.expand(1, 3, 32, 32)).unflatten(1, (PATCHES, 3))
    corners = patches[0, :, 0, 0, 0] * 4096
    y, x = np.divmod(corners.round().numpy(), 32)
    assert len(set(zip(x.tolist(), y.tolist(), strict=True))) == PATCHES
    assert torch.equal(patches, stable_patches(ramp.expand(1, 3, 32, 32)).unflatten(1, (128, 3)))


def test_transmission_keeps_its_floor() -> None:
    """With T at its floor the model divides by 0.05 and never by zero."""
    network = HRRSR(models=("ats",)).eval()
    torch.nn.init.zeros_(network.transmission.leave.weight)
    torch.nn.init.constant_(network.transmission.leave.bias, -100.0)  # type: ignore[arg-type]
    x = torch.rand(1, 3, 32, 32)
    small = x[:, :, ::2, ::2]
    with torch.no_grad():
        expected = (small - 0.95 * network.airlight(small)) / 0.05 - network.streaks(small)
        assert torch.allclose(network.stages(x).models[0], expected, atol=1e-4)
