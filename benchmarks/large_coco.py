"""How long a COCO file of 100,000 images takes to open, and how much memory.

Makes such a file, with 700,000 outlined objects, beside links to one photograph; opens all of it
and then its first 8 images by `--limit`, each in a process of its own.

    python benchmarks/large_coco.py FOLDER

FOLDER is made, and keeps what was made.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

IMAGES, OBJECTS, CLASSES = 100_000, 700_000, 80
LOOK = """
import sys, time
began, cpu = time.perf_counter(), time.process_time()
from pathlib import Path
from harness.plan.data import open_dataset
from harness.spec import RunSpec
limit = int(sys.argv[2]) or None
root = Path(sys.argv[1])
labels, images = str(root / "labels.json"), str(root / "images")
spec = RunSpec(dataset="coco", annotations=labels, data_root=images, limit=limit)
samples = open_dataset(spec).samples
samples[0].image(), samples[0].annotations
status = Path("/proc/self/status").read_text()
peak = int(status.split("VmHWM:")[1].split()[0]) / 1e6
print(f"{len(samples):,} images: {time.perf_counter() - began:.1f} s to the first, imports among "
      f"them, {time.process_time() - cpu:.1f} s of a processor, {peak:.2f} GB at most")
"""


def make(folder: Path) -> None:
    """The images and the file."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    photograph = folder / "photograph.jpg"
    cv2.imwrite(str(photograph), rng.integers(0, 256, (120, 160, 3), np.uint8))
    images = []
    for i in range(1, IMAGES + 1):
        name = f"{i:012d}.jpg"
        (folder / "images" / name).symlink_to(photograph.resolve())
        images.append({"id": i, "file_name": name, "width": 160, "height": 120, "license": 1})
    boxes = rng.uniform(1, 50, (OBJECTS, 4)).round(2).tolist()
    owners = rng.integers(1, IMAGES + 1, OBJECTS).tolist()
    outline = [[1.25, 2.5, 30.75, 2.5, 30.75, 40.25, 1.25, 40.25] * 3]
    objects = [
        {
            **{"id": i, "image_id": owner, "category_id": 1 + i % CLASSES, "bbox": box},
            **{"area": box[2] * box[3], "iscrowd": 0, "segmentation": outline},
        }
        for i, (owner, box) in enumerate(zip(owners, boxes, strict=True), 1)
    ]
    classes = [{"id": i, "name": f"class {i}"} for i in range(1, CLASSES + 1)]
    content = {"images": images, "annotations": objects, "categories": classes}
    (folder / "labels.json").write_text(json.dumps(content))


def main() -> None:
    """Make what is absent, and open it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    if not (folder / "labels.json").exists():
        make(folder)
    print(f"a file of {(folder / 'labels.json').stat().st_size / 1e6:.0f} MB")
    for limit in (0, 8):
        subprocess.run([sys.executable, "-c", LOOK, str(folder), str(limit)], check=True)


if __name__ == "__main__":
    main()
