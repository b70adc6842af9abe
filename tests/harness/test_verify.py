"""A results folder is believed only if its images come out again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from signed import sign

from harness import RunSpec, run
from harness.checks.verify import verify
from harness.cli.main import run_command_line
from harness.spec import UsageError


@pytest.fixture(scope="module")
def honest(coco_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what came out."""
    workspace = tmp_path_factory.mktemp("honest")
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        task=("none",),
        workspace=str(workspace),
        out=str(workspace / "out"),
    )
    run(spec)
    return workspace / "out"


@pytest.fixture
def folder(honest: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(honest, tmp_path / "out"))


def test_what_came_out_comes_out_again(
    folder: Path, coco_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = verify(folder, {"data_root": str(coco_root)}, 3)
    assert [(c.rain, c.derainer) for c in checks] == [
        ("none", "identity"),
        ("real-like", "identity"),
        ("real-like", "median"),
    ]
    assert all(c.images == c.same_pixels == 3 and c.holds for c in checks)
    assert all(set(c.largest.values()) == {0.0} for c in checks)
    words = ["verify", str(folder), "--data-root", str(coco_root)]
    assert run_command_line([*words, "--all"]) == 0
    assert "8 of 8" in capsys.readouterr().out


def test_invented_numbers_are_noticed(
    folder: Path, coco_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, *lines = (folder / "images.csv").read_text().splitlines()
    place = head.split(",").index("quality/psnr_y_db")
    for i, line in enumerate(lines):
        cells = line.split(",")
        if cells[3] == "median":
            cells[place] = f"{float(cells[place]) + 0.5:.6g}"
            lines[i] = ",".join(cells)
    (folder / "images.csv").write_text("\n".join([head, *lines]) + "\n")
    with pytest.raises(UsageError, match=r"images\.csv is not the file that results\.json names"):
        verify(folder, {"data_root": str(coco_root)})
    sign(folder)
    words = ["verify", str(folder), "--data-root", str(coco_root), "--images", "2"]
    assert run_command_line(words) == 1
    assert "quality/psnr_y_db" in "".join(capsys.readouterr().out.split())


def test_code_of_a_folder_is_not_run(
    folder: Path, coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads((folder / "results.json").read_text())
    (tmp_path / "evil.py").write_text("raise SystemExit('foreign code')")
    monkeypatch.chdir(tmp_path)
    for key, value in (
        ("derainer", ["evil.py:build"]),
        ("derainer", ["half:median+evil.py:build"]),
        ("model", {"semantic": "evil.py:build"}),
        ("model", {"semantic": "evil.py:build@"}),
        ("model", {"semantic": "evil.py:1"}),
    ):
        changed = {**content, "spec": {**content["spec"], key: value, "task": ["semantic"]}}
        (folder / "results.json").write_text(json.dumps(changed))
        with pytest.raises(UsageError, match=r"asks to run code, .* \(sha256 [0-9a-f]{64}\)"):
            verify(folder, {"data_root": str(coco_root)})


@pytest.mark.parametrize(
    ("key", "value"),
    [("out", "elsewhere"), ("workspace", "elsewhere"), ("address", "10.0.0.1:6379")],
)
def test_a_folder_says_not_where_to_write_or_connect(
    folder: Path, coco_root: Path, key: str, value: str
) -> None:
    content = json.loads((folder / "results.json").read_text())
    content["spec"][key] = value
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=f"sets {key}, .* type --{key}"):
        verify(folder, {"data_root": str(coco_root)})


def test_damaged_folders_are_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no results\.json"):
        verify(tmp_path, {})
    with pytest.raises(UsageError, match="no such folder"):
        verify(folder, {"data_root": "nowhere"})
    (folder / "images.csv").write_text("image,rain\n1,2\n")
    sign(folder)
    with pytest.raises(UsageError, match="damaged results"):
        verify(folder, {})
    (folder / "images.csv").unlink()
    with pytest.raises(UsageError, match=r"no images\.csv"):
        verify(folder, {})
    (folder / "results.json").write_text("[" * 10**5)
    with pytest.raises(UsageError, match="damaged results"):
        verify(folder, {})
