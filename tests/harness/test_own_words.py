"""Own derainers by name, with cards, parameters and weights from anywhere."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from datasets import Dataset
from derainers import DERAINERS
from harness import Results, RunSpec, run
from harness.cli.main import run_command_line
from harness.machine import remote
from harness.machine.device import Placement
from harness.plan.derainers import DerainerPlan, derainer_plan, sources_of
from harness.plan.foreign_specs import spec_again
from harness.spec import UsageError

CODE = """
import torch
from torch import nn


class Near(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.inner = nn.Conv2d(3, width, 1)
        self.outer = nn.Conv2d(width, 3, 1)

    def forward(self, x):
        return self.outer(self.inner(x))


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.LazyConv2d(3, 1)
        self.outer = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.outer(self.inner(x))


class Two(nn.Module):
    def forward(self, x):
        return [x, x * 0.5]


class Eight(nn.Module):
    def forward(self, x):
        y = nn.functional.max_pool2d(x, 8)
        return x + 0 * nn.functional.interpolate(y, scale_factor=8)


def needs_a_gpu():
    class Wrong(nn.Module):
        def forward(self, x):
            raise RuntimeError("no kernel\\nimage is available")
    return Wrong()
"""


def state(width: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    inner, outer = nn.Conv2d(3, width, 1), nn.Conv2d(width, 3, 1)
    return {
        f"{name}.{key}": value
        for name, part in (("inner", inner), ("outer", outer))
        for key, value in part.state_dict().items()
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)
    torch.save(state(), "w.pth")
    Path("photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        levels = rng.integers(0, 256, (9, 12, 3), np.uint8)
        image = cv2.resize(levels, (41, 33), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(f"photos/p{i}.png", image)
    return tmp_path


def evaluated(*words: str) -> Results:
    spec: dict[str, Any] = {
        "dataset": "folder",
        "data_root": "photos",
        "task": ("none",),
        "quality": ("psnr_y_db",),
        "derainer": words,
        "workspace": "runs",
    }
    return run(RunSpec(**spec))


def values(results: Results) -> dict[str, float | None]:
    return {
        r.derainer: r.value for r in results.records if r.rain != "none" and r.metric == "psnr_y_db"
    }


def planned(word: str) -> DerainerPlan:
    return derainer_plan(word, {}, Dataset("none", "none", ()))


@pytest.mark.usefixtures("here")
def test_a_row_has_the_name_it_was_given_and_the_key_of_its_content() -> None:
    results = evaluated("ours=mine.py:Near@w.pth", "mine.py:Near@w.pth")
    found = values(results)
    (plain,) = found.keys() - {"ours", "identity"}
    assert found["ours"] == found[plain]
    assert planned("ours=mine.py:Near@w.pth").key == planned("mine.py:Near@w.pth").key
    assert f"ours is {plain}" in results.provenance.weights
    assert results.spec["derainer"] == ["ours=mine.py:Near@w.pth", "mine.py:Near@w.pth"]
    with pytest.raises(UsageError, match="two are called ours"):
        evaluated("ours=mine.py:Near@w.pth", "ours=mine.py:Two,output=0")


@pytest.mark.usefixtures("here")
def test_parameters_are_part_of_name_and_key() -> None:
    found = values(evaluated("a=mine.py:Two,output=0", "b=mine.py:Two,output=1"))
    assert found["a"] == found["identity"] != found["b"]
    bgr, plain = "mine.py:Near@w.pth,channels=bgr", "mine.py:Near@w.pth"
    assert planned(bgr).method == f"{planned(plain).method},channels=bgr"
    assert planned(bgr).key != planned(plain).key
    assert planned("prenet@w.pth,channels=bgr").key != planned("prenet@w.pth").key
    with pytest.raises(UsageError, match="granet knows how it is fed"):
        planned("granet,channels=bgr")


@pytest.mark.usefixtures("here")
def test_what_was_found_and_chosen_stands_in_the_notes() -> None:
    torch.save({"params": state(), "params_ema": state()}, "two.pth")
    weights = evaluated("mine.py:Near@two.pth", "mine.py:Eight").provenance.weights
    assert any(note.endswith(": params_ema was taken, not params") for note in weights)
    assert any("takes sides that are multiples of 8" in note for note in weights)
    a, b = (planned(f"mine.py:Near@two.pth,key={key}") for key in ("params", "params_ema"))
    assert a.method != b.method


@pytest.mark.usefixtures("here")
def test_a_chain_may_have_a_name_and_parameters_behind_each_part() -> None:
    results = evaluated("ours=median+mine.py:Two,output=1", "mine.py:Two,output=1")
    found = values(results)
    assert found.keys() == {"identity", "ours", "mine:Two,output=1"}
    assert found["ours"] != found["mine:Two,output=1"]
    assert "ours is median+mine:Two,output=1" in results.provenance.weights


@pytest.mark.usefixtures("here")
def test_weights_for_a_row_have_notes_too() -> None:
    weights = load_file(DERAINERS["prenet"].weights or "")
    torch.save({"state_dict": {**weights, "total_ops": torch.zeros(1)}}, "counted.pth")
    for _ in range(2):  # the second run reads no weights
        (note,) = evaluated("prenet@counted.pth").provenance.weights
        assert note.endswith(": total_ops left out, which only count")


@pytest.mark.usefixtures("here")
def test_lazy_modules_are_complete_before_they_are_named() -> None:
    with_weights, without = planned("mine.py:Lazy@w.pth"), planned("mine.py:Lazy")
    assert with_weights.key == planned("mine.py:Lazy@w.pth").key != without.key
    assert "new" not in with_weights.key["own"]
    found = values(evaluated("a=mine.py:Lazy@w.pth", "b=mine.py:Near@w.pth"))
    assert found["a"] == found["b"]


def test_a_folder_with_config_and_safetensors(here: Path) -> None:
    folder = here / "hub"
    folder.mkdir()
    save_file(state(5), folder / "model.safetensors")
    (folder / "config.json").write_text('{"width": 5, "architectures": ["Near"]}')
    plan = planned("mine.py:Near@hub")
    assert not values(evaluated("mine.py:Near@hub")).get("mine:Near")
    assert (
        plan.weights_sha256
        == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    )
    rows = here / "rows"
    rows.mkdir()
    prenet = DERAINERS["prenet"].weights
    assert prenet is not None
    (rows / "net.safetensors").write_bytes(prenet.read_bytes())
    assert planned("prenet@rows").key == planned("prenet").key
    assert planned("prenet@rows").load(Placement("cpu", "fp32")) is not None
    (folder / "config.json").write_text("[")
    with pytest.raises(UsageError, match=r"config\.json: not a JSON file"):
        planned("mine.py:Near@hub")
    (folder / "config.json").write_text('{"width": 4}')
    with pytest.raises(ValueError, match=r"wants inner\.weight \(4, 3, 1, 1\), the file has"):
        planned("mine.py:Near@hub")


@pytest.mark.usefixtures("here")
def test_spandrel_takes_a_folder_and_a_key() -> None:
    pytest.importorskip("spandrel")
    from spandrel.architectures.DnCNN import DnCNN

    torch.manual_seed(0)
    network = DnCNN(in_nc=3, out_nc=3)
    Path("hub").mkdir()
    save_file(network.state_dict(), "hub/model.safetensors")
    torch.save({"student": state(), "mine": network.state_dict()}, "d.pth")
    found = values(evaluated("a=spandrel:hub", "b=spandrel:d.pth", "c=spandrel:d.pth,key=mine"))
    assert found["a"] == found["b"] == found["c"]
    with pytest.raises(ValueError, match=r"spandrel:d\.pth: no network that spandrel"):
        evaluated("spandrel:d.pth,key=student")
    with pytest.raises(UsageError, match=r"spandrel:d\.pth: spandrel knows the range"):
        planned("spandrel:d.pth,range=0..255")
    with pytest.raises(UsageError, match="weight file none not found"):
        evaluated("spandrel:none")


@pytest.mark.usefixtures("here")
def test_a_card_beside_own_weights_clears_the_question_mark(
    capsys: pytest.CaptureFixture[str],
) -> None:
    word = "ours=mine.py:Near@w.pth"
    assert planned(word).rain_families is None
    command = ["card", "w.pth", "--rain", "real-like,additive", "--data", "photos"]
    assert run_command_line([*command, "--note", "mine"]) == 0
    card = json.loads(Path("w.json").read_text())
    assert card["trained_on"] == {
        "datasets": ["photos"],
        "rain_families": ["additive", "photoshop"],
    }
    assert card["note"] == "mine"
    assert run_command_line(["card", "w.pth"]) == 0
    assert "trained on rain of additive, photoshop" in capsys.readouterr().out
    record = evaluated(word).value("real-like", "ours", "quality", "psnr_y_db")
    assert record is not None
    assert record.seen == ("images", "rain")
    torch.save({k: v + 1 for k, v in state().items()}, "w.pth")
    with pytest.raises(ValueError, match=r"w\.json is the card of other weights"):
        planned(word)
    assert run_command_line(["card", "w.pth", "--rain", "none", "--data", "none"]) == 0
    plan = planned(word)
    assert (plan.rain_families, plan.images) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("rain", "families"),
    [
        ("physical:rate_mm_h=5", ["physical"]),
        ("photoshop-heavy+wet,rain100h", ["additive", "photoshop"]),
        ("given,physical", ["given", "physical"]),
        ("none", []),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_card_takes_rains_as_run_does(rain: str, families: list[str]) -> None:
    assert run_command_line(["card", "w.pth", "--rain", rain, "--data", "photos"]) == 0
    assert json.loads(Path("w.json").read_text())["trained_on"]["rain_families"] == families


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["w.pth"], "is not there: write it with --rain NAME --data NAME/SPLIT"),
        (["none.pth"], "no such weight file"),
        (["w.pth", "--rain", "photoshop"], "give both --rain and --data"),
        (["w.pth", "--rain", "drizzle", "--data", "coco"], "unknown rain 'drizzle'"),
        (["w.pth", "--rain", "drizzle", "--data", "coco"], ", photoshop, additive, given, none\n"),
        (["w.pth", "--rain", "physical:rat=5", "--data", "coco"], "has no parameter 'rat'"),
        (["w.pth", "--rain", "photoshop:x=5", "--data", "coco"], "unknown rain 'photoshop'"),
        (["w.pth", "--rain", "none", "--data", "a/b/c"], "expected NAME or NAME/SPLIT"),
        (["w.pth", "--note", "x"], "give --rain and --data too"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_card_that_cannot_be_is_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["card", *words]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not Path("w.json").exists()


@pytest.mark.usefixtures("here")
def test_a_card_without_what_tables_need_says_so() -> None:
    Path("w.json").write_text('{"trained_on": {"datasets": ["coco"]}}')
    assert run_command_line(["card", "w.pth"]) == 1


class Server(http.server.BaseHTTPRequestHandler):
    data = b""
    asked: tuple[str, ...] = ()

    def do_GET(self) -> None:
        Server.asked += (self.path,)
        self.send_response(200)
        self.send_header("Content-Length", str(len(Server.data)))
        self.end_headers()
        self.wfile.write(Server.data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Server.data, Server.asked = Path("w.pth").read_bytes(), ()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setattr(remote, "FETCHED", here / "fetched")
    monkeypatch.setattr("harness.machine.environment.FETCHED", here / "fetched")
    yield url
    server.shutdown()


def test_files_elsewhere_are_fetched_once_and_work_offline(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = hashlib.sha256(Server.data).hexdigest()
    hub, plain = f"hf://me/nets/sub/w%20x.pth@{sha256}", f"{host}/a/w.pth?download=1@{sha256}"
    for place in (hub, plain):
        word = f"mine.py:Near@{place}"
        with pytest.raises(UsageError, match="is not here yet: python -m harness fetch "):
            planned(word)
        for _ in range(2):
            assert run_command_line(["fetch", place]) == 0
        assert f"NAME@{place}" in capsys.readouterr().out
    assert Server.asked == ("/me/nets/resolve/main/sub/w%2520x.pth", "/a/w.pth?download=1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert planned(f"mine.py:Near@{plain}").key == planned("mine.py:Near@w.pth").key
    results = evaluated(f"ours=mine.py:Near@{hub}")
    assert results.spec["derainer"] == [f"ours=mine.py:Near@{hub}"]
    assert len(Server.asked) == 2


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("hf://me/nets/w.pth", "expected hf://OWNER/REPO/FILE@SHA256 or https"),
        ("hf://me/nets@" + "0" * 64, "expected hf://OWNER/REPO/FILE@SHA256"),
        ("https://host/@" + "0" * 64, "names no file"),
        ("hf://me/nets/w.pth@" + "0" * 64, "gave another file than expected (sha256 "),
    ],
)
def test_addresses_that_cannot_be_are_one_line(
    word: str, says: str, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["fetch", word]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.filterwarnings("ignore")
def test_programs_are_code_and_run_where_they_were_typed(here: Path) -> None:
    class Half(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0.5

    torch.jit.save(torch.jit.trace(Half(), torch.rand(1, 3, 16, 16)), "half.pt")
    word = f"ours=median+torchscript:{here}/half.pt,channels=rgb"
    assert sources_of(word) == [f"{here}/half.pt"]
    with pytest.raises(UsageError, match=r"asks to run code, .*sha256 "):
        spec_again("found", {"derainer": [word]}, {})
    spec_again("found", {"derainer": [word]}, {}, [word])
    assert sources_of("ours=mine.py:Near@w.pth") == ["mine.py"]
    assert not evaluated("torchscript:half.pt").errors
    with pytest.raises(ValueError, match="TorchScript archive, which is code"):
        evaluated("mine.py:Near@half.pt")


@pytest.mark.usefixtures("here")
def test_bench_of_a_picky_network_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--size", "41x33", "--repeats", "1", "--derainer"]
    assert run_command_line([*command, "mine.py:needs_a_gpu"]) == 2
    err = capsys.readouterr().err
    assert "fails on an image of 71x67 px" in err
    assert err.count("\n") == 1
    assert run_command_line([*command, "eight=mine.py:Eight"]) == 0
    assert capsys.readouterr().out.count("41x33") == 1


def test_architectures_are_listed_with_their_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["list", "architectures"]) == 0
    out = capsys.readouterr().out
    assert "Restormer" in out
    assert "Academic Public License" in out
    assert run_command_line(["list", "architectures", "--json"]) == 0
    rows = {row["architecture"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["MPRNet"]["licence"] == "Academic Public License: not commercial"
