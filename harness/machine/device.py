"""Which device computes, in which number format, and how many images at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.spec import RunSpec, UsageError

DRIVERS = tuple(Path("/dev", name) for name in ("nvidiactl", "dxg", "kfd"))
"""One of these is there where torch may see a GPU: NVIDIA's, that of WSL2, that of ROCm."""
AT_THE_DOOR = 2
"""Threads beyond the cores: one whose network computes, and one that is ready with its image."""


@dataclass(frozen=True)
class Placement:
    """Where and how a run computes."""

    device: str
    """``cpu`` or ``cuda``."""
    dtype: str = "fp32"
    """Number format of derainers."""
    tile_px: int | None = None
    """Side of the tiles in which they derain; None = whole images."""
    workers: int = 1
    """Images at a time."""
    devices: int = 0
    """Devices that compute beside the processor; 0 = it computes all."""


def placement(spec: RunSpec) -> Placement:
    """What a spec's words for it mean on this machine.

    Raises:
        UsageError: If there is no such device.
    """
    device = device_of(spec.device)
    devices = 0 if device == "cpu" else 1
    workers = worker_count(spec, device)
    return Placement(device, spec.dtype, spec.tile_px, workers, devices)


def device_of(word: str) -> str:
    """``cpu`` or ``cuda``; torch is imported only where a GPU may be meant."""
    no_driver = os.name == "posix" and not any(driver.exists() for driver in DRIVERS)
    if word == "cpu" or (word == "auto" and no_driver):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if word == "cuda":
        raise UsageError("--device cuda: torch sees no CUDA device here: use --device cpu")
    return "cpu"


def training_dtype(spec: RunSpec) -> Literal["fp32", "bf16"]:
    """Number format of a training; ``fp16`` alone would need losses scaled as they come.

    Raises:
        UsageError: If it is ``fp16``.
    """
    if spec.dtype == "fp16":
        raise UsageError("--dtype fp16: training is in fp32 or bf16")
    return spec.dtype


def worker_count(spec: RunSpec, device: str) -> int:
    """Images at a time: one per core this process may use, and on CUDA those at its door too."""
    if spec.workers:
        return spec.workers
    return cores() + (AT_THE_DOOR if device == "cuda" else 0)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def one_thread_each(device: str) -> Iterator[None]:
    """One torch thread per image and no TF32, as long as this lasts: results depend on both."""
    import torch

    threads = torch.get_num_threads()
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    if device == "cpu":
        torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32
