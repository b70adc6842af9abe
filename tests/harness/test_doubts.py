"""Doubts about a user's networks: for every word, in words that can be acted on, kept."""

from __future__ import annotations

import statistics
from pathlib import Path

import cv2
import numpy as np
import pytest

from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.plausible import Convention, doubt, measured
from derainers.words import Part
from harness import Results, RunSpec, run
from harness.plan.loader import DerainerPlan, Loader
from harness.work import known_rain
from harness.work.doubts import _between, _said
from reports.tables.latex import latex
from reports.tables.markdown import markdown
from reports.tables.summary import summary

WEIGHTS = DERAINERS["mspfn-light"].weights
BGR = Convention("bgr", -1.0, 1.0)
CODE = """
from derainers import DERAINERS
from derainers.derainer import Derainer

def plain(weights):
    return DERAINERS["mspfn-light"].build(weights).module

def right(weights):
    network = DERAINERS["mspfn-light"].build(weights).module
    return Derainer(network, channels="bgr", range=(-1, 1), multiple_of=16)

def wrapped(weights):
    d = DERAINERS["mspfn-light"].build(weights); d.channels, d.range = "bgr", (0, 255)
    return d
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "photos").mkdir()
    levels = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "photos" / "p.png"), levels)
    return tmp_path


def evaluated(folder: Path, *words: str) -> Results:
    return run(
        RunSpec(
            dataset="folder",
            data_root=str(folder / "photos"),
            task=("none",),
            quality=("psnr_y_db",),
            derainer=words,
            workspace=str(folder / "runs"),
            images=False,
        )
    )


def test_a_slip_in_a_file_is_named_and_stays_named(folder: Path) -> None:
    wrong, right = (f"{folder}/mine.py:{name}@{WEIGHTS}" for name in ("wrapped", "right"))
    for _ in range(2):  # the second run computes nothing
        (doubt,) = evaluated(folder, wrong, right).provenance.doubts
        assert "derainer mine:wrapped@" in doubt
        assert doubt.endswith(
            f"name it mine.py:wrapped@{Path(str(WEIGHTS)).name},range=-1..1,channels=bgr"
        )


def test_a_network_in_a_chain_is_judged_alone(folder: Path) -> None:
    word = f"{folder}/mine.py:wrapped@{WEIGHTS}"
    (doubt,) = evaluated(folder, f"median+{word}", f"half:{word}").provenance.doubts
    assert "derainer mine:wrapped@" in doubt


def test_weights_for_our_own_networks_are_judged_and_ours_are_not(folder: Path) -> None:
    results = evaluated(folder, f"mspfn-light@{WEIGHTS}", "mspfn-light", "median")
    assert not results.provenance.doubts


def test_a_doubt_stands_on_the_page_and_not_in_a_caption(folder: Path) -> None:
    results = evaluated(folder, f"{folder}/mine.py:wrapped@{WEIGHTS}")
    assert any(note.startswith("Doubt: derainer mine") for note in summary(results)[2])
    assert "Doubt: derainer mine" in markdown(results)
    assert "Doubt" not in latex(results)


def test_other_values_than_a_network_takes_are_told_with_the_line_that_mends_it(
    folder: Path,
) -> None:
    made = (
        "class Made(nn.Module):\n    def forward(self, x):\n        y = NETWORK(x)\n        return "
    )
    code = (
        "from torch import nn\n"
        "from derainers import DERAINERS\nfrom derainers.derainer import Derainer\n"
        "NETWORK = DERAINERS['mspfn-light'].build(DERAINERS['mspfn-light'].weights).module\n"
        "def build():\n    return Derainer(Made(), channels='bgr', range=(-1, 1), multiple_of=16)\n"
    )
    (folder / "bytes.py").write_text(f"{code}{made}(y + 1) / 2 * 255\n")
    (said,) = evaluated(folder, f"{folder}/bytes.py:build").provenance.doubts
    assert "with channels='bgr', range=(-1, 1) and its output read from 0 to 255 at " in said
    line = said.partition("forward(x) returns ")[2].partition(", of the network's y")[0]
    assert line == "y / 255 * 2 - 1"
    (folder / "mended.py").write_text(f"{code}{made}{line.replace('y', '((y + 1) / 2 * 255)')}\n")
    assert not evaluated(folder, f"{folder}/mended.py:build").provenance.doubts


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ((0.0, 255.0), (0.0, 1.0), "y / 255"),
        ((-1.0, 1.0), (0.0, 1.0), "(y + 1) / 2"),
        ((0.0, 1.0), (-1.0, 1.0), "y * 2 - 1"),
        ((-1.0, 1.0), (0.0, 255.0), "(y + 1) / 2 * 255"),
        ((0.0, 1.0), (-0.5, 0.5), "y - 0.5"),
    ],
)
def test_lines_bring_values_from_one_range_to_another(
    one: tuple[float, float], other: tuple[float, float], said: str
) -> None:
    assert _between(one, other) == said
    for value, wanted in zip(one, other, strict=True):
        assert eval(said, {"y": value}) == wanted


def test_of_spandrel_no_range_is_named_which_its_word_does_not_take() -> None:
    load = Loader(lambda _: pytest.fail("loaded"), "n")
    plan = DerainerPlan("n", {}, None, load, None, None, part=Part("spandrel:n.pth"))
    found = {"better": ["bgr", 0.0, 1.0], "better_db": 30.0, "declared_db": 20.0, "rainy_db": 25.0}
    said = _said(plan, {**found, "sign": "", "returned": None})
    assert said.endswith("name it spandrel:n.pth,channels=bgr")


def bright_streaks_off(file: Path, least: float) -> Path:
    """An ONNX network of bytes: a horizontal opening, whose darkest level is ``least``."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make, shape = onnx.helper.make_node, [1, 3, "h", "w"]
    wide = {"kernel_shape": [1, 9], "pads": [0, 4, 0, 4]}
    nodes = [
        make("Neg", ["x"], ["a"]),
        make("MaxPool", ["a"], ["b"], **wide),
        make("Neg", ["b"], ["c"]),
        make("MaxPool", ["c"], ["d"], **wide),
        make("Clip", ["d", "least"], ["y"]),
    ]
    x, y = (onnx.helper.make_tensor_value_info(n, 1, shape) for n in "xy")
    level = onnx.helper.make_tensor("least", onnx.TensorProto.FLOAT, [], [least])
    graph = onnx.helper.make_graph(nodes, "g", [x], [y], [level])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(file))
    return file


def test_an_onnx_file_is_told_what_to_add_and_that_works(folder: Path) -> None:
    file = bright_streaks_off(folder / "bytes.onnx", 2.0)
    (doubt,) = evaluated(folder, str(file)).provenance.doubts
    told = doubt.rpartition("name it ")[2]
    assert told == "bytes.onnx,range=0..255,channels=rgb"
    word = str(folder / told)
    before = evaluated(folder, word)
    assert not before.provenance.doubts
    assert {r.derainer for r in before.records if r.derainer.startswith("bytes@")}
    bright_streaks_off(file, 200.0)  # another network in the same file is another derainer
    assert {r.value for r in evaluated(folder, word).records} != {r.value for r in before.records}


ROOT = Path(__file__).parents[2]
LAYER = """
from torch import nn
from derainers import DERAINERS
from derainers.derainer import Derainer

class Layer(nn.Module):
    def __init__(self, network, sign):
        super().__init__()
        self.network, self.sign = network, sign

    def forward(self, x):
        return self.sign * (self.network(x) - x)

def layer(sign, wrap=lambda network: network):
    network = DERAINERS["mspfn-light"].build(DERAINERS["mspfn-light"].weights).module
    return Derainer(wrap(Layer(network, sign)), channels="bgr", range=(-1, 1), multiple_of=16)

def rain():
    return layer(-1)

def less_rain():
    return layer(1)

"""


@pytest.mark.parametrize(("name", "how"), [("rain", "less"), ("less_rain", "plus")])
def test_a_layer_in_place_of_the_image_is_named_and_the_lines_of_the_page_mend_it(
    name: str, how: str, folder: Path
) -> None:
    page = (ROOT / "docs" / "derainers.md").read_text()
    lines = page[page.index("class Restored(") :].partition("```")[0]
    if how == "plus":
        lines = lines.replace("x - self", "x + self")
    mended = f"def mended():\n    return layer({-1 if how == 'less' else 1}, Restored)\n"
    (folder / "layer.py").write_text(LAYER + lines + mended)
    right = DERAINERS["mspfn-light"].build(WEIGHTS)
    assert isinstance(right, Derainer)
    pairs = known_rain.known_rain()
    assert doubt(right.to("cpu"), "right", pairs) is None
    restored_db = statistics.mean(measured(right, pairs, [BGR])[BGR])
    (said,) = evaluated(folder, f"{folder}/layer.py:{name}").provenance.doubts
    assert f"its input {how} its output does at {restored_db:.1f} dB (rainy: " in said
    assert "whose forward(x) returns x" in said
    assert not evaluated(folder, f"{folder}/layer.py:mended").provenance.doubts


@pytest.mark.data
@pytest.mark.slow
def test_vrgnet_through_a_file(folder: Path, data: Path) -> None:
    weights = f"{data}/weights/vrgnet/rain100l.pt"
    (folder / "wrong.py").write_text(
        "from derainers import DERAINERS\n"
        "from derainers.derainer import Derainer\n"
        "def bytes(weights):\n"
        "    return Derainer(DERAINERS['vrgnet'].build(weights).module, range=(0, 255))\n"
        "def signed(weights):\n"
        "    return Derainer(DERAINERS['vrgnet'].build(weights).module, range=(-1, 1))\n"
    )
    assert not evaluated(folder, f"vrgnet@{weights}").provenance.doubts
    for name in ("bytes", "signed"):
        wrong = f"{folder}/wrong.py:{name}@{weights}"
        (doubt,) = evaluated(folder, wrong).provenance.doubts
        assert "channels='rgb', range=(0, 1)" in doubt
