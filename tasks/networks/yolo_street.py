"""A small one-stage network for boxes and masks of street scenes, as ultralytics' parts in order.

The layout is that of YOLOv8-seg (Jocher et al., https://docs.ultralytics.com/models/yolov8): a
backbone of C2f stages with spatial pyramid pooling, a path-aggregation neck, an anchor-free head at
strides 8, 16 and 32, and masks as sums of prototypes. It is narrower: about a third of YOLOv8n-seg.
"""

from __future__ import annotations

from typing import Any

MASK_COEFFICIENTS, PROTOTYPE_WIDTH = 16, 32

ARCHITECTURE: dict[str, Any] = {
    "nc": 80,  # replaced by the number of classes of the data
    # Each line: from which layer, how often, which part of ultralytics, its arguments.
    "backbone": [
        [-1, 1, "Conv", [16, 3, 2]],  # stride 2
        [-1, 1, "Conv", [24, 3, 2]],  # stride 4
        [-1, 1, "C2f", [24, True]],
        [-1, 1, "Conv", [48, 3, 2]],  # stride 8
        [-1, 2, "C2f", [48, True]],  # 4
        [-1, 1, "Conv", [96, 3, 2]],  # stride 16
        [-1, 2, "C2f", [96, True]],  # 6
        [-1, 1, "Conv", [160, 3, 2]],  # stride 32
        [-1, 1, "C2f", [160, True]],
        [-1, 1, "SPPF", [160, 5]],  # 9
    ],
    "head": [
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 6], 1, "Concat", [1]],
        [-1, 1, "C2f", [96]],  # 12
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 4], 1, "Concat", [1]],
        [-1, 1, "C2f", [48]],  # 15: stride 8
        [-1, 1, "Conv", [48, 3, 2]],
        [[-1, 12], 1, "Concat", [1]],
        [-1, 1, "C2f", [96]],  # 18: stride 16
        [-1, 1, "Conv", [96, 3, 2]],
        [[-1, 9], 1, "Concat", [1]],
        [-1, 1, "C2f", [160]],  # 21: stride 32
        [[15, 18, 21], 1, "Segment", ["nc", MASK_COEFFICIENTS, PROTOTYPE_WIDTH]],
    ],
}
