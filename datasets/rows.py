"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable

from datasets.bdd100k import open_bdd100k
from datasets.camvid import open_camvid
from datasets.coco import open_coco
from datasets.folder import open_folder
from datasets.pairs import open_pairs
from datasets.sample import Dataset
from datasets.streetsim import open_streetsim

DATASETS: dict[str, Callable[..., Dataset]] = {
    "streetsim": open_streetsim,
    "coco": open_coco,
    "bdd100k": open_bdd100k,
    "camvid": open_camvid,
    "folder": open_folder,
    "pairs": open_pairs,
}
"""Every data set, literally: name -> function of (root, split); ``streetsim``, ``coco`` and
``bdd100k`` take ``masks`` too, ``pairs`` takes ``pair``, and all ``problems``, which collects what
is wrong."""
