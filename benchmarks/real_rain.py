"""Streaks of every rain beside those of real photographs, and the fit of ``real-like`` to them.

    python benchmarks/real_rain.py --data ../shared/data
    python benchmarks/real_rain.py --data ../shared/data --fit

``real-rain`` holds photographs of real rain without clean ones, so that statistics are of whole
pictures: clean ones are COCO128's outdoor images, and synthetic rain falls on these. Both are split
in halves by the sha256 of their files, groups of alike photographs together. ``--fit`` sees the
first halves alone, the table is of the second. Pictures are shrunk to 640 pixels.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.attributes import PUBLISHED
from datasets.duplicates import alike, hashes_of_views, perceptual_hash
from datasets.image import NDArrayByte, decode, shrink
from datasets.rain import RAINS, Rain, VariedRain, generator, parse
from datasets.rain.photoshop import StreakLayer

LONGEST_PX = 640
LAG_PX = 6
SWEPT = ("physical:rate_mm_h=50/100", "physical:camera=surveillance:rate_mm_h=50")
HEADS = ("mean log(|∂x|/|∂y|)", "correlation over 6 rows", "skewness")
TRIALS = 160
ENOUGH = 1.0
"""Sum of three squares, in standard errors, at which the fit ends: nearer is chance."""
LIMITS = {
    "length_px": (10, 90),
    "coverage": (0.01, 0.4),
    "opacity": (0.1, 0.9),
    "wide_length_px": (20, 160),
    "wide_coverage": (0.002, 0.2),
    "wide_opacity": (0.05, 0.9),
    "haze": (0.05, 0.35),
    "angle_spread_deg": (3, 30),
}
"""What the fit draws first: of narrow and of wide streaks, of the veil, and the directions."""


def statistics(image: NDArrayByte) -> tuple[float, float, float]:
    """Anisotropy, length and brightness of fine structure.

    Returns:
        The mean over pixels of log((|∂x| + 1)/(|∂y| + 1)) of the grey levels; of the grey image
        less its mean two pixels to the left and right, h, the correlation with itself six rows
        down, which is high for long streaks; and its skewness E[h³]/E[h²]^1.5, which is high where
        thin things are brighter than what is behind them.
    """
    grey = image.astype(np.float64).mean(axis=2)
    across = np.abs(np.diff(grey, axis=1))[:-1]
    down = np.abs(np.diff(grey, axis=0))[:, :-1]
    fine = grey[:, 2:-2] - (grey[:, :-4] + grey[:, 4:]) / 2
    fine = fine - fine.mean()
    power = float(np.mean(fine * fine)) + 1e-6
    return (
        float(np.mean(np.log((across + 1) / (down + 1)))),
        float(np.mean(fine[:-LAG_PX] * fine[LAG_PX:])) / power,
        float(np.mean(fine**3)) / power**1.5,
    )


def halves(files: Sequence[Path]) -> tuple[list[NDArrayByte], list[NDArrayByte]]:
    """The pictures, shrunk, split by sha256; alike ones go with the smallest digest of theirs."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    pictures = [decode(file.read_bytes(), file.name) for file in files]
    hashes = np.stack([perceptual_hash(p) for p in pictures])
    views = np.stack([hashes_of_views(p) for p in pictures])
    first = {i: i for i in range(len(files))}
    for one, other in sorted(alike(hashes, views)):
        group = {i for i, root in first.items() if root in (first[one], first[other])}
        root = min(group, key=lambda i: digests[i])
        first.update(dict.fromkeys(group, root))
    parts: tuple[list[NDArrayByte], list[NDArrayByte]] = ([], [])
    for i, picture in enumerate(pictures):
        parts[int(digests[first[i]][-1], 16) % 2].append(shrink(picture, LONGEST_PX))
    return parts


def of_rain(rain: Rain, clean: Sequence[NDArrayByte]) -> NDArray[np.float64]:
    """Statistics of a rain on clean pictures, ``(N, 3)``."""
    rainy = [rain.render(p, generator(0, rain, str(i))).image for i, p in enumerate(clean)]
    return np.array([statistics(p) for p in rainy])


def error(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of the means."""
    return np.asarray(table.std(axis=0, ddof=1) / math.sqrt(len(table)), np.float64)


def rain_of(numbers: dict[str, float]) -> VariedRain:
    """The rain of a draw of `LIMITS`."""
    fine = StreakLayer(
        length_px=round(numbers["length_px"]),
        width_px=1,
        coverage=round(numbers["coverage"], 3),
        full=round(numbers["coverage"] / 20, 4),
        opacity=round(numbers["opacity"], 2),
    )
    wide = replace(
        fine,
        length_px=round(numbers["wide_length_px"]),
        width_px=2,
        coverage=round(numbers["wide_coverage"], 3),
        full=round(numbers["wide_coverage"] / 10, 4),
        opacity=round(numbers["wide_opacity"], 2),
    )
    return VariedRain(
        layers=(fine, wide),
        haze=round(numbers["haze"], 3),
        angle_spread_deg=round(numbers["angle_spread_deg"], 1),
    )


def fit(real: Sequence[NDArrayByte], clean: Sequence[NDArrayByte]) -> VariedRain:
    """The rain whose mean statistics come nearest, in standard errors of the real ones' means.

    Draws from all of `LIMITS`, then ever nearer around the best so far.
    """
    aim = np.array([statistics(p) for p in real])
    goal, unit = aim.mean(axis=0), error(aim)
    rng = np.random.default_rng(0)
    best, least = None, math.inf
    for trial in range(TRIALS):
        reach = 1.0 if best is None or trial < TRIALS // 4 else 0.5 * (1 - trial / TRIALS) + 0.03
        numbers = {}
        for name, (low, high) in LIMITS.items():
            middle = low * (high / low) ** 0.5 if best is None or reach == 1.0 else best[name]
            drawn = middle * (high / low) ** (reach * rng.uniform(-0.5, 0.5))
            numbers[name] = min(high, max(low, drawn))
        off = (of_rain(rain_of(numbers), clean).mean(axis=0) - goal) / unit
        loss = float(off @ off)
        if loss < least:
            best, least = numbers, loss
            print(f"# {trial}: {loss:.2f} {np.round(off, 2)} {rain_of(numbers)}", flush=True)
        if least < ENOUGH:
            break
    assert best is not None
    return rain_of(best)


def main() -> None:
    """Print the fitted rain, or the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    photographs = arguments.data / "coco128" / "images" / "train2017"
    with (PUBLISHED / "coco128-scenes.csv").open(encoding="utf-8") as table:
        outdoors = [r["image"] for r in csv.DictReader(table) if r["scene"] == "outdoor"]
    clean = halves([photographs / f"{name}.jpg" for name in outdoors])
    real = halves(sorted((arguments.data / "real-rain").glob("*.jpg")))
    if arguments.fit:
        print(fit(real[0], clean[0]))
        return
    aim = np.array([statistics(p) for p in real[1]])
    plain = np.array([statistics(p) for p in clean[1]])
    swept = [pair for word in SWEPT for pair in parse(word)]
    rows = {"real rain": aim, "clean": plain}
    print(f"| pictures | n | {' | '.join(HEADS)} | off, in standard errors |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rain in [*RAINS.items(), *swept]:
        rows[name] = of_rain(rain, clean[1])
    for name, found in rows.items():
        spread = error(found)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(found.mean(axis=0), spread, strict=True)]
        off = (found.mean(axis=0) - aim.mean(axis=0)) / np.hypot(spread, error(aim))
        apart = "–" if name == "real rain" else " / ".join(f"{v:+.1f}" for v in off)
        print(f"| {name} | {len(found)} | {' | '.join(cells)} | {apart} |", flush=True)


if __name__ == "__main__":
    main()
