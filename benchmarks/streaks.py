"""Streaks of real pairs beside synthetic ones: angle, width, length, brightness, and their PSNR.

    python benchmarks/streaks.py rain100l --rain rain100l,rain100h --seed 0

The folder holds ``input`` and ``target``. The synthetic rains fall on the same targets.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.pairs import open_pairs
from datasets.rain import generator, parse
from tasks.quality import METRICS

THRESHOLD = 16
"""Residual in grey levels above which a pixel belongs to a streak."""
SMALLEST_PX = 12
"""Streaks of fewer pixels are left out: their direction is noise."""
PERCENTILES = (10, 50, 90)
COLUMNS = ("angle [deg]", "off vertical [deg]", "width [px]", "length [px]", "peak [0-255]")


def streaks(residual: NDArrayByte) -> NDArray[np.float64]:
    """Angle, its magnitude, width, length and peak of every connected streak, ``(N, 5)``.

    Args:
        residual: What the rain added, ``uint8 (H, W)``.

    Returns:
        Angle against the vertical in degrees, positive where the streak leans to the right as it
        falls; length and width in pixels from the second moments of the streak's pixels, as of a
        rod of even weight: length √(12 λ), width area/length.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (residual >= THRESHOLD).astype(np.uint8), connectivity=8
    )
    rows, columns = np.nonzero(labels)
    of = labels[rows, columns]
    area = np.bincount(of, minlength=count).astype(float)
    area[0] = 1
    x = columns - (np.bincount(of, columns, count) / area)[of]
    y = rows - (np.bincount(of, rows, count) / area)[of]
    xx, yy, xy = (np.bincount(of, v, count) / area for v in (x * x, y * y, x * y))
    largest = (xx + yy) / 2 + np.sqrt(((xx - yy) / 2) ** 2 + xy**2) + 1 / 12
    length = np.sqrt(12 * largest)
    angle = np.degrees(0.5 * np.arctan2(2 * xy, yy - xx))
    peak = np.zeros(count)
    np.maximum.at(peak, of.astype(np.intp), residual[rows, columns])
    kept = stats[:, cv2.CC_STAT_AREA] >= SMALLEST_PX
    kept[0] = False
    table = np.stack((angle, np.abs(angle), area / length, length, peak), axis=1)
    return np.asarray(table[kept], np.float64)


def pairs(folder: Path, rain: str | None, seed: int) -> Iterator[tuple[NDArrayByte, NDArrayByte]]:
    """Clean and rainy images: the real ones, or a synthetic rain on the same clean images."""
    named = parse(rain)[0][1] if rain else None
    for sample in open_pairs(folder, None).samples:
        clean = sample.image()
        if named is None:
            yield clean, sample.given_rain()
        else:
            yield clean, named.render(clean, generator(seed, named, sample.id)).image


def row(folder: Path, rain: str | None, seed: int) -> str:
    """One line of the table."""
    found, covered, quality = [], [], []
    for clean, rainy in pairs(folder, rain, seed):
        residual = np.min(np.maximum(rainy, clean) - clean, axis=2)
        found.append(streaks(residual))
        covered.append(np.mean(residual >= THRESHOLD))
        quality.append([METRICS[m].function(clean, rainy) for m in ("psnr_y_db", "ssim_y")])
    spread = np.percentile(np.concatenate(found), PERCENTILES, axis=0).T
    cells = [" / ".join(f"{value:.1f}" for value in column) for column in spread]
    psnr, ssim = np.mean(quality, axis=0)
    share = f"{100 * np.mean(covered):.1f} %"
    number = f"{np.mean([len(f) for f in found]):.0f}"
    return (
        f"| {' | '.join([rain or 'real', f'{psnr:.2f}', f'{ssim:.3f}', share, number, *cells])} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rain", default="rain100l,rain100h")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    heads = ("rain", "PSNR-Y [dB]", "SSIM-Y", "covered", "streaks per image", *COLUMNS)
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for rain in (None, *arguments.rain.split(",")):
        print(row(arguments.folder, rain, arguments.seed), flush=True)


if __name__ == "__main__":
    main()
