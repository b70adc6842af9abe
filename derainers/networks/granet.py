"""GraNet: a coarse stage that finds long streaks, a fine stage that finishes the image.

Paper: Weijiang Yu, Zhe Huang, Wayne Zhang, Litong Feng, Nong Xiao, "Gradual Network for Single
Image De-raining", ACM Multimedia 2019, doi:10.1145/3343031.3350883, equations 1 to 8, figures 2, 3.
No code of the authors is known. Input and output are RGB in [0, 1].

Where the paper is silent we follow NLEDN (Li et al. 2018), which it follows in training protocol,
decoder and benchmarks:

- width 64, growth 32, four layers per dense block, 1x1 fusion and a residual sum (the text says
  "residual" where figure 2 says "dense": this block is both);
- pairwise function: embedded Gaussian with softmax, bottleneck of half the width, 2x2 max pooling
  on keys and values, last projection initialised to zero, weights shared by a block's regions;
- equation 3 feeds F_L into the next level although pooling would then never take effect; here the
  pooled map is fed;
- region-aware block j works before unpooling on the map at 1/8, 1/4 and 1/2 of the size with 1x1,
  2x2 and 4x4 regions, so that every region has H/8 x W/8 positions; a 3x3 convolution follows;
- coarse mask of three channels (Table 3 scores it as an image), without supervision of its own;
- fine stage: three dense blocks, all outputs concatenated, twelve channels merged four to one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GraNetOutput(NamedTuple):
    """The images that the two stages produce, each ``(B, 3, H, W)``."""

    restored: Tensor
    """The fine stage's result, RGB, about [0, 1]."""
    coarse: Tensor
    """Rainy image minus mask."""
    mask: Tensor
    """The coarse stage's rain, about [-1, 1]."""


class DenseBlock(nn.Module):
    """Densely connected 3x3 convolutions, fused 1x1, added to the input (figure 3)."""

    def __init__(self, width: int, growth: int, layers: int) -> None:
        """Build ``layers`` convolutions that add ``growth`` channels each."""
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(width + growth * i, growth, 3, padding=1) for i in range(layers)
        )
        self.fuse = nn.Conv2d(width + growth * layers, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        features = [x]
        for conv in self.convs:
            features.append(F.relu(conv(torch.cat(features, 1))))
        fused: Tensor = self.fuse(torch.cat(features, 1))
        return x + fused


class RegionAwareBlock(nn.Module):
    """Non-local operation inside each of grid x grid regions, then a convolution (equation 6)."""

    def __init__(self, width: int, grid: int) -> None:
        """Share one set of projections among all regions."""
        super().__init__()
        self.grid = grid
        self.theta = nn.Conv2d(width, width // 2, 1)
        self.phi = nn.Conv2d(width, width // 2, 1)
        self.g = nn.Conv2d(width, width // 2, 1)
        self.w = nn.Conv2d(width // 2, width, 1)
        nn.init.zeros_(self.w.weight)
        nn.init.zeros_(self.w.bias)  # type: ignore[arg-type]
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape; H and W are multiples of the grid."""
        b, c, h, w = x.shape
        n, rows, columns = self.grid, h // self.grid, w // self.grid
        regions = x.reshape(b, c, n, rows, n, columns).permute(0, 2, 4, 1, 3, 5)
        regions = regions.reshape(b * n * n, c, rows, columns)
        query = _positions(self.theta(regions))
        key = _positions(F.max_pool2d(self.phi(regions), 2))
        value = _positions(F.max_pool2d(self.g(regions), 2))
        # scale=1: the embedded Gaussian of Wang et al. 2018 has no 1/sqrt(d).
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        attended = attended.squeeze(1).transpose(1, 2).reshape(b * n * n, c // 2, rows, columns)
        regions = regions + self.w(attended)
        whole = regions.reshape(b, n, n, c, rows, columns).permute(0, 3, 1, 4, 2, 5)
        out: Tensor = F.relu(self.conv(whole.reshape(b, c, h, w)))
        return out


def _positions(features: Tensor) -> Tensor:
    """``(B, C, H, W)`` as one head of attention, ``(B, 1, H·W, C)``."""
    return features.flatten(2).transpose(1, 2).unsqueeze(1)


class GraNet(nn.Module):
    """GraNet at paper size: 1,009,455 parameters at width 64."""

    multiple_of = 8
    """H and W must be multiples of this."""
    minimum_px = 16
    """Smallest side: the region at 1/8 of the size must have two pixels to pool."""

    def __init__(
        self,
        width: int = 64,
        growth: int = 32,
        layers: int = 4,
        merge: int = 4,
        region_aware: bool = True,
        fine: Literal["context", "plain", "none"] = "context",
    ) -> None:
        """Build the network.

        Args:
            width: Channels of every feature map.
            growth: Channels that each dense layer adds.
            layers: Dense layers per block.
            merge: k of equation 8, how many channels vote for one.
            region_aware: Without, each region-aware block is its convolution alone (Table 2).
            fine: The fine stage: the paper's, ``plain`` (two convolutions, no context) or ``none``:
                the coarse result is the result (Table 2).
        """
        super().__init__()
        self.merge = merge
        self.fine = fine

        def dense() -> DenseBlock:
            return DenseBlock(width, growth, layers)

        self.coarse_stem = nn.Conv2d(3, width, 3, padding=1)
        self.local_blocks = nn.ModuleList(dense() for _ in range(3))
        self.region_blocks = nn.ModuleList(
            RegionAwareBlock(width, grid)
            if region_aware
            else nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
            for grid in (1, 2, 4)
        )
        self.coarse_head = nn.Conv2d(width, 3, 3, padding=1)
        if fine == "none":
            return
        self.fine_stem = nn.Conv2d(3, width, 3, padding=1)
        if fine == "plain":
            self.fine_head = nn.Conv2d(width, 3, 3, padding=1)
            return
        self.fine_blocks = nn.ModuleList(dense() for _ in range(3))
        self.fine_fuse = nn.Conv2d(3 * width, width, 1)
        self.fine_head = nn.Conv2d(width, 3 * merge, 3, padding=1)

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` RGB in [0, 1]; the result is not clamped."""
        return self.stages(rainy).restored

    def stages(self, rainy: Tensor) -> GraNetOutput:
        """Restore and keep what the paper's Table 3 scores: coarse result and mask."""
        mask = self._mask(rainy)
        coarse = rainy - mask
        return GraNetOutput(self._fine(coarse), coarse, mask)

    def _mask(self, rainy: Tensor) -> Tensor:
        """Coarse stage, equations 1 to 6: the rain, ``(B, 3, H, W)``."""
        x = self.coarse_stem(rainy)
        skips: list[tuple[Tensor, Tensor]] = []
        for block in self.local_blocks:
            local = block(x)
            x, indices = F.max_pool2d(local, 2, return_indices=True)
            skips.append((local, indices))
        for block in self.region_blocks:
            local, indices = skips.pop()
            # F.max_unpool2d imports sympy for a check, which takes a second at the start of a run.
            x = torch.ops.aten.max_unpool2d(block(x), indices, local.shape[2:]) + local
        mask: Tensor = self.coarse_head(x)
        return mask

    def _fine(self, coarse: Tensor) -> Tensor:
        """Fine stage and merging block, equations 7 and 8."""
        if self.fine == "none":
            return coarse
        x = self.fine_stem(coarse)
        if self.fine == "plain":
            plain: Tensor = self.fine_head(F.relu(x))
            return plain
        levels = []
        for block in self.fine_blocks:
            x = block(x)
            levels.append(x)
        votes = self.fine_head(self.fine_fuse(torch.cat(levels, 1)))
        merged: Tensor = votes.unflatten(1, (self.merge, 3)).mean(1)
        return merged
