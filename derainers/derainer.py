"""What the engine sees of a derainer: ``restore(image, sample_id)``, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from datasets.image import NDArrayByte, NDArrayFloat, from_tensor, to_tensor
from derainers import DerainerError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Restorer(Protocol):
    """Anything that restores images: a network, a filter, a folder of files."""

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Rainy ``uint8 (H, W, 3) RGB`` to ``float32 (H, W, 3) RGB`` in [0, 1], same size."""
        ...


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
    without gradients, undoes all of it, clamps and checks for non-finite values. The caller's
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
        output: Callable[[object], Tensor] | None = None,
    ) -> None:
        """Describe the network.

        Args:
            module: Maps ``(B, 3, H, W)`` to the same shape.
            range: Values of black and white in the network's input and output.
            channels: ``rgb`` or ``bgr``, of input and output.
            multiple_of: H and W are padded to multiples of this.
            minimum_px: H and W are padded to at least this.
            output: Picks the restored image from what the module returns; None = the return value.

        Raises:
            DerainerError: If an argument is out of its range.
        """
        if channels not in ("rgb", "bgr"):
            raise DerainerError(f"channels={channels!r}: must be 'rgb' or 'bgr'")
        if not range[0] < range[1]:
            raise DerainerError(f"range={range}: black must be below white")
        if multiple_of < 1 or minimum_px < 1:
            raise DerainerError("multiple_of and minimum_px must be at least 1")
        self.module = module
        self._black, self._white = range
        self._flip = channels == "bgr"
        self._multiple = multiple_of
        self._minimum_px = minimum_px
        self._output = output
        self._device = torch.device("cpu")
        self._dtype = torch.float32

    def convention(self) -> list[object]:
        """What decides the result beside the module, as plain JSON values."""
        # A function is told by its address: never taken for another's, in this process or the next.
        output = None if self._output is None else repr(self._output)
        return [self._black, self._white, self._flip, self._multiple, self._minimum_px, output]

    def to(self, device: str, dtype: str = "fp32") -> Derainer:
        """Move the network to a device and number format (a key of `DTYPES`); returns self."""
        self._device, self._dtype = torch.device(device), DTYPES[dtype]
        # channels_last: 1.3 to 2 times faster convolutions on the CPU, the same on CUDA.
        self.module = self.module.to(self._device, self._dtype).to(
            memory_format=torch.channels_last
        )
        self.module.eval()
        return self

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """Restore a batch.

        Args:
            batch: ``float32 (B, 3, H, W) RGB`` in [0, 1], on any device; left as it is.

        Returns:
            The same shape, type, range and device.

        Raises:
            DerainerError: If the network returns no tensor, another shape or non-finite values.
        """
        if batch.ndim != 4 or batch.shape[1] != 3:
            raise DerainerError(f"expected (B, 3, H, W), got {tuple(batch.shape)}")
        height, width = batch.shape[2:]
        x = batch.flip(1) if self._flip else batch
        x = self._black + x * (self._white - self._black)
        x = x[:, :, self._reflected(height)][:, :, :, self._reflected(width)]
        x = x.to(self._device, self._dtype).contiguous(memory_format=torch.channels_last)
        result = self.module(x)
        y = self._output(result) if self._output else result
        if not isinstance(y, Tensor):
            raise DerainerError(
                f"the network returned {type(y).__name__}, not a tensor: "
                "name the restored image with Derainer(..., output=lambda result: ...)"
            )
        if y.shape != x.shape:
            raise DerainerError(
                f"the network made {tuple(y.shape)} of {tuple(x.shape)}: it must keep the size "
                "(set multiple_of?)"
            )
        y = y[:, :, :height, :width].to(batch.device, torch.float32)
        if not torch.isfinite(y).all():
            raise DerainerError("the network returned non-finite values")
        y = ((y - self._black) / (self._white - self._black)).clamp(0.0, 1.0)
        return y.flip(1) if self._flip else y

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `Restorer`."""
        return from_tensor(self(to_tensor([image])))[0]

    def _reflected(self, size_px: int) -> Tensor:
        """Row (or column) numbers that pad one side by reflection, however small it is."""
        padded = -(-max(size_px, self._minimum_px) // self._multiple) * self._multiple
        period = max(2 * (size_px - 1), 1)
        steps = torch.arange(padded) % period
        return torch.minimum(steps, period - steps) if size_px > 1 else torch.zeros_like(steps)
