"""Tiles: where memory ends, and what they cost in accuracy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datasets.image import NDArrayByte
from derainers import DERAINERS, DerainerError
from derainers.derainer import Derainer
from derainers.networks.prenet import PReNet


class Limited(nn.Module):
    """A network that has memory for a certain number of pixels alone."""

    def __init__(self, pixels: int, error: RuntimeError) -> None:
        super().__init__()
        self.pixels = pixels
        self.error = error
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] * x.shape[3] > self.pixels:
            raise self.error
        self.sizes.append(tuple(x.shape[2:]))
        return x


def black(height: int, width: int) -> NDArrayByte:
    return np.zeros((height, width, 3), np.uint8)


def picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(300, 500), (160, 1000), (97, 641), (700, 33)])
@pytest.mark.parametrize("tile_px", [192, 224, 320])
def test_overlaps_sum_to_the_image(size: tuple[int, int], tile_px: int) -> None:
    derainer = Derainer(nn.Identity(), multiple_of=8).in_tiles(tile_px)
    x = picture(*size)
    assert torch.allclose(derainer(x), x, atol=1e-6)
    assert derainer.measured(black(*size), "").tile_px == tile_px


def test_enlarging_networks_are_tiled_too() -> None:
    derainer = Derainer(nn.Upsample(scale_factor=2), scale=2)
    x = picture(200, 330)
    whole = derainer(x)
    assert torch.allclose(derainer.in_tiles(192)(x), whole, atol=1e-6)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory_halves_until_it_fits(error: RuntimeError) -> None:
    network = Limited(200 * 200, error)
    derainer = Derainer(network)
    x = picture(400, 800)
    before = dict(vars(derainer))
    assert torch.allclose(derainer(x), x, atol=1e-6)
    tile_px = derainer.measured(black(400, 800), "").tile_px
    assert tile_px == 192  # 800 → 400 → 384, too large, → 192
    assert max(map(max, network.sizes)) <= 192
    assert vars(derainer) == before
    assert derainer.measured(black(100, 100), "").tile_px is None  # the next image begins anew


def test_no_memory_at_all_is_told() -> None:
    with pytest.raises(DerainerError, match="out of memory even in tiles of 192 px: use fewer"):
        Derainer(Limited(10, torch.OutOfMemoryError("")))(picture(400, 800))


def test_other_errors_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="another"):
        Derainer(Limited(10, RuntimeError("another")))(picture(400, 800))


def test_tiles_begin_on_the_networks_grid() -> None:
    """Max pooling on 32x32 squares sees the same squares in every tile."""

    class Squares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.interpolate(nn.functional.max_pool2d(x, 32), scale_factor=32)

    derainer = Derainer(Squares(), multiple_of=32)
    x = picture(320, 640)
    whole = derainer(x)
    assert torch.allclose(derainer.in_tiles(192)(x), whole, atol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("prenet", "PReNet6.pth"),
        ("prenet-r", "PReNet6_r.pth"),
        ("prn", "PRN6.pth"),
        ("prn-r", "PRN6_r.pth"),
    ],
)
def test_local_networks_do_not_see_the_tiles(name: str, file: str, data: Path) -> None:
    derainer = DERAINERS[name].build(data / "weights" / "prenet-rain100l" / file)
    assert isinstance(derainer, Derainer)
    x = picture(256, 320)
    whole = derainer.to("cpu")(x)
    assert (derainer.in_tiles(192)(x) - whole).abs().max() < 1 / 255


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_number_formats_stay_near_fp32(dtype: str) -> None:
    """Bundled weights on smooth noise: the page of the derainers gives what photographs do."""
    row = DERAINERS["granet"]
    small = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    x = nn.functional.interpolate(small, size=(96, 128), mode="bicubic").clamp(0, 1)
    full, short = (row.build(row.weights) for _ in range(2))
    assert isinstance(full, Derainer)
    assert isinstance(short, Derainer)
    error = (full.to("cpu")(x) - short.to("cpu", dtype)(x)).square().mean()
    assert -10 * math.log10(float(error)) > {"bf16": 40, "fp16": 55}[dtype]


def test_a_local_network_in_tiles_equals_the_whole() -> None:
    torch.manual_seed(0)
    derainer = Derainer(PReNet(stages=2)).to("cpu")
    x = picture(200, 300)
    whole = derainer(x)
    assert (derainer.in_tiles(192)(x) - whole).abs().max() < 1 / 255
