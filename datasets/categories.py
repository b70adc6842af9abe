"""The classes of COCO, BDD100K, Cityscapes and CamVid, and which names mean the same.

Detectors and segmenters that were trained on one set are scored on another by these names.
"""

from __future__ import annotations

from unicodedata import category

from datasets.bdd100k import INSTANCES, OBJECTS
from datasets.camvid import CLASSES as CAMVID
from datasets.class_png import CLASSES
from datasets.names import composed

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

_SYNONYMS = {
    "aeroplane": "airplane",
    "bike": "bicycle",
    "motor": "motorcycle",
    "motorbike": "motorcycle",
    "pavement": "sidewalk",
    "pedestrian": "person",
    "sofa": "couch",
    "tvmonitor": "tv",
}
"""Other words for classes, as `spelling` has them: those of BDD100K (``bike`` and ``motor`` in its
labels of 2018 and so in networks that learned from these), CamVid, Pascal VOC and Darknet's COCO.

Not those that hold more: CamVid's tree is all plants, and its sign traffic lights too.
"""


def spelling(name: str) -> str:
    """A class's name without capitals, spaces and signs: ``Traffic_Light`` as ``trafficlight``.

    Marks that belong to a letter stay, as vowels do in Hindi and Thai, however they are coded.
    """
    signs = [sign for sign in composed(name.casefold()) if category(sign)[0] in "LMN"]
    return "".join(signs) if any(map(str.isalnum, signs)) else name


def meaning(name: str) -> str:
    """A class's name whatever the word: ``pedestrian`` and ``Person`` as ``person``."""
    spelt = spelling(name)
    return _SYNONYMS.get(spelt, spelt)
