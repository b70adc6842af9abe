"""The wrapper around networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from derainers import DerainerError
from derainers.derainer import Derainer


class Function(nn.Module):
    """A network that is one function and remembers its input."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function
        self.seen = torch.zeros(0)

    def forward(self, x: Tensor) -> object:
        self.seen = x
        return self.function(x)


def batch(height: int = 5, width: int = 7) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 24), (2, 100)])
def test_padding_is_a_reflection_and_is_undone(size: tuple[int, int]) -> None:
    module = Function(lambda x: x)
    x = batch(*size)
    assert torch.equal(Derainer(module, multiple_of=8, minimum_px=16)(x), x)
    height, width = module.seen.shape[2:]
    assert height % 8 == width % 8 == 0
    assert min(height, width) >= 16
    rows = np.pad(np.arange(size[0]), (0, height - size[0]), "reflect")
    columns = np.pad(np.arange(size[1]), (0, width - size[1]), "reflect")
    assert torch.equal(module.seen[0, 0], x[0, 0][rows][:, columns])


def test_range_and_channel_order_are_the_networks() -> None:
    module = Function(lambda x: x)
    x = batch()
    assert torch.allclose(Derainer(module, range=(-1, 1), channels="bgr")(x), x, atol=1e-6)
    assert torch.allclose(module.seen, x.flip(1) * 2 - 1)


def test_output_picks_the_image_and_is_clamped() -> None:
    module = Function(lambda x: (None, x * 3 - 1))
    y = Derainer(module, output=lambda result: result[1])(batch())  # type: ignore[index]
    assert y.min() == 0
    assert y.max() == 1


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: (x, x), "returns 2 images of the input's size"),
        (lambda x: x[:, :1], "expected .1, 3, 5, 7"),
        (lambda x: x / 0, "non-finite"),
    ],
)
def test_a_wrong_network_is_told(function: Callable[[Tensor], object], words: str) -> None:
    with pytest.raises(DerainerError, match=words):
        Derainer(Function(function))(batch())


@pytest.mark.parametrize(
    "arguments", [{"channels": "gbr"}, {"range": (1.0, 0.0)}, {"multiple_of": 0}]
)
def test_a_wrong_description_is_told(arguments: dict[str, object]) -> None:
    with pytest.raises(DerainerError):
        Derainer(nn.Identity(), **arguments)  # type: ignore[arg-type]


def test_the_callers_tensor_stays_as_it_is() -> None:
    x = batch()
    before = x.clone()
    Derainer(Function(lambda y: y.mul_(0)), range=(-1, 1))(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_number_formats_are_undone(dtype: str, device: str) -> None:
    derainer = Derainer(nn.Conv2d(3, 3, 1)).to(device, dtype)
    y = derainer(batch())
    assert y.dtype == torch.float32
    assert y.device.type == "cpu"
