"""What this machine has and lacks for the harness, with the remedy."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datasets.installed import installing
from harness.machine import about
from harness.machine.device import cores
from harness.machine.environment import FETCHED
from harness.machine.rooms import HOME
from harness.machine.sources import SOURCES

OPTIONAL = {
    "ultralytics": (
        "AGPL-3.0",
        "YOLO and RT-DETR checkpoints, train yolo, the default detector",
        f"{installing('ultralytics')}; all else runs without",
    ),
    "lightning_fabric": (
        "Apache-2.0",
        "training derainers",
        installing("derain-harness[train]"),
    ),
    "onnxruntime": (
        "MIT",
        "ONNX derainers, detectors and segmenters",
        installing("derain-harness[onnx]"),
    ),
    "ray": ("Apache-2.0", "run --engine ray", installing("derain-harness[ray]")),
    "spandrel": ("MIT", "spandrel:FILE derainers", installing("derain-harness[spandrel]")),
    "transformers": (
        "Apache-2.0",
        "transformers:FOLDER networks",
        installing("derain-harness[transformers]"),
    ),
    "detectron2": (
        "Apache-2.0",
        "networks of its zoo and of own configurations",
        "https://detectron2.readthedocs.io/tutorials/install.html",
    ),
    "faster_coco_eval": (
        "Apache-2.0",
        "nothing but the parity test",
        installing("derain-harness[fast]"),
    ),
}
"""Packages that parts of the harness need: licence, parts, how to get it."""
ROOM_GB = 5.0
"""Less room than that is worth a word."""
LEAST_GPU_GIB = 2.0
"""With less of it free, networks soon run in tiles."""


@dataclass(frozen=True)
class Looked:
    """One thing that was looked at."""

    what: str
    state: Literal["there", "absent", "short"]
    detail: str


def examine(workspace: Path) -> Iterator[Looked]:
    """Look at everything, one thing at a time.

    Args:
        workspace: Where runs will be kept; it need not exist.
    """
    yield Looked("Python", "there", platform.python_version())
    yield from _locked()
    for name, version in about.versions(("torch", "torchvision", "numpy")).items():
        yield Looked(
            name, "there" if version else "absent", version or "pip install derain-harness"
        )
    yield _cuda()
    yield Looked("processor", "there", f"{platform.machine()}, {cores()} cores for this process")
    yield from _memory()
    yield _room(workspace)
    yield from _packages()
    yield from _weights()


def _packages() -> Iterator[Looked]:
    """Optional packages, with their licences."""
    from tasks.models import installed
    from tasks.quality import pyiqa

    for name, (licence, use, remedy) in OPTIONAL.items():
        has = installed(name)
        version = next(iter(about.versions((name,)).values())) if has else None
        said = f"{version}, {licence}" if version else licence
        detail = f"{said}: {use}" if has else f"{use}: {remedy} ({licence})"
        yield Looked(name, "there" if has else "absent", detail)
    yield Looked(
        "pyiqa",
        "absent" if (lacking := pyiqa.missing()) else "there",
        f"PolyForm Noncommercial, --quality pyiqa:NAME: {lacking or pyiqa.python()}",
    )


def _cuda() -> Looked:
    from harness.machine.device import device_of

    if device_of("auto") == "cpu":
        return Looked("CUDA", "absent", "everything runs on the CPU")
    import torch

    free, whole = (amount / 2**30 for amount in torch.cuda.mem_get_info(0))
    said = f"{torch.cuda.get_device_name(0)}, {free:.1f} of {whole:.1f} GiB free"
    return Looked("CUDA", "there" if free >= LEAST_GPU_GIB else "short", said)


def _locked() -> Iterator[Looked]:
    """Installed versions against those that the tests ran with; in a checkout alone."""
    file = HOME / "lock.txt"
    if not file.is_file():
        return
    pairs = (line.split("==") for line in file.read_text().splitlines() if "==" in line)
    locked = dict(pair for pair in pairs if len(pair) == 2)
    found = {name: version for name, version in about.versions(locked).items() if version}
    others = [
        f"{name} {version} (tested: {locked[name]})"
        for name, version in found.items()
        if version.partition("+")[0] != locked[name]
    ]
    same = f"{len(found)} packages as tested"
    yield Looked("versions", "short" if others else "there", ", ".join(others) or same)


def _memory() -> Iterator[Looked]:
    """Physical memory, where the system says."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return
    state: Literal["there", "short"] = "there" if whole >= 4 else "short"
    detail = f"{whole:.1f} GiB" + ("" if state == "there" else ": give --tile-px 512")
    yield Looked("memory", state, detail)


def _room(workspace: Path) -> Looked:
    """Room on the disk of the workspace."""
    folder = workspace.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if not os.access(folder, os.W_OK):
        return Looked("workspace", "absent", f"{workspace} cannot be written: give --workspace")
    if free < ROOM_GB:
        return Looked("workspace", "short", f"{free:.1f} GB free: give --cache-gb, or another disk")
    return Looked("workspace", "there", f"{free:.0f} GB free")


def _weights() -> Iterator[Looked]:
    """Bundled derainers and task networks, and files that can be fetched."""
    from derainers import DERAINERS
    from derainers.published import names_for
    from tasks.models import BUNDLED, WEIGHTS

    for name, row in DERAINERS.items():
        if row.learned:
            file = row.weights if row.weights is not None and row.weights.is_file() else None
            others = names_for(name)
            verb = f"fetch {others[0]}" if others else "train"
            yield Looked(
                f"derainer {name}",
                "there" if file else "absent",
                f"with weights, {_terms(file)}"
                if file
                else f"give some as {name}@FILE, or python -m harness {verb}",
            )
    for task, name in BUNDLED:
        has = (WEIGHTS / f"{name}.safetensors").is_file()
        remedy = f"python -m harness train {name.partition('-')[0]} makes it"
        yield Looked(f"{task} {name}", "there" if has else "absent", "bundled" if has else remedy)
    for name, source in SOURCES.items():
        has = (FETCHED / source.file).is_file()
        detail = "fetched" if has else f"python -m harness fetch {name}"
        yield Looked(name, "there" if has else "absent", detail)


def _terms(weights: Path) -> str:
    """Terms of what some weights learned from, as their card says."""
    from derainers.card import read_card

    return f"data: {read_card(weights).get('data_terms', 'terms not known')}"
