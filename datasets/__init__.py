"""Labelled images in, and rain. Imports nothing of ours from other rooms."""

from __future__ import annotations

from collections.abc import Callable

from datasets.camvid import open_camvid
from datasets.coco import open_coco
from datasets.folder import open_folder
from datasets.pairs import open_pairs
from datasets.sample import Annotations, Dataset, DatasetError, Sample

DATASETS: dict[str, Callable[..., Dataset]] = {
    "coco": open_coco,
    "camvid": open_camvid,
    "folder": open_folder,
    "pairs": open_pairs,
}
"""Every data set, literally: name -> function of (root, split); ``pairs`` takes ``pair`` too."""

__all__ = ["DATASETS", "Annotations", "Dataset", "DatasetError", "Sample"]
