"""Small data sets and networks, made when they are asked for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent


def maker_of(name: str) -> Any:
    """``tests/data/<name>/make.py``."""
    spec = importlib.util.spec_from_file_location(f"make_{name}", TESTS / "data" / name / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def miniature(name: str, root: Path, **sizes: int) -> Path:
    """Make the miniature of a data set by its ``make.py``."""
    made: Path = maker_of(name).make(root, **sizes)
    return made


def tiny_detector(file: Path, *, masks: bool = False) -> Path:
    """Write an untrained ultralytics detector of the three classes of COCO's miniature."""
    import torch
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel, yaml_model_load

    torch.manual_seed(0)
    kind, name = (SegmentationModel, "yolov8n-seg") if masks else (DetectionModel, "yolov8n")
    architecture = yaml_model_load(f"{name}.yaml") | {"scales": {"n": [0.33, 0.0625, 64]}}
    model = kind(architecture, ch=3, nc=3, verbose=False)
    model.names = {0: "person", 1: "car", 2: "dog"}
    # An untrained head is sure of nothing; push its classes so that boxes exist.
    for branch in model.model[-1].cv3:
        branch[-1].bias.data += 6.0
    torch.save({"model": model, "train_args": {"task": "segment"} if masks else {}}, file)
    return file
