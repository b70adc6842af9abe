"""A network as a derainer: with what it expects of its input, on a device, in memory."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from datasets.image import NDArrayByte, NDArrayFloat, from_tensor, to_tensor
from derainers.errors import DerainerError
from derainers.failures import is_out_of_memory, made, refuse_size
from derainers.outputs import Output, SizeError, image_of
from derainers.restorer import Computing, Restored
from derainers.tiles import (
    GRID_PX,
    SMALLEST_TILE_PX,
    Span,
    equal_spans,
    equal_weights,
    spans,
    weights,
)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class _Batch(NamedTuple):
    """A batch that a network made, and how."""

    images: Tensor
    """What `Derainer.__call__` returns."""
    tile_px: int | None
    """Side of the tiles that it was made of; None = whole."""


class Derainer(Computing):
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
        multiple_of: int | None = None,
        minimum_px: int = 1,
        fixed_px: tuple[int, int] | None = None,
        scale: int = 1,
        output: Output = None,
    ) -> None:
        """Describe the network.

        Args:
            module: Maps ``(B, 3, H, W)`` to ``(B, 3, scale·H, scale·W)``.
            range: Values of black and white in the network's input and output.
            channels: ``rgb`` or ``bgr``, of input and output.
            multiple_of: H and W are padded to multiples of this; None = for `fitted` to find.
            minimum_px: H and W are padded to at least this.
            fixed_px: The one height and width that the network takes; it works in tiles of it.
            scale: How much larger the network's output is: 2 for a super-resolution network.
            output: Which of the module's outputs is the restored image, see `derainers.outputs`.

        Raises:
            DerainerError: If an argument is out of its range.
        """
        if channels not in ("rgb", "bgr"):
            raise DerainerError(f"channels={channels!r}: must be 'rgb' or 'bgr'")
        if not range[0] < range[1]:
            raise DerainerError(f"range={range}: black must be below white")
        if min(1 if multiple_of is None else multiple_of, minimum_px, scale, *(fixed_px or ())) < 1:
            raise DerainerError("multiple_of, minimum_px, fixed_px and scale must be at least 1")
        self.module = module
        self.range = range
        self.channels = channels
        self.multiple_of = multiple_of or 1
        self.is_fitted = multiple_of is not None
        """Whether `multiple_of` was declared or found."""
        self.fixed_px = fixed_px
        self.output = output
        self.scale = scale
        self.said: tuple[str, ...] = ()
        """What a reader of its numbers should know, such as which of several weights it has."""
        self.minimum_px = minimum_px
        self.tile_px: int | None = None
        """Side of the tiles to begin with, see `in_tiles`; None = the whole image at once."""
        self._layout = torch.channels_last
        self._device = torch.device("cpu")
        self._dtype = torch.float32
        self._turn: AbstractContextManager[object] = nullcontext()

    def convention(self) -> list[object]:
        """What decides the result beside the module, as plain JSON values."""
        # A function is told by its address: never taken for another's, in this process or the next.
        output = None if self.output is None else repr(self.output)
        sizes = [self.multiple_of, self.is_fitted, self.minimum_px, self.scale, self.tile_px]
        return [*self.range, self.channels, *sizes, self.fixed_px, output]

    def to(self, device: str, dtype: str = "fp32") -> Derainer:
        """Move the network to a device and number format (a key of `DTYPES`); returns self."""
        self._device, self._dtype = torch.device(device), DTYPES[dtype]
        # `Module.to` would make complex numbers real, and refuses other ranks in channels_last.
        self.module._apply(self._placed)
        self.module.eval()
        return self

    def _placed(self, value: Tensor) -> Tensor:
        """A parameter or buffer on the device and in the number format."""
        dtype = self._dtype if value.is_floating_point() else value.dtype
        if value.ndim != 4:
            return value.to(self._device, dtype)
        return value.to(self._device, dtype, memory_format=self._layout)

    def in_plain_layout(self) -> Derainer:
        """The same network on tensors whose numbers lie in order: some cannot do without.

        Others get them in channels_last, in which convolutions are 1.3 to 2 times faster on the
        CPU, and as fast on CUDA.
        """
        other = copy.copy(self)
        other._layout = torch.contiguous_format
        other.module._apply(other._placed)
        return other

    def in_tiles(self, tile_px: int | None) -> Derainer:
        """The same network as a derainer that begins with tiles of this side; None = with none."""
        other = copy.copy(self)
        other.tile_px = tile_px
        return other

    def per_thread(self, shares_weights: bool) -> Derainer:
        """A copy, see `derainers.restorer.per_thread`."""
        weights = self.module.parameters() if shares_weights else ()
        return copy.deepcopy(self, {id(weight): weight for weight in weights})

    def in_turn(self, turn: AbstractContextManager[object]) -> Derainer:
        """The same network as a derainer that enters this for as long as the network computes."""
        other = copy.copy(self)
        other._turn = turn
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
        if self.fixed_px is not None:
            return _Batch(self._tiled(batch, self.fixed_px), min(self.fixed_px))
        longest = max(batch.shape[2:])
        tile_px = self.tile_px if self.tile_px and self.tile_px < longest else None
        while True:
            try:
                images = (
                    self._whole(batch) if tile_px is None else self._tiled(batch, None, tile_px)
                )
                return _Batch(images, tile_px)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    refuse_size(error, batch, tile_px)
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
        return self.levels(batch).clamp(0.0, 1.0)

    @torch.inference_mode()
    def levels(self, batch: Tensor) -> Tensor:
        """What one forward makes of a batch, before values beyond black and white are cut.

        Raises:
            DerainerError: As a call does.
        """
        height, width = batch.shape[2:]
        black, white = self.range
        is_plain = (black, white) == (0.0, 1.0)
        y, _ = self.forward(batch)
        y = y[:, :, : height * self.scale, : width * self.scale].to(batch.device, torch.float32)
        # The sum of what is not finite is not; it takes one pass where the test of each takes five.
        if not torch.isfinite(y.sum()) and not torch.isfinite(y).all():
            raise DerainerError("the network returned non-finite values")
        y = y if is_plain else (y - black) / (white - black)
        return y.flip(1) if self.channels == "bgr" else y

    def forward(self, batch: Tensor) -> tuple[Tensor, str | None]:
        """What the network makes of a batch, padded and in its own range, and which output it is.

        Raises:
            DerainerError: If none of what it returns, or several, could be the restored image.
        """
        x = batch.flip(1) if self.channels == "bgr" else batch
        if self.range != (0.0, 1.0):
            x = self.range[0] + x * (self.range[1] - self.range[0])
        for axis in (2, 3):
            if self._padded(x.shape[axis], axis) != x.shape[axis]:
                x = x.index_select(axis, self._reflected(x.shape[axis], axis).to(x.device))
        # A network may work in place: what it gets is never the caller's.
        x = x.to(self._device, self._dtype, copy=x is batch, memory_format=self._layout)
        wanted = (*x.shape[:2], x.shape[2] * self.scale, x.shape[3] * self.scale)
        given = tuple(x.shape)
        x = x.contiguous(memory_format=self._layout)
        with self._turn:
            result = made(self.module, x)
        y, key = image_of(result, self.output, wanted)
        if y.is_complex():
            raise DerainerError(
                "the network returned complex numbers: let it return their real part or magnitude"
            )
        if not y.is_floating_point() and self.range != (0.0, 255.0):
            raise DerainerError(
                f"the network returned whole numbers ({y.dtype}): let it return floats in the "
                "range that it takes (range=0..255 where it takes and returns 0 to 255)"
            )
        if y.ndim != 4 or y.shape[:2] != wanted[:2]:
            raise DerainerError(
                f"the network made {tuple(y.shape)} of {given}, expected {wanted}: let it return "
                "as many images and channels as it is given, in this order of the axes"
            )
        if y.shape != wanted:
            raise SizeError(
                f"the network made {tuple(y.shape)} of {given}, expected {wanted} "
                "(set multiple_of or scale?)"
            )
        return y, key

    def _tiled(self, batch: Tensor, fixed_px: tuple[int, int] | None, tile_px: int = 0) -> Tensor:
        """Restore a batch in overlapping tiles, blended where they meet."""
        sides = [
            self._tiles(size, axis, fixed_px, tile_px) for axis, size in enumerate(batch.shape[2:])
        ]
        scale = self.scale
        whole = batch.new_zeros(*batch.shape[:2], *(size * scale for size in batch.shape[2:]))
        for (top, bottom), of_rows in sides[0]:
            for (left, right), of_columns in sides[1]:
                tile = self._whole(batch[:, :, top:bottom, left:right])
                rows = slice(top * scale, bottom * scale)
                columns = slice(left * scale, right * scale)
                part = whole[:, :, rows, columns]
                part += tile * (of_rows[:, None] * of_columns).to(batch.device)
        return whole

    def _tiles(
        self, size_px: int, axis: int, fixed_px: tuple[int, int] | None, tile_px: int
    ) -> list[tuple[Span, Tensor]]:
        """The tiles along one side, and the weight of their pixels, whose sums are one."""
        if fixed_px is None:
            return [(s, weights(*s, size_px, self.scale)) for s in spans(size_px, tile_px)]
        side = fixed_px[axis]
        tiles = [
            (s, equal_weights(*s, size_px, side, self.scale)) for s in equal_spans(size_px, side)
        ]
        total = torch.zeros(size_px * self.scale)
        for (start, stop), found in tiles:
            total[start * self.scale : stop * self.scale] += found
        return [(s, w / total[s[0] * self.scale : s[1] * self.scale]) for s, w in tiles]

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `Restorer`."""
        return self.measured(image, sample_id).image

    def measured(self, image: NDArrayByte, sample_id: str) -> Restored:
        """Restore one image, and say in which tiles."""
        return self.measured_together([image])[0]

    def measured_together(self, images: list[NDArrayByte]) -> list[Restored]:
        """Restore images of one size in one batch, and say in which tiles.

        Where memory does not suffice for all at once, each is restored alone.
        """
        batch, tile_px = self._in_memory(to_tensor(images, self._device))
        if len(images) > 1 and tile_px not in (None, self.tile_px, *(self.fixed_px or ())):
            return [self.measured(image, "") for image in images]
        return [Restored(image, tile_px) for image in from_tensor(batch)]

    def _padded(self, size_px: int, axis: int) -> int:
        """Size of one side as the network gets it."""
        if self.fixed_px is not None:
            return self.fixed_px[axis - 2]
        return -(-max(size_px, self.minimum_px) // self.multiple_of) * self.multiple_of

    def _reflected(self, size_px: int, axis: int) -> Tensor:
        """Row (or column) numbers that pad one side by reflection, however small it is."""
        period = max(2 * (size_px - 1), 1)
        steps = torch.arange(self._padded(size_px, axis)) % period
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
