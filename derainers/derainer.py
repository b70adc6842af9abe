"""What the engine sees of a derainer: ``restore(image, sample_id)``, whatever stands behind it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from datasets.image import NDArrayByte, NDArrayFloat, from_tensor, to_tensor
from derainers.errors import DerainerError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
GRID_PX = 32
"""Tiles begin on multiples of this: every network's pooling then sees the same squares."""
HALO_PX = 48
"""Border of a tile that is computed and thrown away."""
OVERLAP_PX = 2 * HALO_PX + GRID_PX
"""What neighbours share: two halos and a ramp between them."""
SMALLEST_TILE_PX = OVERLAP_PX + 2 * GRID_PX


class Restorer(Protocol):
    """Anything that restores images: a network, a filter, a folder of files."""

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Rainy ``uint8 (H, W, 3) RGB`` to ``float32 (H, W, 3) RGB`` in [0, 1], same size."""
        ...


class Restored(NamedTuple):
    """An image that a derainer made, and how."""

    image: NDArrayFloat
    """What `Restorer.restore` returns."""
    tile_px: int | None
    """Side of the smallest tiles that it was made of; None = whole."""


class _Batch(NamedTuple):
    """A batch that a network made, and how."""

    images: Tensor
    """What `Derainer.__call__` returns."""
    tile_px: int | None
    """Side of the tiles that it was made of; None = whole."""


class Filter:
    """A classical derainer: a pure function from bytes to bytes."""

    def __init__(self, function: Callable[[NDArrayByte], NDArrayByte]) -> None:
        """Wrap the function, which must leave its argument as it is."""
        self._function = function

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Filter one image; division and later rounding give the same bytes back."""
        levels: NDArrayFloat = self._function(image).astype(np.float32) / np.float32(255.0)
        return levels


class Derainer:
    """A network with what it expects of its input. Final: wrap, do not inherit.

    Pads to the network's multiple by reflection, casts, converts range and channel order, runs
    without gradients, undoes all of it, clamps and checks for non-finite values. Where memory does
    not suffice, it works in overlapping tiles of half the size, and half again. The caller's
    tensors and torch's global state stay as they are.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        range: tuple[float, float] = (0.0, 1.0),
        channels: str = "rgb",
        multiple_of: int = 1,
        minimum_px: int = 1,
        scale: int = 1,
        output: Callable[[object], Tensor] | None = None,
    ) -> None:
        """Describe the network.

        Args:
            module: Maps ``(B, 3, H, W)`` to ``(B, 3, scale·H, scale·W)``.
            range: Values of black and white in the network's input and output.
            channels: ``rgb`` or ``bgr``, of input and output.
            multiple_of: H and W are padded to multiples of this.
            minimum_px: H and W are padded to at least this.
            scale: How much larger the network's output is: 2 for a super-resolution network.
            output: Picks the restored image from what the module returns; None = the return value.

        Raises:
            DerainerError: If an argument is out of its range.
        """
        if channels not in ("rgb", "bgr"):
            raise DerainerError(f"channels={channels!r}: must be 'rgb' or 'bgr'")
        if not range[0] < range[1]:
            raise DerainerError(f"range={range}: black must be below white")
        if min(multiple_of, minimum_px, scale) < 1:
            raise DerainerError("multiple_of, minimum_px and scale must be at least 1")
        self.module = module
        self.range = range
        self.channels = channels
        self.multiple_of = multiple_of
        self._minimum_px = minimum_px
        self._output = output
        self.scale = scale
        self.tile_px: int | None = None
        """Side of the tiles to begin with, see `in_tiles`; None = the whole image at once."""
        self._device = torch.device("cpu")
        self._dtype = torch.float32

    def convention(self) -> list[object]:
        """What decides the result beside the module, as plain JSON values."""
        # A function is told by its address: never taken for another's, in this process or the next.
        output = None if self._output is None else repr(self._output)
        sizes = [self.multiple_of, self._minimum_px, self.scale, self.tile_px]
        return [*self.range, self.channels, *sizes, output]

    def to(self, device: str, dtype: str = "fp32") -> Derainer:
        """Move the network to a device and number format (a key of `DTYPES`); returns self."""
        self._device, self._dtype = torch.device(device), DTYPES[dtype]
        # channels_last: 1.3 to 2 times faster convolutions on the CPU, the same on CUDA.
        self.module = self.module.to(self._device, self._dtype).to(
            memory_format=torch.channels_last
        )
        self.module.eval()
        return self

    def in_tiles(self, tile_px: int | None) -> Derainer:
        """The same network as a derainer that begins with tiles of this side; None = with none."""
        other = copy.copy(self)
        other.tile_px = tile_px
        return other

    def __call__(self, batch: Tensor) -> Tensor:
        """Restore a batch.

        Args:
            batch: ``float32 (B, 3, H, W) RGB`` in [0, 1], on any device; left as it is.

        Returns:
            ``(B, 3, scale·H, scale·W)`` of the same type, range and device.

        Raises:
            DerainerError: If the network returns no tensor, another shape or non-finite values, or
                memory does not even suffice for the smallest tiles.
        """
        return self._in_memory(batch).images

    @torch.inference_mode()
    def _in_memory(self, batch: Tensor) -> _Batch:
        """Restore a batch in tiles as large as memory allows."""
        if batch.ndim != 4 or batch.shape[1] != 3:
            raise DerainerError(f"expected (B, 3, H, W), got {tuple(batch.shape)}")
        longest = max(batch.shape[2:])
        tile_px = self.tile_px if self.tile_px and self.tile_px < longest else None
        while True:
            try:
                images = self._whole(batch) if tile_px is None else self._tiled(batch, tile_px)
                return _Batch(images, tile_px)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                smaller = (tile_px or longest) // 2 // GRID_PX * GRID_PX
                if smaller < SMALLEST_TILE_PX:
                    raise DerainerError(
                        f"out of memory even in tiles of {tile_px or longest} px: "
                        "use fewer --workers, another --device or --dtype bf16"
                    ) from error
            # Outside of the handler, whose traceback would keep the failed forward's memory.
            tile_px = smaller

    def _whole(self, batch: Tensor) -> Tensor:
        """Restore a batch in one forward."""
        height, width = batch.shape[2:]
        black, white = self.range
        is_plain = (black, white) == (0.0, 1.0)
        x = batch.flip(1) if self.channels == "bgr" else batch
        x = x if is_plain else black + x * (white - black)
        if self._padded(height) != height:
            x = x[:, :, self._reflected(height)]
        if self._padded(width) != width:
            x = x[:, :, :, self._reflected(width)]
        # A network may work in place: what it gets is never the caller's.
        layout = torch.channels_last
        x = x.to(self._device, self._dtype, copy=x is batch, memory_format=layout)
        result = self.module(x.contiguous(memory_format=layout))
        y = self._output(result) if self._output else result
        if not isinstance(y, Tensor):
            raise DerainerError(
                f"the network returned {type(y).__name__}, not a tensor: "
                "name the restored image with Derainer(..., output=lambda result: ...)"
            )
        wanted = (*x.shape[:2], x.shape[2] * self.scale, x.shape[3] * self.scale)
        if y.shape != wanted:
            raise DerainerError(
                f"the network made {tuple(y.shape)} of {tuple(x.shape)}, expected {wanted} "
                "(set multiple_of or scale?)"
            )
        y = y[:, :, : height * self.scale, : width * self.scale].to(batch.device, torch.float32)
        # The sum of what is not finite is not; it takes one pass where the test of each takes five.
        if not torch.isfinite(y.sum()) and not torch.isfinite(y).all():
            raise DerainerError("the network returned non-finite values")
        y = (y if is_plain else (y - black) / (white - black)).clamp(0.0, 1.0)
        return y.flip(1) if self.channels == "bgr" else y

    def _tiled(self, batch: Tensor, tile_px: int) -> Tensor:
        """Restore a batch in overlapping tiles, blended where they meet."""
        height, width = batch.shape[2:]
        whole = batch.new_zeros(*batch.shape[:2], height * self.scale, width * self.scale)
        for top, bottom in _spans(height, tile_px):
            rows = _weights(top, bottom, height, self.scale)[:, None]
            for left, right in _spans(width, tile_px):
                weights = rows * _weights(left, right, width, self.scale)
                tile = self._whole(batch[:, :, top:bottom, left:right])
                part = whole[
                    :,
                    :,
                    top * self.scale : bottom * self.scale,
                    left * self.scale : right * self.scale,
                ]
                part += tile * weights.to(batch.device)
        return whole

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `Restorer`."""
        return self.measured(image, sample_id).image

    def measured(self, image: NDArrayByte, sample_id: str) -> Restored:
        """Restore one image, and say in which tiles."""
        images, tile_px = self._in_memory(to_tensor([image]))
        return Restored(from_tensor(images)[0], tile_px)

    def _padded(self, size_px: int) -> int:
        """Size of one side as the network gets it."""
        return -(-max(size_px, self._minimum_px) // self.multiple_of) * self.multiple_of

    def _reflected(self, size_px: int) -> Tensor:
        """Row (or column) numbers that pad one side by reflection, however small it is."""
        period = max(2 * (size_px - 1), 1)
        steps = torch.arange(self._padded(size_px)) % period
        return torch.minimum(steps, period - steps) if size_px > 1 else torch.zeros_like(steps)


class Stage(nn.Module):
    """One intermediate output of a network whose ``stages`` returns several by name."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network = network
        self._name = name

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to the same shape."""
        image: Tensor = getattr(self.network.stages(x), self._name)  # type: ignore[operator]
        return image


def stage_of(derainer: Derainer, name: str) -> Derainer:
    """A derainer that gives an intermediate output instead of the restored image."""
    other = copy.copy(derainer)
    other.module = Stage(derainer.module, name)
    return other


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out, on CUDA or on the CPU, where torch has no class for it."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _spans(size_px: int, tile_px: int) -> list[tuple[int, int]]:
    """First and last+1 pixel of each tile along one side."""
    starts = range(0, max(size_px - OVERLAP_PX, 1), tile_px - OVERLAP_PX)
    return [(start, min(start + tile_px, size_px)) for start in starts]


def _weights(start: int, stop: int, size_px: int, scale: int) -> Tensor:
    """Weight of a tile's pixels along one side: 0 in the halo, then a ramp; overlaps sum to one."""
    pixels = torch.arange((stop - start) * scale, dtype=torch.float32) + 0.5
    weights = torch.ones_like(pixels)
    for inside, from_edge in ((start > 0, pixels), (stop < size_px, pixels.flip(0))):
        if inside:
            weights = weights * ((from_edge / scale - HALO_PX) / GRID_PX).clamp(0, 1)
    return weights
