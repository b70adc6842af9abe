"""A row of one's own beside those of a finished run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import harness
from datasets.image import encode_png
from harness.cli.main import run_command_line
from reports.beside import beside
from reports.findings.effects import effects
from reports.results.results import Results


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Enough small images to resample."""
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(20):
        levels = np.random.default_rng(i).integers(0, 256, (4, 5, 3), np.uint8)
        (root / f"{i}.png").write_bytes(encode_png(levels.repeat(8, 0).repeat(8, 1)))
    return root


def run(root: Path, derainer: str, out: Path, *more: str) -> Results:
    words = [
        "run",
        "--dataset",
        "folder",
        "--data-root",
        str(root),
        "--task",
        "none",
        "--no-images",
    ]
    words += ["--rain", "rain100h", "--quality", "psnr", "--workspace", str(out.parent / "runs")]
    assert run_command_line([*words, "--derainer", derainer, "--out", str(out), *more]) == 0
    return harness.load(out)


def test_my_row_stands_paired_beside_those_of_others(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = run(photographs, "median", tmp_path / "theirs")
    mine = run(photographs, "twice=median+median", tmp_path / "mine")
    both = tmp_path / "both"
    words = ["report", str(tmp_path / "mine"), "--beside", str(tmp_path / "theirs")]
    assert run_command_line([*words, "--out", str(both)]) == 0
    found = harness.load(both)
    names = ("identity", "median", "twice")
    assert sorted({r.derainer for r in found.records}) == sorted(names)
    for alone in (theirs, mine):
        for effect in effects(alone):
            same = next(e for e in effects(found) if e.condition == effect.condition)
            assert (same.difference, same.ci) == (effect.difference, effect.ci)
            assert same.p_value is not None
            assert same.p_value >= (effect.p_value or 0), "more rows are judged together"
    at = {r.derainer: r for r in found.records if r.metric == "psnr_y_db"}
    change = found.compare(at["median"], at["twice"])
    assert change is not None
    assert change.ci is not None
    assert (both / "results.md").read_text().count("twice") > 1
    assert "beside this run stand" in " ".join(found.provenance.data_notes)

    assert run_command_line(["verify", str(both), "--data-root", str(photographs)]) == 2
    assert "nothing can be verified" in capsys.readouterr().err

    fewer = run(photographs, "median", tmp_path / "fewer", "--limit", "19")
    other = run(photographs, "median", tmp_path / "other", "--seed", "1")
    for kept, said in (
        (fewer, "other images"),
        (other, "another seed"),
        (mine, "holds no derainer"),
        (replace(theirs, records=[replace(r, rain="x") for r in theirs.records]), "no rain"),
        (
            replace(theirs, provenance=replace(theirs.provenance, rains={"rain100h": "0"})),
            "another rain of rain100h",
        ),
        (
            replace(theirs, records=[replace(r, value=(r.value or 0) + 1) for r in theirs.records]),
            "another input",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            beside(mine, kept)
    capsys.readouterr()
    wrong = ["report", str(tmp_path / "mine"), "--beside", str(tmp_path / "fewer")]
    assert run_command_line([*wrong, "--out", str(both)]) == 2
    assert "other images" in capsys.readouterr().err
