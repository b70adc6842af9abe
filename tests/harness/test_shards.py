"""A run in parts, on several machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import RunSpec, run
from harness.cli import run_command_line
from harness.spec import UsageError, checked
from harness.survey import survey


@pytest.fixture
def spec(coco_root: Path, detector_file: Path, tmp_path: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        model={"detection": str(detector_file)},
        workspace=str(tmp_path / "whole"),
    )


def test_parts_put_together_are_the_whole(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(spec)
    parts = [str(tmp_path / f"part-{i}") for i in range(3)]
    for i, workspace in enumerate(parts):
        part = run(spec.model_copy(update={"shard": f"{i}/3", "workspace": workspace}))
        assert {r.n for r in part.records} == {3 if i < 2 else 2}
    gathered = spec.model_copy(update={"workspace": str(tmp_path / "all")})
    words = ["gather", *parts[:2], "--workspace", gathered.workspace]
    assert run_command_line(words) == 0
    assert sum(cell.todo for cell in survey(gathered)) == 2 * 3
    words = ["gather", *parts, "--workspace", gathered.workspace]
    assert run_command_line(words) == 0
    assert sum(cell.todo for cell in survey(gathered)) == 0
    assert run(gathered).records == whole.records
    capsys.readouterr()
    assert run_command_line(words) == 0
    assert ": 0 rows of 3 workspaces are new" in capsys.readouterr().out


def test_wrong_parts_are_one_line(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("3", "1/0", "-1/2", "a/b", "1/2/3"):
        with pytest.raises(UsageError, match="--shard: String should match"):
            checked(shard=word)
    for word in ("2/2", "0/9"):
        with pytest.raises(UsageError, match="of 8 images there are at most as many parts"):
            run(spec.model_copy(update={"shard": word}))
    assert run_command_line(["gather", str(tmp_path), "--workspace", str(tmp_path / "x")]) == 2
    assert "no ledger there" in capsys.readouterr().err
    assert run_command_line(["gather", str(tmp_path), "--workspace", str(tmp_path)]) == 2
    assert "one of those to gather from" in capsys.readouterr().err
