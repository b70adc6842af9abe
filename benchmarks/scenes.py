"""A strip of streetsim's scenes: clean, rainy, derained, and their labels.

    python benchmarks/scenes.py docs/scenes.jpg

The first eight scenes of the split ``demo`` under ``real-like``, as a run with seed 0 makes
them, derained with the weights that come with the package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from datasets.draw import COLOURS, tint_classes
from datasets.image import NDArrayByte, encode_jpeg, round_to_bytes
from datasets.rain import RAINS, generator
from datasets.sample import Sample
from harness.machine.device import Placement
from harness.plan.data import open_dataset
from harness.plan.derainers import derainer_plan
from harness.spec import RunSpec
from reports.pages.contact_sheet import contact_sheet

RAIN = "real-like"
SCENES = 8


def main() -> None:
    """Write the strip."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("file", type=Path)
    words.add_argument("--derainer", default="granet")
    a = words.parse_args()
    dataset = open_dataset(RunSpec(dataset="streetsim", task=("instance",)))
    derainer = derainer_plan(a.derainer, {}, dataset).load(Placement("cpu"))
    rain = RAINS[RAIN]
    rows = []
    for sample in dataset.samples[:SCENES]:
        clean = sample.image()
        rainy = rain.render(clean, generator(0, rain, sample.id), sample.depth_m()).image
        restored = round_to_bytes(derainer.restore(rainy, sample.id))
        rows.append((clean, rainy, restored, labelled(clean, sample)))
    captions = ("clean", f"rain: {RAIN}", f"derained: {a.derainer}", "labels: classes and boxes")
    cells = [
        (np.concatenate(column), caption)
        for column, caption in zip(zip(*rows, strict=True), captions, strict=True)
    ]
    a.file.write_bytes(encode_jpeg(contact_sheet(cells, len(cells)), 82))


def labelled(clean: NDArrayByte, sample: Sample) -> NDArrayByte:
    """A scene with its classes as colours, and the boxes that scorers count."""
    picture = clean.copy()
    tint_classes(picture, sample.label_map())
    found = sample.annotations
    assert found is not None
    for box, category in zip(
        found.boxes_xyxy_px[~found.is_crowd], found.categories[~found.is_crowd], strict=True
    ):
        left, top, right, bottom = np.rint(box).astype(int).tolist()
        colour = COLOURS[category % len(COLOURS)].tolist()
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), colour, 1)
    return picture


if __name__ == "__main__":
    main()
