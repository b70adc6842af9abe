"""The process's environment, prepared before other packages are imported; fetched files."""

from __future__ import annotations

import os
from pathlib import Path

_CACHE = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
FETCHED = Path(os.environ.get("DERAIN_HARNESS_FETCHED") or Path(_CACHE) / "derain-harness")
"""Where ``fetch`` puts files, and where they are found without being named."""

OFFLINE = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_VERBOSE": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Several packages look up hosts or install packages when they are imported; none does it here."""


def prepare() -> None:
    """Set what the user has not set."""
    for name, value in OFFLINE.items():
        os.environ.setdefault(name, value)
    # OpenCV shall refuse image bombs: by default it decodes up to 2^30 pixels.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
    model = FETCHED / "sseq" / "model.mat"
    if model.is_file():
        os.environ.setdefault("DERAIN_HARNESS_SSEQ_MODEL", str(model))
    os.environ.setdefault("DERAIN_HARNESS_PYIQA", str(FETCHED / "pyiqa" / "bin" / "python"))
