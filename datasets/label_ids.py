"""Label maps of Cityscapes and ACDC: of label ids, as cityscapesScripts reads them, or of classes.

Cityscapes calls the classes train ids. A value from 19 on is a label id. Where no map has one, a
value that would be the label id of what no score counts is a train id, and so is 255.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datasets.cityscapes_labels import ID_OF, TRAIN_IDS, decode_label_ids
from datasets.class_png import CLASSES
from datasets.image import NDArrayByte, UnreadableImageError
from datasets.label_png import decode_labels
from datasets.sample import IGNORED, Dataset, DatasetError, Sample

OF_LABEL_IDS = ("cityscapes", "acdc")
"""Sets whose label maps are files of label ids."""
LABEL_IDS = np.zeros(256, np.uint8)
"""Label id of each class, and of `IGNORED` 0, which is ``unlabeled``."""
LABEL_IDS[: len(CLASSES)] = [ID_OF[name] for name in CLASSES]


def are_label_ids(dataset: Dataset) -> bool:
    """Whether files of a set's label maps are of label ids, not of its classes."""
    return dataset.name in OF_LABEL_IDS and bool(dataset.classes)


def as_classes(maps: Mapping[str, NDArrayByte]) -> dict[str, NDArrayByte]:
    """Label maps in Cityscapes' classes, from all in label ids or all in classes.

    Raises:
        DatasetError: If the values do not tell which, or one tells of each.
    """
    held = {name: _values(labels) for name, labels in maps.items()}
    ids = [k for k, v in held.items() if _label_ids(v).any()]
    trained = [k for k, v in held.items() if _others(v).any()]
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


def train_ids(samples: Iterable[Sample]) -> str | None:
    """What to say where all label maps that are called label ids are of classes."""
    number, told = 0, ""
    for sample in samples:
        if sample.label_map_path is None or sample.decode_label_map is not decode_label_ids:
            continue
        try:
            values = _values(replace(sample, decode_label_map=decode_labels).label_map())
        except (UnreadableImageError, DatasetError, OSError):
            continue  # That is told where it is decoded.
        if _label_ids(values).any():
            return None
        number += 1
        if not told and (others := values[_others(values)]).size:
            told = f"{sample.label_map_path.name} has {others[0]}"
    if not told:
        return None
    return (
        f"label maps that are called labelIds are of train ids: none of {number:,} has a value "
        f"above {len(CLASSES) - 1}, and {told}: call them labelTrainIds"
    )


def _values(labels: NDArrayByte) -> NDArray[np.int64]:
    """The values that a label map holds, ascending."""
    return np.flatnonzero(np.bincount(labels.ravel(), minlength=256))


def _label_ids(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which are label ids alone."""
    is_label_id: NDArray[np.bool_] = (values >= len(CLASSES)) & (values != IGNORED)
    return is_label_id


def _others(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which are no label id that any score counts."""
    is_other: NDArray[np.bool_] = (TRAIN_IDS[values] == IGNORED) & (values > 0)
    return is_other
