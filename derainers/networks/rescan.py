"""RESCAN: dilated convolutions with gates of attention, run four times.

Paper: Xia Li, Jianlong Wu, Zhouchen Lin, Hong Liu, Hongbin Zha, "Recurrent Squeeze-and-Excitation
Context Aggregation Net for Single Image Deraining", ECCV 2018, doi:10.1007/978-3-030-01234-2_16.
Names and shapes of the weights are those of the authors' release (XiaLiPKU/RESCAN), with its
defaults: width 24, depth 7, four stages, gated recurrent units, the whole rain in each stage. Input
and output are BGR in [0, 1]; the output is not clamped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Scale channels by what their means say."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        scale: Tensor = self.fc(x.mean((2, 3)))
        return x * scale[:, :, None, None]


class GatedUnit(nn.Module):
    """Convolutional gated recurrent unit, squeeze and excitation, leaky ReLU."""

    def __init__(self, inputs: int, width: int, dilation: int) -> None:
        super().__init__()
        for gate in "zrn":
            wide = nn.Conv2d(inputs, width, 3, padding=dilation, dilation=dilation)
            self.add_module(f"conv_x{gate}", wide)
            self.add_module(f"conv_h{gate}", nn.Conv2d(width, width, 3, padding=1))
        self.se = SqueezeExcite(width, 6)

    def forward(self, x: Tensor, state: Tensor | None) -> Tensor:
        """Features, which are the next state too; at the first stage there is none."""
        z, r, n = (self.get_submodule(f"conv_x{gate}")(x) for gate in "zrn")
        if state is None:
            h = torch.sigmoid(z) * torch.tanh(n)
        else:
            z = torch.sigmoid(z + self.get_submodule("conv_hz")(state))
            r = torch.sigmoid(r + self.get_submodule("conv_hr")(state))
            n = torch.tanh(n + self.get_submodule("conv_hn")(r * state))
            h = (1 - z) * state + z * n
        return F.leaky_relu(self.se(h), 0.2)


class RESCAN(nn.Module):
    """RESCAN with 149,823 parameters."""

    def __init__(self, width: int = 24, count: int = 4) -> None:
        """Build units with dilations 1, 1, 2, 4, 8 and a decoder, run ``count`` times."""
        super().__init__()
        self.count = count
        dilations = (1, 1, 2, 4, 8)
        self.rnns = nn.ModuleList(
            GatedUnit(3 if i == 0 else width, width, dilation)
            for i, dilation in enumerate(dilations)
        )
        self.dec = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            SqueezeExcite(width, 6),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 3, 1),
        )

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` BGR in [0, 1]."""
        return self.stages(rainy)[-1]

    def stages(self, rainy: Tensor) -> list[Tensor]:
        """What each stage restores, all of which the loss supervises."""
        states: list[Tensor | None] = [None] * len(self.rnns)
        images = [rainy]
        for _ in range(self.count):
            x = images[-1]
            for i, unit in enumerate(self.rnns):
                x = unit(x, states[i])
                states[i] = x
            images.append(rainy - self.dec(x))
        return images[1:]
