"""Boxes of YOLO's lines that are no centres and sizes: they scored near 0 without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import Dataset, DatasetError
from datasets.check import check
from datasets.yolo import open_yolo

Form = Callable[[float, float, float, float], tuple[float, ...]]
"""What is written of left, top, right and bottom in shares."""
CENTRES: Form = lambda x1, y1, x2, y2: ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)  # noqa: E731
CORNERS: Form = lambda *box: box  # noqa: E731
SIZES: Form = lambda x1, y1, x2, y2: (x1, y1, x2 - x1, y2 - y1)  # noqa: E731


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Form], Path]:
    """Writes a set of four images with five boxes each, large ones at the borders among them."""

    def made(form: Form) -> Path:
        rng = np.random.default_rng(0)
        for folder in ("images", "labels"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "classes.txt").write_text("car\n")
        for name in "abcd":
            Image.new("RGB", (64, 48), "grey").save(tmp_path / f"images/{name}.png")
            first = rng.uniform(0, 0.5, (5, 2))
            last = first + rng.uniform(0.2, 0.5, (5, 2))
            first[0], last[1] = 0, 1
            rows = [form(*box) for box in np.hstack([first, last]).tolist()]
            lines = [" ".join(["0", *(f"{v:.4f}" for v in row)]) for row in rows]
            (tmp_path / f"labels/{name}.txt").write_text("\n".join(lines))
        return tmp_path

    return made


def opened(root: Path) -> Dataset:
    return open_yolo(root, None)


def test_corners_are_refused(written: Callable[[Form], Path]) -> None:
    assert opened(written(CENTRES)).notes == ()
    root = written(CORNERS)
    says = r"\d+ of 20 boxes reach beyond .* none does if they are corners x1 y1 x2 y2: write their"
    with pytest.raises(DatasetError, match=says):
        opened(root)
    assert any("corners x1 y1 x2 y2" in f.text for f in check("yolo", root, None).findings)


def test_left_and_top_in_the_place_of_centres_are_told(written: Callable[[Form], Path]) -> None:
    (note,) = opened(written(SIZES)).notes
    assert "0 if they are left, top, width and height: are they centres, widths and" in note


def test_settings_beside_the_head_are_passed_over(written: Callable[[Form], Path]) -> None:
    root = written(CENTRES)
    (root / "classes.txt").unlink()
    (root / "args.yaml").write_text("lr0: 0.01\n")
    with pytest.raises(DatasetError, match=r"args\.yaml: the key 'names' is missing"):
        opened(root)
    (root / "mine.yaml").write_text("names: [car]\n")
    assert opened(root).categories == {0: "car"}
    (root / "data.yaml").write_text("lr0: 0.01\n")
    with pytest.raises(DatasetError, match=r"data\.yaml: the key 'names' is missing"):
        opened(root)


def test_label_files_without_an_image_are_told(written: Callable[[Form], Path]) -> None:
    root = written(CENTRES)
    for name in ("a", "b"):
        (root / f"images/{name}.png").unlink()
    (root / "labels/classes.txt").write_text("car\n")
    (root / "labels/list.txt").write_text("images/c.png\n")
    assert opened(root).notes == ("2 label files have no image, a.txt: is it missing?",)
    assert [sample.id for sample in opened(root).samples] == ["c", "d"]
