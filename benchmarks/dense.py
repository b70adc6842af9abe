"""Residual of Rain100H's real pairs beside rains', and the fit of ``rain100h-dense`` to it.

    python benchmarks/dense.py DATA/rain100h
    python benchmarks/dense.py DATA/rain100h --fit

The residual is what rain adds to a crop of 240x240 pixels, in the channel where it adds least;
synthetic rain falls on the same clean crops. Every second pair is for ``--fit`` alone, the table is
of the others. No network is trained on any of them: the fit sets the few numbers of a rain.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.pairs import open_pairs
from datasets.rain import RAINS, DenseRain, Rain

CROP = slice(40, 280), slice(60, 300)
THRESHOLD = 16
"""Grey levels above which a pixel is covered."""
PERCENTILES = (10, 30, 50, 70, 90)
HEADS = {
    "mean [levels]": 20,
    "standard deviation [levels]": 20,
    "covered": 1,
    "off vertical [deg]": 15,
    "coherence": 1,
    "correlation 6 px along": 1,
    "20 px along": 1,
    "50 px along": 1,
    "1 px across": 1,
    "3 px across": 1,
    "over 100 levels": 0.25,
    "PSNR [dB]": 5,
}
"""What is measured of a residual, and the unit in which the fit counts its distance."""
START = DenseRain(
    length_low_px=20,
    length_high_px=110,
    width_low_px=1,
    width_high_px=3,
    layers_low=1,
    layers_high=4,
    brightness_low=0.1,
    brightness_high=0.3,
    fan_low_deg=2,
    fan_high_deg=30,
    evenness=0.4,
    taper=4,
    angle_spread_deg=25,
)
LIMITS = {
    "length": (3, 250),
    "layers": (0, 10),
    "brightness": (0, 1),
    "fan": (0, 30),
}
TRIALS = 213
"""After so many the row of the table of rains was taken, by hand; more may come nearer."""
Pair = tuple[NDArrayByte, NDArrayByte]


def statistics(clean: NDArrayByte, rainy: NDArrayByte) -> list[float]:
    """The `HEADS` of one crop; along and across are as seen from its main direction."""
    residual = (np.maximum(rainy, clean) - clean).min(2).astype(np.float32)
    across, down = (cv2.Sobel(residual, cv2.CV_32F, *of) for of in ((1, 0), (0, 1)))
    xx, yy, xy = ((a * b).mean() for a, b in ((across, across), (down, down), (across, down)))
    angle_deg = float(np.degrees(np.arctan2(2 * xy, xx - yy)) / 2)
    coherence = float(np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-6))
    size = residual.shape[0]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), angle_deg, 1)
    upright = cv2.warpAffine(residual, turn, (size, size))[size // 6 : -size // 6]
    upright = upright[:, size // 6 : -size // 6]
    upright = upright - upright.mean()

    def correlation(rows: int, columns: int) -> float:
        """With itself so many pixels away."""
        height, width = upright.shape
        product = upright[rows:, columns:] * upright[: height - rows, : width - columns]
        return float(product.mean() / ((upright * upright).mean() + 1e-6))

    error = float(np.mean((rainy.astype(np.float64) - clean) ** 2))
    return [
        float(residual.mean()),
        float(residual.std()),
        float((residual >= THRESHOLD).mean()),
        abs(angle_deg),
        coherence,
        *(correlation(rows, 0) for rows in (6, 20, 50)),
        *(correlation(0, columns) for columns in (1, 3)),
        float((residual >= 100).mean()),
        10 * float(np.log10(255**2 / (error + 1e-6))),
    ]


def spread(pairs: Sequence[Pair], rain: Rain | None, seed: int) -> NDArray[np.float64]:
    """Percentiles of the statistics over crops, ``(5, 12)``: of real rain, or of another."""
    found = []
    for number, (clean, given) in enumerate(pairs):
        rng = np.random.default_rng([seed, number])  # the same draws for all that are tried
        rainy = given if rain is None else rain.render(clean, rng).image
        found.append(statistics(clean, rainy))
    return np.asarray(np.percentile(found, PERCENTILES, axis=0), np.float64)


def moved(rain: DenseRain, rng: np.random.Generator) -> DenseRain:
    """The rain with one or two of its numbers moved at random."""
    changes: dict[str, Any] = {}
    kinds = [*LIMITS, "angle_spread_deg", "taper", "evenness", "width"]
    for kind in rng.choice(kinds, int(rng.integers(1, 3)), replace=False):
        factors = np.exp(0.3 * rng.normal(size=2))
        if kind == "taper":
            changes["taper"] = int(rng.integers(1, 9))
        elif kind == "evenness":
            changes["evenness"] = round(float(rng.random()), 2)
        elif kind == "angle_spread_deg":
            changes[kind] = round(min(30.0, rain.angle_spread_deg * float(factors[0])), 1)
        elif kind == "width":
            low, high = sorted(int(width) for width in rng.integers(1, 5, 2))
            changes |= {"width_low_px": low, "width_high_px": high}
        else:
            names = [n for n in rain.parameters() if n.startswith(kind)]
            now = [
                getattr(rain, name) * factor for name, factor in zip(names, factors, strict=True)
            ]
            bounded = sorted(float(np.clip(value, *LIMITS[kind])) for value in now)
            digits = 3 if kind == "brightness" else 2
            changes |= {n: round(v, digits) for n, v in zip(names, bounded, strict=True)}
    return replace(rain, **changes)


def fit(pairs: Sequence[Pair], trials: int) -> DenseRain:
    """The nearest rain that a random walk of so many steps finds."""
    units = np.array(list(HEADS.values()))
    real = spread(pairs, None, 0)

    def distance(rain: DenseRain) -> float:
        """Mean square over percentiles and statistics, of two sets of draws."""
        apart = [(spread(pairs, rain, seed) - real) / units for seed in (0, 1)]
        return float(np.mean(np.square(apart)))

    rng, best = np.random.default_rng(7), START
    nearest = distance(best)
    for trial in range(trials):
        tried = moved(best, rng)
        found = distance(tried)
        if found < nearest:
            best, nearest = tried, found
            print(f"{trial + 1}: {nearest:.4f} {best}", flush=True)
    return best


def main() -> None:
    """Fit, or print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DATA/rain100h")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--trials", type=int, default=TRIALS)
    arguments = parser.parse_args()
    samples = open_pairs(arguments.folder, None).samples[1 if arguments.fit else 0 :: 2]
    pairs = [(s.image()[CROP], s.given_rain()[CROP]) for s in samples]
    if arguments.fit:
        fit(pairs, arguments.trials)
        return
    print(f"| rain | {' | '.join(HEADS)} |\n|{' --- |' * (len(HEADS) + 1)}")
    for word in (None, "rain100h", "rain100h-dense"):
        found = spread(pairs, RAINS[word] if word else None, 0)
        cells = [" / ".join(f"{value:.3g}" for value in column[::2]) for column in found.T]
        print(f"| {word or 'real'} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
