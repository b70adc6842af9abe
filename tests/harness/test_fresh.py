"""``run --fresh``: the ledger holds what comes out, or the first difference is named."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import zlib
from pathlib import Path

import numpy as np
import pytest
from command import words

from datasets.image import NDArrayByte, NDArrayFloat
from harness import RunSpec, run
from harness.checks.fresh import audit
from harness.cli.main import run_command_line


@pytest.fixture(scope="module")
def workspace(
    coco_root: Path, detector_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of three images in a ledger."""
    home = tmp_path_factory.mktemp("fresh") / "w"
    assert run_command_line(asked(coco_root, detector_file, home)) == 0
    return home


def asked(coco: Path, detector: Path, workspace: Path, *more: str) -> list[str]:
    return words(coco, detector, workspace, "--limit", "3", "--no-images", "--workers", "1", *more)


def change(workspace: Path, table: str, column: str, value: object, where: str = "1") -> str:
    """Give some rows of a table another value; returns the key of the first."""
    with contextlib.closing(sqlite3.connect(workspace / "ledger.sqlite")) as db:
        rows = db.execute(f"SELECT key, {column} FROM {table} WHERE {where}").fetchall()
        key = next(key for key, held in rows if held != value)
        db.execute(f"UPDATE {table} SET {column} = ? WHERE key = ?", (value, key))
        db.commit()
    return str(key)


def test_the_same_comes_out_again(
    workspace: Path, coco_root: Path, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (workspace / "ledger.sqlite").read_bytes()
    assert run_command_line(asked(coco_root, detector_file, workspace, "--fresh")) == 0
    # Clean, rainy and derained; psnr and ssim of y and rgb, niqe and the detections.
    said = "computed anew: 9 images and 54 measurements are what the ledger held"
    assert said in " ".join(capsys.readouterr().out.split())
    assert (workspace / "ledger.sqlite").read_bytes() == before


def test_more_than_the_ledger_held_is_counted(
    workspace: Path, coco_root: Path, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = asked(coco_root, detector_file, workspace, "--fresh", "--quality", "psnr,ssim,uqi")
    assert run_command_line(more) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "45 measurements are what the ledger held; 9 more it did not hold" in said


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("images", "sha256", "0" * 64, "image is another than the ledger held"),
        ("evidence", "data", zlib.compress(b"[]\n"), "is another than the ledger held"),
        ("evidence", "data", b"damaged", "is another than the ledger held"),
    ],
)
def test_the_first_difference_is_named(
    workspace: Path,
    coco_root: Path,
    detector_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    table: str,
    column: str,
    value: object,
    said: str,
) -> None:
    copy = Path(shutil.copytree(workspace, tmp_path / "w"))
    change(copy, table, column, value)
    assert run_command_line(asked(coco_root, detector_file, copy, "--fresh")) == 1
    told = capsys.readouterr().err
    assert told.startswith("differs: ")
    assert told.count("\n") == 1
    assert said in told
    assert " under none, identity: " in told or " under real-like, " in told


class Own:
    """Does nothing to images, and fails at one of them where a file says so."""

    def __init__(self, folder: Path, digest: str = "names it") -> None:
        self.folder, self.digest = str(folder), digest

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        if (Path(self.folder) / sample_id).exists():
            raise ValueError("not today")
        return image.astype(np.float32) / np.float32(255)


DRAWING = """
import numpy as np


class Noisy:
    def restore(self, image, sample_id):
        return (image / 255 + np.random.random(image.shape) / 255).astype("float32")
"""


def test_code_that_draws_is_found_in_the_ledger(coco_root: Path, tmp_path: Path) -> None:
    (tmp_path / "drawing.py").write_text(DRAWING)
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=(f"{tmp_path}/drawing.py:Noisy",),
        task=("none",),
        limit=2,
        images=False,
        workspace=str(tmp_path / "w"),
    )
    assert not run(spec).errors
    found = audit(spec)
    assert (found.difference, found.unheld, found.new) == (None, (), 0)
    assert found.images == 2 * 3


def test_an_image_that_fails_anew_is_a_difference(coco_root: Path, tmp_path: Path) -> None:
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("identity",),
        task=("none",),
        limit=3,
        images=False,
        workspace=str(tmp_path / "w"),
    )
    own = {"own": Own(tmp_path)}
    sample = run(spec, own).by_image.samples[0]
    assert audit(spec, own).difference is None
    assert audit(spec, own).unheld == ()
    other = {"other": Own(tmp_path, "names another")}
    assert audit(spec, other).unheld == ("real-like, other",)
    (tmp_path / sample).touch()
    said = (
        f"{sample} under real-like, own: image cannot be made anew (derain): not today (test_fresh"
    )
    assert (audit(spec, own).difference or "").startswith(said)


def test_a_workspace_without_the_run_is_one_line(
    workspace: Path,
    coco_root: Path,
    detector_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing = asked(coco_root, detector_file, tmp_path / "none", "--fresh")
    assert run_command_line(nothing) == 2
    assert "no ledger there" in capsys.readouterr().err
    other = asked(coco_root, detector_file, workspace, "--fresh", "--rain", "rain100l")
    both = asked(coco_root, detector_file, workspace, "--fresh", "--dry-run")
    assert run_command_line(both) == 2
    assert "give one of the two" in capsys.readouterr().err
    change_all = Path(shutil.copytree(workspace, tmp_path / "w"))
    with contextlib.closing(sqlite3.connect(change_all / "ledger.sqlite")) as db:
        db.execute("DELETE FROM images")
        db.commit()
    other[other.index(str(workspace))] = str(change_all)
    assert run_command_line(other) == 2
    assert "holds nothing of this run to compare with" in capsys.readouterr().err
