"""DCSFN: three sub-networks at three scales, exchanging features through gated recurrent units.

Paper: Cong Wang, Xiaoying Xing, Yutong Wu, Zhixun Su, Junyang Chen, "DCSFN: Deep Cross-Scale Fusion
Network for Single Image Rain Removal", ACM Multimedia 2020, doi:10.1145/3394171.3413820. Layers the
paper leaves open follow the authors' release (Ohraincu/DCSFN). Input and output are BGR in [0, 1];
the network predicts the rain, which is subtracted.

Choices where paper and release differ or are silent:

- width 20 with four inner scales (the release) or 32 with three (the paper's text), by argument;
- the encoder's skip enters a decoder block before the block, as in the release (equation 3 adds it
  after); block i of the decoder gets the skip of block i of the encoder;
- resizing between scales is nearest; all activations are leaky ReLUs of slope 0.2;
- two 2C -> C fusions of the release are never used and not built; the first unit of each direction
  has no state to come, so four of its six convolutions stay idle, kept to agree with the release.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, side: int = 3) -> nn.Sequential:
    """Convolution and leaky ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, side, padding=side // 2), nn.LeakyReLU(0.2))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """Nearest neighbour to the size of another map."""
    return F.interpolate(x, size=like.shape[2:], mode="nearest")


class InnerScaleBlock(nn.Module):
    """Convolutions at several poolings of one map, joined from coarse to fine, plus the input."""

    def __init__(self, width: int, scales: int, convs: int) -> None:
        super().__init__()
        self.scales = scales
        self.convs = nn.ModuleList(
            nn.Sequential(*(_conv(width, width) for _ in range(convs))) for _ in range(scales)
        )
        self.joins = nn.ModuleList(_conv(2 * width, width, 1) for _ in range(scales - 1))
        self.merge = _conv(scales * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        pooled = [x if k == 0 else F.max_pool2d(x, 2**k) for k in range(self.scales)]
        maps = [self.convs[-1](pooled[-1])]
        for k in range(self.scales - 2, -1, -1):
            joined = self.joins[k](torch.cat((pooled[k], _resized(maps[0], pooled[k])), 1))
            maps.insert(0, self.convs[k](joined))
        merged: Tensor = self.merge(torch.cat([_resized(m, x) for m in maps], 1))
        return x + merged


class DenseChain(nn.Module):
    """Inner-scale blocks, each fed with a 1x1 fusion of all outputs so far; encoder and decoder."""

    def __init__(self, width: int, blocks: int, scales: int, convs: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(InnerScaleBlock(width, scales, convs) for _ in range(blocks))
        self.fusions = nn.ModuleList(_conv((i + 2) * width, width, 1) for i in range(blocks))

    def forward(self, x: Tensor, skips: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """The last fusion and every block's output; ``skips`` are added before the blocks."""
        outputs: list[Tensor] = []
        features = [x]
        for i, (block, fusion) in enumerate(zip(self.blocks, self.fusions, strict=True)):
            outputs.append(block(x if skips is None else x + skips[i]))
            features.append(outputs[-1])
            x = fusion(torch.cat(features, 1))
        return x, outputs


class GatedUnit(nn.Module):
    """Convolutional gated recurrent unit."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for name in ("xz", "xr", "xn", "hz", "hr", "hn"):
            self.add_module(name, nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        """Features, which are the next unit's state too."""
        conv = self.get_submodule
        if state is None:
            h = torch.sigmoid(conv("xz")(x)) * torch.tanh(conv("xn")(x))
        else:
            z = torch.sigmoid(conv("xz")(x) + conv("hz")(state))
            r = torch.sigmoid(conv("xr")(x) + conv("hr")(state))
            n = torch.tanh(conv("xn")(x) + conv("hn")(r * state))
            h = (1 - z) * state + z * n
        return F.leaky_relu(h, 0.2)


class DCSFN(nn.Module):
    """DCSFN; 6,451,507 parameters at the release's setting, 12,626,359 at the paper's."""

    minimum_px = 32
    """Smallest side: the coarsest pooling of the coarsest sub-network must leave a pixel."""

    def __init__(self, width: int = 20, blocks: int = 16, scales: int = 4, convs: int = 4) -> None:
        """Build the network.

        Args:
            width: C, channels of every feature map.
            blocks: L, inner-scale blocks in each encoder and decoder.
            scales: K, poolings inside a block.
            convs: n, convolutions at each of them.
        """
        super().__init__()
        self.enter = _conv(3, width)
        self.encoders = nn.ModuleList(DenseChain(width, blocks, scales, convs) for _ in range(3))
        self.decoders = nn.ModuleList(DenseChain(width, blocks, scales, convs) for _ in range(3))
        self.up_units = nn.ModuleList(GatedUnit(width) for _ in range(3))
        self.down_units = nn.ModuleList(GatedUnit(width) for _ in range(3))
        self.up_join = _conv(2 * width, width, 1)
        self.down_join = _conv(2 * width, width, 1)
        self.leave = nn.Sequential(*_conv(3 * width, 3, 1), nn.Conv2d(3, 3, 3, padding=1))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` BGR in [0, 1]; sides of at least `minimum_px`."""
        features = self.enter(rainy)
        inputs = (features, F.max_pool2d(features, 2), F.max_pool2d(features, 4))
        encoded = [encoder(x) for encoder, x in zip(self.encoders, inputs, strict=True)]
        (e1, _), (e2, _), (e4, _) = encoded
        a4 = self.up_units[2](e4)
        a2 = self.up_units[1](e2, _resized(a4, e2))
        a1 = self.up_units[0](e1, self.up_join(torch.cat((_resized(a2, e1), _resized(a4, e1)), 1)))
        b1 = self.down_units[0](a1)
        b2 = self.down_units[1](a2, _resized(b1, a2))
        b4 = self.down_units[2](
            a4, self.down_join(torch.cat((_resized(b1, a4), _resized(b2, a4)), 1))
        )
        decoded = [
            decoder(x, skips)[0]
            for decoder, x, (_, skips) in zip(self.decoders, (b1, b2, b4), encoded, strict=True)
        ]
        rain: Tensor = self.leave(torch.cat([_resized(d, rainy) for d in decoded], 1))
        return rainy - rain
