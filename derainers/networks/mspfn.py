"""MSPFN: a pyramid of three scales, fused coarsely by recurrent units and finely by attention.

Paper: Kui Jiang, Zhongyuan Wang, Peng Yi, Chen Chen, Baojin Huang, Yimin Luo, Jiayi Ma, Junjun
Jiang, "Multi-Scale Progressive Fusion Network for Single Image Deraining", CVPR 2020,
doi:10.1109/CVPR42600.2020.00837. Layers the paper leaves open follow the authors' release
(kuijiang94/MSPFN, TensorFlow). Input and output are BGR in [-1, 1]; the network predicts the rain,
which is subtracted.

Choices where paper and release differ or are silent:

- hidden sizes of the recurrent units at 1/4, 1/2 and full scale: 32, 64, 128 as the paper says,
  with which its parameter counts come out within 2 %; the release has 64, 128, 256;
- each recurrent unit runs once, from a zero state, as in the release: its forget gate and half of
  its kernel stay idle and are kept only so that weights and counts agree;
- the pyramid is made by box means, not by Gaussian kernels;
- MSPFN* (``steps=2``): widths of 32 everywhere, each block of attention goes down two steps and
  comes up again with a skip at both levels: 1,666,320 parameters (paper: 1.65 M).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _prelu(channels: int) -> nn.PReLU:
    """One slope per channel, zero at the start."""
    return nn.PReLU(channels, init=0.0)


class Conv(nn.Sequential):
    """3x3 convolution without bias, activation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), _prelu(outputs))


class Down(nn.Sequential):
    """3x3 convolution with stride 2, padded right and below as TensorFlow pads even sizes."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(channels, channels, 3, stride=2, bias=False),
            _prelu(channels),
        )


class Up(nn.Module):
    """Transposed 3x3 convolution to exactly twice the size; the last row and column are dropped."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, bias=False)
        self.activation = _prelu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', 2H, 2W)``."""
        out: Tensor = self.activation(self.conv(x)[:, :, :-1, :-1])
        return out


class RecurrentUnit(nn.Module):
    """Convolution, one step of a convolutional LSTM from a zero state, convolution."""

    def __init__(self, width: int, inner: int, hidden: int) -> None:
        super().__init__()
        self.enter = Conv(width, inner)
        self.gates = nn.Conv2d(inner + hidden, 4 * hidden, 3, padding=1)
        self.leave = Conv(hidden, width)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        x = self.enter(x)
        # The state is zero, so the kernel's other half and the forget gate have nothing to do.
        gates = F.conv2d(x, self.gates.weight[:, : self.inner], self.gates.bias, padding=1)
        i, j, _, o = gates.chunk(4, 1)
        cell = torch.sigmoid(i) * torch.tanh(j)
        out: Tensor = self.leave(torch.tanh(cell) * torch.sigmoid(o))
        return out


class ChannelAttention(nn.Module):
    """Two convolutions, scaled per channel by what their means say, plus the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            _prelu(width),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // 4, 1),
            _prelu(width // 4),
            nn.Conv2d(width // 4, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        y = self.body(x)
        scaled: Tensor = y * self.scale(y)
        return x + scaled


class AttentionBlock(nn.Module):
    """U-shaped residual attention block: down, channel attention, up, with a skip at each level."""

    def __init__(self, width: int, units: int, steps: int) -> None:
        super().__init__()
        self.downs = nn.ModuleList(Down(width) for _ in range(steps))
        self.attention = nn.Sequential(*(ChannelAttention(width) for _ in range(units)))
        self.ups = nn.ModuleList(Up(2 * width, width) for _ in range(steps))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
        x = self.attention(x)
        for up in self.ups:
            x = up(torch.cat((skips.pop(), x), 1))
        return x


class FineFusion(nn.Module):
    """One fine-fusion module: an attention block per scale, fed by the coarser ones."""

    def __init__(self, width: int, units: int, steps: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(width, units, steps) for _ in range(3))
        self.quarter_up = Up(width, width)
        self.quarter_up_twice = Up(width, width)
        self.half_up = Up(width, width)

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Features at 1/4, 1/2 and full scale to the same."""
        quarter, half, full = features
        quarter = quarter + self.blocks[0](quarter)
        from_quarter = self.quarter_up(quarter)
        half = half + self.blocks[1](half + from_quarter)
        below = self.quarter_up_twice(from_quarter) + self.half_up(half)
        full = full + self.blocks[2](full + below)
        return quarter, half, full


class MSPFN(nn.Module):
    """MSPFN with M cascaded fine-fusion modules of N channel-attention units."""

    def __init__(
        self,
        modules: int = 17,
        units: int = 1,
        width: int = 64,
        inner: int | None = 32,
        hidden: tuple[int, int, int] = (32, 64, 128),
        steps: int = 1,
    ) -> None:
        """Build the network.

        Args:
            modules: M, how many fine-fusion modules follow one another.
            units: N, channel-attention units in each block.
            width: Channels of every feature map.
            inner: Channels before each recurrent unit; None = its hidden channels, with which the
                paper's counts of its Models 3 and 5 come out.
            hidden: Hidden channels of the recurrent units at 1/4, 1/2 and full scale.
            steps: Strided steps inside each attention block.
        """
        super().__init__()
        self.multiple_of = 4 * 2**steps
        self.enter = nn.ModuleList(Conv(3, width) for _ in range(3))
        self.recurrent = nn.ModuleList(RecurrentUnit(width, inner or h, h) for h in hidden)
        self.coarse_ups = nn.ModuleList(Up(width, width) for _ in range(3))
        self.fine = nn.Sequential(*(FineFusion(width, units, steps) for _ in range(modules)))
        self.join = nn.ModuleList(Conv(2 * width, width) for _ in range(3))
        self.quarter_up = Up(width, width)
        self.half_up = Up(2 * width, width)
        self.leave = nn.Sequential(Conv(2 * width, 32), nn.Conv2d(32, 3, 3, padding=1, bias=False))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` BGR in [-1, 1]; H and W are multiples of `multiple_of`."""
        coarse = self._coarse(rainy)
        fine = self.fine(coarse)
        quarter, half, full = (
            join(torch.cat((f, c), 1)) for join, f, c in zip(self.join, fine, coarse, strict=True)
        )
        half = self.half_up(torch.cat((half, self.quarter_up(quarter)), 1))
        rain: Tensor = self.leave(torch.cat((full, half), 1))
        return rainy - rain

    def _coarse(self, rainy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coarse-fusion module: features at 1/4, 1/2 and full scale."""
        pyramid = (F.avg_pool2d(rainy, 4), F.avg_pool2d(rainy, 2), rainy)
        f_quarter, f_half, f_full = (enter(x) for enter, x in zip(self.enter, pyramid, strict=True))
        quarter = self.recurrent[0](f_quarter) + f_quarter
        up = self.coarse_ups[0](quarter)
        half = self.recurrent[1](f_half + up) + f_half
        below = self.coarse_ups[2](half) + self.coarse_ups[1](up)
        full = self.recurrent[2](f_full + below) + f_full
        return quarter, half, full


class SingleScale(nn.Module):
    """Table 2's Model1 in its nearest reading: of MSPFN, what lies at full scale alone.

    The text says "single-scale framework" and nothing else.
    """

    def __init__(
        self,
        modules: int = 10,
        units: int = 3,
        width: int = 64,
        inner: int | None = 32,
        hidden: int = 128,
    ) -> None:
        """Arguments as of `MSPFN`."""
        super().__init__()
        self.multiple_of = 2
        self.enter = Conv(3, width)
        self.recurrent = RecurrentUnit(width, inner or hidden, hidden)
        self.fine = nn.ModuleList(AttentionBlock(width, units, 1) for _ in range(modules))
        self.join = Conv(2 * width, width)
        self.leave = nn.Sequential(Conv(width, 32), nn.Conv2d(32, 3, 3, padding=1, bias=False))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` BGR in [-1, 1]; H and W are even."""
        entered = self.enter(rainy)
        coarse = self.recurrent(entered) + entered
        fine = coarse
        for block in self.fine:
            fine = fine + block(fine)
        rain: Tensor = self.leave(self.join(torch.cat((fine, coarse), 1)))
        return rainy - rain


COUNTED: dict[str, tuple[type[nn.Module], dict[str, Any], tuple[str, ...]]] = {
    "MSPFN single scale": (SingleScale, {}, ()),
    "MSPFN without CFM": (MSPFN, {"modules": 10, "units": 3}, ("recurrent", "coarse_ups")),
}
"""Networks of Table 2 whose values alone can be counted, by the names that `reports.papers.claims`
has: their arguments, and the parts that are left out of the count. The others are words of
`derainers.variants`."""
