"""What a network's own errors mean, and what to do about them."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from derainers.errors import DerainerError
from derainers.tiles import SMALLEST_TILE_PX

FIXED_PX = "Derainer(network, fixed_px=(HEIGHT, WIDTH))"
"""How code says that a network takes one size alone."""
_OF_SIZES = ("must match", "is invalid for input of size", "shapes cannot be multiplied")
"""What torch says where tensors do not fit each other."""
_CAUSES = (
    (
        ("does not require grad", "nference tensor"),
        "needs gradients in its forward",
        "compute on x.clone() inside `with torch.inference_mode(False), torch.enable_grad():`",
    ),
    (
        ("NVIDIA driver", "not compiled with CUDA", "CUDA GPUs are available"),
        "asks for CUDA in its forward",
        "make its tensors with device=x.device, without cuda(), or give --device cuda",
    ),
    (
        ("on the same device", ") should be the same", "same dtype", "expected scalar type"),
        "mixes devices or number formats",
        "make its tensors with device=x.device and dtype=x.dtype, or keep them as buffers",
    ),
    (
        ("channels, but got 3 channels",),
        "takes another number of channels",
        "be called by one whose forward(x) takes and returns (B, 3, H, W) of RGB",
    ),
)
"""What torch says of what is no matter of size: the cause, and what to let the network do."""


def made(module: nn.Module, x: Tensor) -> object:
    """What a network returns.

    Raises:
        DerainerError: If it needs more than an image, or fails in a way that no size would mend.
    """
    try:
        return module(x)
    except TypeError as error:
        if _takes_an_image(module):
            raise
        raise DerainerError(
            f"the network takes more than an image ({error}): let one whose forward(x) makes the "
            "rest call it, or let its function return an object with restore(image, sample_id)"
        ) from error
    except (RuntimeError, AssertionError) as error:
        said = " ".join(str(error).split())
        for signs, cause, remedy in _CAUSES:
            if any(each in said for each in signs):
                raise DerainerError(
                    f"the network {cause} ({said[:100]}): let it {remedy}"
                ).with_traceback(error.__traceback__) from error
        raise


def _takes_an_image(module: nn.Module) -> bool:
    """Whether a network can be called with one tensor, as far as its forward tells."""
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True


def refuse_size(error: RuntimeError, batch: Tensor, tile_px: int | None) -> None:
    """Say what to do about a network that takes small images alone.

    Raises:
        DerainerError: If what was raised is of sizes; with its traceback, which tells the line.
    """
    said = " ".join(str(error).split())
    if any(each in said for each in _OF_SIZES):
        height, width = (min(side, tile_px or side) for side in batch.shape[2:])
        raise DerainerError(
            f"fails on {width}x{height} px ({said[:100]}): if it takes no more than N px, give "
            f"--tile-px N, or below {SMALLEST_TILE_PX} px {FIXED_PX} in its code"
        ).with_traceback(error.__traceback__) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out, on CUDA or on the CPU, where torch has no class for it."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
