"""What makes training faster on a processor: crops per hour of one core, before and after.

    python benchmarks/training.py --rounds 3 [--keep FILE]

One step of the benchmark's four crops of 96 pixels (`derainers.training.benchmark`) on one thread,
in processor time, which other work on the machine does not count into. Each round takes every way
once, in turn; shown are the best rounds. Rain is what the crops themselves cost: a photograph of
481x321 read, rained on and cut.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from datasets.image import NDArrayByte, NDArrayFloat, decode, encode_png
from datasets.rain import parse
from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.training.benchmark import BENCHMARK, benchmark
from derainers.training.data import Crops
from derainers.training.learner import Learner, Means
from derainers.training.recipes import short
from derainers.training.state import State
from harness.machine.memory import keep_large_blocks

NETWORKS = ("prenet", "granet", "dcsfn-light", "mspfn-light")
COMPILED = ("prenet",)
"""Compiling takes minutes, of which the table counts none."""


@dataclass(frozen=True)
class Way:
    """One way to make the same step."""

    name: str
    dtype: str = "fp32"
    layout: torch.memory_format = torch.channels_last
    batch: int = BENCHMARK.batch
    is_compiled: bool = False


WAYS = (
    Way("fp32, channels first", layout=torch.contiguous_format),
    Way("fp32, channels last"),
    Way("bf16, channels last", "bf16"),
    Way("bf16, eight crops", "bf16", batch=8),
    Way("bf16, sixteen crops", "bf16", batch=16),
    Way("bf16, torch.compile", "bf16", is_compiled=True),
)


@dataclass(frozen=True)
class Picture:
    """A photograph in a file's bytes."""

    id: str
    data: bytes

    def image(self) -> NDArrayByte:
        """The clean image."""
        return decode(self.data, self.id)

    def given_rain(self) -> NDArrayByte:
        """It brings none, and no training of this script asks."""
        raise ValueError(f"{self.id} brings no rain of its own")

    has_depth = False
    """A photograph."""

    def depth_m(self) -> NDArrayFloat | None:
        """None."""
        return None


def step_of(network: str, way: Way) -> Callable[[], None]:
    """A step of a network's training."""
    derainer: Any = DERAINERS[network].build(None)
    assert isinstance(derainer, Derainer)
    if way.is_compiled:
        derainer.module.compile()
    recipe = replace(benchmark(short(network)), batch=way.batch)
    crops = Crops((), (), recipe, BENCHMARK.steps, derainer.multiple_of)
    learner = Learner(derainer, crops, Means(dtype=way.dtype))
    learner._layout = way.layout
    learner._learning(derainer.module)
    rng = torch.Generator().manual_seed(0)
    clean = torch.rand(way.batch, 3, BENCHMARK.crop_px, BENCHMARK.crop_px, generator=rng)
    group: tuple[Tensor, Tensor] = (clean * 0.8 + 0.1, clean)
    state = State(step=1000)
    return lambda: _taken(learner.step([group], state))


def _taken(loss: float) -> None:
    assert np.isfinite(loss)


def rains() -> dict[str, Callable[[], object]]:
    """Crops, by how many of a step show one rainy photograph, and read as bytes."""
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (321, 481, 3), np.uint8), (0, 0), 3)
    pictures = [Picture(str(i), encode_png(np.ascontiguousarray(smooth))) for i in range(8)]
    found: dict[str, Callable[[], object]] = {}
    words = [word for word in BENCHMARK.rains if word != "none"]
    trained = tuple(rain for word in words for _, rain in parse(word))
    for count in (1, 2, 4):
        recipe = replace(benchmark(short("granet")), crops_per_render=count)
        crops = Crops(pictures, trained, recipe, BENCHMARK.steps, 8)
        name = f"rain, {count} crop{'s' * (count > 1)} a photograph"
        found[name] = lambda crops=crops, n=count: [crops[i] for i in range(48 // n)]  # type: ignore[misc]
    kept = rng.integers(0, 256, (48, 2, 96, 96, 3), np.uint8)
    found["the same crops as bytes"] = lambda: [kept[i].copy() for i in range(48)]
    return found


def measured(call: Callable[[], object], crops: int) -> float:
    """Processor milliseconds per crop."""
    began = time.process_time()
    call()
    return 1000 * (time.process_time() - began) / crops


def table(best: dict[str, dict[str, float]]) -> list[str]:
    """Crops per hour, a column for each network; then what the crops themselves cost."""
    head = ["| crops an hour on one core |", *(f" {name} |" for name in NETWORKS)]
    lines = ["".join(head), "| --- |" + " --- |" * len(NETWORKS)]
    for way in WAYS:
        cells = [best.get(network, {}).get(way.name) for network in NETWORKS]
        shown = ["–" if ms is None else f"{3.6e6 / ms:,.0f}" for ms in cells]
        lines.append(f"| {way.name} | " + " | ".join(shown) + " |")
    lines += ["", "| making crops | ms per crop |", "| --- | --- |"]
    return lines + [f"| {name} | {ms:.2f} |" for name, ms in best.get("rain", {}).items()]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="what was measured; a second run goes on")
    arguments = parser.parse_args()
    keep_large_blocks()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    kept = arguments.keep
    best: dict[str, dict[str, float]] = (
        json.loads(kept.read_text()) if kept is not None and kept.is_file() else {}
    )
    for network in (*NETWORKS, "rain"):
        if network in best:
            continue
        calls = {name: (call, 48) for name, call in rains().items()}
        if network != "rain":
            ways = [w for w in WAYS if not w.is_compiled or network in COMPILED]
            calls = {way.name: (step_of(network, way), way.batch) for way in ways}
        for call, _ in calls.values():
            call()  # compiles, and takes memory
        rounds = [
            {name: measured(*each) for name, each in calls.items()} for _ in range(arguments.rounds)
        ]
        best[network] = {name: min(r[name] for r in rounds) for name in calls}
        if kept is not None:
            kept.write_text(json.dumps(best, indent=1))
    print("\n".join(table(best)))


if __name__ == "__main__":
    main()
