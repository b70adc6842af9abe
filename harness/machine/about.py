"""What code, versions and hardware this is. No host, user, path or remote is told."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""Distributions of one package, cv2; where several are installed, the last one lies there."""
ONNXRUNTIME = "onnxruntime"
"""A package that comes as ``onnxruntime-gpu``, ``-directml`` and others too, in its place."""


def version(package: str) -> str | None:
    """Version of a package; None if absent.

    It is that of the distribution, read without importing it, but for OpenCV and ONNX Runtime:
    whatever their distributions say, it is the one that is loaded.
    """
    if package in OPENCV:
        return _opencv()
    return _onnxruntime() if package == ONNXRUNTIME else _installed(package)


@cache
def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _opencv() -> str | None:
    """Version of the cv2 that images are read with, with its build where it tells that."""
    try:
        import cv2
    except ImportError:
        return None
    loaded: str = cv2.__version__
    build = str(getattr(getattr(cv2, "version", None), "opencv_version", ""))
    return build if build.startswith(loaded) else loaded


def _onnxruntime() -> str | None:
    """Version of the ONNX Runtime that networks run with."""
    try:
        import onnxruntime
    except ImportError:
        return None
    return str(onnxruntime.__version__)


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Versions of packages, for a key."""
    return {package: version(package) for package in sorted(packages)}


PACKAGES = (
    "derain-harness",
    "torch",
    "torchvision",
    "ultralytics",
    "numpy",
    "opencv-python",
    "pycocotools",
)


def machine(elapsed_s: float) -> dict[str, Any]:
    """Clock, code and host."""
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "elapsed_s": round(elapsed_s, 2),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "versions": versions(PACKAGES),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
    }


def processor() -> str:
    """The processor's model, where the system tells it, and its logical cores."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8", errors="replace") if told.is_file() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", lines, flags=re.MULTILINE)
    name = model[1] if model else platform.processor() or platform.machine()
    return f"{' '.join(name.split())}, {os.cpu_count()} logical cores"


def accelerator(device: str) -> str | None:
    """The graphics card that a run uses here; None on a machine that only has its evidence."""
    if device != "cuda":
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _git(*words: str) -> str | None:
    """What git says of the checkout this package lies in; None outside of one."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
