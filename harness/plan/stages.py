"""What each stage of the work is made by: sources of ours, and packages of others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from datasets.installed import source_digest
from harness.machine import about, code
from harness.machine.about import PACKAGES
from harness.machine.code import code_of


class Stage(NamedTuple):
    """What decides a stage's output beside its input and its arguments."""

    code: tuple[str, ...]
    """Files, and folders of which the files directly inside count."""
    packages: tuple[str, ...] = ()


TABLES = ("datasets/rain/rows.py", "derainers/rows.py", "derainers/published.py")
"""Whose rows stand in the keys of what they name, so that a row more is no new work for others."""
_PIXELS = ("datasets/image.py", "datasets/sample.py")
"""What reads an image, and rounds one."""
_TASKS = ("tasks", "datasets")
"""What reads labels, and scores."""

STAGES = {
    "identity": Stage(_PIXELS),
    "rainy": Stage(
        (*_PIXELS, "datasets/depth_files.py", "datasets/rain", "harness/work/scene.py"),
        ("numpy", "opencv-python"),
    ),
    "restored": Stage(
        (
            *_PIXELS,
            *("datasets/inert", "datasets/torchscript.py", "derainers", "derainers/networks"),
            "harness/work/restoration.py",
        ),
        ("torch", "numpy", "opencv-python"),
    ),
    "quality": Stage(
        (*_PIXELS, "tasks/quality", "tasks/task.py", "harness/work/scene.py"),
        ("numpy", "opencv-python", "scipy", "pillow"),
    ),
    "prediction": Stage(
        (
            *(*_PIXELS, "datasets/masks.py", "datasets/categories.py", "datasets/inert"),
            *("datasets/torchscript.py", "datasets/plausible_boxes.py", "datasets/names.py"),
            *("tasks/models", "tasks/networks", "tasks/network.py", "tasks/classes.py"),
            *("tasks/rle.py", "tasks/detection.py", "tasks/instance.py", "tasks/semantic.py"),
        )
    ),
    "evidence": Stage(_TASKS, ("numpy", "pycocotools")),
    "replicates": Stage(
        (*_TASKS, "tasks/quality", "harness/scores/replicates.py", "harness/scores/reduction.py"),
        ("numpy",),
    ),
    "picture": Stage(
        (*_TASKS, "harness/work/pictures.py"),
        ("numpy", "opencv-python"),
    ),
    "scores": Stage(
        (*_TASKS, "tasks/quality", "harness/scores", "reports/results", "reports/findings"),
        ("numpy",),
    ),
}
"""By stage. A change of one of these files gives new work of that stage and of all that follow
it. The digests of images and labels, by which runs know that they are of one data set, hold
none of these; packages of task networks and of derainers from elsewhere stand in their own keys."""


def made_by(stage: str) -> dict[str, Any]:
    """What the keys of a stage hold of the code and the packages that make its output."""
    made = STAGES[stage]
    return {"code": code_of(made.code, TABLES), "versions": about.versions(made.packages)}


def source_of(decode: Callable[..., Any], stage: str) -> str | None:
    """The digest of a decoder's source; None where the stage that runs it lists that file."""
    while isinstance(decode, functools.partial):
        decode = decode.func
    # A function says its module, an object's class does.
    module = decode.__module__
    place = f"{module.replace('.', '/')}.py"
    if not (code.ROOT / place).is_file():
        return _of_package(module)
    is_listed = {place, place.rpartition("/")[0]} & {*STAGES[stage].code}
    return None if is_listed else code_of((place,))


@functools.cache
def _of_package(module: str) -> str:
    """As rows of installed packages are named; read once in a process."""
    return source_digest(module)


ELSEWHERE = ("detectron2", "onnxruntime", "spandrel", "spandrel_extra_arches", "transformers")
"""Packages of networks from elsewhere, which stand in these networks' own keys."""


def installed() -> dict[str, str | None]:
    """What computes here: versions of the packages that decide results, and our own sources."""
    places = {place for stage in STAGES.values() for place in stage.code}
    return {**about.versions(PACKAGES), "sources": code_of(places, TABLES)[:12]}


def computing() -> dict[str, str | None]:
    """`installed`, with every package that may stand in a key, as all nodes must have them."""
    packages = {package for stage in STAGES.values() for package in stage.packages}
    return {**about.versions({*packages, *ELSEWHERE}), **installed()}
