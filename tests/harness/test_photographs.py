"""Alike images are one group, in whatever gives the numbers, and the page says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import chelsea, coffee

from datasets.image import encode_png
from harness import RunSpec, run
from harness.checks.runs import compare
from harness.scores.photographs import photographs
from harness.scores.restored_images import score_quality
from harness.spec import UsageError
from reports.tables.summary import summary

NOTE = "3 images show 2 photographs: alike ones ({names}) are resampled as one"


def test_groups_that_share_a_photograph_are_put_together() -> None:
    """Drives d and e by images 1 and 3, and f by image 4."""
    found = photographs(list("abcdef"), list("ddeefg"), np.array([0, 1, 2, 1, 1, 5]))
    assert found.units == list("dddddg")
    assert found.notes == (
        "6 images show 4 photographs: alike ones (b and d; b and e) are resampled as one",
    )
    alone = photographs(list("abc"), list("dde"), np.array([0, 0, 2]))
    assert (alone.units, alone.notes) == (list("dde"), ())


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """Two photographs of which one stands twice, another time smaller and as JPEG."""
    folder = tmp_path / "photos"
    folder.mkdir()
    cat = np.ascontiguousarray(chelsea()[:200, :300])
    (folder / "a.png").write_bytes(encode_png(cat))
    (folder / "b.png").write_bytes(encode_png(np.ascontiguousarray(coffee()[:200, :300])))
    smaller = cv2.resize(cat[..., ::-1], (240, 160), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / "c.jpg"), smaller)
    return folder


def test_a_run_counts_photographs_and_says_so(twice: Path, tmp_path: Path) -> None:
    spec = RunSpec(
        dataset="folder",
        data_root=str(twice),
        rain=("photoshop-light",),
        derainer=("median",),
        task=("none",),
        quality=("psnr_y_db",),
        images=False,
        workspace=str(tmp_path / "work"),
    )
    results = run(spec)
    assert results.provenance.groups == 2
    assert results.by_image.units == ("a.png", "b.png", "a.png")
    assert any(NOTE.format(names="a.png and c.jpg") in note for note in summary(results)[2])
    again = run(spec)
    for cell, draws in results.draws.items():
        np.testing.assert_array_equal(again.draws[cell], draws)
    before = replace(results, provenance=replace(results.provenance, groups=None))
    with pytest.raises(UsageError, match="3 and 2 groups of images: make the old one again"):
        compare(before, results)


def test_scored_folders_count_them_too(twice: Path) -> None:
    found = score_quality(twice, twice, ("psnr_y_db",), ("matlab-y",))
    assert found.provenance.groups == 2
    assert found.provenance.data_notes == (NOTE.format(names="a and c"),)
