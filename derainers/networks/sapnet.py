"""SAPNet: PReNet whose five blocks look ever farther and weigh their channels.

Paper: Shen Zheng, Changjie Lu, Yuxiong Wu, Gaurav Gupta, "SAPNet: Segmentation-Aware Progressive
Network for Perceptual Contrastive Deraining", WACV Workshops 2022, arXiv:2111.08892. Its losses
(contrast to the rainy image, likeness of features, and what a segmentation network makes of the
derained image) shaped the weights and are not needed to run them. Names and shapes of the weights
are those of the authors' release (ShenZheng2000/SAPNet-for-image-deraining). Input and output are
RGB in [0, 1]; the output is not clamped.

The progressive dilated unit: block i has dilation 2^(i-1), from 1 to 16. After each convolution
channels are scaled by a sigmoid of their means, which pass two 1x1 convolutions through a sixteenth
of the channels, and one beside them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from derainers.networks.prenet import PReNet


class ChannelAttention(nn.Module):
    """Scale channels by what their means say, along a narrow way and a straight one."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = channels // reduction
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1, bias=False),
        )
        self.conv_1_1 = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        mean = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.conv_du(mean) + self.conv_1_1(mean))


class SAPNet(PReNet):
    """SAPNet with 180,483 parameters."""

    def __init__(self) -> None:
        super().__init__()
        for i, name in enumerate(self.blocks):
            step = 2**i
            layers: list[nn.Module] = []
            for _ in range(2):
                layers.append(nn.Conv2d(32, 32, 3, padding=step, dilation=step))
                layers += [ChannelAttention(32), nn.ReLU()]
            self.add_module(name, nn.Sequential(*layers))
