"""A number of the user's own code belongs to exactly the code, values and files that made it."""

from __future__ import annotations

import functools
import logging
import operator
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from derainers.derainer import Derainer
from harness import RunSpec, run
from harness.ledger.gather import gather
from harness.ledger.ledger import Ledger
from harness.machine.generators import drew, states, without_chance
from harness.plan import recorder
from harness.plan.keys import canonical
from harness.plan.networks import network_of
from harness.plan.own_code import named
from harness.plan.plan import make_plan
from harness.runs.dry_run import survey
from harness.spec import UsageError
from harness.work.trial import tried

MINE = """
import importlib
import json
import os
from pathlib import Path

import torch
from torch import nn

import blocks
import far.near.deep as deep
from far import near
from layers import *

HERE = Path(__file__).parent
FACTOR = 1.0
late = importlib.import_module("la" + "te")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.c = nn.Conv2d(3, 3, 1)
        self.table = json.loads((HERE / "table.json").read_text())
        self.words = {"b", "a", "c"}

    def forward(self, x, gain=1.0):
        from inside import shift
        chosen = importlib.import_module("cho" + "sen")
        level = float(os.environ.get("OWN_LEVEL", "1.0"))
        y = self.c(x) * FACTOR * gain * level + shift() + chosen.SHIFT + late.SHIFT
        return block(y) * blocks.strength() * deep.depth() * near.WIDTH * self.table["gain"]


def build():
    return Net()


def build_other():
    return Net()
"""
FILES = {
    "mine.py": MINE,
    "blocks.py": "from more import share\ndef strength():\n    return share() * 1.0\n",
    "more.py": "def share():\n    return 1.0\n",
    "layers.py": "GAIN = 0.5\ndef block(x, by=1.0):\n    return x * GAIN * by\n",
    "inside.py": "def shift():\n    return 0.01\n",
    "chosen.py": "SHIFT = 0.01\n",
    "late.py": "from pathlib import Path\n"
    "SHIFT = float((Path(__file__).parent / 'late.txt').read_text())\n",
    "late.txt": "0.01",
    "table.json": '{"gain": 1.0}',
    "far/__init__.py": "",
    "far/near/__init__.py": "WIDTH = 1.0\n",
    "far/near/deep.py": "from . import deeper\ndef depth():\n    return deeper.depth()\n",
    "far/near/deeper.py": "from ..other import DEPTH\ndef depth():\n    return DEPTH\n",
    "far/other.py": "DEPTH = 1.0\n",
}
CHANGED = {
    "the file of the factory": ("mine.py", "FACTOR = 1.0", "FACTOR = 0.5"),
    "a default argument": ("mine.py", "gain=1.0", "gain=0.5"),
    "a helper": ("blocks.py", "1.0", "0.5"),
    "a helper's helper": ("more.py", "1.0", "0.5"),
    "a global of a helper": ("layers.py", "0.5", "0.3"),
    "a default of a helper": ("layers.py", "by=1.0", "by=0.3"),
    "a helper imported in a function": ("inside.py", "0.01", "0.02"),
    "a helper found by its name": ("late.py", "read_text()", "read_text()) + float('0.1'"),
    "a helper found by its name in a call": ("chosen.py", "0.01", "0.02"),
    "a package": ("far/near/__init__.py", "1.0", "0.5"),
    "a module of a sub-package": ("far/near/deep.py", "deeper.depth()", "deeper.depth() / 2"),
    "a helper's helper in a sub-package": ("far/near/deeper.py", "return DEPTH", "return DEPTH/2"),
    "a module above a sub-package": ("far/other.py", "1.0", "0.5"),
    "a file read while building": ("table.json", "1.0", "0.5"),
    "a file read by a helper": ("late.txt", "0.01", "0.03"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Own code with helpers, and two photographs."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        levels = rng.integers(0, 256, (9, 12, 3), np.uint8)
        image = cv2.resize(levels, (41, 33), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "photos" / f"p{i}.png"), image)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("OWN_LEVEL", raising=False)
    yield tmp_path
    for file in tmp_path.rglob("*.py"):
        file.unlink()
    recorder.forget_changed()


def spec_of(folder: Path, *words: str, **options: Any) -> RunSpec:
    return RunSpec(
        **{
            "dataset": "folder",
            "data_root": str(folder / "photos"),
            "task": ("none",),
            "quality": ("psnr_y_db",),
            "derainer": words,
            "workspace": str(folder / "runs"),
            **options,
        }
    )


def key_of(folder: Path, word: str, own: dict[str, Any] | None = None) -> str:
    """The key under which a derainer's images stand in the folder's workspace."""
    spec = spec_of(folder, word)
    ledger = Ledger(folder / "runs")
    try:
        plan = tried(make_plan(spec, own or {}), ledger)
    finally:
        ledger.close()
    return canonical(plan.conditions[-1].derainer.key)


def number(folder: Path, word: str, own: dict[str, Any] | None = None, **options: Any) -> float:
    results = run(spec_of(folder, word, **options), own)
    assert not results.errors
    record = results.value("photoshop-heavy", word, "quality", "psnr_y_db")
    if record is None:
        names = {r.derainer for r in results.records} - {"identity"}
        record = results.value("photoshop-heavy", names.pop(), "quality", "psnr_y_db")
    assert record is not None
    assert record.value is not None
    return record.value


def change(folder: Path, what: str) -> None:
    name, old, new = CHANGED[what]
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


@pytest.mark.parametrize("what", CHANGED)
def test_a_change_of_own_code_is_another_derainer(folder: Path, what: str) -> None:
    word = f"{folder}/mine.py:build"
    before = key_of(folder, word)
    assert key_of(folder, word) == before
    change(folder, what)
    after = key_of(folder, word)
    assert after != before
    assert key_of(folder, word) == after


@pytest.mark.parametrize("what", ["a helper", "a helper found by its name in a call"])
def test_no_old_number_returns(folder: Path, what: str) -> None:
    word = f"{folder}/mine.py:build"
    before = number(folder, word)
    change(folder, what)
    after = number(folder, word)
    assert after != before
    assert after == number(folder, word, workspace=str(folder / "fresh"))
    assert survey(spec_of(folder, word))[-1].todo == 0


def test_what_changed_and_came_back_resumes(folder: Path) -> None:
    word = f"{folder}/mine.py:build"
    before = key_of(folder, word)
    change(folder, "a helper")
    assert key_of(folder, word) != before
    (folder / "blocks.py").write_text(FILES["blocks.py"])
    assert key_of(folder, word) == before


def test_another_derainer_in_the_run_changes_no_key(folder: Path) -> None:
    word = f"{folder}/mine.py:build"
    alone = key_of(folder, word)
    key_of(folder, f"{folder}/mine.py:build_other+{folder}/mine.py:build")
    assert key_of(folder, word) == alone


def test_another_folder_changes_no_key(folder: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(folder, other)
    code = (
        "import sys; from harness.plan.derainers import derainer_plan as plan; "
        "from harness.plan.keys import canonical; "
        "print(canonical(plan(sys.argv[1] + '/mine.py:build', {}, None).key))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=True
        ).stdout
        for place in (folder, other)
    }
    assert len(keys) == 1


def test_an_environment_variable_gets_a_key_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    word = f"{folder}/mine.py:build"
    before, first = key_of(folder, word), number(folder, word)
    monkeypatch.setenv("OWN_LEVEL", "0.5")
    with caplog.at_level(logging.WARNING):
        second = number(folder, word)
    assert "an environment variable" in caplog.text
    assert second == number(folder, word, workspace=str(folder / "fresh")) != first
    after = key_of(folder, word)
    monkeypatch.setenv("OWN_LEVEL", "0.25")
    assert len({before, after, key_of(folder, word)}) == 3
    monkeypatch.setenv("OWN_LEVEL", "0.5")
    assert key_of(folder, word) == after
    monkeypatch.delenv("OWN_LEVEL")
    assert key_of(folder, word) == before


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


def test_an_object_is_the_same_in_another_process() -> None:
    script = (
        "import test_own_code as t\n"
        "for what, make in t.NETWORKS.items():\n"
        "    print(what, t.canonical(t.named(what, make(1.0)).key()))\n"
    )
    found = []
    for seed in ("1", "2"):  # of the order of Python's sets
        here = {"PYTHONPATH": str(Path(__file__).parent), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-W", "ignore", "-c", script]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, **here}
        )
        found.append(done.stdout.splitlines())
    assert len(found[0]) >= len(NETWORKS)
    assert found[0] == found[1]


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


STOCHASTIC = """
import random
import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.seed()

    def forward(self, x):
        chance = torch.randn_like(x) + float(np.random.rand()) + random.random()
        return x + chance * 0.02


class Late(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) * 0.02 if x.shape[3] == 41 else x


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, x):
        self.seen += 1
        return x * (1 - 0.1 * self.seen)


SEEN = []


class Outside(nn.Module):
    def forward(self, x):
        SEEN.append(1)
        return x * (1 - 0.1 * len(SEEN))


RNG = np.random.default_rng()


class Unseeded(nn.Module):
    def forward(self, x):
        return x * (1 - 0.1 * RNG.random())
"""


@pytest.mark.parametrize("name", ["Net", "Late"])
def test_three_workspaces_one_number_of_a_stochastic_derainer(folder: Path, name: str) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    word = f"{folder}/chance.py:{name}"
    found = {number(folder, word, workspace=str(folder / str(i)), workers=i + 1) for i in range(3)}
    assert len(found) == 1
    last = run(spec_of(folder, word, workspace=str(folder / "last")), only=["p1.png"])
    assert {record.n for record in last.records} == {1}
    assert found == {number(folder, word, workspace=str(folder / "last"))}


def test_another_seed_is_another_draw(folder: Path) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    word = f"{folder}/chance.py:Net"
    values = []
    for seed in (0, 1, 0):
        results = run(spec_of(folder, word, seed=seed, rain=("none",)))
        values += [r.value for r in results.records if r.derainer.startswith("chance")]
    assert values[0] == values[2] != values[1]


def test_a_network_with_a_state_gives_each_image_a_fresh_copy(folder: Path) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    word = f"{folder}/chance.py:Counting"
    found = {number(folder, word, workspace=str(folder / str(i)), workers=i + 1) for i in range(2)}
    (folder / "chance.py").write_text(STOCHASTIC.replace("self.seen += 1", "self.seen = 1"))
    assert found == {number(folder, word, workspace=str(folder / "right"))}


@pytest.mark.parametrize("name", ["Outside", "Unseeded"])
def test_a_state_beyond_the_network_is_refused_with_the_remedy(folder: Path, name: str) -> None:
    (folder / "chance.py").write_text(STOCHASTIC)
    with pytest.raises(UsageError, match="depends on those before: keep its state in what a fact"):
        run(spec_of(folder, f"{folder}/chance.py:{name}"))


def test_a_trial_takes_three_small_forwards(folder: Path) -> None:
    shapes: list[Any] = []

    class Told(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shapes.append(tuple(x.shape[2:]))
            return x

    told = Told()
    key_of(folder, "mine", {"mine": told})
    assert shapes == [(65, 97), (64, 96), (65, 97)]


def test_what_is_ours_is_not_tried(folder: Path) -> None:
    spec = spec_of(folder, "median", "granet")
    plan = make_plan(spec, {})
    ledger = Ledger(folder / "runs")
    assert tried(plan, ledger) is plan
    ledger.close()


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


def test_a_segmenter_is_named_the_same_way(folder: Path) -> None:
    (folder / "classes.py").write_text(
        "from torch import nn\nimport blocks\n"
        "class Net(nn.Conv2d):\n"
        "    names = ['sky', 'road']\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) * blocks.strength()\n"
        "def build():\n    return Net(3, 2, 1)\n"
    )
    spec = spec_of(folder, "median", model={"semantic": f"{folder}/classes.py:build"})
    before = network_of("semantic", spec).key
    assert network_of("semantic", spec).key == before
    change(folder, "a helper")
    assert network_of("semantic", spec).key != before


LAMBDA = """
import operator
from torch import nn
from derainers.derainer import Derainer


class Three(nn.Module):
    def forward(self, x):
        return [x, x * 0.5]


def first():
    return Derainer(Three(), output=lambda r: r[0])


def item():
    return Derainer(Three(), output=operator.itemgetter(0))
"""


@pytest.mark.parametrize("name", ["first", "item"])
def test_a_lambda_resumes(folder: Path, name: str) -> None:
    (folder / "three.py").write_text(LAMBDA)
    word = f"{folder}/three.py:{name}"
    number(folder, word)
    assert [cell.todo for cell in survey(spec_of(folder, word))] == [0, 0, 0]


def test_workspaces_where_own_code_gave_other_images_are_not_put_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = f"{folder}/mine.py:build"
    number(folder, word, workspace=str(folder / "one"))
    number(folder, word, workspace=str(folder / "same"))
    monkeypatch.setenv("OWN_LEVEL", "0.5")
    number(folder, word, workspace=str(folder / "other"))
    assert gather([folder / "one", folder / "same"], folder / "both")
    with pytest.raises(UsageError, match="gave other images in one workspace than in another"):
        gather([folder / "one", folder / "other"], folder / "all")


def test_what_draws_runs_again_alone_and_leaves_no_trace() -> None:
    def make() -> tuple[float, float, float]:
        chance = np.random.rand()  # noqa: NPY002
        return random.random(), float(chance), float(torch.rand(()))

    assert without_chance(make, False, 3, "a") == without_chance(make, True, 3, "a")
    assert without_chance(make, True, 3, "a") != without_chance(make, True, 3, "b")
    before = states()
    without_chance(make, True, 3, "a")
    assert not drew(before)
    assert without_chance(lambda: 1, False, 3, "a") == 1


SEGMENTERS = """
import torch
from torch import nn


class Plain(nn.Module):
    names = ["sky", "road"]

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, x):
        return torch.cat([x[:, :1], 1 - x[:, :1] + torch.rand_like(x[:, :1]) * 0.5], 1)


class Counting(Plain):
    def forward(self, x):
        self.seen += 1
        return super().forward(x) * (1 if self.seen > 2 else -1)
"""


def test_a_segmenter_is_tried_too(folder: Path) -> None:
    (folder / "seg.py").write_text(SEGMENTERS)
    options = {"task": ("semantic",), "rain": ("none",)}
    model = {"semantic": f"{folder}/seg.py:Plain"}
    found = set()
    for i in range(2):
        spec = spec_of(folder, "median", model=model, workspace=str(folder / str(i)), **options)
        ledger = Ledger(folder / str(i))
        plan = tried(make_plan(spec, {}), ledger)
        ledger.close()
        assert plan.tasks[0].draws
        found.add(canonical(plan.tasks[0].model_key))
        assert not run(spec).errors
    assert len(found) == 1
    model = {"semantic": f"{folder}/seg.py:Counting"}
    with pytest.raises(UsageError, match="depends on those before"):
        run(spec_of(folder, "median", model=model, **options))
