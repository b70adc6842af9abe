"""All but its adapter and its trainer works where ultralytics (AGPL-3.0) is absent."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from exports import YOLO, constant_onnx

from datasets.installed import installing
from harness.cli.main import run_command_line

INSTALL = installing("ultralytics")


class Absent:
    """Stands before Python's finders and knows of no ultralytics."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> None:
        if name.partition(".")[0] == "ultralytics":
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


@pytest.fixture(autouse=True)
def _absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "ultralytics" or name.endswith((".ultralytics", ".yolo")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    version = importlib.metadata.version

    def found(name: str) -> str:
        if name == "ultralytics":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", found)
    monkeypatch.chdir(tmp_path)


def test_it_is_hidden() -> None:
    with pytest.raises(ModuleNotFoundError):
        import ultralytics  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        import tasks.models.ultralytics  # noqa: F401


def test_the_default_run_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["run", "--limit", "1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"ultralytics is not installed: {INSTALL} (AGPL-3.0), or give another" in err
    assert "choose --task semantic or --task none" in err


def test_semantic_runs_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--task", "semantic", "--limit", "1", "--derainer", "median", "--out", "out"]
    assert run_command_line(words) == 0
    assert "mIoU" in capsys.readouterr().out
    assert Path("out/results.json").is_file()
    assert not any(name.partition(".")[0] == "ultralytics" for name in sys.modules)


def test_an_exported_detector_runs(coco_root: Path, tmp_path: Path) -> None:
    file = constant_onnx(tmp_path / "net.onnx", [YOLO])
    data = ["--dataset", "coco", "--data-root", str(coco_root), "--limit", "2"]
    words = ["run", *data, "--derainer", "median", "--model", f"detection={file}"]
    assert run_command_line(words) == 0


def test_doctor_and_list_tell_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["doctor"]) == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "all else runs without (AGPL-3.0)" in told
    assert run_command_line(["list", "models"]) == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "ultralytics is not installed" in told
    assert run_command_line(["list", "rains", "--sheet", "sheet.png"]) == 0


def test_training_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["train", "yolo", "--dataset", "streetsim", "--out", "out"]) == 2
    err = capsys.readouterr().err
    assert err == f"error: train yolo: ultralytics is not installed: {INSTALL} (AGPL-3.0)\n"
