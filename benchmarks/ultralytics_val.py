"""A detector's own numbers beside ours: ultralytics' `val`, its boxes in pycocotools, and ours.

    python benchmarks/ultralytics_val.py --data-root COCO128 --split train2017 --model yolov8n.pt

`val` gets labels and a YAML that are written here from the COCO annotations, crowds left out, as
its own converter does. `val` gives a box every class above the confidence, `predict` and ours the
best one: each is asked for the other's way too, and ours with its boxes cut at higher confidences.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import harness  # sets the environment before ultralytics is imported
from datasets.coco import open_coco
from datasets.sample import Dataset
from tasks.coco_ap import Detections
from tasks.detection import Detection
from tasks.models import ultralytics as adapter
from tasks.models.ultralytics import UltralyticsDetector

assert harness
CUTS = (0.05, 0.1, 0.25)
"""The first is the default of torchvision's and detectron2's detectors, the last of ultralytics'
`predict` and of its exports with NMS inside."""


def labels_a_box(several: bool) -> Any:
    """A patch by which ours gives a box several classes, or `val` the best one."""
    from ultralytics.utils import nms

    whole = nms.non_max_suppression

    def suppress(*words: Any, **more: Any) -> Any:
        return whole(*words, **{**more, "multi_label": several})

    return patch.object(adapter if several else nms, "non_max_suppression", suppress)


def write_yolo(dataset: Dataset, folder: Path) -> Path:
    """Labels in ultralytics' form, links to the images, and the YAML that names them."""
    names = [dataset.categories[k] for k in sorted(dataset.categories)]
    number = {k: i for i, k in enumerate(sorted(dataset.categories))}
    for kind in ("images", "labels"):
        (folder / kind / "val").mkdir(parents=True)
    for sample in dataset.samples:
        (folder / "images" / "val" / sample.path.name).symlink_to(sample.path.resolve())
        height, width, _ = sample.image().shape
        truth = sample.annotations
        assert truth is not None
        lines = []
        for (x1, y1, x2, y2), category, crowd in zip(
            truth.boxes_xyxy_px.tolist(), truth.categories.tolist(), truth.is_crowd, strict=True
        ):
            if not crowd:
                middle = f"{(x1 + x2) / 2 / width:.8f} {(y1 + y2) / 2 / height:.8f}"
                size = f"{(x2 - x1) / width:.8f} {(y2 - y1) / height:.8f}"
                lines.append(f"{number[category]} {middle} {size}")
        (folder / "labels" / "val" / f"{sample.path.stem}.txt").write_text("\n".join(lines))
    rows = "\n".join(f"  {i}: {json.dumps(name)}" for i, name in enumerate(names))
    (folder / "set.yaml").write_text(
        f"path: {folder}\ntrain: images/val\nval: images/val\nnames:\n{rows}\n"
    )
    return folder / "set.yaml"


def in_pycocotools(annotations: Path, found: list[dict[str, Any]], crowds: bool) -> str:
    """AP and AP50 of results, with crowds ignored as COCO does or unknown as to `val`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        if not crowds:
            rows = truth.dataset["annotations"]
            truth.dataset["annotations"] = [row for row in rows if not row["iscrowd"]]
            truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return f"AP {evaluation.stats[0]:.4f}, AP50 {evaluation.stats[1]:.4f}"


def main() -> None:
    """Print AP and AP50 of each way."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--data-root", type=Path, required=True)
    words.add_argument("--split", required=True)
    words.add_argument("--model", type=Path, required=True)
    wanted = words.parse_args()
    dataset = open_coco(wanted.data_root, wanted.split)
    annotations = wanted.data_root / "annotations" / f"instances_{wanted.split}.json"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault("YOLO_CONFIG_DIR", name)
        from ultralytics import YOLO

        yaml = write_yolo(dataset, folder)
        for title, more, switch in (
            ("val", {}, contextlib.nullcontext()),
            ("val, one image at a time", {"batch": 1}, contextlib.nullcontext()),
            ("val, one label a box", {}, labels_a_box(several=False)),
        ):
            with switch:
                own = YOLO(wanted.model).val(
                    data=str(yaml), save_json=True, plots=False, device="cpu", workers=0,
                    verbose=False, project=name, name=title, **more,
                )  # fmt: skip
            print(f"{title}: AP {own.box.map:.4f}, AP50 {own.box.map50:.4f}")
            found = json.loads((Path(own.save_dir) / "predictions.json").read_text())
            ids = sorted(dataset.categories)
            for one in found:  # val counts classes from 1
                one["category_id"] = ids[one["category_id"] - 1]
            print(f"{title}, its boxes in pycocotools: {in_pycocotools(annotations, found, True)}")
            without = in_pycocotools(annotations, found, False)
            print(f"{title}, its boxes in pycocotools, crowds unknown: {without}")
    print_ours(dataset, wanted.model)


def print_ours(dataset: Dataset, model: Path) -> None:
    """Print AP and AP50 of ours, with one class a box and with several, and cut at `CUTS`."""
    task = Detection(dataset.categories, lambda: UltralyticsDetector(model, "cpu"))
    samples = sorted(dataset.samples, key=lambda s: int(s.id))
    found = [task.predict([s.image()])[0] for s in samples]
    with labels_a_box(several=True):
        several = [task.predict([s.image()])[0] for s in samples]
    ways = {"ours": found, "ours, several labels a box": several}
    ways |= {f"ours, cut at {cut}": [above(one, cut) for one in found] for cut in CUTS}
    for title, boxes in ways.items():
        scores = task.reduce([task.evidence(b, s) for b, s in zip(boxes, samples, strict=True)])
        print(f"{title}: AP {scores['ap'].value:.4f}, AP50 {scores['ap50'].value:.4f}")


def above(found: Detections, confidence: float) -> Detections:
    """What is left of boxes where those of a lower confidence are cut."""
    kept = found.scores >= confidence
    return Detections(found.boxes_xyxy_px[kept], found.scores[kept], found.categories[kept])


if __name__ == "__main__":
    main()
