"""yolov8n-seg on real photographs: our numbers are those of ultralytics and pycocotools alone."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from datasets.coco import open_coco
from datasets.image import decode
from datasets.sample import Annotations, Mask, Sample
from tasks import rle
from tasks.instance import Instance
from tasks.models.options import EXPORTED_OPTIONS
from tasks.models.ultralytics import UltralyticsInstance

pytestmark = [pytest.mark.data, pytest.mark.slow]


def labels_of(truth: COCO, sample: Sample) -> Annotations:
    """Labels with masks, made by pycocotools of COCO's polygons."""
    rows = truth.loadAnns(truth.getAnnIds(int(sample.id)))
    drawn = [truth.annToRLE(row) for row in rows]
    boxes = np.array([row["bbox"] for row in rows], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Annotations(
        boxes,
        np.array([row["category_id"] for row in rows], np.int64),
        np.array([row["area"] for row in rows], float),
        np.array([row["iscrowd"] for row in rows], bool),
        tuple(Mask(m["size"][0], m["size"][1], m["counts"]) for m in drawn),
    )


def stats(truth: COCO, found: list[dict[str, Any]], kind: str) -> list[float]:
    """pycocotools' twelve numbers, from results as its users write them."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(json.loads(json.dumps(found))), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    numbers: list[float] = evaluation.stats.tolist()
    return numbers


def test_yolov8n_seg_on_coco128_is_ultralytics_own_in_pycocotools(data: Path) -> None:
    from ultralytics import YOLO

    root, file = data / "coco128", data / "weights" / "yolov8n-seg.pt"
    dataset = open_coco(root, "train2017")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(root / "annotations" / "instances_train2017.json"))
    options = EXPORTED_OPTIONS
    ids = {name: category for category, name in dataset.categories.items()}
    task = Instance(dataset.categories, lambda: UltralyticsInstance(file, "cpu"))
    model = YOLO(file)
    model.predict(np.zeros((32, 32, 3), np.uint8), verbose=False)  # sets torch's threads once
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    boxes: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    evidences = []
    try:
        for sample in sorted(dataset.samples, key=lambda s: int(s.id)):
            picture = decode(sample.read(), sample.id)
            bgr = np.ascontiguousarray(picture[:, :, ::-1])
            theirs = model.predict(bgr, device="cpu", verbose=False, retina_masks=True, **options)[
                0
            ]
            drawn = [] if theirs.masks is None else rle.encoded(theirs.masks.data.byte().numpy())
            for box, mask in zip(theirs.boxes, drawn, strict=True):
                one = {
                    "image_id": int(sample.id),
                    "category_id": ids[model.names[int(box.cls)]],
                    "score": float(box.conf),
                }
                x1, y1, x2, y2 = box.xyxy[0].tolist()
                boxes.append({**one, "bbox": [x1, y1, x2 - x1, y2 - y1]})
                size = [mask.height_px, mask.width_px]
                shape = {"size": size, "counts": mask.counts.decode()}
                masks.append({**one, "segmentation": shape})
            labels = labels_of(truth, sample)
            labelled = Sample(sample.id, sample.path, sample.group, labels)
            evidences.append(task.evidence(task.predict([picture])[0], labelled))
    finally:
        torch.set_num_threads(threads)
    scores = task.reduce(evidences)
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    for prefix, kind, found in (("box_", "bbox", boxes), ("mask_", "segm", masks)):
        numbers = stats(truth, found, kind)
        for name, value in [*zip(names, numbers, strict=False), ("ar100", numbers[8])]:
            assert scores[prefix + name].value == pytest.approx(value, abs=1e-12), prefix + name
    assert scores["box_ap"].value == pytest.approx(0.460, abs=0.002)
    assert scores["mask_ap"].value == pytest.approx(0.362, abs=0.002)
