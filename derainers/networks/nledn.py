"""NLEDN: an encoder-decoder of dense blocks with non-local means inside regions.

Paper: Guanbin Li, Xiang He, Wei Zhang, Huiyou Chang, Le Dong, Liang Lin, "Non-locally Enhanced
Encoder-Decoder Network for Single Image De-raining", ACM Multimedia 2018,
doi:10.1145/3240508.3240636. Names and shapes of the weights are those of the authors' release
(AlexHex7/NLEDN). Input and output are RGB in [0, 1]; the network predicts the rain in (-1, 1), and
the output is not clamped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NonLocal(nn.Module):
    """Embedded-Gaussian non-local operation with pooled keys and values (Wang et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.g = nn.Sequential(nn.Conv2d(channels, inner, 1))
        self.W = nn.Conv2d(inner, channels, 1)
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Sequential(nn.Conv2d(channels, inner, 1))
        nn.init.zeros_(self.W.weight)
        nn.init.zeros_(self.W.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        b, _, h, w = x.shape
        pool = [min(2, h), min(2, w)]  # a region may be one pixel wide
        query, key, value = (
            t.flatten(2).transpose(1, 2).unsqueeze(1)
            for t in (
                self.theta(x),
                F.max_pool2d(self.phi(x), pool),
                F.max_pool2d(self.g(x), pool),
            )
        )
        # scale=1: the release has no 1/sqrt(d); the default costs 0.46 dB on Rain100L.
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        projected: Tensor = self.W(attended.squeeze(1).transpose(1, 2).reshape(b, -1, h, w))
        return x + projected


class RegionNonLocal(nn.Module):
    """One non-local operation for each of grid x grid regions, of which the last may be smaller."""

    def __init__(self, channels: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.non_local_block = NonLocal(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        rows = [
            torch.cat([self.non_local_block(region) for region in row.chunk(self.grid, 3)], 3)
            for row in x.chunk(self.grid, 2)
        ]
        return torch.cat(rows, 2)


class NonLocalDenseBlock(nn.Module):
    """A non-local operation, four dense convolutions on it, 1x1 fusion, plus the input."""

    def __init__(self, channels: int, growth: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        if grid > 1:
            self.region_non_local = RegionNonLocal(channels, grid)
        else:
            self.non_local = NonLocal(channels)
        for i in range(4):
            conv = nn.Conv2d(channels + growth * i, growth, 3, padding=1)
            self.add_module(f"group_{i}", nn.Sequential(conv, nn.ReLU()))
        self.fusion = nn.Sequential(nn.Conv2d(channels + 4 * growth, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        features = [self.region_non_local(x) if self.grid > 1 else self.non_local(x)]
        for i in range(4):
            features.append(self.get_submodule(f"group_{i}")(torch.cat(features, 1)))
        fused: Tensor = self.fusion(torch.cat(features, 1))
        return x + fused


class NLEDN(nn.Module):
    """NLEDN with 1,005,379 parameters."""

    minimum_px = 8
    """Smallest side: three poolings must leave a pixel."""

    def __init__(self, width: int = 64, growth: int = 32, *, sides: str = "any") -> None:
        """Build three levels with 8x8, 4x4 and 2x2 regions, and a global one below.

        Args:
            width: Channels.
            growth: Channels that a dense layer adds.
            sides: ``odd`` repeats the last row or column of an even side, and cuts it off again:
                481x321 pixels of BSDS, which the authors trained and scored on, have other
                regions than the 480x320 of common copies.
        """
        super().__init__()
        self.sides = sides
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.up_1 = NonLocalDenseBlock(width, growth, 8)
        self.up_2 = NonLocalDenseBlock(width, growth, 4)
        self.up_3 = NonLocalDenseBlock(width, growth, 2)
        self.down_3 = NonLocalDenseBlock(width, growth, 1)
        self.down_2 = NonLocalDenseBlock(width, growth, 2)
        self.down_1 = NonLocalDenseBlock(width, growth, 4)
        self.down_2_fusion = nn.Conv2d(2 * width, width, 1)
        self.down_1_fusion = nn.Conv2d(2 * width, width, 1)
        self.fusion = nn.Sequential(
            nn.Conv2d(3 * width, width, 1), nn.Conv2d(width, width, 3, padding=1)
        )
        self.final_conv = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` RGB in [0, 1]."""
        if self.sides == "any":
            return self._restore(rainy)
        h, w = rainy.shape[2:]
        odd = F.pad(rainy, (0, 1 - w % 2, 0, 1 - h % 2), mode="replicate")
        return self._restore(odd)[..., :h, :w]

    def _restore(self, rainy: Tensor) -> Tensor:
        """The same of any size."""
        first = self.conv1(rainy)
        start = self.conv2(first)
        up_1 = self.up_1(start)
        pooled_1, indices_1 = F.max_pool2d(up_1, 2, return_indices=True)
        up_2 = self.up_2(pooled_1)
        pooled_2, indices_2 = F.max_pool2d(up_2, 2, return_indices=True)
        up_3 = self.up_3(pooled_2)
        pooled_3, indices_3 = F.max_pool2d(up_3, 2, return_indices=True)
        down = self.down_3(pooled_3)
        down = F.max_unpool2d(down, indices_3, [2, 2], output_size=up_3.shape[2:])
        down = self.down_2(self.down_2_fusion(torch.cat((pooled_2, down), 1)))
        down = F.max_unpool2d(down, indices_2, [2, 2], output_size=up_2.shape[2:])
        down = self.down_1(self.down_1_fusion(torch.cat((pooled_1, down), 1)))
        down = F.max_unpool2d(down, indices_1, [2, 2], output_size=up_1.shape[2:])
        features = self.fusion(torch.cat((start, down, up_1), 1)) + first
        rain: Tensor = self.final_conv(features)
        return rainy - rain
