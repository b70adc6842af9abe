"""Overlapping tiles of an image, and how much each counts where they meet."""

from __future__ import annotations

import torch
from torch import Tensor

GRID_PX = 32
"""Tiles begin on multiples of this: every network's pooling then sees the same squares."""
HALO_PX = 48
"""Border of a tile that is computed and thrown away."""
OVERLAP_PX = 2 * HALO_PX + GRID_PX
"""What neighbours share: two halos and a ramp between them."""
SMALLEST_TILE_PX = OVERLAP_PX + 2 * GRID_PX

Span = tuple[int, int]
"""First and last+1 pixel along one side."""


def spans(size_px: int, tile_px: int) -> list[Span]:
    """Tiles along one side, the last of which may be shorter."""
    starts = range(0, max(size_px - OVERLAP_PX, 1), tile_px - OVERLAP_PX)
    return [(start, min(start + tile_px, size_px)) for start in starts]


def weights(start: int, stop: int, size_px: int, scale: int) -> Tensor:
    """Weight of a tile's pixels along one side: 0 in the halo, then a ramp; overlaps sum to one."""
    return _ramps(start, stop, size_px, scale, HALO_PX, GRID_PX)


def equal_spans(size_px: int, tile_px: int) -> list[Span]:
    """Tiles along one side that are all as long as asked, unless the image is shorter."""
    if size_px <= tile_px:
        return [(0, size_px)]
    steps = -(-(size_px - tile_px) // (tile_px - _shared(tile_px)))
    starts = [round(step * (size_px - tile_px) / steps) for step in range(steps + 1)]
    return [(start, start + tile_px) for start in starts]


def equal_weights(start: int, stop: int, size_px: int, tile_px: int, scale: int) -> Tensor:
    """As `weights`, of `equal_spans`; overlaps sum to something above 0."""
    halo = _shared(tile_px) * 3 // 8
    return _ramps(start, stop, size_px, scale, halo, max(_shared(tile_px) // 4, 1))


def _shared(tile_px: int) -> int:
    """What neighbours of `equal_spans` share at least."""
    return min(OVERLAP_PX, tile_px // 2)


def _ramps(start: int, stop: int, size_px: int, scale: int, halo: int, ramp: int) -> Tensor:
    pixels = torch.arange((stop - start) * scale, dtype=torch.float32) + 0.5
    found = torch.ones_like(pixels)
    for inside, from_edge in ((start > 0, pixels), (stop < size_px, pixels.flip(0))):
        if inside:
            found = found * ((from_edge / scale - halo) / ramp).clamp(0, 1)
    return found
