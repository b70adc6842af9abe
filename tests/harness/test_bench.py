"""What derainers cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from harness.checks.costs import SizeCost, ratios
from harness.cli.main import run_command_line


@pytest.mark.slow
def test_counts_are_those_of_the_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cost.json"
    command = ["bench", "--derainer", "prn-r,median", "--size", "64x48", "--repeats", "2"]
    assert run_command_line([*command, "--json", str(file)]) == 0
    assert "21,123" in capsys.readouterr().out
    prn_r, median = json.loads(file.read_text())
    # Six stages of 6→32, five times the block of two 32→32, 32→3.
    per_pixel = 6 * 9 * (6 * 32 + 10 * 32 * 32 + 32 * 3)
    assert prn_r["multiply_adds"] == 64 * 48 * per_pixel
    assert prn_r["parameters"] == 21_123
    assert prn_r["peak_memory_bytes"] > 0
    assert all(len(runs) == 2 and min(runs) > 0 for runs in prn_r["seconds"].values())
    assert median["parameters"] == 0
    assert median["multiply_adds"] is None


def test_ratios_stand_beside_the_papers() -> None:
    light, prenet = (
        SizeCost(name, 640, 480, {"1": seconds}, 0, None, 0, None)
        for name, seconds in (("mspfn-light", [1.0, 3.0, 2.0]), ("prenet", [4.0]))
    )
    assert ratios([light, prenet]) == [
        "mspfn-light / prenet at 640x480: 0.50 (1 thread); paper 0.36 (0.08 s / 0.22 s)"
    ]
    assert ratios([light]) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--derainer", "prenett"], "unknown derainer 'prenett' (did you mean prenet?)"),
        (
            ["--derainer", "vrgnet-spa"],
            "python -m harness fetch vrgnet-spa, or give them as vrgnet@",
        ),
        (["--size", "640"], "--size 640: expected WIDTHxHEIGHT"),
        (["--size", "0x9"], "--size 0x9: expected WIDTHxHEIGHT"),
        (["--repeats", "0"], "--repeats 0: at least 1"),
        (["--derainer", "dir:x"], "a folder of images has no cost"),
        (["--derainer", "none.py:f"], "none.py not found"),
    ],
)
def test_bad_words_are_one_line(
    more: list[str],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.plan.derainers.FETCHED", tmp_path)
    assert run_command_line(["bench", *more]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["bench", "--derainer", "prn-r", "--device", "cuda"]) == 2
    benched = capsys.readouterr().err
    assert "--device cuda: torch sees no CUDA device here" in benched
    assert benched.count("\n") == 1
    assert run_command_line(["run", "--dataset", "demo", "--device", "cuda"]) == 2
    assert capsys.readouterr().err == benched


ENDING = """
import os
from torch import nn

class Ends(nn.Module):
    def forward(self, x):
        if x.shape[3] > 71 and x.shape[2] != 71:
            ENDS
        return x
"""


def test_what_was_measured_before_one_fails_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(ENDING.replace("ENDS", "raise SystemExit(0)"))
    words = ["bench", "--derainer", f"median,{tmp_path}/mine.py:Ends", "--size", "96x96"]
    assert run_command_line([*words, "--json", str(tmp_path / "b.json")]) == 2
    said = capsys.readouterr()
    assert "median" in said.out
    assert "SystemExit" in said.err
    assert [row["derainer"] for row in json.loads((tmp_path / "b.json").read_text())] == ["median"]


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        ("os.kill(os.getpid(), 9)", "its process was ended from outside"),
        ("raise SystemExit(0)", "it fails: SystemExit: 0"),
    ],
)
def test_a_process_that_ends_is_one_line(
    ends: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(ENDING.replace("ENDS", ends))
    assert (
        run_command_line(["bench", "--derainer", f"{tmp_path}/mine.py:Ends", "--size", "96x96"])
        == 2
    )
    assert says in capsys.readouterr().err
