"""MSCG: an encoder-decoder that makes the clean image three times, from coarse to fine.

Paper: Zheng Zhang, Yi Xu, He Wang, Bingbing Ni, Hongteng Xu, "Single-Image Rain Removal via
Multi-Scale Cascading Image Generation", ICME 2019, of which the poster is known. It states an
encoder with features at several scales, a decoder that generates the image from coarse to fine,
truth that supervises every scale, and fidelity, perceptual and adversarial losses. Everything else
is our choice:

- three scales (1, 1/2, 1/4) of widths 64, 128, 256; two 3x3 convolutions per level and a strided
  one that doubles the width; leaky ReLUs of slope 0.2; no normalisation, which would shift colours
  at small batches;
- at each level the encoder's features, the coarser level's features (nearest) and its image (area)
  are joined by a convolution, pass two residual blocks and give an image as the difference to the
  rainy image of that size (area);
- without ``cascade`` the finest level alone generates, with no input from coarser ones: the
  poster's single-scale ablation.

Input and output are RGB in [0, 1].
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution and leaky ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.LeakyReLU(0.2))


class ResidualBlock(nn.Module):
    """Two convolutions plus the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(width, width), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        changed: Tensor = self.body(x)
        return x + changed


class MSCG(nn.Module):
    """MSCG with 6,141,961 parameters at widths 64, 128, 256."""

    multiple_of = 4

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256), cascade: bool = True) -> None:
        """Build the network.

        Args:
            widths: Channels at each scale, finest first.
            cascade: Let coarser scales flow into finer ones.
        """
        super().__init__()
        self.cascade = cascade
        self.downs = nn.ModuleList(_conv(a, b, stride=2) for a, b in pairwise(widths))
        self.encoders = nn.ModuleList(
            nn.Sequential(_conv(3 if i == 0 else w, w), _conv(w, w)) for i, w in enumerate(widths)
        )
        coarser = [w + 3 if cascade else 0 for w in widths[1:]] + [0]
        self.joins = nn.ModuleList(
            _conv(w + more, w) for w, more in zip(widths, coarser, strict=True)
        )
        self.decoders = nn.ModuleList(
            nn.Sequential(ResidualBlock(w), ResidualBlock(w)) for w in widths
        )
        self.heads = nn.ModuleList(nn.Conv2d(w, 3, 3, padding=1) for w in widths)

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` RGB in [0, 1]; H and W are multiples of `multiple_of`."""
        return self.stages(rainy)[-1]

    def stages(self, rainy: Tensor) -> list[Tensor]:
        """Restored images from the coarsest to the full size; losses supervise all of them."""
        features, x = [], rainy
        for i, encoder in enumerate(self.encoders):
            x = encoder(self.downs[i - 1](x) if i else x)
            features.append(x)
        images: list[Tensor] = []
        below: Tensor | None = None
        levels = range(len(features) - 1, -1, -1) if self.cascade else (0,)
        for level in levels:
            parts = [features[level]]
            size = features[level].shape[2:]
            if below is not None:
                parts.append(F.interpolate(below, size=size, mode="nearest"))
                parts.append(F.interpolate(images[-1], size=size, mode="area"))
            below = self.decoders[level](self.joins[level](torch.cat(parts, 1)))
            small = F.interpolate(rainy, size=size, mode="area")
            images.append(small + self.heads[level](below))
        return images


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of an image, given the rainy one: 2,767,809 parameters."""

    def __init__(self) -> None:
        """Build four strided 4x4 convolutions and a head."""
        super().__init__()
        widths = (6, 64, 128, 256, 512)
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, image: Tensor, rainy: Tensor) -> Tensor:
        """Logits ``(B, 1, H', W')``, high for patches that look real."""
        logits: Tensor = self.body(torch.cat((image, rainy), 1))
        return logits
