"""The examples run, on little data, and print what they promise."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_an_own_network(
    coco_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    photographs = next(p.parent for p in sorted(coco_root.rglob("*.jpg")))
    monkeypatch.setattr(sys, "argv", ["own_network.py", str(photographs)])
    runpy.run_path(str(EXAMPLES / "own_network.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "PSNR-Y [dB]" in told
    assert "mine against rainy: Comparison(difference=" in told
    assert (tmp_path / "own-network" / "report" / "report.html").is_file()


def test_an_own_detector(
    coco_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = next((coco_root / "annotations").glob("*.json"))
    images = next(p.parent for p in sorted(coco_root.rglob("*.jpg")))
    monkeypatch.setattr(sys, "argv", ["own_detector.py", str(labels), str(images)])
    runpy.run_path(str(EXAMPLES / "own_detector.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "AP pooled" in told
    assert "change_low" in told
    assert (tmp_path / "own-detector" / "report" / "results.json").is_file()
