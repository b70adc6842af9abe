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
from reports.findings.robustness import with_robustness
from reports.results.results import Results
from reports.tables.markdown import parts
from tests.reports.made import cost
from tests.reports.test_effects import study


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


def beside_many() -> tuple[Results, Results, Results]:
    """A run, another of thirty derainers and a gate of a name, and both together."""
    rains = {("none", "identity"): 0.6, ("heavy", "identity"): 0.3}
    many = {("heavy", f"d{i:02}"): 0.3 for i in range(30)} | {("heavy", "mygate"): 0.31}
    runs = [
        with_robustness(replace(run, provenance=replace(run.provenance, **told)))
        for run, told in (
            (study(rains | {("heavy", "mine"): 0.3245}), {"data_fingerprint": "same"}),
            (study(rains | many), {"data_fingerprint": "same", "doubts": ("d00: rgb?",)}),
        )
    ]
    took = cost("heavy", "mygate", 0.001, mean_s_per_image=0.007)
    gates = replace(runs[1].provenance, gates={"mygate": "d00"})
    kept = replace(runs[1], cost=[took], provenance=gates)
    return runs[0], kept, beside(runs[0], kept)


def test_gates_and_doubts_come_with_their_derainers() -> None:
    _, kept, both = beside_many()
    assert both.provenance.gates == kept.provenance.gates
    assert [both.seconds(c) for c in both.cost] == [0.007]
    assert "gates" in {part.anchor for part in parts(both)}
    assert both.provenance.doubts == ("d00: rgb?",)


def test_what_follows_from_a_verdict_follows_from_that_among_all() -> None:
    mine, kept, both = beside_many()

    def recovered(run: Results, name: str) -> float | None:
        return next(
            r.value for r in run.records if (r.derainer, r.metric) == (name, "recovery/ap_pooled")
        )

    assert recovered(mine, "mine") == pytest.approx(0.0245 / 0.3)
    assert recovered(both, "mine") is None, "among so many it may be chance"
    cells = [r.cell for r in both.records]
    assert len(set(cells)) == len(cells)
    assert with_robustness(both).records == both.records
    assert {r.derainer for r in both.records} > {r.derainer for r in kept.records}
