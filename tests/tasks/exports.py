"""Small networks as exporters write them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

NAMES = {0: "person", 1: "car", 2: "dog"}
CENTRED = [40.0, 32.0, 20.0, 24.0]


def constant_onnx(
    file: Path,
    outputs: Sequence[Any],
    input_shape: Sequence[Any] = (1, 3, 64, 96),
    metadata: dict[str, str] | None = None,
) -> Path:
    """A network that gives the same for every picture."""
    nodes, values = [], []
    for i, array in enumerate(outputs):
        tensor = numpy_helper.from_array(np.asarray(array), f"value{i}")
        nodes.append(helper.make_node("Constant", [], [f"out{i}"], value=tensor))
        values.append(helper.make_tensor_value_info(f"out{i}", tensor.data_type, tensor.dims))
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, list(input_shape))
    graph = helper.make_graph(nodes, "constant", [picture], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": str(NAMES), **(metadata or {})})
    onnx.save(model, file)
    return file


YOLO = np.zeros((1, 7, 20), np.float32)
YOLO[0, :, 3] = [*CENTRED, 0, 0, 0.75]


class Heads(torch.nn.Module):
    """Boxes of a detector, whatever it sees, in the number format of its parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = torch.nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = torch.zeros(1, 7, 20).to(self.unit.dtype)
        rows[0, :, 3] = torch.tensor([40.0, 32.0, 20.0, 24.0, 0.0, 0.0, 0.75]) + x.sum() * 0
        return rows


def scripted(file: Path, module: torch.nn.Module, extra: dict[str, Any] | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = {"config.txt": json.dumps(extra)} if extra else {}
        torch.jit.save(torch.jit.script(module), file, _extra_files=said)
    return file


def checkpoint(folder: Path, kind: str, seed: int = 0) -> Path:
    """A small untrained network of ultralytics, sure of much."""
    from ultralytics.nn import tasks as networks

    torch.manual_seed(seed)
    build = networks.SegmentationModel if kind.endswith("-seg") else networks.DetectionModel
    layout = networks.yaml_model_load(f"{kind}.yaml") | {"scales": {"n": [0.33, 0.125, 128]}}
    model = build(layout, ch=3, nc=3, verbose=False)
    model.names = NAMES
    for name in ("cv3", "one2one_cv3"):
        for branch in getattr(model.model[-1], name, None) or ():
            branch[-1].bias.data += 6.0
    file = folder / f"{kind}.pt"
    torch.save({"model": model, "train_args": {}}, file)
    return file


def export_of(file: Path, form: str, **options: Any) -> Path:
    """A checkpoint in another form, by ultralytics' own exporter, at 96 px."""
    from ultralytics import YOLO as Checkpoint

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Checkpoint(file).export(format=form, imgsz=96, verbose=False, **options)
    return Path(made)
