"""How far tiles and short number formats take a derainer from its whole image in fp32.

Prints, for each derainer, the mean PSNR in dB between the two restored images (RGB floats, peak 1)
and the largest difference in levels of 255. Bytes that are saved stay the same above 60 dB or so.

    python benchmarks/approximations.py --data-root PHOTOS --derainer granet --limit 4
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import torch

from datasets import Dataset
from datasets.folder import open_folder
from datasets.image import to_tensor
from datasets.rain import RAINS, generator
from derainers import DERAINERS
from derainers.derainer import Derainer
from harness.machine.device import Placement
from harness.machine.memory import keep_large_blocks
from harness.plan.derainers import Loader, derainer_plan

WAYS: tuple[tuple[str, str, int | None], ...] = (
    ("tiles of 320 px", "fp32", 320),
    ("tiles of 192 px", "fp32", 192),
    ("bf16", "bf16", None),
    ("fp16", "fp16", None),
)
RAIN = RAINS["photoshop-heavy"]


def _loader(word: str, dataset: Dataset) -> tuple[str, Callable[..., Derainer]]:
    """A network's name and what makes it; rows without weights get random ones."""
    row = DERAINERS.get(word)
    plan = None if row and row.weights is None else derainer_plan(word, {}, dataset)

    def load(device: str, dtype: str, tile_px: int | None = None) -> Derainer:
        if plan is None:
            assert row is not None
            torch.manual_seed(0)
            restorer = Loader(lambda *_: row.build(None), word)(Placement(device, dtype, tile_px))
        else:
            restorer = plan.load(Placement(device, dtype, tile_px))
        assert isinstance(restorer, Derainer), f"{word} is no network"
        return restorer

    return (f"{word}, random weights" if plan is None else plan.name), load


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--derainer", action="append", required=True)
    parser.add_argument("--limit", type=int, default=4)
    arguments = parser.parse_args()
    keep_large_blocks()
    dataset = open_folder(arguments.data_root, None).limited(arguments.limit)
    rainy = []
    for sample in dataset.samples:
        clean = sample.image()
        rainy.append(to_tensor([RAIN.render(clean, generator(0, RAIN, sample.id)).image]))
    print("| derainer | " + " | ".join(name for name, _, _ in WAYS) + " |")
    print("|---" * (len(WAYS) + 1) + "|")
    for word in arguments.derainer:
        name, load = _loader(word, dataset)
        whole = load("cpu", "fp32")
        references = [whole(x) for x in rainy]
        cells = []
        for _, dtype, tile_px in WAYS:
            other = load("cpu", dtype, tile_px)
            decibels, largest = [], 0.0
            for x, reference in zip(rainy, references, strict=True):
                difference = other(x) - reference
                error = max(float(difference.square().mean()), 1e-12)
                decibels.append(-10 * math.log10(error))
                largest = max(largest, 255 * float(difference.abs().max()))
            cells.append(f"{sum(decibels) / len(decibels):.1f} dB, {largest:.2g}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
