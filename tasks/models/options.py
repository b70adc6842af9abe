"""What decides the predictions of task networks beside their weights."""

from __future__ import annotations

ULTRALYTICS_OPTIONS = {"conf": 0.001, "iou": 0.7, "max_det": 300, "imgsz": 640}
"""Those of ultralytics' own COCO validation."""
SIDES = {"min_size": 800, "max_size": 1333}
"""Shorter and longest side in pixels at which torchvision's detectors look."""
RCNN_OPTIONS = SIDES | {
    "box_score_thresh": 0.05,
    "box_nms_thresh": 0.5,
    "box_detections_per_img": 100,
}
RETINANET_OPTIONS = SIDES | {"score_thresh": 0.05, "nms_thresh": 0.5, "detections_per_img": 300}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""Normalisation of torchvision's segmenters, which see the picture at its own size."""
ZOO_OPTIONS = {"min_size": 800, "max_size": 1333, "score_thresh": 0.05}
