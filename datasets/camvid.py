"""CamVid: frames of four drives with the class of every pixel (Brostow et al. 2009).

Reference:
    G. J. Brostow, J. Fauqueur, R. Cipolla, "Semantic object classes in video: A high-definition
    ground truth database", Pattern Recognition Letters 30(2), 2009; in the split and the 11 classes
    of SegNet (Badrinarayanan et al. 2017).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from datasets import fields
from datasets.fields import Problems
from datasets.folder import by_stem
from datasets.image import NDArrayByte, UnreadableImageError
from datasets.label_files import copy_files
from datasets.label_png import decode_labels
from datasets.sample import IGNORED, Dataset, DatasetError, Sample

SPLITS = ("train", "val", "test")
CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "cyclist",
)
TERMS = "University of Cambridge; CC BY-NC 4.0: research, not commercial"
VOID = 11
"""Pixel of the files that no class belongs to."""


def open_camvid(root: Path, split: str | None, problems: Problems | None = None) -> Dataset:
    """Open one split of CamVid.

    Args:
        root: Folder with the frames in ``<split>/`` and label maps of the same stem in
            ``<split>annot/*.png``, whose pixels are indices into `CLASSES` or `VOID`.
        split: ``train``, ``val`` or ``test``.
        problems: Takes what is wrong with single frames, which are then left out.

    Returns:
        Samples named by stem, with the drive as group and attribute: ``0001TP`` at dusk,
        ``0006R0``, ``0016E5`` and ``Seq05VD`` by day.

    Raises:
        DatasetError: If a folder or label map is missing.
    """
    if split not in SPLITS:
        asked = "choose one with --split" if split is None else f"--split {split}"
        raise DatasetError(f"{asked}: CamVid has the splits {', '.join(SPLITS)}")
    frames, annotations = root / split, root / f"{split}annot"
    for folder in (frames, annotations):
        if not folder.is_dir():
            raise DatasetError(
                f"{folder} not found: give the folder that holds it with --data-root"
            )
    samples = []
    for stem, path in by_stem(frames).items():
        label_map = annotations / f"{stem}.png"
        drive = stem.partition("_")[0]
        with fields.told(problems):
            if not label_map.is_file():
                raise DatasetError(
                    f"{label_map} not found: add the label map or remove {path.name}"
                )
            samples.append(
                Sample(
                    stem,
                    path,
                    group=drive,
                    attributes={"drive": drive},
                    label_map_path=label_map,
                    decode_label_map=decode_label_map,
                )
            )
    files = {s.id: [s.label_map_path] for s in samples if s.label_map_path}
    return Dataset(
        "camvid",
        split,
        samples,
        classes=dict(enumerate(CLASSES)),
        terms=TERMS,
        export_labels=partial(copy_files, files, root),
    )


def decode_label_map(data: bytes, name: str) -> NDArrayByte:
    """Decode one of CamVid's label maps, ``uint8 (H, W)``, `VOID` turned to `IGNORED`.

    Raises:
        UnreadableImageError: If it cannot be decoded, or a pixel is no class.
    """
    indices = decode_labels(data, name)
    if indices.max(initial=0) > VOID:
        raise UnreadableImageError(
            f"{name}: pixel {indices.max()} is none of CamVid's classes 0 to {VOID}"
        )
    return np.where(indices == VOID, np.uint8(IGNORED), indices)
