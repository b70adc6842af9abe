"""What an object with ``restore``, and a network, may return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from datasets.image import NDArrayByte, round_to_bytes
from derainers import DerainerError
from derainers.chain import Chain
from derainers.derainer import Derainer
from derainers.fitting import fitted
from derainers.gate import Gate
from derainers.restorer import Computing, in_turn, restored

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 14, 3), np.uint8)


class Own:
    """A caller's object."""

    def __init__(self, function: Callable[[NDArrayByte], Any]) -> None:
        self._function = function

    def restore(self, image: NDArrayByte, sample_id: str) -> Any:
        return self._function(image)


BEHIND: dict[str, Callable[[Own], Any]] = {
    "alone": lambda own: own,
    "in turn": lambda own: in_turn(own, torch.inference_mode()),
    "in a chain": lambda own: Chain([own, Own(lambda x: x)]),
    "gated": lambda own: Gate(own, -1e9),
}


@pytest.mark.parametrize("behind", BEHIND)
def test_bytes_are_bytes(behind: str) -> None:
    made = restored(BEHIND[behind](Own(lambda x: cv2.medianBlur(x, 5))), IMAGE, "a").image
    assert made.dtype == np.float32
    assert np.array_equal(round_to_bytes(made), cv2.medianBlur(IMAGE, 5))


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x.astype(np.int64), "returned values of int64: return float32 in"),
        (lambda x: x > 3, "returned values of bool: return"),
        (lambda x: None, "returned NoneType: return"),
        (
            lambda x: torch.ones(x.shape, dtype=torch.bfloat16),
            "returned Tensor .*BFloat16.: return",
        ),
        (
            lambda x: torch.ones(x.shape, requires_grad=True),
            r"returned Tensor \(.*detach.*: return",
        ),
        (lambda x: x.astype(np.float32), r"returned values from 0 to 255: return float32 in"),
        (lambda x: x / 127.5 - 1, "returned values from -1 to 1: return"),
        (lambda x: x / np.float32(np.nan), "non-finite values"),
    ],
)
def test_another_range_is_refused(behind: str, function: Callable[..., Any], said: str) -> None:
    with pytest.raises(DerainerError, match=said):
        restored(BEHIND[behind](Own(function)), IMAGE, "a")


def test_what_overshoots_is_cut() -> None:
    over = Own(lambda x: (x / np.float32(255) - np.float32(0.5)) * np.float32(1.8) + 0.5)
    assert restored(over, IMAGE, "a").image.max() > 1.3
    network: Computing = Derainer(nn.Conv2d(3, 3, 1, bias=False))
    nn.init.constant_(network.module.weight, 7)  # type: ignore[attr-defined]
    assert restored(network, IMAGE, "a").image.max() == 1


class Bytes(nn.Module):
    """Rounds to whole numbers."""

    def __init__(self, white: float) -> None:
        super().__init__()
        self.white = white

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.white).round().to(torch.uint8)


def test_a_network_returns_no_whole_numbers_but_of_0_to_255() -> None:
    with pytest.raises(DerainerError, match=r"own: the network returned whole numbers \(torch"):
        fitted(Derainer(Bytes(255)), "own")
    both = fitted(Derainer(Bytes(1), range=(0, 255)), "own")
    assert np.array_equal(round_to_bytes(both.restore(IMAGE, "a")), IMAGE)


class Turned(nn.Module):
    """Works on frequencies and forgets to come back to real numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turned: torch.Tensor = torch.fft.ifft2(torch.fft.fft2(x) * 1j)
        return turned


def test_a_network_returns_no_complex_numbers() -> None:
    with pytest.raises(DerainerError, match=r"own: the network returned complex numbers: let it"):
        fitted(Derainer(Turned()), "own")
