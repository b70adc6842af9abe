"""MSPFN's single scale, which no derainer of the table is."""

from __future__ import annotations

import torch
from torch import nn

from derainers.networks.mspfn import SingleScale


def test_the_single_scale_subtracts_rain_and_learns_everywhere() -> None:
    torch.manual_seed(0)
    network = SingleScale(modules=2, units=1, width=8, inner=None, hidden=8)
    rainy = torch.rand(1, 3, 6, 10) * 2 - 1
    network(rainy).square().mean().backward()
    idle = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert not idle
    last = network.leave[1]
    assert isinstance(last, nn.Conv2d)
    nn.init.zeros_(last.weight)
    assert torch.equal(network(rainy), rainy)
