"""ONNX files, TorchScript and programs of ``torch.export`` as derainers."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from derainers import DerainerError
from derainers.derainer import Derainer
from derainers.fitting import fitted
from derainers.programs import program_derainer

IMAGE = np.random.default_rng(0).integers(0, 256, (107, 161, 3), np.uint8)


def onnx_file(
    file: Path, shape: list[Any], kind: int = 1, outputs: int = 1, block: int = 1
) -> Path:
    """A graph that halves its image; to its input's shape and type, in blocks of some size."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = onnx.helper.make_node
    types = {1: np.float32, 10: np.float16, 11: np.float64, 7: np.int64}
    half = onnx.numpy_helper.from_array(np.array(0.5, types[kind]), "half")
    nodes = [make("Mul", ["x", "half"], ["y0" if block == 1 else "m"])]
    if block > 1:
        nodes += [make("SpaceToDepth", ["m"], ["d"], blocksize=block)]
        nodes += [make("DepthToSpace", ["d"], ["y0"], blocksize=block)]
    nodes += [make("Mul", ["x", "half"], [f"y{i}"]) for i in range(1, outputs)]
    x = onnx.helper.make_tensor_value_info("x", kind, shape)
    ys = [onnx.helper.make_tensor_value_info(f"y{i}", kind, shape) for i in range(outputs)]
    graph = onnx.helper.make_graph(nodes, "g", [x], ys, [half])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(file))
    return file


def onnx_of(file: Path, **parameters: Any) -> Derainer:
    from derainers.onnx_network import onnx_derainer

    derainer = onnx_derainer(file, "cpu", "fp32")
    for name, value in parameters.items():
        setattr(derainer, name, value)
    return fitted(derainer.to("cpu"), "it")


def is_halved(derainer: Derainer) -> bool:
    return bool(np.abs(derainer.restore(IMAGE, "") - IMAGE / 510).max() < 1e-3)


@pytest.mark.parametrize(
    ("shape", "kind", "multiple", "fixed_px"),
    [
        (["b", 3, "h", "w"], 1, 1, None),
        ([1, 3, "h", "w"], 10, 1, None),
        (["b", 3, "h", "w"], 11, 1, None),
        (["b", "h", "w", 3], 1, 1, None),
        ([1, "h", "w", 3], 10, 1, None),
        ([1, 64, 48, 3], 10, 1, (64, 48)),
        ([1, 3, 64, 96], 1, 1, (64, 96)),
        ([4, 3, "h", "w"], 1, 1, None),
    ],
)
def test_onnx_in_any_layout_format_and_size(
    shape: list[Any], kind: int, multiple: int, fixed_px: tuple[int, int] | None, tmp_path: Path
) -> None:
    derainer = onnx_of(onnx_file(tmp_path / "a.onnx", shape, kind))
    assert derainer.multiple_of == multiple
    assert derainer.fixed_px == fixed_px
    assert is_halved(derainer)


@pytest.mark.parametrize("block", [12, 24, 128])
def test_multiples_of_onnx_are_the_real_ones(block: int, tmp_path: Path) -> None:
    derainer = onnx_of(onnx_file(tmp_path / "a.onnx", ["b", 3, "h", "w"], block=block))
    assert derainer.multiple_of == block
    assert is_halved(derainer)


def test_an_output_of_onnx_is_named(tmp_path: Path) -> None:
    file = onnx_file(tmp_path / "a.onnx", [1, 3, "h", "w"], outputs=2)
    with pytest.raises(DerainerError, match=r"2 images of the input's size \(y0, y1\)"):
        onnx_of(file)
    assert is_halved(onnx_of(file, output="y1"))


@pytest.mark.parametrize(
    ("shape", "kind", "text"),
    [
        ([1, 3, 64, "w"], 1, "one side of a fixed size"),
        ([1, 1, "h", "w"], 1, r"expected float \[batch, 3, height, width\] or"),
        ([1, 3, "h", "w"], 7, r"input x is tensor\(int64\)"),
        (["b", 3, "w"], 1, "expected float"),
    ],
)
def test_onnx_of_another_input_is_told(
    shape: list[Any], kind: int, text: str, tmp_path: Path
) -> None:
    with pytest.raises(DerainerError, match=text):
        onnx_of(onnx_file(tmp_path / "a.onnx", shape, kind))


@pytest.mark.parametrize("where", ["graph", "branch", "function", "dropout"])
def test_onnx_that_draws_random_numbers_is_refused(where: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    onnx_file(tmp_path / "a.onnx", [1, 3, "h", "w"])
    model = onnx.load(tmp_path / "a.onnx")
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    drawn = [make("RandomNormalLike", ["x"], ["r"], seed=1.0)]
    if where == "branch":
        node = make("Identity", ["half"], ["h"])
        branches = [
            onnx.helper.make_graph(nodes, "b", [], [value(name, 1, None)])
            for nodes, name in ((drawn, "r"), ([node], "h"))
        ]
        truth = onnx.helper.make_tensor("t", 9, [], [True])
        drawn = [make("Constant", [], ["c"], value=truth)]
        drawn += [make("If", ["c"], ["r"], then_branch=branches[0], else_branch=branches[1])]
    elif where == "function":
        opsets = [onnx.helper.make_opsetid("", 17)]
        inner = onnx.helper.make_function("own", "Noise", ["x"], ["r"], drawn, opsets)
        model.functions.append(inner)
        model.opset_import.append(onnx.helper.make_opsetid("own", 1))
        drawn = [make("Noise", ["x"], ["r"], domain="own")]
    elif where == "dropout":
        truths = [onnx.helper.make_tensor(name, 9, [], [name == "on"]) for name in ("on", "off")]
        model.graph.initializer.extend(truths)
        drawn = [make("Dropout", ["x", "", "off"], ["r"])]
    nodes = [*drawn, make("Add", ["r", "m"], ["y0"])]
    model.graph.node[0].output[0] = "m"
    model.graph.node.extend(nodes)
    onnx.save(model, tmp_path / "a.onnx")
    said = r"a\.onnx draws random numbers \(RandomNormalLike\), which .*: export it without"
    if where == "dropout":
        onnx_of(tmp_path / "a.onnx")
        model.graph.node[1].input[2] = "on"
        onnx.save(model, tmp_path / "a.onnx")
        said = said.replace("RandomNormalLike", "Dropout")
    with pytest.raises(DerainerError, match=said):
        onnx_of(tmp_path / "a.onnx")


class Halving(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["script", "trace", "export", "fixed"])
def test_programs_run(form: str, tmp_path: Path) -> None:
    file, network = tmp_path / "a.pt", Halving().eval()
    shown = torch.rand(1, 3, 64, 80)
    if form == "script":
        torch.jit.save(torch.jit.script(network), str(file))
    elif form == "trace":
        torch.jit.save(torch.jit.trace(network, shown), str(file))
    else:
        sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
        shapes = {"x": sides} if form == "export" else None
        file = tmp_path / "a.pt2"
        torch.export.save(torch.export.export(network, (shown,), dynamic_shapes=shapes), str(file))
    derainer = fitted(program_derainer(file, "cpu", "fp32").to("cpu"), "it")
    assert derainer.fixed_px == ((64, 80) if form == "fixed" else None)
    assert is_halved(derainer)
    if form in ("export", "fixed"):
        with pytest.raises(DerainerError, match="use --dtype fp32"):
            program_derainer(file, "cpu", "bf16")


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"garbage")
    with pytest.raises(DerainerError, match=r"neither TorchScript nor a program of torch\.export"):
        program_derainer(tmp_path / "a.pt", "cpu", "fp32")
    torch.save(Halving().state_dict(), tmp_path / "b.pt")
    with pytest.raises(DerainerError, match="holds no code, but weights"):
        program_derainer(tmp_path / "b.pt", "cpu", "fp32")
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        archive.writestr("c/constants.pkl", b"")
        archive.writestr("c/code/x.py", b"")
    with pytest.raises(DerainerError, match="cannot be loaded"):
        program_derainer(tmp_path / "c.pt", "cpu", "fp32")
