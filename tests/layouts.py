"""Miniatures of the layouts of docs/real-rain.md, under the names that stand there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from datasets.image import decode, encode_png


def photographs(root: Path, maker: Callable[[str], Any]) -> None:
    """Any COCO JSON, and images in one folder."""
    made = maker("coco").make(root / "made")
    shutil.move(made / "annotations" / "instances_val2017.json", root / "labels.json")
    shutil.move(made / "images" / "val2017", root / "images")


def mpid(root: Path, maker: Callable[[str], Any]) -> None:
    """RID's XML files."""
    make = maker("voc")
    for stem, boxes in make.OBJECTS.items():
        make.image(root / "RID" / "images" / f"{stem}.jpg")
        file = root / "RID" / "annotations" / f"{stem}.xml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(make.xml(f"{stem}.jpg", boxes))


def dawn(root: Path, maker: Callable[[str], Any]) -> None:
    """Two of DAWN's weathers, YOLO's files beside them."""
    make = maker("voc")
    for weather, name in (("Rain", "rain_storm-001"), ("Fog", "foggy-001")):
        make.image(root / "DAWN" / weather / f"{name}.jpg")
        for form, text in (
            ("PASCAL_VOC", make.xml("other.jpg", [("car", (1, 1, 50, 40), 0)])),
            ("YOLO_darknet", "2 0.5 0.5 0.1 0.1"),
        ):
            file = root / "DAWN" / weather / f"{weather}_{form}" / name
            file.parent.mkdir()
            file.with_suffix(".xml" if form == "PASCAL_VOC" else ".txt").write_text(text)


def cityscapes(root: Path, maker: Callable[[str], Any]) -> None:
    """Clean and rainy Cityscapes."""
    make = maker("cityscapes")
    make.make_weather(make.make(root / "cityscapes"), "leftImg8bit_rain", make.RAIN)


def gt_rain(root: Path, maker: Callable[[str], Any]) -> None:
    """A scene of two rainy frames and a clean one."""
    clean = np.full((24, 32, 3), 90, np.uint8)
    for name in ("A/A-Webcam-R-000", "A/A-Webcam-R-007", "A/A-Webcam-C-000"):
        (root / "GT-RAIN_test" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "GT-RAIN_test" / f"{name}.png").write_bytes(encode_png(clean))


def coco350(root: Path, maker: Callable[[str], Any]) -> None:
    """Rainy images for some of COCO's."""
    made = maker("coco").make(root / "coco")
    (made / "rainy").mkdir()
    for number in (1, 3):
        name = f"{number:012d}"
        clean = decode((made / "images" / "val2017" / f"{name}.jpg").read_bytes(), name)
        (made / "rainy" / f"{name}.png").write_bytes(encode_png(clean // 2 + 100))


LAYOUTS: dict[str, tuple[Callable[[Path, Callable[[str], Any]], object], int, bool]] = {
    "images": (photographs, 8, False),
    "aau": (lambda root, maker: maker("aau_rainsnow").make(root / "aau"), 2, False),
    "RID": (mpid, 3, False),
    "DAWN": (dawn, 1, False),
    "acdc": (lambda root, maker: maker("cityscapes").make_acdc(root / "acdc"), 1, False),
    "cityscapes": (cityscapes, 3, True),
    "GT-RAIN_test": (gt_rain, 2, True),
    "bdd100k": (lambda root, maker: maker("bdd100k").make(root / "bdd100k"), 1, False),
    "coco": (coco350, 2, True),
}
"""What makes the layout of each data root, how many images it holds, and whether clean ones."""
