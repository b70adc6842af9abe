"""How busy a device is kept, and what the rest of the work costs the processor, stage by stage.

    python benchmarks/pipeline.py                          # 1, 4 and 12 networks of 5 ms
    python benchmarks/pipeline.py --forward-ms 150 --sizes 720x1280 --derainers 4
    python benchmarks/pipeline.py --real granet,mspfn --sizes 480x640   # on the CUDA device here

The networks stand in for those of a device: each sleeps outside the interpreter's lock and hands
its input back, so that all the processor does is the harness. One at a time has the device. Core
time is the processor's, of all threads, from the first image to the last one, for one derained
image, with its share of the clean and the rainy ones that a run needs too; cores says how many of
them the run got on a machine that does other work beside. The device cannot be busier than `reach`:
all of the time, or what the cores can bring to it.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

from datasets import image as image_io
from datasets.rain import RAINS
from datasets.sample import Sample
from derainers.derainer import Derainer
from harness import RunSpec
from harness.ledger.images import ImageCache
from harness.machine.device import AT_THE_DOOR, Placement, cores, placement
from harness.machine.memory import keep_large_blocks
from harness.plan import keys, plan
from harness.runs import engine
from harness.runs.engine import run
from harness.work import unit
from tasks import quality

STAGES: tuple[tuple[Any, str, str], ...] = (
    (Sample, "image", "decode"),
    (Derainer, "measured", "wrapper"),
    (image_io, "round_to_bytes", "bytes"),
    (keys, "pixels_sha256", "digest"),
    (quality, "evidence", "quality"),
    (unit, "encode_png", "encode"),
    (ImageCache, "write", "write"),
    (engine, "_commit", "commit"),
)
"""Functions whose time is told apart."""


class StandIn(torch.nn.Module):
    """A network whose forwards take a time of their own, and none of the processor's."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__()
        self.name, self.seconds = name, seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to the same; every image takes its time."""
        time.sleep(self.seconds * len(x))
        return x


class Clock:
    """Seconds of the processor in each stage, without those of the stages inside it."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}
        self._inner = threading.local()

    @contextlib.contextmanager
    def timing(self, owner: Any, name: str, label: str) -> Iterator[None]:
        """Time each call of a function, on the thread that makes it."""
        before = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            outer, begun = getattr(self._inner, "s", 0.0), time.thread_time()
            self._inner.s = 0.0
            try:
                return before(*args, **kwargs)
            finally:
                spent = time.thread_time() - begun
                self.cpu_s[label] = self.cpu_s.get(label, 0.0) + spent - self._inner.s
                self._inner.s = outer + spent

        with mock.patch.object(owner, name, timed):
            yield


def photographs(folder: Path, images: int, size: tuple[int, int]) -> None:
    """Smooth shapes under a little noise, as JPEG files."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(images):
        small = rng.integers(0, 255, (size[0] // 16, size[1] // 16, 3)).astype(np.uint8)
        picture = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        (folder / f"{i:03d}.jpg").write_bytes(image_io.encode_jpeg(noisy, 90))


@contextlib.contextmanager
def beside_the_processor(devices: int) -> Iterator[None]:
    """Have runs take the CPU for a device of its own kind, or for several."""
    found = placement

    def placed(spec: RunSpec) -> Placement:
        at = found(spec)
        workers = spec.workers or cores() + AT_THE_DOOR
        return replace(at, devices=devices, workers=workers)

    with mock.patch.object(plan, "placement", placed):
        yield


def measured(folder: Path, spec: RunSpec, networks: dict[str, StandIn] | None) -> None:
    """A row: core time by stage and in all, images a second, and how busy the device was.

    Args:
        folder: Photographs.
        spec: A run of them.
        networks: What stands in for a device's; None: the spec's own are on the device.
    """
    clock, said = Clock(), list[str]()
    times: list[tuple[float, float]] = []
    complete = engine._complete

    def timed(*args: Any, **kwargs: Any) -> None:
        begun = time.perf_counter(), time.process_time()
        complete(*args, **kwargs)
        times.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))

    with tempfile.TemporaryDirectory() as workspace, contextlib.ExitStack() as patched:
        patched.enter_context(mock.patch.object(engine, "_complete", timed))
        patched.enter_context(mock.patch.object(engine, "check"))
        for rain in {type(rain) for rain in RAINS.values()}:
            patched.enter_context(clock.timing(rain, "render", "rain"))
        for stage in STAGES:
            patched.enter_context(clock.timing(*stage))
        if networks is not None:
            patched.enter_context(beside_the_processor(1))
        placed = spec.model_copy(update={"data_root": str(folder), "workspace": workspace})
        run(placed, derainers=networks, said=said.append)
    wall_s, core_s = times[0]
    derainers = len(networks) if networks is not None else len(spec.derainer)
    made = len(list(folder.iterdir())) * derainers
    parts = " | ".join(f"{1000 * clock.cpu_s.get(p, 0) / made:.1f}" for p in LABELS)
    rest_ms = 1000 * (core_s - sum(clock.cpu_s.values())) / made
    row = f"| {derainers} | {parts} | {rest_ms:.1f} | {1000 * core_s / made:.0f} | "
    row += f"{core_s / wall_s:.2f} | {made / wall_s:.1f} |"
    if networks is not None:
        forward_s = next(iter(networks.values())).seconds
        reach = min(1.0, cores() * forward_s / (core_s / made))
        row += f" {made * forward_s / wall_s:.1%} | {reach:.1%} |"
    print(row, *said, flush=True)


LABELS = ("decode", "rain", *dict.fromkeys(label for *_, label in STAGES[1:]))


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["480x640", "720x1280"], help="HEIGHTxWIDTH")
    parser.add_argument("--derainers", nargs="+", type=int, default=[1, 4, 12])
    parser.add_argument("--forward-ms", type=float, default=5.0)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--quality", default="psnr,ssim")
    parser.add_argument("--real", help="networks of the harness, on the CUDA device here")
    parser.add_argument("--dtype", default="fp32", help="of real networks")
    arguments = parser.parse_args()
    keep_large_blocks()
    cv2.setNumThreads(1)
    spec = RunSpec(
        dataset="folder",
        data_root=".",
        derainer=tuple(arguments.real.split(",")) if arguments.real else ("identity",),
        task=("none",),
        quality=tuple(arguments.quality.split(",")),
        device="cuda" if arguments.real else "cpu",
        dtype=arguments.dtype,
        images=False,
        workers=arguments.workers,
    )
    of = arguments.real or f"networks of {arguments.forward_ms:g} ms"
    seconds = arguments.forward_ms / 1000
    for size in arguments.sizes:
        height, width = map(int, size.split("x"))
        print(f"\n{size}, {of}, {cores()} cores; ms of the processor a derained image")
        columns = [*LABELS, "rest", "core ms", "cores", "images/s"]
        columns += [] if arguments.real else ["busy", "reach"]
        print(f"| derainers | {' | '.join(columns)} |")
        print("|" + " --- |" * (len(columns) + 1))
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "photographs"
            photographs(place, arguments.images, (height, width))
            if arguments.real:
                measured(place, spec, None)
                continue
            for derainers in arguments.derainers:
                names = [f"network-{i}" for i in range(derainers)]
                measured(place, spec, {name: StandIn(name, seconds) for name in names})


if __name__ == "__main__":
    main()
