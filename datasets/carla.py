"""CARLARain: rendered streets with and without rain, their classes, objects and distances.

Reference:
    https://github.com/kb824999404/CARLARain; the colours and numbers of classes are those of CARLA
    0.9.14 and later, https://carla.readthedocs.io/en/latest/ref_sensors/, its distances those of
    the same page's depth camera.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from datasets import fields
from datasets.class_png import CLASSES, COLOURS, Colours, classes_of_colours
from datasets.fields import Problems
from datasets.folder import by_stem
from datasets.image import NDArrayByte, NDArrayFloat, UnreadableImageError, decode, size_px
from datasets.instance_map import labelled, regions
from datasets.label_files import copy_files
from datasets.sample import IGNORED, Annotations, Dataset, DatasetError, Sample
from datasets.streetsim.scene import LEAST_PX2

FOLDERS = {
    "clean": ("clean", "background"),
    "rainy": ("rainy",),
    "semantic": ("semantic", "semantic_segmentation"),
    "instance": ("instance", "instance_segmentation"),
    "depth": ("depth",),
}
"""What each kind of picture's folder may be called; the later names are the authors'."""
OBJECTS = {
    12: "person",
    13: "rider",
    14: "car",
    15: "truck",
    16: "bus",
    17: "train",
    18: "motorcycle",
    19: "bicycle",
}
"""CARLA's numbers of the classes that are objects; it calls the first a pedestrian."""
NUMBERS = dict(enumerate(CLASSES, start=1))
"""CARLA's numbers of all classes of Cityscapes."""
OLD_NUMBERS = {
    1: "building",
    4: "person",
    5: "pole",
    7: "road",
    8: "sidewalk",
    9: "vegetation",
    10: "car",
    11: "wall",
    12: "traffic sign",
    13: "sky",
    18: "traffic light",
}
"""Those of 0.9.13 and earlier, where the colour is the same."""
WEIGHTS = np.array([2**24, 2**16, 2**8, 1])
"""Of four bytes in one number."""
LOOKED_AT = 3
"""Scenes that tell which numbers a set has."""
ROAD_LINE = (157, 234, 50)
OTHERS = {
    "static": (110, 190, 160),
    "dynamic": (170, 120, 50),
    "other": (55, 90, 80),
    "water": (45, 60, 150),
    "ground": (81, 0, 81),
    "bridge": (150, 100, 100),
    "rail track": (230, 150, 140),
    "guard rail": (180, 165, 180),
}
"""Classes that Cityscapes does not evaluate."""
ALL_COLOURS: Colours = {
    **COLOURS,
    ROAD_LINE: list(CLASSES).index("road"),
    **dict.fromkeys(OTHERS.values(), IGNORED),
}
TERMS = "MIT (kb824999404/CARLARain)"
NOTES = (
    "CARLARain: rendered scenes, not photographs",
    f"objects of fewer than {LEAST_PX2} pixels, at 640x480, are ignored",
)
_NAME = re.compile(r"(?P<town>Town\d+)[A-Za-z]*?(?P<time>Night|Sunset|)(?=_|$)")
_TIMES = {"": "day", "Sunset": "dusk", "Night": "night"}


def open_carla(
    root: Path, split: str | None, masks: bool = False, problems: Problems | None = None
) -> Dataset:
    """Open scenes of CARLARain.

    Args:
        root: Folder with pictures of one stem in ``clean/``, ``rainy/``, ``semantic/`` and
            ``instance/``, and where it is there in ``depth/``; see `FOLDERS`.
        split: A folder below ``root`` that holds these, or None.
        masks: Whether objects carry their masks.
        problems: Takes what is wrong with single scenes, which are then left out.

    Returns:
        Samples named by stem, of the 19 classes of Cityscapes and its eight kinds of objects, with
        the rainy image of the same scene. Objects of fewer than `LEAST_PX2` pixels, at 640 by 480
        and in proportion otherwise, are ignored: an object's parts that show past what hides it
        are objects down to a single pixel. The drive is the group; town and time of day are
        attributes.

    Raises:
        DatasetError: If a folder or picture is missing, or instances have CARLA's old numbers.
    """
    home = root / split if split else root
    folders = {kind: _folder(home, kind) for kind in FOLDERS}
    lacking = [kind for kind in ("clean", "semantic", "instance") if folders[kind] is None]
    if lacking:
        raise DatasetError(
            f"{home}: no folder {' or '.join(FOLDERS[lacking[0]])} there: give the one that holds "
            "it with --data-root"
        )
    pictures = {
        kind: {stem.rstrip("."): path for stem, path in by_stem(folder).items()}
        for kind, folder in folders.items()
        if folder is not None
    }
    _require_numbers(pictures["semantic"], pictures["instance"])
    samples = []
    for stem in pictures["clean"]:
        with fields.told(problems):
            lacks = next((kind for kind in pictures if stem not in pictures[kind]), None)
            if lacks is not None:
                raise DatasetError(f"{home}: {stem} has no picture in {lacks}: add or remove it")
            scene = {kind: files[stem] for kind, files in pictures.items()}
            samples.append(_sample(stem, scene, masks, is_eager=problems is not None))
    files = {s.id: _beside(s, pictures["instance"][s.id]) for s in samples}
    return Dataset(
        "carla",
        split or "all",
        samples,
        OBJECTS,
        classes=dict(enumerate(CLASSES)),
        terms=TERMS,
        export_labels=partial(copy_files, files, root),
        notes=NOTES,
    )


def _beside(sample: Sample, instance: Path) -> list[Path]:
    """What a copy needs beside the picture that it makes anew: the rainy one, or else the clean."""
    clean = None if sample.rainy_path is None else sample.path
    return [p for p in (clean, instance, sample.label_map_path, sample.depth_path) if p is not None]


def _folder(home: Path, kind: str) -> Path | None:
    return next((home / name for name in FOLDERS[kind] if (home / name).is_dir()), None)


def _require_numbers(semantic: Mapping[str, Path], instance: Mapping[str, Path]) -> None:
    """Refuse pictures of instances in CARLA's old numbers, by the colours of the same pixels."""
    for stem in [stem for stem in semantic if stem in instance][:LOOKED_AT]:
        file = instance[stem]
        try:
            colours, numbers = (decode(p.read_bytes(), p.name) for p in (semantic[stem], file))
        except (UnreadableImageError, OSError):
            continue  # That is told where it is read.
        if colours.shape != numbers.shape:
            continue
        pixels = np.dstack([numbers[:, :, :1], colours]) @ WEIGHTS
        old, new = (
            np.isin(pixels, [np.array([n, *CLASSES[c]]) @ WEIGHTS for n, c in names.items()]).sum()
            for names in (OLD_NUMBERS, NUMBERS)
        )
        if old > new:
            raise DatasetError(
                f"{file.name}: numbers its classes as CARLA 0.9.13 and earlier do (13 is the sky, "
                "from 0.9.14 on a rider): record the scenes with 0.9.14 or later"
            )


def _sample(stem: str, scene: Mapping[str, Path], masks: bool, is_eager: bool) -> Sample:
    """One scene."""
    found = _NAME.search(stem)
    said = {"town": found["town"], "timeofday": _TIMES[found["time"]]} if found else {}
    labels = partial(_objects, scene["instance"], masks)
    return Sample(
        stem,
        scene["clean"],
        group=stem.rpartition("_")[0] or stem,
        labels=labels() if is_eager else labels,
        size_px=size_px(scene["instance"]),
        rainy_path=scene.get("rainy"),
        attributes=said,
        label_map_path=scene["semantic"],
        decode_label_map=decode_classes,
        depth_path=scene.get("depth"),
        decode_depth=CarlaDepth(),
    )


def decode_classes(data: bytes, name: str) -> NDArrayByte:
    """Decode a picture in CARLA's colours, ``uint8 (H, W)``; lines on the road are road.

    Raises:
        UnreadableImageError: If it cannot be decoded, or a colour is no class's.
    """
    return classes_of_colours(decode(data, name), ALL_COLOURS, name)


def _objects(file: Path, masks: bool) -> Annotations:
    """Objects of a picture whose red is the class, and whose green and blue tell them apart."""
    picture = decode(file.read_bytes(), file.name)
    numbers = picture @ WEIGHTS[1:]
    is_object = np.isin(picture[:, :, 0], list(OBJECTS))
    least = LEAST_PX2 * numbers.size / (640 * 480)
    found = []
    for region in regions(np.where(is_object, numbers, 0)):
        is_ignored = int(region.inside.sum()) < least
        found.append(labelled(region, numbers.shape, region.number >> 16, is_ignored, masks))
    return Annotations.of(found)


@dataclass(frozen=True)
class CarlaDepth:
    """Decodes CARLA's pictures of distances: 24 bits of 1000 m, or 8 of their logarithm."""

    def __call__(self, data: bytes, name: str) -> NDArrayFloat:
        """Distance of every pixel, ``float32 (H, W)`` in metres, above 0.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        try:
            levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise UnreadableImageError(f"{name}: cannot be decoded: {error.err}") from error
        if levels is None or levels.dtype != np.uint8:
            raise UnreadableImageError(f"{name}: expected a PNG of CARLA's distances")
        if levels.ndim == 3 and (levels[:, :, :1] != levels[:, :, :3]).any():
            share = levels[:, :, 2::-1].astype(np.float64) @ [1, 256, 65536] / (2**24 - 1)
            return np.maximum(1000 * share, 0.01).astype(np.float32)
        grey = levels if levels.ndim == 2 else levels[:, :, 0]
        return (1000 * np.exp((grey / 255 - 1) * 5.70378)).astype(np.float32)
