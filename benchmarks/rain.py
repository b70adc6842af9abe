"""Seconds per image of every rain beside albumentations' RandomRain, in one run.

    python benchmarks/rain.py --rounds 15

One thread's processor time, 640x480. Each round times every rain once, in turn, so that whatever
else the machine does falls on all of them; shown are medians. Large blocks of memory are kept
between images, as the command line does. Peak is what NumPy held at once beyond the image, as
tracemalloc sees it.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable

import cv2
import numpy as np

from datasets.image import NDArrayByte
from datasets.rain import LAYERS, RAINS, LensDrops, needs_depth, parse
from datasets.rain.composed import Layer
from datasets.rain.depth import road_scene_m
from datasets.rain.veil import lay_over
from harness.machine.memory import keep_large_blocks

SIZE = 480, 640
DEPTH = np.repeat(road_scene_m(SIZE[0], 600, 600), SIZE[1], axis=1)
"""Of what needs distances: a road, so that all of the lower half is wet."""
REFERENCE = "RandomRain alone"
SWEPT = (
    "physical:rate_mm_h=5/50/100/200",
    "physical:camera=kitti/dashcam/surveillance/phone",
    "physical+overcast+wet+lens",
)


def calls(image: NDArrayByte) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    import albumentations

    transform = albumentations.RandomRain(p=1.0)
    timed: dict[str, Callable[[], object]] = {REFERENCE: lambda: transform(image=image)}
    for name, rain in [*RAINS.items(), *(pair for word in SWEPT for pair in parse(word))]:
        depth = DEPTH if needs_depth(rain) else None
        timed[name] = lambda rain=rain, depth=depth: rain.render(  # type: ignore[misc]
            image, np.random.default_rng(0), depth
        )
    for name, layer in LAYERS.items():
        timed[f"+{name} alone"] = lambda layer=layer: alone(layer, image)  # type: ignore[misc]
    return timed


def alone(layer: Layer, image: NDArrayByte) -> NDArrayByte:
    """What a layer adds to an image's time."""
    rng = np.random.default_rng(0)
    if isinstance(layer, LensDrops):
        return lay_over(image, *layer.drops(image, rng))
    return layer.changed(image, rng, DEPTH)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    keep_large_blocks()
    cv2.setNumThreads(1)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    timed = calls(image)
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for call in timed.values():
        call()
    for _ in range(rounds):
        for name, call in timed.items():
            start = time.thread_time()
            call()
            seconds[name].append(time.thread_time() - start)
    reference = statistics.median(seconds[REFERENCE])
    print("| rain | ms per image | times RandomRain | peak, in images |")
    print("| --- | --- | --- | --- |")
    for name, call in timed.items():
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1] / image.nbytes
        tracemalloc.stop()
        median = statistics.median(seconds[name])
        print(f"| {name} | {1000 * median:.2f} | {median / reference:.1f} | {peak:.1f} |")


if __name__ == "__main__":
    main()
