"""How far derainers change real rainy photographs where there is no streak: for docs/weights.md.

    python benchmarks/harm.py DATA/real-rain [--derainer NAME,...] [--sheet FILE.png]

prints what benchmarks/weights.py keeps for the page, and draws the crops.

Thirty crops of 192x192 px show what networks take for rain: wet roads, railings, thin upright
things. They were chosen by eye before anything was measured on them. A pixel is streak-like where
its luma stands more than ``OVER`` above the median of the ``ACROSS_PX`` pixels of its row around
it, as that of a narrow bright streak does, or where it touches such a pixel. The change is the mean
absolute difference between restored and rainy RGB over all other pixels of a crop, in levels of
255. A derainer that takes a veil away changes them too, and rightly: the number says how much is
touched, the sheet what it was.

The shift is the median of the signed differences over the same pixels, below zero where a crop
turns darker, and the rest is the change once each crop's own shift is taken off: the least that
remains when a network is forgiven for darkening the whole crop. Both were added after the first
numbers.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, median_filter

from datasets.folder import open_folder
from datasets.image import NDArrayByte, encode_png, round_to_bytes
from derainers import DERAINERS
from harness.machine.device import Placement
from harness.plan.derainers import derainer_plan
from reports.tables.text import signed
from tasks.quality.luma import pil_luma

SIZE_PX = 192
ACROSS_PX = 15
OVER = 6.0
"""Levels of luma, 0 to 255."""
CROPS: tuple[tuple[str, int, int, str], ...] = (
    ("1", 400, 215, "road"),
    ("16", 250, 320, "road"),
    ("19", 250, 275, "road"),
    ("2", 200, 246, "road"),
    ("22", 400, 200, "road"),
    ("24", 150, 203, "road"),
    ("24", 440, 180, "road"),
    ("27", 350, 240, "road"),
    ("29", 100, 480, "road"),
    ("3", 430, 150, "road"),
    ("30", 230, 320, "road"),
    ("31", 300, 250, "road"),
    ("32", 300, 400, "road"),
    ("34", 100, 320, "road"),
    ("7", 150, 320, "road"),
    ("9", 200, 172, "road"),
    ("14", 0, 300, "railing"),
    ("14", 320, 300, "railing"),
    ("2", 300, 60, "railing"),
    ("3", 300, 168, "railing"),
    ("32", 20, 250, "railing"),
    ("35", 0, 170, "railing"),
    ("35", 200, 170, "railing"),
    ("2", 230, 0, "upright"),
    ("24", 40, 0, "upright"),
    ("30", 40, 300, "upright"),
    ("36", 60, 250, "upright"),
    ("39", 428, 150, "upright"),
    ("39", 50, 180, "upright"),
    ("7", 300, 100, "upright"),
)
"""Stem of the photograph in SIRR's folder of real rain, left and top in px, what it shows."""
KINDS = tuple(dict.fromkeys(kind for *_, kind in CROPS))
HEADINGS = ("derainer", "all 30", *(f"{kind}s" for kind in KINDS), "worst crop", "shift", "rest")
OURS = tuple(name for name, row in DERAINERS.items() if row.weights is not None)


def streak_like(rainy: NDArrayByte) -> NDArray[np.bool_]:
    """Where a crop (H, W, 3) may show a streak, its neighbours too."""
    luma = pil_luma(rainy).astype(np.float64)
    around = median_filter(luma, size=(1, ACROSS_PX), mode="nearest")
    return np.asarray(binary_dilation(luma - around > OVER, np.ones((3, 3), bool)))


class Change(NamedTuple):
    """How far a crop was changed outside streak-like pixels, in levels of 255; see above."""

    change: float
    shift: float
    rest: float


def change(rainy: NDArrayByte, restored: NDArrayByte) -> Change:
    """What became of a crop (H, W, 3)."""
    difference = (restored.astype(np.float64) - rainy)[~streak_like(rainy)]
    shift = np.median(difference)
    rest = np.abs(difference - shift)
    return Change(float(np.abs(difference).mean()), float(shift), float(rest.mean()))


def cut(image: NDArrayByte, left_px: int, top_px: int) -> NDArrayByte:
    """One crop of a photograph."""
    return image[top_px : top_px + SIZE_PX, left_px : left_px + SIZE_PX]


def photographs(folder: Path) -> dict[str, NDArrayByte]:
    """The photographs that the crops are of, by stem."""
    stems = {stem for stem, *_ in CROPS}
    samples = open_folder(folder, None).samples
    return {Path(s.id).stem: s.image() for s in samples if Path(s.id).stem in stems}


def crops(images: Mapping[str, NDArrayByte]) -> list[NDArrayByte]:
    """The crops of whole images."""
    return [cut(images[stem], left, top) for stem, left, top, _ in CROPS]


def restored(word: str, folder: Path, images: Mapping[str, NDArrayByte]) -> list[NDArrayByte]:
    """The crops of what a derainer makes of whole photographs, in fp32."""
    restorer = derainer_plan(word, {}, open_folder(folder, None)).load(Placement("cpu", "fp32"))
    return crops({s: round_to_bytes(restorer.restore(image, s)) for s, image in images.items()})


def changes(rainy: Sequence[NDArrayByte], after: Sequence[NDArrayByte]) -> list[Change]:
    """What became of each crop."""
    return [change(*pair) for pair in zip(rainy, after, strict=True)]


def row(word: str, found: Sequence[Change]) -> list[str]:
    """A line of the page's table, headed by `HEADINGS`."""
    kinds = [kind for *_, kind in CROPS]
    means = [
        np.mean([each.change for each, kind in zip(found, kinds, strict=True) if kind in of])
        for of in (KINDS, *((kind,) for kind in KINDS))
    ]
    numbers = [*means, max(each.change for each in found)]
    _, shift, rest = np.mean(found, axis=0)
    return [word, *(f"{number:.2f}" for number in numbers), signed(shift, 2), f"{rest:.2f}"]


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path, metavar="DATA/real-rain")
    parser.add_argument("--derainer", default=",".join(("identity", "median", *OURS)))
    parser.add_argument("--sheet", type=Path, help="crops of all, one derainer a column")
    a = parser.parse_args()
    images = photographs(a.photographs)
    rainy = crops(images)
    columns = [np.concatenate(rainy)]
    print(" ".join(HEADINGS))
    for word in a.derainer.split(","):
        after = restored(word, a.photographs, images)
        found = changes(rainy, after)
        worst = max(range(len(CROPS)), key=lambda i: found[i].change)
        print(" ".join(row(word, found)), CROPS[worst], flush=True)
        columns.append(np.concatenate(after))
    if a.sheet:
        a.sheet.write_bytes(encode_png(np.concatenate(columns, 1)))


if __name__ == "__main__":
    main()
