"""Objects of a user's are named by all that they hold."""

from __future__ import annotations

import functools
import logging
import operator
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command import FORKED
from own import key_of, number
from torch import nn
from torch.nn import functional

from derainers.derainer import Derainer
from harness.plan.keys import canonical
from harness.plan.own_code import named


class Plain(nn.Module):
    """A network with whatever attributes a test gives it."""

    def __init__(self, **held: Any) -> None:
        super().__init__()
        self.c = nn.Conv2d(3, 3, 1)
        nn.init.dirac_(self.c.weight)
        nn.init.zeros_(self.c.bias)  # type: ignore[arg-type]
        for name, value in held.items():
            setattr(self, name, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.c(x)
        return made


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("level",)

    def __init__(self, level: float) -> None:
        self.level = level


def _hooked(by: float) -> nn.Module:
    network = Plain()
    network.register_forward_hook(lambda module, inputs, output: output * by)
    return network


def _prehooked(by: float) -> nn.Module:
    network = Plain()
    network.c.register_forward_pre_hook(lambda module, inputs: (inputs[0] * by,))
    return network


def _buffered(value: float, persistent: bool) -> nn.Module:
    network = Plain()
    network.register_buffer("level", torch.tensor(value), persistent=persistent)
    return network


def _weighted(value: float) -> nn.Module:
    network = Plain()
    nn.init.constant_(network.c.bias, value)  # type: ignore[arg-type]
    return network


def _closed(by: float) -> Callable[[Any], Any]:
    return lambda x: x * by


def _defaulted(by: float) -> Callable[..., Any]:
    def scaled(x: Any, by: float = by, *, more: float = 1.0) -> Any:
        return x * by * more

    return scaled


def _keyword(by: float) -> Callable[..., Any]:
    def scaled(x: Any, *, by: float = by) -> Any:
        return x * by

    return scaled


def _made(body: str) -> Callable[..., Any]:
    space: dict[str, Any] = {"GAIN": 1.0, "__name__": "a_notebook"}
    exec(body, space)
    made: Callable[..., Any] = space["f"]
    return made


def _large(last: float) -> np.ndarray[Any, Any]:
    made = np.zeros(5000)
    made[2500] = last
    return made


def _cyclic(level: float) -> list[Any]:
    made: list[Any] = [level]
    made.append(made)
    return made


def _cached(by: float) -> Any:
    @functools.lru_cache
    def scaled(x: float) -> float:
        return x * by

    return scaled


def _decorated(by: float) -> Any:
    @torch.no_grad()
    def scaled(x: Any) -> Any:
        return x * by

    return scaled


def _holding(make: Callable[[float], Any], value: float) -> nn.Module:
    return Plain(held=make(value))


OF_ATTRIBUTES: dict[str, Callable[[float], Any]] = {
    "a number": lambda v: v,
    "a list": lambda v: [1, v],
    "a list of tensors": lambda v: [torch.zeros(2), torch.tensor(v)],
    "a dict in a tuple": lambda v: ({"a": v},),
    "a set": lambda v: {1, v},
    "a large array": _large,
    "an array of objects": lambda v: np.array([v, "a"], object),
    "a large tensor": lambda v: torch.from_numpy(_large(v)),
    "a sparse tensor": lambda v: torch.tensor([[0.0, v]]).to_sparse(),
    "a half tensor": lambda v: torch.tensor(v, dtype=torch.bfloat16),
    "a closure": _closed,
    "a default": _defaulted,
    "a keyword's default": _keyword,
    "code": lambda v: _made(f"def f(x): return x * {v}"),
    "code in code": lambda v: _made(f"def f(x): return (lambda y: y * {v})(x)"),
    "a global": lambda v: _made(f"GAIN = {v}\ndef f(x): return x * GAIN"),
    "a global's global": lambda v: _made(
        f"GAIN = {v}\ndef g(): return GAIN\ndef f(x): return x * g()"
    ),
    "a partial": lambda v: functools.partial(functional.interpolate, scale_factor=v),
    "a partial's function": lambda v: functools.partial(_closed(v), 1),
    "a function of a library": lambda v: functional.relu if v == 1 else functional.silu,
    "a builtin": lambda v: abs if v == 1 else round,
    "an item getter": lambda v: operator.itemgetter(int(v * 2)),
    "a bound method": lambda v: Slotted(v).__init__,  # type: ignore[misc]
    "an object with slots": Slotted,
    "a namespace": lambda v: SimpleNamespace(level=v),
    "what holds itself": _cyclic,
    "what is remembered": _cached,
    "what is decorated": _decorated,
    "a generator of NumPy": lambda v: np.random.default_rng(int(v * 2)),
    "a generator of Python": random.Random,
    "a generator of torch": lambda v: torch.Generator().manual_seed(int(v * 2)),
    "a path": lambda v: Path(str(v)),
    "a type": lambda v: torch.float32 if v == 1 else torch.float64,
    "a lock beside it": lambda v: SimpleNamespace(lock=threading.Lock(), level=v),
    "an own class": lambda v: type("Made", (), {"level": v, "__module__": __name__}),
}
NETWORKS: dict[str, Callable[[float], Any]] = {
    **{what: functools.partial(_holding, make) for what, make in OF_ATTRIBUTES.items()},
    "an attribute with an underscore": lambda v: Plain(_hidden=v),
    "a weight": _weighted,
    "a hook": _hooked,
    "a hook of a part": _prehooked,
    "a buffer": lambda v: _buffered(v, persistent=True),
    "a buffer that is not saved": lambda v: _buffered(v, persistent=False),
    "a part": lambda v: nn.Sequential(Plain(), nn.LeakyReLU(v)),
    "the output of a derainer": lambda v: Derainer(Plain(), output=_closed(v)),
    "the range of a derainer": lambda v: Derainer(Plain(), range=(0.0, v)),
    "a scripted network": lambda v: torch.jit.script(
        nn.Sequential(_weighted(v), nn.LeakyReLU(v), nn.MaxPool2d(3, 1, 1))
    ),
    "a traced network": lambda v: torch.jit.trace(_weighted(v).eval(), torch.rand(1, 3, 8, 8)),
    "a compiled network": lambda v: torch.compile(_weighted(v)),
    "a graph": lambda v: torch.fx.symbolic_trace(_weighted(v)),
    "an object with restore": lambda v: SimpleNamespace(restore=lambda image, _: image * v),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("what", NETWORKS)
def test_a_change_in_an_object_is_another_derainer(what: str) -> None:
    one, again, other = (named(what, NETWORKS[what](v)) for v in (1.0, 1.0, 0.5))
    assert not one.cannot
    assert one.key() == again.key()
    assert one.key() != other.key()


def test_an_object_is_the_same_in_another_process(tmp_path: Path) -> None:
    """In one that was forked from a process without a history, and in one of its own."""
    forked = FORKED.Process(target=write_named, args=(tmp_path / "named",))
    forked.start()
    forked.join()
    script = "import test_own_objects\nprint(*test_own_objects.all_named(), sep='\\n')"
    here = {"PYTHONPATH": str(Path(__file__).parent), "PYTHONHASHSEED": "1"}  # of the order of sets
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **here}
    )
    assert done.stdout == (tmp_path / "named").read_text() + "\n"
    assert len(done.stdout.splitlines()) == len(NETWORKS)


def write_named(file: Path) -> None:
    file.write_text("\n".join(all_named()))


def all_named() -> list[str]:
    return [f"{what} {canonical(named(what, make(1.0)).key())}" for what, make in NETWORKS.items()]


def test_what_cannot_be_named_is_computed_anew(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def network() -> nn.Module:
        return Plain(held=(i for i in range(3)))

    with caplog.at_level(logging.WARNING):
        one, other = named("mine", network()), named("mine", network())
    assert one.key() != other.key()
    assert caplog.messages[0] == (
        "mine: computed anew each time: cannot name held (builtins.generator)"
    )


def _external(name: str, file: str) -> Any:
    onnx = pytest.importorskip("onnx")
    tensor = onnx.numpy_helper.from_array(np.full((1,), 0.9, np.float32), name)
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", "0"), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def _onnx(where: str, folder: Path) -> Path:
    """A model whose factor lies in ``k.bin``, named in one of the places that a graph has."""
    onnx = pytest.importorskip("onnx")
    h, array = onnx.helper, onnx.numpy_helper.from_array
    image = [h.make_tensor_value_info(n, 1, ["b", 3, "h", "w"]) for n in "xy"]
    times = h.make_node("Mul", ["x", "s"], ["y"])
    constant = h.make_node("Constant", [], ["s"], value=_external("s_v", "k.bin"))
    held, functions, domains = [], [], [h.make_opsetid("", 17)]
    if where == "an initialiser":
        nodes, held = [times], [_external("s", "k.bin")]
    elif where == "a constant":
        nodes = [constant, times]
    elif where == "a branch":
        out = [h.make_tensor_value_info(n, 1, ["b", 3, "h", "w"]) for n in ("y1", "y2")]
        first = h.make_node("Mul", ["x", "s"], ["y1"])
        then = h.make_graph([first], "t", [], out[:1], [_external("s", "k.bin")])
        same = h.make_graph([h.make_node("Identity", ["x"], ["y2"])], "e", [], out[1:])
        largest = h.make_node("ReduceMax", ["x"], ["m"], keepdims=0)
        asked = h.make_node("Greater", ["m", "below"], ["c"])
        chosen = h.make_node("If", ["c"], ["y"], then_branch=then, else_branch=same)
        nodes, held = [largest, asked, chosen], [array(np.array(-1, np.float32), "below")]
    elif where == "a loop":
        given = [
            h.make_tensor_value_info("i", 7, []),
            h.make_tensor_value_info("go", 9, []),
            h.make_tensor_value_info("a", 1, None),
        ]
        made = [h.make_tensor_value_info("go2", 9, []), h.make_tensor_value_info("b", 1, None)]
        steps = [h.make_node("Identity", ["go"], ["go2"]), h.make_node("Mul", ["a", "s"], ["b"])]
        body = h.make_graph(steps, "l", given, made, [_external("s", "k.bin")])
        nodes = [h.make_node("Loop", ["n", "", "x"], ["y"], body=body)]
        held = [array(np.array(1), "n")]
    else:
        parts = [constant, times]
        opsets = [h.make_opsetid("", 17)]
        functions = [h.make_function("own", "Dim", ["x"], ["y"], parts, opsets)]
        nodes, domains = [h.make_node("Dim", ["x"], ["y"], domain="own")], [*domains]
        domains.append(h.make_opsetid("own", 1))
    graph = h.make_graph(nodes, "g", image[:1], image[1:], held)
    model = h.make_model(graph, opset_imports=domains, functions=functions, ir_version=8)
    (folder / "dim.onnx").write_bytes(model.SerializeToString())
    return folder / "dim.onnx"


@pytest.mark.parametrize(
    "where", ["an initialiser", "a constant", "a branch", "a loop", "a function"]
)
def test_external_data_of_onnx_is_named_wherever_it_hides(folder: Path, where: str) -> None:
    pytest.importorskip("onnxruntime")
    (folder / "k.bin").write_bytes(np.float32(0.9).tobytes())
    word = str(_onnx(where, folder))
    before, value = key_of(folder, word), number(folder, word)
    assert key_of(folder, word) == before
    (folder / "k.bin").write_bytes(np.float32(0.5).tobytes())
    assert key_of(folder, word) != before
    assert number(folder, word) != value
