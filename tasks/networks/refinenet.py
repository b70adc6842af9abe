"""RefineNet: semantic segmentation by refining a classifier's features from coarse to fine.

Papers: Guosheng Lin, Anton Milan, Chunhua Shen, Ian Reid, "RefineNet: Multi-Path Refinement
Networks for High-Resolution Semantic Segmentation", CVPR 2017, doi:10.1109/CVPR.2017.549 (residual
convolution units, multi-resolution fusion, chained residual pooling); Vladimir Nekrasov, Chunhua
Shen, Ian Reid, "Light-Weight RefineNet for Real-Time Semantic Segmentation", BMVC 2018 (3x3
convolutions of the decoder replaced by 1x1, residual convolution units left out).

Input is RGB in [0, 1], normalised inside by ImageNet's mean and deviation; output are logits at a
quarter of the size, enlarged bilinearly to full size. Choices where the papers leave it open: a
ResNet of basic blocks (He et al. 2016) whose widths are arguments; batch normalisation in the
encoder, none in the decoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _conv(
    inputs: int, outputs: int, side: int = 3, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Convolution that keeps the size, or divides it by the stride."""
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=bias)


class BasicBlock(nn.Module):
    """Two normalised convolutions plus the input (He et al. 2016, figure 5 left)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(_conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs), nn.ReLU()),
            *(_conv(outputs, outputs), nn.BatchNorm2d(outputs)),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', H/stride, W/stride)``."""
        return F.relu(self.body(x) + self.shortcut(x))


class ResidualConvUnits(nn.Sequential):
    """Two units of two convolutions each, plus their input (RefineNet, figure 3 b)."""

    def __init__(self, width: int) -> None:
        super().__init__(*(_ResidualConvUnit(width) for _ in range(2)))


class _ResidualConvUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.ReLU(), _conv(width, width, bias=True)),
            *(nn.ReLU(), _conv(width, width, bias=True)),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.body(x)
        return x + changed


class ChainedResidualPooling(nn.Module):
    """A chain of 5x5 pooling and convolution, every link added to the sum (figure 3 d)."""

    def __init__(self, width: int, side: int, links: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(width, width, side) for _ in range(links))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        x = total = F.relu(x)
        for conv in self.convs:
            x = conv(F.max_pool2d(x, 5, stride=1, padding=2))
            total = total + x
        return total


class RefineBlock(nn.Module):
    """Fuses a level of the encoder with the coarser result, then pools around each pixel."""

    def __init__(self, inputs: int, coarser: int, width: int, light: bool) -> None:
        """``coarser`` is the width of the coarser block's output, 0 for the coarsest."""
        super().__init__()
        side = 1 if light else 3
        self.enter = _conv(inputs, width, side)
        self.adapt = nn.Identity() if light else ResidualConvUnits(width)
        if coarser:
            self.fuse_fine = _conv(width, width, side)
            self.fuse_coarse = _conv(coarser, width, side)
        self.pool = ChainedResidualPooling(width, side, links=4 if light else 2)
        self.leave = nn.Identity() if light else ResidualConvUnits(width)

    def forward(self, x: Tensor, coarser: Tensor | None) -> Tensor:
        """``(B, C, H, W)`` and the coarser result to ``(B, width, H, W)``."""
        x = self.adapt(self.enter(x))
        if coarser is not None:
            large = F.interpolate(
                self.fuse_coarse(coarser), size=x.shape[2:], mode="bilinear", align_corners=False
            )
            x = self.fuse_fine(x) + large
        out: Tensor = self.leave(self.pool(x))
        return out


class RefineNet(nn.Module):
    """RefineNet on a ResNet of basic blocks."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        classes: int,
        widths: Sequence[int] = (32, 64, 128, 224),
        blocks: Sequence[int] = (2, 2, 2, 2),
        decoder: int = 96,
        light: bool = True,
    ) -> None:
        """Build the network.

        Args:
            classes: Number of classes.
            widths: Channels of the encoder's four levels, from 1/4 to 1/32 of the size.
            blocks: Basic blocks in each level.
            decoder: Channels of the decoder.
            light: The light-weight decoder; else the original one.
        """
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], False)
        first = widths[0]
        self.stem = nn.Sequential(
            *(_conv(3, first, 3, stride=2), nn.BatchNorm2d(first), nn.ReLU()),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        levels = []
        inputs = first
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            strides = [1 if i == 0 else 2] + [1] * (count - 1)
            level = []
            for stride in strides:
                level.append(BasicBlock(inputs, width, stride))
                inputs = width
            levels.append(nn.Sequential(*level))
        self.levels = nn.ModuleList(levels)
        coarsest = len(widths) - 1
        self.refine = nn.ModuleList(
            RefineBlock(width, 0 if i == coarsest else decoder, decoder, light)
            for i, width in enumerate(widths)
        )
        self.drop = nn.Dropout2d(0.1)
        self.classify = _conv(decoder, classes, 3, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes, H, W)`` for ``(B, 3, H, W)`` RGB in [0, 1] of any size."""
        x = self.stem((images - self.mean) / self.deviation)
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        refined: Tensor | None = None
        for block, level_features in zip(reversed(self.refine), reversed(features), strict=True):
            refined = block(level_features, refined)
        assert refined is not None
        logits = self.classify(self.drop(refined))
        return F.interpolate(logits, size=images.shape[2:], mode="bilinear", align_corners=False)
