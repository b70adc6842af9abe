"""SPANet: residual blocks that act where a map of rain, gathered along rows and columns, says.

Paper: Tianyu Wang, Xin Yang, Ke Xu, Shaozhe Chen, Qiang Zhang, Rynson W. H. Lau, "Spatial Attentive
Single-Image Deraining with a High Quality Real Rain Dataset", CVPR 2019,
arXiv:1904.01538. Names and shapes of the weights are those of the authors' release
(stevewongv/SPANet). Input and output are BGR in [0, 1], as OpenCV reads; the network makes the
image anew, and the output is not clamped.

The identity recurrence (IRNN) is h_i = max(0, w h_(i-1) + b + x_i) with one w and b for each
channel and direction, and h_0 = max(0, x_0). The authors run it in CUDA alone; here it is written
with torch, and ``tests/derainers/test_published.py`` holds it against the loops of their kernel in
NumPy. The layers around it equal the authors' on a CPU.

Choice: the release computes weights for the four directions and drops the product; so do we, and
their layers only keep the names of the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Direction(NamedTuple):
    """A way through the image."""

    name: str
    axis: int
    backwards: bool


DIRECTIONS = (
    Direction("up", 2, True),
    Direction("right", 3, False),
    Direction("down", 2, False),
    Direction("left", 3, True),
)
"""In the order in which the results stand."""


class Recurrence(nn.Module):
    """Each row and each column as a sequence, read from both ends."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for direction in DIRECTIONS:
            step = nn.Conv2d(channels, channels, 1, groups=channels)
            nn.init.constant_(step.weight, 0.2)
            self.add_module(f"{direction.name}_weight", step)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, 4C, H, W)``, by the order of `DIRECTIONS`."""
        return torch.cat([self._along(x, direction) for direction in DIRECTIONS], 1)

    def _along(self, x: Tensor, direction: Direction) -> Tensor:
        """The recurrence in one direction."""
        step = self.get_submodule(f"{direction.name}_weight")
        assert isinstance(step, nn.Conv2d)
        assert step.bias is not None
        weight, bias = step.weight.view(-1, 1), step.bias.view(-1, 1)
        lines = list(x.unbind(direction.axis))
        if direction.backwards:
            lines.reverse()
        states = [F.relu(lines[0])]
        for line in lines[1:]:
            states.append(F.relu(states[-1] * weight + bias + line))
        if direction.backwards:
            states.reverse()
        return torch.stack(states, direction.axis)


class SpatialAttention(nn.Module):
    """Where rain is, between 0 and 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.irnn1, self.irnn2 = Recurrence(channels), Recurrence(channels)
        self.conv_in = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(4 * channels, channels, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(4 * channels, channels, 3, padding=1, bias=False)
        self.conv_out = nn.Conv2d(channels, 1, 1, bias=False)
        self.attention_layer = nn.Module()
        self.attention_layer.conv1 = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.attention_layer.conv2 = nn.Conv2d(channels // 2, channels // 2, 3, padding=1)
        self.attention_layer.conv3 = nn.Conv2d(channels // 2, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, 1, H, W)``."""
        x = self.conv2(self.irnn1(self.conv_in(x)))
        x = F.relu(self.conv3(self.irnn2(x)))
        return torch.sigmoid(self.conv_out(x))


class Bottleneck(nn.Module):
    """What a block adds: a dilated convolution between two of 1x1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.group1 = nn.Sequential()
        self.group1.add_module("conv1", nn.Conv2d(channels, channels, 1, bias=False))
        self.group1.add_module("relu1", nn.ReLU())
        wide = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, bias=False)
        self.group1.add_module("conv2", wide)
        self.group1.add_module("relu2", nn.ReLU())
        self.group1.add_module("conv3", nn.Conv2d(channels, channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        added: Tensor = self.group1(x)
        return added


class SPANet(nn.Module):
    """SPANet with 283,716 parameters: 17 blocks, of which 12 act where the attention says."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.conv_in = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.ReLU())
        self.SAM1 = SpatialAttention(width)
        for i in range(1, 18):
            self.add_module(f"res_block{i}", Bottleneck(width))
        self.conv_out = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1, bias=False))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` BGR in [0, 1]."""
        x = self.conv_in(rainy)
        attention = rainy.new_ones(())
        for i in range(1, 18):
            if i in (4, 7, 10, 13):
                attention = self.SAM1(x)
            added = self.get_submodule(f"res_block{i}")(x)
            x = F.relu((added * attention if 4 <= i <= 15 else added) + x)
        restored: Tensor = self.conv_out(x)
        return restored
