"""One scene of streetsim as each derainer leaves it, with two windows of it enlarged.

    python benchmarks/crops.py crops.png --derainer granet,median [--scene 0 3] [--rain RAIN]

Columns: rainy, a derainer each, clean; under each its PSNR-Y and SSIM-Y. The windows are those with
the most edges in the clean image, so that no derainer decides where one looks.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from datasets.image import NDArrayByte, encode_jpeg, encode_png, round_to_bytes
from datasets.rain import generator, parse
from harness.machine.device import Placement
from harness.plan.data import open_dataset
from harness.plan.derainers import derainer_plan
from harness.spec import RunSpec
from reports.pages.contact_sheet import font
from tasks.quality import evidence

Corner = tuple[int, int]
"""Left and top of a window."""
COLOURS = ((230, 57, 70), (255, 200, 0))
"""The windows' frames: red and yellow."""
SHARE = 5
"""How many windows side by side make the picture's width, and its height."""
WIDTH_PX, GAP_PX, LINE_PX, CAPTION_PX = 516, 4, 3, 40
"""Two enlarged windows and the gap between them are as wide as the picture above them."""


def main() -> None:
    """Write the sheet."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("file", type=Path)
    words.add_argument("--derainer", default="granet", help="words, commas between them")
    words.add_argument("--scene", type=int, nargs="+", default=[0], help="numbers in `demo`")
    words.add_argument("--rain", default="photoshop-heavy")
    a = words.parse_args()
    dataset = open_dataset(RunSpec(dataset="streetsim", task=("none",)))
    ((_, rain),) = parse(a.rain)
    derainers = [
        derainer_plan(word, {}, dataset).load(Placement("cpu")) for word in a.derainer.split(",")
    ]
    names = ["rainy", *a.derainer.split(","), "clean"]
    rows = []
    for sample in (dataset.samples[number] for number in a.scene):
        clean = sample.image()
        rainy = rain.render(clean, generator(0, rain, sample.id), sample.depth_m()).image
        restored = [round_to_bytes(d.restore(rainy, sample.id)) for d in derainers]
        corners = windows(clean)
        row = []
        for name, picture in zip(names, [rainy, *restored, clean], strict=True):
            caption = name if name == "clean" else f"{name}: {scores(clean, picture)}"
            row.append(panel(picture, corners, caption))
        rows.append(spaced(row, 1))
    sheet = spaced(rows, 0)
    png = a.file.suffix == ".png"
    a.file.write_bytes(encode_png(sheet) if png else encode_jpeg(sheet, 90))


def scores(clean: NDArrayByte, picture: NDArrayByte) -> str:
    """PSNR-Y and SSIM-Y in words."""
    found = evidence(clean, picture, ("psnr_y_db", "ssim_y"))
    return f"{found['psnr_y_db']:.2f} dB, SSIM {found['ssim_y']:.3f}"


def size_of(picture: NDArrayByte) -> tuple[int, int]:
    """Width and height of a window."""
    return picture.shape[1] // SHARE, picture.shape[0] // SHARE


def windows(clean: NDArrayByte) -> list[Corner]:
    """The two windows with the most edges that do not overlap, the left one first."""
    width, height = size_of(clean)
    grey = cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    inside = (slice(0, edges.shape[0] - height + 1), slice(0, edges.shape[1] - width + 1))
    sums = cv2.boxFilter(edges, -1, (width, height), anchor=(0, 0))[inside]
    found: list[Corner] = []
    for _ in COLOURS:
        top, left = map(int, np.unravel_index(sums.argmax(), sums.shape))
        found.append((left, top))
        sums[max(0, top - height) : top + height, max(0, left - width) : left + width] = -1
    return sorted(found)


def panel(picture: NDArrayByte, corners: list[Corner], caption: str) -> NDArrayByte:
    """A picture with the windows outlined, below it the windows enlarged and the caption."""
    width, height = size_of(picture)
    factor = WIDTH_PX / picture.shape[1]
    whole_size = (WIDTH_PX, round(picture.shape[0] * factor))
    whole = np.asarray(cv2.resize(picture, whole_size, interpolation=cv2.INTER_CUBIC), np.uint8)
    side = (WIDTH_PX - GAP_PX) // 2
    size = (side, round(height * side / width))
    enlarged = []
    for (left, top), colour in zip(corners, COLOURS, strict=True):
        start = (round(left * factor), round(top * factor))
        end = (round((left + width) * factor), round((top + height) * factor))
        cv2.rectangle(whole, start, end, colour, LINE_PX)
        window = picture[top : top + height, left : left + width]
        zoomed = np.asarray(cv2.resize(window, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        cv2.rectangle(zoomed, (1, 1), (size[0] - 2, size[1] - 2), colour, LINE_PX)
        enlarged.append(zoomed)
    return spaced([whole, spaced(enlarged, 1), written(caption)], 0)


def written(caption: str) -> NDArrayByte:
    """A strip with a caption."""
    strip = Image.new("RGB", (WIDTH_PX, CAPTION_PX), "white")
    middle = (WIDTH_PX / 2, CAPTION_PX / 2)
    ImageDraw.Draw(strip).text(middle, caption, fill="black", font=font(26), anchor="mm")
    return np.asarray(strip, np.uint8)


def spaced(pictures: Sequence[NDArrayByte], axis: int) -> NDArrayByte:
    """Pictures below (axis 0) or beside (1) each other with white gaps."""
    shape = list(pictures[0].shape)
    shape[axis] = GAP_PX
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis).astype(np.uint8)


if __name__ == "__main__":
    main()
