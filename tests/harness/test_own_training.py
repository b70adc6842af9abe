"""Trainings of a user's own network, and what is said at the end of one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clock import stopped
from darker import write_pairs
from skimage.data import coffee

from datasets.image import encode_png
from derainers.card import learning
from harness.cli.main import run_command_line
from harness.training.folder import differing
from harness.training.moment import Clock, Moment, duration
from harness.training.telling import last_quarter_db

NET = """
import torch
from torch import nn

from derainers.derainer import Derainer


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.gain


def build():
    return Net()


def pair():
    return Derainer(Net8(), output=lambda y: y[0])


class Net8(Net):
    def forward(self, x):
        return [x * self.gain, x]


class Stages(Net):
    def forward(self, x):
        return [x * 0, x * self.gain]


class Picky(Net):
    def forward(self, x):
        return x.reshape(len(x), 3, -1, 7)


class Sized(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("grid", torch.zeros(1))

    def forward(self, x):
        self.grid = torch.zeros(x.shape[2:])
        return super().forward(x)


class Pooled(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return super().forward(x) + self.norm(x.mean((2, 3), keepdim=True))


class Told(Net):
    def get_extra_state(self):
        return {"made": 1}

    def set_extra_state(self, state):
        pass


class Dark(Net):
    def forward(self, x):
        return x * 0 + 0 * self.gain


def fixed():
    return nn.Identity()


def loss(restored, clean):
    return (restored - clean).square().mean() + 1


def image(restored, clean):
    return restored - clean
"""


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pairs of a photograph and a darker copy of it, beside a file with networks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    return write_pairs(tmp_path / "pairs", 110, 120)


def words(out: str, *more: str, name: str = "net.py:build", steps: int = 3) -> list[str]:
    data = ["--dataset", "pairs", "--data-root", "pairs", "--workers", "1"]
    return ["train", name, *data, "--out", out, "--steps", str(steps), *more]


def card_of(out: str, name: str = "net") -> dict[str, Any]:
    card: dict[str, Any] = json.loads(Path(out, f"{name}.json").read_text())
    return card


def test_ones_own_network_learns_and_runs(
    pairs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.terminal.LINE_EVERY_S", 0)
    before = os.umask(0o027)
    try:
        more = ["--learning-rate", "0.5", "--loss", "mse"]
        assert run_command_line(words("out", *more, steps=4)) == 0
    finally:
        os.umask(before)
    said, told = capsys.readouterr()
    assert "net: +" in said
    assert "PSNR-Y on 1 held-out photograph (" in said
    assert "net: trained for 0.033 % of its recipe's 12,000 steps" in said
    assert "net: step 4 of 4, loss 0." in told
    assert "left" in told
    weights = Path("out/net.safetensors")
    assert stat.S_IMODE(weights.stat().st_mode) == 0o640
    card = card_of("out")
    assert card["network"] == "net.py:build"
    assert (card["steps_done"], card["steps"], card["recipe_steps"]) == (4, 4, 12000)
    assert card["learning"] == "trained for 0.033 % of its recipe's 12,000 steps"
    assert card["recipe"]["loss"] == "mse"
    assert [leg["steps"] for leg in card["legs"]] == [4]
    data = ["--dataset", "pairs", "--data-root", "pairs", "--task", "none", "--limit", "2"]
    seen = ["--derainer", f"net.py:build@{weights}", "--workspace", "w", "--out", "shown"]
    assert run_command_line(["run", *data, *seen]) == 0
    records = json.loads(Path("shown/results.json").read_text())["records"]
    found = {
        r["derainer"]: r["value"]
        for r in records
        if (r["rain"], r["metric"]) == ("given", "psnr_y_db")
    }
    rainy, ours = sorted(found.values())
    assert ours > rainy + 0.1
    assert "net:build@" in Path("shown/results.md").read_text()
    assert "trained for 0.033 %" in Path("shown/results.md").read_text()


def test_weights_that_make_it_worse_are_called_so(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words("out", name="net.py:Dark")) == 0
    assert "net: these weights make rainy images worse by " in capsys.readouterr().out
    assert run_command_line(words("late", "--max-minutes", "0")) == 0
    assert "net: not validated, the time was over before" in capsys.readouterr().out
    assert card_of("late")["validated_on"]["restored"] is None


def test_a_loss_and_an_output_of_ones_own(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--loss", "net.py:loss", "--learning-rate", "0.1"]
    assert run_command_line(words("out", *more, name="net.py:pair")) == 0
    assert card_of("out")["recipe"]["loss"] == "own"
    rows = Path("out/curve.csv").read_text().splitlines()
    assert 1 < float(rows[1].split(",")[rows[0].split(",").index("loss")]) < 2
    capsys.readouterr()
    Path("net.py").write_text(NET.replace("+ 1", "+ 2"))
    assert run_command_line(words("out", *more, name="net.py:pair")) == 2
    assert "holds another training" in capsys.readouterr().err


def test_a_card_does_not_take_the_place_of_what_a_training_is(pairs: Path) -> None:
    Path("training.py").write_text(NET)
    for _ in range(2):  # the second goes on
        assert run_command_line(words("out", name="training.py:build", steps=1)) == 0
    assert card_of("out", "training-network")["network"] == "training.py:build"


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("net.py:nothing", [], "net.py has no function nothing"),
        ("other.py:build", [], "other.py not found"),
        ("net.py:fixed", [], "with parameters to learn"),
        ("net.py:Picky", [], "net.py:Picky fails on an image of 71x67 px (RuntimeError"),
        ("net.py:Sized", [], "changes the size of grid"),
        ("net.py:Pooled", [], "take nn.GroupNorm or nn.LayerNorm in its place"),
        ("net.py:Told", [], "_extra_state in its weights is dict"),
        ("net.py:build", ["--loss", "net.py:image"], "must return a tensor of one number"),
        ("net.py:build", ["--loss", "net.py:build2"], "net.py has no function build2"),
        ("net.py:build", ["--loss", "l3"], "--loss l3: one of l1, mse"),
        ("net.py:build", ["--recipe", "paper"], "has no paper here"),
        ("net.py:build", ["--learning-rate", "2"], "--learning-rate 2.0: above 0"),
        ("net.py:build", ["--max-minutes", "nan"], "--max-minutes nan: at least 0"),
        ("net.py:build", ["--epochs", "2"], "--steps and --epochs both say how long"),
        ("prn-r", ["--loss", "l1"], "--loss is for networks of your own"),
        ("refinenet", [], "--workers belongs to derainers"),
        ("granett", [], "did you mean granet?"),
        ("prn-r", ["--recipe", "benchmark"], "--dataset is the protocol's"),
    ],
)
def test_what_cannot_learn_is_one_line(
    name: str, more: list[str], says: str, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words("out", *more, name=name)) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_damaged_and_misfit_rainy_files_are_named(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pairs / "input" / "3.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert run_command_line(words("out")) == 0
    assert "1 cannot be used: 3 (" in capsys.readouterr().out
    assert "3" not in card_of("out")["trained_on"]["photographs"]
    small = np.ascontiguousarray(coffee()[:55, :60])
    for file in (pairs / "input").iterdir():
        file.write_bytes(encode_png(small))
    assert run_command_line(words("other")) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "6 cannot be used: " in told
    assert told.count("(its rainy image is 60x55, its clean one 120x110)") == 5
    assert "and 1 more" in told


def test_a_training_goes_on_in_another_folder(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--learning-rate", "0.1"]
    assert run_command_line(words("whole", *more)) == 0
    assert run_command_line(words("one", *more, "--max-minutes", "0")) == 0
    from_one = [*more, "--from", "one/checkpoint.pt"]
    capsys.readouterr()
    assert run_command_line(words("two", *from_one, "--max-minutes", "0")) == 0
    assert "goes on from one/checkpoint.pt, step 1" in capsys.readouterr().out
    assert run_command_line(words("two", *from_one, "--dtype", "bf16")) == 0
    assert "goes on from" not in capsys.readouterr().out  # two is further
    whole, parts = card_of("whole"), card_of("two")
    assert [leg["steps"] for leg in parts["legs"]] == [2, 1]
    assert [leg["dtype"] for leg in parts["legs"]] == ["fp32", "bf16"]
    assert parts["crops_seen"] == sum(leg["crops"] for leg in parts["legs"]) == whole["crops_seen"]
    found, expected = (Path(out, "curve.csv").read_text().splitlines() for out in ("two", "whole"))
    assert len(found) == len(expected)
    assert run_command_line(words("three", *from_one, "--loss", "mse")) == 2
    assert "a checkpoint of another training, by its recipe" in capsys.readouterr().err
    assert not Path("three").exists()
    Path("one/checkpoint.pt").write_bytes(b"PK")
    assert run_command_line(words("four", *from_one)) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: --from one/checkpoint.pt: ")
    assert told.count("\n") == 1


def test_a_training_goes_on_where_its_file_lies_elsewhere_in_as_many_steps(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words("one")) == 0
    Path("sub").mkdir()
    Path("sub/net.py").write_text(NET)
    from_one = ["--from", "one/checkpoint.pt"]
    assert run_command_line(words("two", *from_one, name="sub/net.py:build")) == 0
    assert card_of("two")["network"] == "net.py:build"
    assert run_command_line(words("one", steps=4)) == 2
    assert "holds another training (training.json), by its steps" in capsys.readouterr().err
    said = {"network": "net.py:build", "steps": 4}
    assert differing({"network": "sub/net.py:build"}, said) is None
    assert differing(said | {"steps": 3}, said) == "steps"


def test_what_a_checkpoint_began_with_stays_in_the_card(pairs: Path) -> None:
    assert run_command_line(words("one")) == 0
    begun = ["--from", "one/net.safetensors"]
    assert run_command_line(words("two", *begun, "--max-minutes", "0")) == 0
    assert run_command_line(words("three", "--from", "two/checkpoint.pt")) == 0
    card = card_of("three")
    assert card["begun_with"] == card_of("two")["begun_with"]
    assert card["begun_with"]["steps"] == 3
    assert card["trained_on"]["before"]["rain_families"] == ["given"]


def test_learning_is_judged_by_steps_and_by_the_last_quarter() -> None:
    card = {"steps_done": 200, "recipe_steps": 12000, "last_quarter_db": 3.0}
    assert learning(card) == "trained for 1.7 % of its recipe's 12,000 steps"
    later = card | {"begun_with": {"steps": 12000}}
    assert learning(later) == ("not converged, its validation rose by 3.00 dB in the last quarter")
    assert learning(later | {"last_quarter_db": 0.1}) is None
    assert learning({}) is None
    assert learning({"steps_done": "x", "recipe_steps": None, "begun_with": 3}) is None


def test_what_is_left_is_told_in_words_and_bounded_by_the_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [duration(s) for s in (4.2, 89, 600, 11_100)] == ["4 s", "89 s", "10 min", "3 h 05 min"]
    time = stopped(monkeypatch, "harness.training.moment")
    free, bounded = Clock(100, None), Clock(100, time.now_s + 60)
    assert (free.left_s(50), bounded.left_s(50)) == (None, 60)
    time.now_s += 40
    assert (free.left_s(60), bounded.left_s(60)) == (160, 20)
    assert (free.left_s(90), bounded.left_s(90)) == (10, 10)
    time.now_s += 40
    assert (free.left_s(90), bounded.left_s(90)) == (20, 0)
    moment = Moment("granet", 1200, 13777, "step", 0.0213, -0.1, 7200)
    assert moment.line() == (
        "granet: step 1,200 of 13,777, loss 0.0213, validation -0.10 dB, 2 h 00 min left"
    )


def test_the_last_quarter_is_one_of_crops() -> None:
    from derainers.training.state import Row

    def row(crops: int, psnr_y_db: float) -> Row:
        return Row(crops, 0, crops, 0, 0, 0, 0, 0, {"psnr_y_db": psnr_y_db})

    rows = [row(10, 20.0), row(30, 25.0), row(31, 24.0), row(40, 25.5)]
    assert last_quarter_db(rows) == pytest.approx(0.5)
    assert last_quarter_db(rows[:3]) == pytest.approx(5.0)
    assert last_quarter_db(rows[:1]) is None
    assert last_quarter_db([]) is None


@pytest.mark.slow
def test_two_processes_train_as_one_and_stop_together(pairs: Path) -> None:
    more = ["--learning-rate", "0.1"]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    start += ["-m", "harness"]
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OMP_NUM_THREADS": "1",
    }

    def launched(*line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*start, *line],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    done = launched(*words("two", *more, steps=4))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("held-out") == 1
    assert done.stdout.count("two/net.safetensors") == 1
    assert run_command_line(words("one", *more, steps=4)) == 0
    state = [torch.load(f"{out}/checkpoint.pt") for out in ("one", "two")]
    for name, value in state[0]["network"].items():
        assert torch.allclose(value, state[1]["network"][name], atol=1e-6)
    assert card_of("two")["crops_seen"] == card_of("one")["crops_seen"]
    stopped = launched(*words("short", *more, "--max-minutes", "0", steps=2000))
    assert stopped.returncode == 0, stopped.stderr
    assert card_of("short")["steps_done"] == 1
    uneven = [*start[:-3], "3", *start[-2:]]
    odd = subprocess.run(
        [*uneven, *words("odd", *more)],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "3 processes cannot share the 4 photographs of a step evenly" in odd.stderr


def test_without_its_last_validation_no_training_has_converged() -> None:
    from derainers.training.data import Crops
    from derainers.training.recipes import own
    from derainers.training.state import Row, State
    from harness.training.telling import footing, verdict

    rows = [Row(s, 0, 4 * s, 0, 0, 0, 0, 0, {"psnr_y_db": 25.0}) for s in (1, 2, 8)]
    crops = Crops([], [], own(), 10, 1)
    assert not footing(State(step=10, rows=rows), crops, 10)["converged"]
    whole = [*rows, Row(10, 0, 40, 0, 0, 0, 0, 0, {"psnr_y_db": 25.0})]
    assert footing(State(step=10, rows=whole), crops, 10)["converged"]
    told = verdict("net", 2, {"psnr_y_db": 20.0}, {"psnr_y_db": 25.0}, lacks_scores=True)
    assert told.endswith("; the last validation was broken off, the same command makes it up")


def test_what_a_word_says_of_a_network_to_train_is_what_a_run_says(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "net.py:Stages,range=0..255"
    assert run_command_line(words("out", name=name)) == 2
    assert "say which with output=0 or another of them" in capsys.readouterr().err
    more = ["--learning-rate", "0.5"]
    assert run_command_line(words("out", *more, name=f"{name},output=1", steps=4)) == 0
    assert card_of("out")["network"] == "net.py:Stages,range=0..255,output=1"
    word = "net.py:Stages@out/net.safetensors,output=1,range=0..255"
    data = ["--dataset", "pairs", "--data-root", "pairs", "--task", "none"]
    assert run_command_line(["run", *data, "--derainer", word, "--workspace", "w"]) == 0
    capsys.readouterr()
    # Another reading is another training; the same in another order is the same.
    assert run_command_line(words("out", *more, name=f"{name},output=0", steps=4)) == 2
    again = "net.py:Stages,output=1,range=0..255"
    assert run_command_line(words("out", *more, name=again, steps=4)) == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("net.py:build,outputs=1", "unknown parameter 'outputs=1': known are range, channels"),
        ("net.py:build,range=1", "expected range=BLACK..WHITE"),
        ("net.py:build,key=ema", "leave key out"),
        ("net.py:build,scale=2", "it enlarges images"),
        ("net.py:build,output=0+median", "training is of one network"),
        ("net.py:build,channels=bgr,output=0", "returns one tensor: leave output=0 out"),
    ],
)
def test_a_parameter_that_training_cannot_follow_is_one_line(
    name: str, says: str, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words("out", name=name)) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
