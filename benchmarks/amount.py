"""How well `derainers.amount` measures rain: on dry images, and under rains whose layers are known.

    python benchmarks/amount.py DATA [--images 48]

DATA holds bsds500. The constants of dry images are those of photographs of its train part and of as
many scenes of streetsim's; the errors are of its test part and streetsim's val split.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from datasets.rain import Rain, generator
from datasets.sample import Sample
from derainers.amount import DRY_DARK, FLOOR, RainAmount, rain_amount
from derainers.words import GATE_OPENS
from harness.plan.data import open_dataset
from harness.plan.rains import rains_of
from harness.spec import RunSpec
from reports.tables.text import grid

RAINS = (
    *("rain100l", "rain100h", "photoshop-light", "photoshop-heavy", "outdoor-rain", "real-like"),
    *("physical:rate_mm_h=5", "physical:rate_mm_h=25", "physical:rate_mm_h=100"),
)


def samples(data: Path, images: int, scenes: str, part: str) -> dict[str, Sequence[Sample]]:
    """Scenes of a split of streetsim, and photographs of a part of BSDS500."""
    street = open_dataset(RunSpec(dataset="streetsim", split=scenes, limit=images))
    photographs = open_dataset(RunSpec(dataset="folder", data_root=str(data / "bsds500")))
    of_part = [s for s in photographs.samples if s.id.split("/")[-2:-1] == [part]]
    kept = replace(photographs, samples=of_part).limited(images)
    return {"streetsim": street.samples, "bsds500": kept.samples}


def measured(sample: Sample, rain: Rain | None) -> tuple[RainAmount, float, float]:
    """What is measured of an image under rain, and the mean streaks and veil that fell."""
    clean = sample.image()
    if rain is None:
        return rain_amount(clean), 0.0, 0.0
    fallen = rain.render(clean, generator(0, rain, sample.id), sample.depth_m())
    veil = 0.0 if fallen.transmission is None else 1 - float(fallen.transmission.mean())
    return rain_amount(fallen.image), float(fallen.streaks.mean()) / 255, veil


def constants(sets: dict[str, Sequence[Sample]]) -> str:
    """What `derainers.amount` must know of dry images."""
    amounts = [measured(s, None)[0] for of in sets.values() for s in of]
    streaks = np.log([a.streaks + FLOOR for a in amounts])
    dark = np.array([a.veil * (1 - DRY_DARK) + DRY_DARK for a in amounts])
    veil = (dark - dark.mean()) / (1 - dark.mean())
    return (
        f"{len(amounts)} dry images: DRY_DARK {dark.mean():.3f}, "
        f"DRY_STREAKS ({streaks.mean():.2f}, {streaks.std(ddof=1):.2f}), "
        f"DRY_VEIL (0, {veil.std(ddof=1):.3f})"
    )


def errors(sets: dict[str, Sequence[Sample]]) -> list[str]:
    """A row for each set and rain."""
    rows = []
    for name, of in sets.items():
        dry: list[RainAmount] = []
        for word in ("none", *RAINS):
            found = [measured(sample, dict(rains_of(word))[word]) for sample in of]
            amounts, streaks, veils = zip(*found, strict=True)
            dry = dry or list(amounts)
            row = [name, word, f"{np.mean(streaks):.3f}", _spread([a.streaks for a in amounts], 4)]
            row.append(_in_order([a.streaks for a in amounts], [a.streaks for a in dry]))
            row += [f"{np.mean(veils):.2f}", _spread([a.veil for a in amounts], 2)]
            row.append(_in_order([a.veil for a in amounts], [a.veil for a in dry]))
            off = [abs(a.veil - veil) for a, veil in zip(amounts, veils, strict=True)]
            row += [f"{np.mean(off):.2f}"]
            rows.append([*row, f"{np.mean([a.deviations >= GATE_OPENS for a in amounts]):.0%}"])
    headings = ["images", "rain", "streaks that fell", "measured", "in order"]
    headings += ["veil that fell", "measured", "in order", "mean error", "gate opens"]
    return grid(headings, rows)


def _in_order(rainy: Sequence[float], dry: Sequence[float]) -> str:
    """Share of the pairs of a rainy and a dry image in which the rainy one is measured as more."""
    more = np.asarray(rainy)[:, None] - np.asarray(dry)[None]
    return f"{float((more > 0).mean() + (more == 0).mean() / 2):.2f}"


def _spread(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation."""
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def main() -> None:
    """Print constants and errors."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=48, help="of each set (default: %(default)s)")
    a = parser.parse_args()
    print(constants(samples(a.data, a.images, f"train:{a.images}", "train")), flush=True)
    print("\n".join(errors(samples(a.data, a.images, "val", "test"))))


if __name__ == "__main__":
    main()
