"""What streetsim labels: COCO's categories of objects, Cityscapes' classes of pixels."""

from __future__ import annotations

CATEGORIES: dict[int, str] = {
    1: "person",
    2: "bicycle",
    3: "car",
    6: "bus",
    8: "truck",
    10: "traffic light",
}
"""COCO's ids and names. As in COCO a cyclist is two objects: a person, and the bicycle."""

CLASSES = (
    "road",
    "sidewalk",
    "building",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "bicycle",
)
"""Classes of label maps, by Cityscapes' names."""
(
    ROAD,
    SIDEWALK,
    BUILDING,
    FENCE,
    POLE,
    TRAFFIC_LIGHT,
    TRAFFIC_SIGN,
    VEGETATION,
    TERRAIN,
    SKY,
    PERSON,
    RIDER,
    CAR,
    TRUCK,
    BUS,
    BICYCLE,
) = range(len(CLASSES))
