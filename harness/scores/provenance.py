"""What made a run: code, versions, hardware, data. No host, user, path or remote is told."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.rain import digest
from harness.plan import keys
from harness.scores.replicates import VERSION as REPLICATES
from tasks import quality

if TYPE_CHECKING:
    from harness.plan.plan import Plan

PACKAGES = (
    "derain-harness",
    "torch",
    "torchvision",
    "ultralytics",
    "numpy",
    "opencv-python",
    "pycocotools",
)


def provenance(plan: Plan, fingerprint: str, elapsed_s: float) -> dict[str, Any]:
    """Everything that depends on clock and host, and the digests that name the inputs."""
    return machine(elapsed_s) | {
        "device": plan.device,
        "accelerator": accelerator(plan.device),
        "workers": plan.workers,
        "data_fingerprint": fingerprint,
        "data_notes": list(plan.dataset.notes),
        "weights": sorted({c.derainer.said for c in plan.conditions if c.derainer.said}),
        "models": {t.name: t.model_sha256 for t in plan.tasks},
        "rains": {name: digest(rain) for name, rain in plan.rains.items()},
        "metric_versions": {
            **{m: quality.version(m) for m in plan.metrics},
            **{t.name: t.evidence_version for t in plan.tasks},
            "resamples": REPLICATES,
        },
        "protocols": quality.captions(plan.metrics),
    }


def machine(elapsed_s: float) -> dict[str, Any]:
    """Clock, code and host."""
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "elapsed_s": round(elapsed_s, 2),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "versions": keys.versions(PACKAGES),
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
