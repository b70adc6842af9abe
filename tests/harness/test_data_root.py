"""Folders that are not the data set that was said, and what is named instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.sample import DatasetError
from harness.plan.data import open_dataset
from harness.spec import RunSpec
from tests.miniatures import miniature


def opened(kind: str, root: Path) -> str:
    """What is said of a folder that cannot be opened."""
    with pytest.raises(DatasetError) as refused:
        open_dataset(RunSpec(dataset=kind, data_root=str(root), split="val"))
    return str(refused.value)


@pytest.mark.parametrize("kind", ["bdd100k", "camvid", "coco", "yolo"])
def test_a_folder_one_too_high_names_the_one_below(kind: str, tmp_path: Path) -> None:
    (tmp_path / "above" / "a").mkdir(parents=True)
    inner = miniature(kind, tmp_path / "above" / "inner")
    assert opened(kind, tmp_path / "above").endswith(f"; {inner} looks like it")


def test_a_folder_of_another_kind_names_it(tmp_path: Path) -> None:
    root = miniature("coco", tmp_path / "coco")
    assert opened("cityscapes", root).endswith("; it looks like --dataset coco")
    assert "looks like" not in opened("cityscapes", tmp_path / "coco" / "annotations")
