"""Predicted label maps of Cityscapes and ACDC as cityscapesScripts reads them: of label ids."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from datasets.cityscapes_labels import ID_OF, TRAIN_IDS
from datasets.class_png import CLASSES
from datasets.image import NDArrayByte
from datasets.sample import IGNORED, Dataset, DatasetError

OF_LABEL_IDS = ("cityscapes", "acdc")
"""Sets whose label maps are files of label ids."""
LABEL_IDS = np.zeros(256, np.uint8)
"""Label id of each class, and of `IGNORED` 0, which is ``unlabeled``."""
LABEL_IDS[: len(CLASSES)] = [ID_OF[name] for name in CLASSES]


def are_label_ids(dataset: Dataset) -> bool:
    """Whether files of a set's label maps are of label ids, not of its classes."""
    return dataset.name in OF_LABEL_IDS and bool(dataset.classes)


def as_classes(maps: Mapping[str, NDArrayByte]) -> dict[str, NDArrayByte]:
    """Label maps in Cityscapes' classes, from all in label ids or all in classes (train ids).

    A value from 19 on is a label id. Where there is none, one that would be the label id of what no
    score counts is a train id, and so is 255.

    Raises:
        DatasetError: If the values do not tell which, or one tells of each.
    """
    held = {name: np.flatnonzero(np.bincount(m.ravel(), minlength=256)) for name, m in maps.items()}
    ids = [k for k, v in held.items() if ((v >= len(CLASSES)) & (v != IGNORED)).any()]
    trained = [k for k, v in held.items() if ((TRAIN_IDS[v] == IGNORED) & (v > 0)).any()]
    trained = sorted({*trained} - {*ids})
    if ids and trained:
        raise DatasetError(
            f"the label map of {ids[0]} has label ids, that of {trained[0]} train ids: write one "
            "kind, label ids as run --save predictions does"
        )
    if maps and not ids and not trained:
        raise DatasetError(
            "the label maps have values alone that are label ids and train ids alike (0, 7, 8, 11, "
            "12, 13, 17): score them with images that show sky, trees or cars"
        )
    return {k: np.asarray(TRAIN_IDS[m], np.uint8) for k, m in maps.items()} if ids else {**maps}
