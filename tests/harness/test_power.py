"""How many images a change needs, said before a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import norm

from harness.cli.main import run_command_line
from harness.runs.power import OF_PHOTOGRAPHS, images_needed, paired_deviation
from reports.results.intervals import FEWEST
from tests.reports.test_effects import CELLS, study


def test_the_textbook_number_where_images_are_many() -> None:
    """One derainer, two-sided 5 %: (1.960 + 0.842)² (sd / change)²; seven split the level."""
    for family in (1, 7):
        z = norm.ppf(1 - 0.025 / family) + norm.ppf(0.8)
        assert images_needed(0.4, 0.01, family) == pytest.approx((z * 40) ** 2, rel=0.05)
    assert images_needed(0.01, 0.5, 1) == FEWEST
    assert images_needed(1.0, 1e-6, 1) is None


def test_a_dry_run_says_what_a_change_needs(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--dataset", "coco", "--data-root", str(coco_root), "--task", "none"]
    words += ["--derainer", "median,guided", "--workspace", str(tmp_path), "--quality", "psnr"]
    assert run_command_line([*words, "--dry-run", "--power", "0.2"]) == 0
    needed = images_needed(OF_PHOTOGRAPHS["psnr_y_db"], 0.2, 2)
    said = capsys.readouterr().out
    assert f"80 % of studies of {needed:,} images show it" in said
    assert "among 2 derainers" in said
    assert run_command_line([*words, "--power", "0.2"]) == 2
    assert "--dry-run" in capsys.readouterr().err
    assert run_command_line([*words, "--dry-run", "--power", "-1"]) == 2
    assert "above 0" in capsys.readouterr().err


def test_a_pilot_says_how_much_a_change_varies() -> None:
    """Its draws have a deviation of 0.01 at 100 images, so one image's is 0.1."""
    assert paired_deviation(study(CELLS), "detection", "ap_pooled") == pytest.approx(0.1, rel=0.06)
    assert paired_deviation(study(CELLS), "semantic", "miou") is None
    assert paired_deviation(study(CELLS, groups=19), "detection", "ap_pooled") is None
