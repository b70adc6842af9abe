"""A folder in which a newcomer's commands run: every name that the documentation uses, tiny."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import torch

from datasets.image import encode_png
from derainers.networks.prenet import PReNet
from tests.layouts import LAYOUTS
from tests.miniatures import maker_of, tiny_detector

NETWORK = """
from torch import nn

class Net(nn.Conv2d):
    def forward(self, x):
        return (x + 0.1 * super().forward(x)).clamp(0, 1)

def build():
    return Net(3, 3, 3, padding=1)
"""
NIGHTLY = """
- name: photographs
  dataset: folder
  data_root: photos
  rain: [photoshop-heavy, rain100h]
  derainer: model.py:build
  task: none
"""
PAIRS = ("rain100l", "rain100h", "DIR")
ASSETS = ".venv/lib/python3.11/site-packages/ultralytics/assets"
SPLITS = tuple(f"bsds500/{split}" for split in ("train", "val", "test"))
FOLDERS = ("photos", "road", "films/1", *SPLITS, ASSETS)
"""Of photographs."""
PAGES = Path(__file__).parent.parent / "docs"


def make_world(root: Path, detector: Path | None = None) -> Path:
    """Photographs, labels, a network with weights, a detector, and data sets by their names.

    Args:
        root: Where.
        detector: A checkpoint to copy; None: one is made.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in ("mine.py", "net.py", "model.py"):
        (root / name).write_text(NETWORK)
    torch.manual_seed(0)
    weights = torch.nn.Conv2d(3, 3, 3, padding=1).state_dict()
    for name in ("mine.pth", "weights.pt", "w.pth"):
        torch.save(weights, root / name)
    for name in ("best.pt", "yolov8n.pt"):
        if detector is None:
            detector = tiny_detector(root / name)
        elif detector != root / name:
            shutil.copy(detector, root / name)
    tiny_detector(root / "yolov8n-seg.pt", masks=True)
    torch.save(PReNet().state_dict(), root / "PReNet6.pth")
    (root / "nightly.yaml").write_text(NIGHTLY)
    (suite,) = re.findall(r"```yaml\n(.*?)```", (PAGES / "scaling.md").read_text(), re.DOTALL)
    (root / "study.yaml").write_text(suite)
    _photographs(root)
    for name in ("images", "aau", "RID", "DAWN", "acdc", "cityscapes", "GT-RAIN_test", "bdd100k"):
        LAYOUTS[name][0](root, maker_of)
    LAYOUTS["coco"][0](root, maker_of)
    maker_of("camvid").make(root / "camvid")
    for folder in ("train", "trainannot"):  # a training takes four at least
        place = root / "camvid" / folder
        shutil.copy(place / "0001TP_006690.png", place / "0001TP_006720.png")
    _of_coco128(root)
    return root


def _photographs(root: Path) -> None:
    """Folders of photographs, and pairs."""
    rng = np.random.default_rng(0)
    for i in range(4):
        soft, other = rng.integers(0, 255, (2, 7, 9, 3), np.uint8).repeat(16, 1).repeat(16, 2)
        for folder in FOLDERS:
            _write(root / folder / f"{i}.png", soft)
        for rainy, clean in (("A", "B"), *((f"{p}/input", f"{p}/target") for p in PAIRS)):
            _write(root / rainy / f"{i}.png", other // 2 + 60)
            _write(root / clean / f"{i}.png", other)


def _write(file: Path, image: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_png(image))


def _of_coco128(root: Path) -> None:
    """The miniature COCO, whose only split has the name of another."""
    shutil.copytree(root / "coco", root / "coco128")
    for kind in ("annotations/instances_{}.json", "images/{}"):
        old, new = (root / "coco128" / kind.format(s) for s in ("val2017", "train2017"))
        old.rename(new)
