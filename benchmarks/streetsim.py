"""Street scenes per second of one core, beside what writing their files takes, in one run.

    python benchmarks/streetsim.py --scenes 30

One thread's processor time. The sizes take turns scene by scene, so that whatever else the machine
does falls on all of them; shown are medians over scenes, which differ in how much stands in them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import cv2

from datasets.image import encode_depth, encode_png
from datasets.label_png import encode_labels
from datasets.streetsim import Scene, render
from harness.machine.memory import keep_large_blocks

T = TypeVar("T")
SIZES_PX = ((320, 240), (640, 480), (1280, 720))


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds of this thread's processor time, and the result."""
    start = time.thread_time()
    result = call()
    return time.thread_time() - start, result


def files_of(scene: Scene) -> list[bytes]:
    """The three pictures that a split has of a scene."""
    return [
        encode_png(scene.image),
        encode_labels(scene.label_map),
        encode_depth(scene.depth_m),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=30)
    scenes = parser.parse_args().scenes
    keep_large_blocks()
    cv2.setNumThreads(1)
    seconds: dict[tuple[int, int], list[tuple[float, float]]] = {size: [] for size in SIZES_PX}
    for size in SIZES_PX:
        render("warm-up", 0, size)
    for index in range(scenes):
        for size in SIZES_PX:
            drawing_s, scene = timed(partial(render, "test", index, size))
            writing_s, _ = timed(partial(files_of, scene))
            seconds[size].append((drawing_s, writing_s))
    print("| size | scenes per second | ms per scene | ms for its files |")
    print("| --- | --- | --- | --- |")
    for (width_px, height_px), pairs in seconds.items():
        drawing_s, writing_s = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"| {width_px}x{height_px} | {1 / drawing_s:.1f} | {1000 * drawing_s:.1f} | "
            f"{1000 * writing_s:.1f} |"
        )


if __name__ == "__main__":
    main()
