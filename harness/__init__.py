"""Words and runs: the harness that ties data, rain, derainers, tasks and reports together.

from harness import RunSpec, run
results = run(RunSpec(dataset="coco", data_root="coco128", derainer=("granet",)))
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Several packages look up hosts or install packages when they are imported; none does it here.
# OpenCV shall refuse image bombs: by default it decodes up to 2^30 pixels.
for _name, _value in (
    ("YOLO_OFFLINE", "1"),
    ("YOLO_AUTOINSTALL", "0"),
    ("YOLO_VERBOSE", "false"),
    ("NO_ALBUMENTATIONS_UPDATE", "1"),
    ("RAY_USAGE_STATS_ENABLED", "0"),
    ("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000"),
):
    os.environ.setdefault(_name, _value)

_CACHE = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
FETCHED = Path(os.environ.get("DERAIN_HARNESS_FETCHED") or Path(_CACHE) / "derain-harness")
"""Where ``fetch`` puts files, and where they are found without being named."""
if (FETCHED / "sseq" / "model.mat").is_file():
    os.environ.setdefault("DERAIN_HARNESS_SSEQ_MODEL", str(FETCHED / "sseq" / "model.mat"))

if TYPE_CHECKING:
    from harness.runs.engine import run
    from harness.spec import RunSpec
    from reports.results.record import Record, Results

__all__ = ["Record", "Results", "RunSpec", "run"]
_HOMES = {
    "run": "harness.runs.engine",
    "Record": "reports.results.record",
    "Results": "reports.results.record",
    "RunSpec": "harness.spec",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``--help`` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
