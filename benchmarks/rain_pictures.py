"""The pictures of docs/rain.md, and every kind of rain on photographs beside real rain.

    python benchmarks/rain_pictures.py --streetsim STREETSIM --out docs
    python benchmarks/rain_pictures.py --streetsim STREETSIM --out . --data ../shared/data

The first writes ``rain-veil.jpg`` and ``rain-layers.jpg`` of rendered scenes. The second writes
``beside-real.png`` too: a street by day, one at night and people, each under some rains, and below
them photographs of real rain.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from datasets import DATASETS, Sample
from datasets.image import NDArrayByte, decode, encode_jpeg, encode_png, shrink
from datasets.rain import PhysicalRain, generator, needs_depth, parse
from datasets.rain.depth import road_scene_m
from reports.pages.contact_sheet import contact_sheet

VEILED, LAYERED = (3, 13), (1, 7)
"""Scenes of StreetSim's ``val``."""
WIDE_PX = 400
LAYERS = ("", "+overcast", "+overcast+wet", "+overcast+wet+lens")
RAINS = (
    "photoshop-heavy",
    "real-like",
    "physical:rate_mm_h=50",
    "physical:rate_mm_h=50+overcast+lens",
)
REAL = ("24.jpg", "9.jpg", "31.jpg", "34.jpg")


def rained(word: str, sample: Sample, is_known: bool) -> NDArrayByte:
    """A scene under a rain, at its true distances or without."""
    ((_, rain),) = parse(word)
    depth = sample.depth_m() if is_known else None
    return rain.render(sample.image(), generator(1, rain, sample.id), depth).image


def veil(samples: list[Sample]) -> NDArrayByte:
    """Each scene clean, with the flat road's veil, with the sky's, and at its true distances."""
    rain, rows = PhysicalRain(rate_mm_h=50), []
    for sample in samples:
        clean = sample.image()
        height, width = clean.shape[:2]
        flat = road_scene_m(height, rain.focal_px(width), 150)
        depths = (np.repeat(flat, width, axis=1), None, sample.depth_m())
        shown = [rain.render(clean, generator(0, rain, sample.id), d).image for d in depths]
        rows.append(np.hstack([shrink(p, WIDE_PX) for p in (clean, *shown)]))
    return np.vstack(rows)


def layers(samples: list[Sample]) -> NDArrayByte:
    """Each scene in rain, then with one layer more in each column."""
    words = [f"physical:rate_mm_h=50{word}" for word in LAYERS]
    rows = [np.hstack([shrink(rained(w, s, True), WIDE_PX) for w in words]) for s in samples]
    return np.vstack(rows)


def beside_real(data: Path, night: Sample) -> NDArrayByte:
    """Three photographs under rains, and real ones."""
    people = sorted((data / "coco128" / "images" / "train2017").glob("*569.jpg"))
    street = sorted((data / "camvid" / "test").iterdir())[8]
    pictures = []
    for name, file in (
        ("street by day", street),
        ("street at night", night.path),
        ("people", people[0]),
    ):
        clean = shrink(decode(file.read_bytes(), file.name), 480)
        pictures.append((clean, name))
        for word in RAINS:
            ((_, rain),) = parse(word)
            assert not needs_depth(rain)
            pictures.append((rain.render(clean, generator(0, rain, name), None).image, word))
    for name in (*REAL, "1.jpg"):
        real = decode((data / "real-rain" / name).read_bytes(), name)
        pictures.append((shrink(real, 480), f"real rain, {name}"))
    return contact_sheet(pictures, columns=1 + len(RAINS))


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streetsim", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    scenes = DATASETS["streetsim"].open(arguments.streetsim, "val").samples
    for name, picture in (
        ("rain-veil.jpg", veil([scenes[i] for i in VEILED])),
        ("rain-layers.jpg", layers([scenes[i] for i in LAYERED])),
    ):
        (arguments.out / name).write_bytes(encode_jpeg(picture, 80))
    if arguments.data is not None:
        sheet = beside_real(arguments.data, scenes[LAYERED[1]])
        (arguments.out / "beside-real.png").write_bytes(encode_png(sheet))


if __name__ == "__main__":
    main()
