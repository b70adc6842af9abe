"""Means of image quality over few of many images: numbers, but neither intervals nor verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.image import encode_png
from harness import run
from harness.cli.main import run_command_line
from harness.ledger.folder import load
from reports.results.intervals import FEWEST
from reports.tables.answers import answers
from reports.tables.summary import summary

IMAGES = FEWEST + 4


def write(root: Path, rainy: int) -> list[str]:
    """Pairs of which some show rain, and a folder that holds them derained by half."""
    rng = np.random.default_rng(0)
    for i in range(IMAGES):
        clean = rng.integers(60, 190, (32, 32, 3))
        rain = rng.integers(-20, 20, clean.shape) * (i < rainy)
        images = {"pairs/clean": clean, "pairs/rainy": clean + rain, "made": clean + rain // 2}
        for folder, image in images.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            file = root / folder / f"{i:02}.png"
            file.write_bytes(encode_png(image.astype(np.uint8)))
    return ["--dataset", "pairs", "--data-root", str(root / "pairs")]


@pytest.mark.parametrize("rainy", [3, FEWEST])
def test_a_verdict_takes_as_many_images_with_a_value(rainy: int, tmp_path: Path) -> None:
    write(tmp_path, rainy)
    found = run(
        dataset="pairs",
        data_root=str(tmp_path / "pairs"),
        task="none",
        derainer=f"dir:{tmp_path / 'made'}",
        quality=("psnr", "ssim"),
        workspace=str(tmp_path / "workspace"),
    )
    is_enough = rainy == FEWEST
    held = [r for r in found.records if r.metric == "psnr_y_db" and r.value is not None]
    assert [r.n - r.n_identical for r in held] == [rainy, rainy]
    # Intervals of values and of changes are as wide as so few need.
    assert [found.groups(r) for r in held] == [rainy, rainy]
    assert all((r.ci is not None) == (r.cell in found.draws) == is_enough for r in held)
    (answer,) = answers(found)
    said = "Yes: dir:made raises PSNR-Y." if is_enough else "Too little was measured for a verdict"
    assert answer.headline.startswith(said)
    note = "No intervals of PSNR-Y [dB]: fewer than 20 images, or groups of them, have a value."
    assert (note in summary(found)[2]) != is_enough


def test_score_follows_the_same_rule(tmp_path: Path) -> None:
    data = write(tmp_path, 3)
    words = ["score", "--task", "quality", "--restored", str(tmp_path / "made"), *data]
    assert run_command_line([*words, "--quality", "psnr,ssim", "--out", str(tmp_path / "out")]) == 0
    records = {r.metric: r for r in load(tmp_path / "out").records}
    assert records["psnr_y_db"].ci is None
    assert records["ssim_y"].ci is not None
    assert (records["psnr_y_db"].groups, records["ssim_y"].groups) == (3, None)
