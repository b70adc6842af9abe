"""The classes of COCO, BDD100K, Cityscapes and CamVid, and which means which.

Detectors and segmenters that were trained on one set are scored on another by these names.
"""

from __future__ import annotations

from datasets.bdd100k import INSTANCES, OBJECTS
from datasets.camvid import CLASSES as CAMVID
from datasets.class_png import CLASSES
from datasets.sample import DatasetError

# fmt: off
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)
# fmt: on

SETS: dict[str, tuple[str, ...]] = {
    "coco": COCO,
    "bdd100k": OBJECTS,
    "bdd100k-instances": OBJECTS[:INSTANCES],
    "cityscapes": tuple(CLASSES),
    "camvid": CAMVID,
}
"""All classes of each set; label maps of BDD100K have those of ``cityscapes``."""

SAME: tuple[dict[str, str], ...] = (
    {"coco": "car", "bdd100k": "car", "cityscapes": "car", "camvid": "car"},
    {"coco": "bus", "bdd100k": "bus", "cityscapes": "bus"},
    {"coco": "truck", "bdd100k": "truck", "cityscapes": "truck"},
    {"coco": "train", "bdd100k": "train", "cityscapes": "train"},
    {"coco": "motorcycle", "bdd100k": "motorcycle", "cityscapes": "motorcycle"},
    {"coco": "bicycle", "bdd100k": "bicycle", "cityscapes": "bicycle"},
    {"coco": "traffic light", "bdd100k": "traffic light", "cityscapes": "traffic light"},
    {
        "coco": "person",
        "bdd100k": "pedestrian",
        "cityscapes": "person",
        "camvid": "pedestrian",
    },
    # COCO has no class for riders: they are persons there, so nothing of COCO means a rider.
    {"bdd100k": "rider", "cityscapes": "rider"},
    {"bdd100k": "traffic sign", "cityscapes": "traffic sign", "camvid": "sign"},
    {"cityscapes": "road", "camvid": "road"},
    {"cityscapes": "sidewalk", "camvid": "pavement"},
    {"cityscapes": "building", "camvid": "building"},
    {"cityscapes": "fence", "camvid": "fence"},
    {"cityscapes": "pole", "camvid": "pole"},
    {"cityscapes": "vegetation", "camvid": "tree"},
    {"cityscapes": "sky", "camvid": "sky"},
)
"""Classes with one meaning, a name for each set that has it: to and fro without loss."""

INTO: dict[tuple[str, str], dict[str, str]] = {
    # A rider is a person to COCO; the other way a person stays a pedestrian.
    ("bdd100k", "coco"): {"rider": "person"},
    ("cityscapes", "coco"): {"rider": "person"},
    # COCO labels stop signs alone among traffic signs.
    ("coco", "bdd100k"): {"stop sign": "traffic sign"},
    ("coco", "cityscapes"): {"stop sign": "traffic sign"},
    ("coco", "camvid"): {
        "stop sign": "sign",
        # CamVid's 32 classes became 11: trucks, buses and trains went into car ...
        "bus": "car",
        "truck": "car",
        "train": "car",
        # ... motorcycles with bicycles and their riders into cyclist, lights into sign.
        "bicycle": "cyclist",
        "motorcycle": "cyclist",
        "traffic light": "sign",
    },
    ("bdd100k", "camvid"): {
        # As for COCO; a rider there is part of the cyclist.
        "traffic light": "sign",
        "bus": "car",
        "truck": "car",
        "train": "car",
        "bicycle": "cyclist",
        "motorcycle": "cyclist",
        "rider": "cyclist",
    },
    ("cityscapes", "camvid"): {
        "bus": "car",
        "truck": "car",
        "train": "car",
        "bicycle": "cyclist",
        "motorcycle": "cyclist",
        "rider": "cyclist",
        # CamVid's building holds walls, its tree all other plants, its sign traffic lights.
        "wall": "building",
        "terrain": "tree",
        "traffic light": "sign",
    },
}
"""Several classes of the first set that the second holds in one; only this way round.

CamVid's are grouped as in MathWorks' example of semantic segmentation, which prints the list.
"""


def spelling(name: str) -> str:
    """A class's name without capitals, spaces and signs: ``Traffic_Light`` as ``trafficlight``."""
    return "".join(sign for sign in name.casefold() if sign.isalnum()) or name


def translate(source: str, target: str) -> dict[str, str]:
    """Class of the target for each class of the source that has one.

    Args:
        source: One of `SETS`.
        target: One of `SETS`.

    Raises:
        DatasetError: For an unknown set.
    """
    for name in (source, target):
        if name not in SETS:
            raise DatasetError(f"unknown classes '{name}': known are {', '.join(SETS)}")
    first, second = (name.removesuffix("-instances") for name in (source, target))
    meanings = {row[first]: row[second] for row in SAME if first in row and second in row}
    if first == second:
        meanings = {name: name for name in SETS[first]}
    meanings |= INTO.get((first, second), {})
    return {a: b for a, b in meanings.items() if a in SETS[source] and b in SETS[target]}
