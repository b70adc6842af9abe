"""What derainers cost: seconds, parameters, multiply-adds, memory, beside the papers' figures."""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datasets import Dataset
from derainers import DERAINERS
from derainers.published import PUBLISHED
from derainers.words import FORMS
from harness.machine.device import Placement, device_of
from harness.plan.derainers import derainer_plan
from harness.spec import UsageError, known

if TYPE_CHECKING:
    from torch import nn

    from derainers.restorer import Restorer

SIZES_PX = ((512, 384), (640, 480), (1280, 720))
"""Width and height of the images that the papers time."""

PAPER_S = {
    ("rescan", 640, 480): 0.55,
    ("rescan", 1280, 720): 1.53,
    ("prenet", 640, 480): 0.22,
    ("prenet", 1280, 720): 0.76,
    ("mspfn-light", 640, 480): 0.08,
    ("mspfn-light", 1280, 720): 0.23,
    ("mspfn", 640, 480): 0.58,
    ("mspfn", 1280, 720): 1.24,
}
"""Seconds per image printed in Table 6 of MSPFN's paper, on one NVIDIA Titan Xp."""

PAPER_PARAMETERS = {"mspfn": 13_350_000, "mspfn-light": 1_650_000}
"""Printed in Table 3 of MSPFN's paper."""


@dataclass(frozen=True)
class SizeCost:
    """What one derainer costs at one image size."""

    derainer: str
    width_px: int
    height_px: int
    seconds: dict[str, list[float]]
    """Seconds of each timed run, by threads: ``1``, or all cores (their number); ``cuda``."""
    parameters: int
    multiply_adds: int | None
    """Those of convolutions, matrix products and attention; None where the code is not torch's."""
    peak_memory_bytes: int
    """Largest resident memory over that before the derainer was built; on CUDA, allocated."""
    tiled_px: int | None
    """Side of the smallest tiles where memory did not suffice for the whole image."""

    def median_s(self, threads: str) -> float:
        """Median seconds per image."""
        return statistics.median(self.seconds[threads])


def measure(
    words: Sequence[str],
    sizes_px: Sequence[tuple[int, int]] = SIZES_PX,
    device: str = "cpu",
    dtype: str = "fp32",
    repeats: int = 3,
) -> Iterator[SizeCost]:
    """Measure derainers, each at each size in a process of its own, which shows its memory.

    Args:
        words: Rows of the table (with random weights where they come without), or the user's own.
        sizes_px: (width, height) of the images.
        device: ``cpu``, ``cuda`` or ``auto``.
        dtype: Number format of networks.
        repeats: Timed runs after one that warms up.

    Raises:
        UsageError: For a word that stands for nothing, or a GPU that is not there.
        DerainerError: For a derainer that cannot be built.
    """
    device = device_of(device)
    for word in words:
        _load(word, device, dtype)  # a mistake is told before the first is measured
    context = multiprocessing.get_context("spawn")
    for word in words:
        for size_px in sizes_px:
            of = word, size_px, device, dtype, repeats
            with ProcessPoolExecutor(1, context) as pool:
                try:
                    made = pool.submit(_measured, *of).result()
                except BrokenProcessPool:
                    made = "its process was ended from outside, by a lack of memory perhaps"
            if isinstance(made, str):
                raise UsageError(f"bench {word} at {size_px[0]}x{size_px[1]}: {made}")
            yield made


def _load(word: str, device: str, dtype: str) -> Restorer:
    """A derainer by its word."""
    if word in DERAINERS:
        from derainers.derainer import Derainer

        row = DERAINERS[word]
        restorer = row.build(row.weights)
        return restorer.to(device, dtype) if isinstance(restorer, Derainer) else restorer
    if word.startswith("dir:"):
        raise UsageError(f"bench {word}: a folder of images has no cost: name a derainer")
    return derainer_plan(word, {}, Dataset("none", "none", ())).load(Placement(device, dtype))


def _measured(
    word: str, size_px: tuple[int, int], device: str, dtype: str, repeats: int
) -> SizeCost | str:
    """Measure in this process, or say in one line why that cannot be."""
    try:
        return _measure(word, size_px, device, dtype, repeats)
    except ValueError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # of code that is not ours, in ways of its own
        if word in DERAINERS:
            raise
        return f"it fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _measure(
    word: str, size_px: tuple[int, int], device: str, dtype: str, repeats: int
) -> SizeCost:
    """Measure in this process."""
    import torch

    from derainers.restorer import restored
    from harness.machine.memory import keep_large_blocks, peak_resident_bytes, resident_bytes

    keep_large_blocks()
    width, height = size_px
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    before = resident_bytes()
    torch.manual_seed(0)
    restorer = _load(word, device, dtype)
    seconds: dict[str, list[float]] = {}
    tiles = []
    for threads in dict.fromkeys((1, torch.get_num_threads())) if device == "cpu" else (0,):
        if threads:
            torch.set_num_threads(threads)
        restorer.restore(image, "")  # warm up
        runs = []
        for _ in range(repeats):
            start = time.perf_counter()
            made = restored(restorer, image, "")  # ends in host memory, so CUDA has finished
            runs.append(time.perf_counter() - start)
            tiles.append(made.tile_px)
        seconds[str(threads) if threads else device] = runs
    on_cuda = torch.cuda.max_memory_allocated() if device == "cuda" else None
    memory = peak_resident_bytes() - before if on_cuda is None else on_cuda
    networks = list(_networks(restorer))
    return SizeCost(
        word,
        width,
        height,
        seconds,
        sum(p.numel() for network in networks for p in network.parameters()),
        _multiply_adds(restorer, image) if networks else None,
        memory,
        min((side for side in tiles if side is not None), default=None),
    )


def _networks(restorer: Restorer) -> Iterator[nn.Module]:
    """The networks inside a derainer."""
    from derainers.chain import Chain
    from derainers.derainer import Derainer
    from derainers.gate import Gate

    if isinstance(restorer, Derainer):
        yield restorer.module
    elif isinstance(restorer, Gate):
        yield from _networks(restorer.behind)
    elif isinstance(restorer, Chain):
        for stage in restorer.stages:
            yield from _networks(stage)


def _multiply_adds(restorer: Restorer, image: np.ndarray) -> int | None:
    """Multiply-adds of one image, counted by torch as they happen; None if it saw none."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        restorer.restore(image, "")
    operations = int(counter.get_total_flops())
    return operations // 2 or None


def rows(costs: Sequence[SizeCost]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text, one per derainer and size."""
    threads = list(dict.fromkeys(t for cost in costs for t in cost.seconds))
    said = {t: "s, CUDA" if t == "cuda" else f"s, {t} thread{'s' * (t != '1')}" for t in threads}
    headings = ["derainer", "size [px]", *said.values(), "paper's s", "parameters", "paper's"]
    headings += ["G multiply-adds", "peak memory [GB]"]
    table = []
    for cost in costs:
        paper_s = PAPER_S.get((cost.derainer, cost.width_px, cost.height_px))
        paper_parameters = PAPER_PARAMETERS.get(cost.derainer)
        tiled = f" (tiles of {cost.tiled_px} px)" if cost.tiled_px else ""
        table.append(
            [
                cost.derainer,
                f"{cost.width_px}x{cost.height_px}",
                *(_seconds(cost.seconds.get(t)) for t in threads),
                "" if paper_s is None else f"{paper_s:.2f}",
                f"{cost.parameters:,}",
                "" if paper_parameters is None else f"{paper_parameters:,}",
                "–" if cost.multiply_adds is None else f"{cost.multiply_adds / 1e9:.1f}",
                f"{cost.peak_memory_bytes / 1e9:.2f}{tiled}",
            ]
        )
    return headings, table


def _seconds(runs: list[float] | None) -> str:
    """Median and, behind it, the fastest and slowest run."""
    if not runs:
        return "–"
    return f"{statistics.median(runs):.3f} ({min(runs):.3f}–{max(runs):.3f})"


def ratios(costs: Sequence[SizeCost]) -> list[str]:
    """Lines that set two derainers' ratio here beside the papers'."""
    lines = []
    by_cell = {(c.derainer, c.width_px, c.height_px): c for c in costs}
    for (name, width, height), cost in by_cell.items():
        other = by_cell.get(("prenet", width, height))
        ours, theirs = PAPER_S.get((name, width, height)), PAPER_S.get(("prenet", width, height))
        if name == "prenet" or other is None or ours is None or theirs is None:
            continue
        here = ", ".join(
            f"{cost.median_s(t) / other.median_s(t):.2f} ({_how(t)})" for t in cost.seconds
        )
        lines.append(
            f"{name} / prenet at {width}x{height}: {here}; "
            f"paper {ours / theirs:.2f} ({ours:.2f} s / {theirs:.2f} s)"
        )
    return lines


def _how(threads: str) -> str:
    return threads if threads == "cuda" else f"{threads} thread{'s' * (threads != '1')}"


def sizes(words: Sequence[str]) -> list[tuple[int, int]]:
    """Sizes from words such as ``640x480``.

    Raises:
        UsageError: For anything else.
    """
    pairs = []
    for word in words:
        width, _, height = word.partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise UsageError(f"--size {word}: expected WIDTHxHEIGHT in pixels, e.g. 640x480")
        pairs.append((int(width), int(height)))
    return pairs


def names(words: Sequence[str]) -> list[str]:
    """Derainers to measure: those named, or all networks of the table.

    Raises:
        UsageError: For a plain name that no table has.
    """
    for word in words:
        if not set(word) & set(":@+./="):
            known(word, [*DERAINERS, *PUBLISHED], "derainer", FORMS)
    return list(words) or [name for name, row in DERAINERS.items() if row.learned]


def write_json(costs: Sequence[SizeCost], file: Path) -> None:
    """Every measurement, for programs."""
    file.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n")
