"""Labelled images in, and rain. Imports nothing of ours from other rooms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datasets.coco import open_coco
from datasets.folder import open_folder
from datasets.sample import Annotations, Dataset, DatasetError, Sample

DATASETS: dict[str, Callable[[Path, str | None], Dataset]] = {
    "coco": open_coco,
    "folder": open_folder,
}
"""Every data set, literally: name -> function of (root, split)."""

__all__ = ["DATASETS", "Annotations", "Dataset", "DatasetError", "Sample"]
