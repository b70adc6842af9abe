"""What decides the predictions of task networks beside their weights."""

from __future__ import annotations

from typing import Any

EXPORTED_OPTIONS = {"conf": 0.001, "iou": 0.7, "max_det": 300}
"""Those of ultralytics, of exported detectors too: the size is their own. The confidence is that of
its `val`, which gives a box every class above it; here a box has its best one, as in `predict`."""
ULTRALYTICS_PX = 640
"""Side in pixels at which ultralytics' networks see pictures whose files do not say. It is none of
the options that name predictions: they have ``imgsz`` where a word sets it, be it to 640 px."""
SIDES = {"min_size": 800, "max_size": 1333}
"""Shorter and longest side in pixels at which torchvision's detectors look."""
RCNN_OPTIONS: dict[str, Any] = SIDES | {
    "box_score_thresh": 0.05,
    "box_nms_thresh": 0.5,
    "box_detections_per_img": 100,
}
RCNN_320_OPTIONS = RCNN_OPTIONS | {"min_size": 320, "max_size": 640}
RETINANET_OPTIONS: dict[str, Any] = SIDES | {
    "score_thresh": 0.05,
    "nms_thresh": 0.5,
    "detections_per_img": 300,
}
FCOS_OPTIONS: dict[str, Any] = SIDES | {
    "score_thresh": 0.2,
    "nms_thresh": 0.6,
    "detections_per_img": 100,
}
SSD_OPTIONS: dict[str, Any] = {"score_thresh": 0.01, "nms_thresh": 0.45, "detections_per_img": 200}
SSDLITE_OPTIONS: dict[str, Any] = {
    "score_thresh": 0.001,
    "nms_thresh": 0.55,
    "detections_per_img": 300,
}
"""Each family's own of torchvision."""
IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""Normalisation of torchvision's segmenters, which see the picture at its own size."""
ZOO_OPTIONS: dict[str, Any] = {"min_size": 800, "max_size": 1333, "score_thresh": 0.05}
