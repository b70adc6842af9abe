"""URIE: a small U of selective convolutions, trained for a classifier's sake alone.

Paper: Taeyoung Son, Juwon Kang, Namyup Kim, Sunghyun Cho, Suha Kwak, "URIE: Universal Image
Enhancement for Visual Recognition in the Wild", ECCV 2020, arXiv:2007.08979. Its
loss is that of a fixed ResNet-50 on ImageNet under ImageNet-C's corruptions, none of which is rain:
what it gives need not be near a clean image, and is to be judged by tasks. Names and shapes of the
weights are those of the authors' release (taeyoungson/urie). Input and output are RGB in [0, 1];
the network itself sees and returns values normalised by ImageNet's means and deviations, and the
output is not clamped.

A selective convolution mixes two: one of features normalised over batches, one normalised over the
image. How much of which, is chosen for each channel in each of 4x4 fields of the image.

Choice: images keep their size. The authors show them at 224x224 to their classifier, and whole to
detectors and segmentation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIELDS = 4
"""Along each side."""


class Selector(nn.Module):
    """The share of the first of two results, in each channel and field."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = channels * FIELDS**2
        self.fc = nn.Sequential(nn.Linear(wide, wide // 16, bias=False), nn.ReLU())
        self.att_conv1, self.att_conv2 = nn.Linear(wide // 16, wide), nn.Linear(wide // 16, wide)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to shares of the same shape, in [0, 1]."""
        y = self.fc(F.adaptive_avg_pool2d(x, FIELDS).flatten(1))
        # A softmax over two is a sigmoid of their difference.
        share = torch.sigmoid(self.att_conv1(y) - self.att_conv2(y))
        return F.interpolate(share.view(*x.shape[:2], FIELDS, FIELDS), size=x.shape[2:])


class SelectiveConv(nn.Module):
    """Two convolutions, mixed as their `Selector` says."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.selector = Selector(outputs)
        self.BN = nn.BatchNorm2d(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        first = self.conv1(F.leaky_relu(self.BN(x)))
        second = self.conv2(F.leaky_relu(F.instance_norm(x)))
        share = self.selector(first + second)
        mixed: Tensor = first * share + second * (1 - share)
        return mixed


class Down(nn.Module):
    """Half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), SelectiveConv(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H // 2, W // 2)``."""
        y: Tensor = self.maxpool_conv(x)
        return y


class Up(nn.Module):
    """Twice the size, beside the features from before it was halved."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = SelectiveConv(inputs, outputs)

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        """``(B, C, H // 2, W // 2)`` and ``(B, inputs - C, H, W)`` to ``(B, outputs, H, W)``."""
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        rows, columns = beside.shape[2] - x.shape[2], beside.shape[3] - x.shape[3]
        x = F.pad(x, (0, columns, 0, rows))  # of odd sizes the last row and column
        y: Tensor = self.conv(torch.cat((beside, x), 1))
        return y


class URIE(nn.Module):
    """URIE with 671,859 parameters."""

    minimum_px = 8
    """A quarter of the image must be more than one pixel to normalise by."""
    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(3, 32, 9, padding=4)
        self.down2, self.down3 = Down(32, 64), Down(64, 64)
        self.up1, self.up2 = Up(128, 32), Up(64, 16)
        self.up3 = nn.Conv2d(16, 3, 3, padding=1)
        for name, levels in (
            ("mean", (0.485, 0.456, 0.406)),
            ("deviation", (0.229, 0.224, 0.225)),
        ):
            self.register_buffer(name, torch.tensor(levels).view(3, 1, 1), persistent=False)

    def forward(self, rainy: Tensor) -> Tensor:
        """Enhance ``(B, 3, H, W)`` RGB in [0, 1]."""
        x = (rainy - self.mean) / self.deviation
        whole = self.down1(x)
        half = self.down2(whole)
        added = self.up3(self.up2(self.up1(self.down3(half), half), whole))
        enhanced: Tensor = (x + added) * self.deviation + self.mean
        return enhanced
