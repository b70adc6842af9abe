"""A workspace before, after and cleared: what a run would do, and what may be freed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.image import encode_png
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.ledger.gc import free
from harness.runs.dry_run import PNG_BYTES_PER_PIXEL, survey
from harness.spec import UsageError


@pytest.fixture
def spec(coco_root: Path, tmp_path: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        task=("none",),
        workspace=str(tmp_path / "runs"),
    )


def test_a_dry_run_counts_and_touches_nothing(
    spec: RunSpec, coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = survey(spec)
    assert [(c.rain, c.derainer, c.done, c.todo) for c in cells] == [
        ("none", "identity", 0, 8),
        ("real-like", "identity", 0, 8),
        ("real-like", "median", 0, 8),
    ]
    assert [c.seconds for c in cells] == [0, 0, None]
    assert cells[0].cached_bytes == 0 < cells[2].cached_bytes
    assert not (tmp_path / "runs").exists()
    run(spec.model_copy(update={"limit": 3}))
    cells = survey(spec)
    assert [(c.done, c.todo) for c in cells] == [(3, 5)] * 3
    assert cells[2].seconds is not None
    assert 0 < cells[2].seconds < 60
    for rains in (("real-like", "photoshop-heavy"), ("photoshop-heavy", "real-like")):
        times = [c.seconds for c in survey(spec.model_copy(update={"rain": rains}))]
        assert None not in times
    words = ["run", "--dataset", "coco", "--data-root", str(coco_root), "--derainer", "median"]
    words += ["--task", "none", "--workspace", spec.workspace]
    assert run_command_line([*words, "--dry-run"]) == 0
    assert "15 images to compute" in capsys.readouterr().out


def test_a_dry_run_of_other_images_takes_a_derainer_s_times_by_their_pixels(
    spec: RunSpec, tmp_path: Path
) -> None:
    """As the newest run that tells them has them, of this number format alone."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(encode_png(np.zeros((240, 320, 3), np.uint8)))
    asked = {"dataset": "folder", "data_root": str(photos), "rain": ("photoshop-heavy",)}
    (cost,) = run(spec.model_copy(update={"limit": 3})).cost
    *_, cell = survey(spec.model_copy(update=asked))
    assert cell.seconds == pytest.approx(4 * cost.median_s_per_image)
    for words in ({"derainer": ("identity", "half:median+median")}, {"dtype": "bf16"}):
        assert survey(spec.model_copy(update={**asked, **words}))[-1].seconds is None


def test_a_dry_run_of_predictions_to_save_makes_no_file(spec: RunSpec, tmp_path: Path) -> None:
    run(spec.model_copy(update={"limit": 1}))
    asked = {"dataset": "streetsim", "data_root": None, "task": ("semantic",), "limit": 1}
    saved = {"save": ("predictions",), "out": str(tmp_path / "out")}
    survey(spec.model_copy(update={**asked, **saved}))
    assert not (tmp_path / "runs" / "predictions").exists()


def test_how_many_were_in_work_is_told_of_the_run_that_took_the_time(spec: RunSpec) -> None:
    def told(**words: Any) -> set[int | None]:
        return {cost.workers for cost in run(spec.model_copy(update=words)).cost}

    assert told(workers=2, limit=3) == {2}
    assert told(workers=1, limit=3) == {2}
    assert told(workers=1, limit=4) == {None}


def test_a_dry_run_leaves_a_damaged_image_to_the_run(spec: RunSpec, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(b"no picture")
    asked = {"dataset": "folder", "data_root": str(photos), "rain": ("photoshop-heavy",)}
    folder = spec.model_copy(update=asked)
    assert [(c.todo, c.cached_bytes) for c in survey(folder)] == [(1, 0)] * 3
    (photos / "b.png").write_bytes(encode_png(np.zeros((10, 20, 3), np.uint8)))
    assert [c.cached_bytes for c in survey(folder)] == [0, 0, round(2 * 200 * PNG_BYTES_PER_PIXEL)]
    assert [error.sample for error in run(folder).errors] == ["a.png"]


def test_images_go_and_records_stay(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run(spec)
    pictures = sorted((tmp_path / "runs" / "images").rglob("*.png"))
    assert len(pictures) == 8
    for i, file in enumerate(pictures):
        os.utime(file, (time.time() - 86400 * (10 - i),) * 2)
    freed = free(tmp_path / "runs", older_than_days=6.5)
    assert freed.files == 4
    assert [file.exists() for file in pictures] == [False] * 4 + [True] * 4
    kept = sum(file.stat().st_size for file in pictures[4:])
    assert freed.kept_bytes >= kept
    assert run_command_line(["gc", str(tmp_path / "runs"), "--keep-gb", "1"]) == 0
    assert capsys.readouterr().out.startswith("0 files removed")
    assert run_command_line(["gc", str(tmp_path / "runs")]) == 0
    assert not any(file.exists() for file in pictures)
    assert run(spec).records == before.records
    assert run_command_line(["gc", str(tmp_path)]) == 2
    assert run_command_line(["gc", str(tmp_path / "runs"), "--keep-gb", "nan"]) == 2
    with pytest.raises(UsageError, match="no ledger there"):
        free(tmp_path)


def test_the_doctor_tells_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["doctor", "--workspace", str(tmp_path / "absent")]) == 0
    shown = capsys.readouterr().out
    assert "derainer granet" in shown
    assert "GB free" in shown
    assert not (tmp_path / "absent").exists()
