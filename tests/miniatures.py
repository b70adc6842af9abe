"""Small data sets and networks, made when they are asked for."""

from __future__ import annotations

import importlib.util
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from datasets.image import NDArrayByte

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


def packed_png(values: NDArrayByte, bits: int, kind: int) -> bytes:
    """A PNG of so many bits per value, grey or with a palette, as optimisers write them."""
    height, width = values.shape
    every = ((values[:, :, None] >> np.arange(bits)[::-1]) & 1).reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in every)
    palette = [(b"PLTE", bytes(3 * 2**bits))] if kind else []
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), *palette, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
