"""A detector and labels of your own: does deraining help it?

python examples/own_detector.py LABELS.json IMAGES

LABELS.json is any COCO JSON, IMAGES the folder of its pictures.
"""

import sys
from typing import Any

import numpy as np

from harness import run


def build() -> Any:
    """Make the detector: a function of one image that gives boxes, scores and classes."""

    def detect(image: Any) -> dict[str, Any]:
        """Stands for your network: here one box around what is brightest.

        Args:
            image: ``uint8 (H, W, 3) RGB``.
        """
        rows, columns = np.nonzero(image.mean(2) >= np.quantile(image.mean(2), 0.9))
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]  # x0, y0, x1, y1
        return {"boxes": [box], "scores": [0.9], "classes": ["person"]}

    return detect


if __name__ == "__main__":
    results = run(
        annotations=sys.argv[1],
        data_root=sys.argv[2],
        dataset="coco",
        derainer=("identity", "median"),
        model={"detection": f"{__file__}:build"},
        workspace="own-detector",
        out="own-detector/report",
    )
    print(results)
    changes = results.frame.query("metric == 'ap_pooled' and change.notna()")
    print(changes[["rain", "derainer", "value", "change", "change_low", "change_high"]])
