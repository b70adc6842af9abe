"""The average of the weights that a training gives out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from derainers.training.average import Average


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([100.0]))
        self.places = nn.Parameter(torch.arange(64), requires_grad=False)
        self.register_buffer("grid", None, persistent=False)
        self.register_buffer("made", None, persistent=False)
        self.register_buffer("index", torch.arange(64))
        self.register_buffer("mask", torch.tensor([0.0, -math.inf]))
        self.norm = nn.BatchNorm1d(2)

    def made_for(self, side_px: int) -> None:
        self.grid = torch.full((side_px,), float(side_px))


def averaged(network: Net, steps: int) -> Average:
    average = Average(network, 0.999)
    for step in range(steps):
        network.made_for(8 if step % 2 else 3)
        network.norm.running_mean = torch.tensor([2.0, 4.0])
        average.update_parameters(network)
    return average


def test_it_forgets_where_it_began() -> None:
    network = Net()
    average = averaged(network, 1)
    network.gain.data.fill_(1.0)
    for _ in range(100):
        average.update_parameters(network)
    gain = average.module.get_parameter("gain")
    assert gain.item() == pytest.approx(1, abs=1e-3)
    average.n_averaged.fill_(100_000)
    network.gain.data.fill_(0.0)
    average.update_parameters(network)
    assert gain.item() == pytest.approx(0.999, abs=1e-3)


def test_what_has_no_average_is_taken_as_it_is() -> None:
    """Swin's index of relative positions would end one too low, a mask as no numbers."""
    network = Net()
    average = averaged(network, 60)
    held, expected = average.module.state_dict(), network.state_dict()
    assert held.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(held[name].double(), value.double()), name
    assert torch.equal(held["index"], expected["index"])
    assert dict(average.module.named_buffers())["grid"].tolist() == [8.0] * 8
