"""PReNet and its smaller forms: one small residual network, run six times.

Paper: Dongwei Ren, Wangmeng Zuo, Qinghua Hu, Pengfei Zhu, Deyu Meng, "Progressive Image Deraining
Networks: A Better and Simpler Baseline", CVPR 2019, doi:10.1109/CVPR.2019.00406. Names and shapes
of the weights are those of the authors' release (csdwren/PReNet), which loads key by key. Input and
output are RGB in [0, 1]; the output is not clamped.

Each stage sees the rainy image and the estimate so far (at first the rainy image itself) and adds
its result to the rainy image. With ``recurrent`` an LSTM without forget-gate offset carries
features from stage to stage; with ``shared`` one residual block serves five times.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, after: nn.Module) -> nn.Sequential:
    """A 3x3 convolution and its activation, named as in the release."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), after)


class PReNet(nn.Module):
    """PReNet (168,963 parameters), PReNet_r (94,979), PRN (95,107) and PRN_r (21,123)."""

    def __init__(self, recurrent: bool = True, shared: bool = False, stages: int = 6) -> None:
        """Build the network.

        Args:
            recurrent: Carry an LSTM state from stage to stage (PReNet) or not (PRN).
            shared: Use one residual block five times (the ``_r`` forms) or five blocks.
            stages: How often the network runs.
        """
        super().__init__()
        self.recurrent = recurrent
        self.stages = stages
        width = 32
        self.conv0 = _conv(6, width, nn.ReLU())
        self.blocks = ["res_conv1"] * 5 if shared else [f"res_conv{i}" for i in range(1, 6)]
        for name in dict.fromkeys(self.blocks):
            first, second = _conv(width, width, nn.ReLU()), _conv(width, width, nn.ReLU())
            self.add_module(name, nn.Sequential(*first, *second))
        if recurrent:
            for gate, activation in (("i", nn.Sigmoid), ("f", nn.Sigmoid), ("g", nn.Tanh)):
                self.add_module(f"conv_{gate}", _conv(2 * width, width, activation()))
            self.conv_o = _conv(2 * width, width, nn.Sigmoid())
        self.conv = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` RGB in [0, 1]."""
        b, _, h, w = rainy.shape
        estimate = rainy
        hidden = cell = rainy.new_zeros(b, 32, h, w)
        for stage in range(self.stages):
            x = self.conv0(torch.cat((rainy, estimate), 1))
            if self.recurrent:
                hidden, cell = self._lstm(torch.cat((x, hidden), 1), cell)
                x = hidden
            for name in self.blocks:
                x = F.relu(self.get_submodule(name)(x) + x)
            estimate = self._residual(x, stage) + rainy
        return estimate

    def _residual(self, features: Tensor, stage: int) -> Tensor:
        """What a stage adds to the rainy image."""
        residual: Tensor = self.conv(features)
        return residual

    def _lstm(self, x: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Next hidden and cell state."""
        i, f, g, o = (self.get_submodule(f"conv_{gate}")(x) for gate in "ifgo")
        cell = f * cell + i * g
        return o * torch.tanh(cell), cell
