"""Data sets by name, with what each reader takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets.aau_rainsnow import open_aau_rainsnow
from datasets.bdd100k import open_bdd100k
from datasets.camvid import open_camvid
from datasets.carla import open_carla
from datasets.cityscapes import open_cityscapes
from datasets.coco import open_coco
from datasets.folder import open_folder
from datasets.installed import Table
from datasets.pairs import open_pairs
from datasets.sample import Dataset
from datasets.streetsim import open_streetsim
from datasets.voc import open_voc
from datasets.yolo import open_yolo


@dataclass(frozen=True)
class DatasetRow:
    """One row of the table below."""

    open: Callable[..., Dataset]
    """Function of (root, split); ``problems``, a list, collects what is wrong with single entries,
    which are then left out."""
    has_masks: bool = False
    """Whether it takes ``masks`` too: True gives objects their masks."""
    takes_pair: bool = False
    """Whether it takes ``pair`` too: how rainy images and clean ones are found."""
    takes_annotations: bool = False
    """Whether it takes ``annotations`` too: the label file, wherever it lies."""
    brings_rain: bool = False
    """Whether its own rain is what runs and trainings are about where none is named."""
    is_rendered: bool = False
    """Whether it is made in its folder where it is not there yet, by default in a cache."""
    is_folder: bool = False
    """Whether it is whatever lies in a folder, and has no split."""
    is_own: bool = False
    """Whether its name is that of a form, not of images: cards name the folder."""
    signs: tuple[str, ...] = ()
    """Files, as patterns, that a folder of the set holds, for who names another."""
    training_split: str = "train"
    """Part that task networks are trained on where none is named."""
    validation_splits: tuple[str, ...] = ("val",)
    """Parts that they are validated on: the first that is there."""

    def is_in(self, root: Path) -> bool:
        """Whether a folder holds one of its signs."""
        return any(True for sign in self.signs for _ in root.glob(sign))


DATASETS: Table[DatasetRow] = Table(
    "datasets",
    DatasetRow,
    {
        "streetsim": DatasetRow(
            open_streetsim,
            has_masks=True,
            is_rendered=True,
            training_split="train:2400+train-720p:300",
        ),
        "coco": DatasetRow(
            open_coco,
            has_masks=True,
            takes_annotations=True,
            validation_splits=("val2017", "val", "valid"),
            signs=("annotations/instances_*.json", "*/_annotations.coco.json"),
        ),
        "bdd100k": DatasetRow(
            open_bdd100k,
            has_masks=True,
            signs=("images/100k", "images/10k"),
            training_split="10k/train",
            validation_splits=("10k/val",),
        ),
        "camvid": DatasetRow(open_camvid, signs=("valannot", "testannot")),
        "cityscapes": DatasetRow(
            open_cityscapes, has_masks=True, signs=("gtFine", "leftImg8bit*", "rgb_anon")
        ),
        "carla": DatasetRow(
            open_carla, has_masks=True, brings_rain=True, signs=("semantic*/*.png",)
        ),
        "aau-rainsnow": DatasetRow(
            open_aau_rainsnow,
            has_masks=True,
            brings_rain=True,
            signs=("aauRainSnow-rgb.json",),
            validation_splits=(),
        ),
        "yolo": DatasetRow(
            open_yolo,
            has_masks=True,
            takes_annotations=True,
            is_own=True,
            signs=("data.yaml", "classes.txt", "labels/*.txt", "labels/*/*.txt"),
        ),
        "voc": DatasetRow(
            open_voc, is_own=True, signs=("Annotations/*.xml", "*/Annotations/*.xml", "*.xml")
        ),
        "folder": DatasetRow(open_folder, is_folder=True, is_own=True),
        "pairs": DatasetRow(
            open_pairs, takes_pair=True, brings_rain=True, is_folder=True, is_own=True
        ),
    },
)
"""Every data set, literally, and those of installed packages."""


def looks_like(root: Path) -> str | None:
    """The data set whose files a folder holds; None where nothing tells."""
    return next((name for name, row in DATASETS.items() if row.is_in(root)), None)
