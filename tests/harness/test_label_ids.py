"""Cityscapes' predicted label maps: written as label ids, scored from these or from train ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import DATASETS, DatasetError
from datasets.cityscapes_labels import TRAIN_IDS
from datasets.label_ids import are_label_ids
from datasets.label_png import decode_labels, encode_labels
from harness import RunSpec, run
from harness.scores.predictions import score_predictions
from tasks.task import TaskError

FACTORY = """
import numpy as np
from datasets.class_png import CLASSES

def build():
    def find(image):
        labels = np.full(image.shape[:2], find.names.index("caravan"))
        labels[:30], labels[30:45], labels[45:50, 20:60], labels[50:55] = 10, 0, 13, 8
        return labels

    find.names = [*CLASSES, "caravan"]
    return find
"""
WRITTEN = {0: "caravan", 7: "road", 21: "vegetation", 23: "sky", 26: "car"}


@pytest.fixture
def root(tmp_path: Path, maker: Callable[[str], Any]) -> Path:
    made: Path = maker("cityscapes").make(tmp_path / "data")
    return made


def spec(root: Path, tmp_path: Path, **more: Any) -> RunSpec:
    (tmp_path / "mine.py").write_text(FACTORY)
    words = {"dataset": "cityscapes", "data_root": str(root), "split": "val", "task": "semantic"}
    return RunSpec.model_validate(
        {**words, "quality": "none", "workspace": str(tmp_path / "runs"), **more}
    )


def test_acdc_has_label_ids_too_and_no_other_set(
    maker: Callable[[str], Any], tmp_path: Path
) -> None:
    acdc = DATASETS["cityscapes"].open(maker("cityscapes").make_acdc(tmp_path / "acdc"), "val")
    assert are_label_ids(acdc)
    assert not are_label_ids(DATASETS["carla"].open(maker("carla").make(tmp_path / "c"), None))


def test_label_maps_are_written_as_label_ids_and_scored_in_either_form(
    root: Path, tmp_path: Path
) -> None:
    out, model = tmp_path / "out", {"semantic": (f"{tmp_path / 'mine.py'}:build",)}
    how = {"derainer": ("identity",), "rain": ("rain100l",), "save": ("predictions",)}
    results = run(spec(root, tmp_path, model=model, out=str(out), **how))
    folder = out / "predictions" / "none" / "identity" / "semantic"
    files = sorted(folder.iterdir())
    maps = [decode_labels(file.read_bytes(), file.name) for file in files]
    assert all(np.unique(labels).tolist() == [*WRITTEN] for labels in maps)
    expected = results.value("none", "identity", "semantic", "miou").value
    again = score_predictions(folder, spec(root, tmp_path))
    assert again.records[0].value is not None
    assert expected in [r.value for r in again.records if r.metric == "miou"]
    for file, labels in zip(files, maps, strict=True):
        file.write_bytes(encode_labels(TRAIN_IDS[labels]))
    trained = score_predictions(folder, spec(root, tmp_path))
    assert [r.value for r in trained.records] == [r.value for r in again.records]
    files[0].write_bytes(encode_labels(maps[0]))
    with pytest.raises(DatasetError, match=r"has label ids, that of .* train ids: write one kind"):
        score_predictions(folder, spec(root, tmp_path))
    for file, labels in zip(files, maps, strict=True):
        file.write_bytes(encode_labels(np.where(labels > 7, 7, labels)))
    with pytest.raises(DatasetError, match="label ids and train ids alike"):
        score_predictions(folder, spec(root, tmp_path))
    files[0].write_bytes(encode_labels(np.full_like(maps[0], 34)))
    with pytest.raises(TaskError, match="hold 34, which is no class of the data set"):
        score_predictions(folder, spec(root, tmp_path))


def test_truth_in_train_ids_is_called_so_before_it_scores(root: Path, tmp_path: Path) -> None:
    dataset = DATASETS["cityscapes"].open(root, "val")
    folder = tmp_path / "found"
    folder.mkdir()
    for sample in dataset.samples:
        assert sample.label_map_path is not None
        labels = encode_labels(sample.label_map())
        sample.label_map_path.write_bytes(labels)
        (folder / f"{sample.path.stem}.png").write_bytes(labels)
    with pytest.raises(DatasetError, match="call them labelTrainIds"):
        score_predictions(folder, spec(root, tmp_path))
    model = {"semantic": (f"{tmp_path / 'mine.py'}:build",)}
    with pytest.raises(DatasetError, match="call them labelTrainIds"):
        run(spec(root, tmp_path, model=model, derainer=("identity",), rain=("rain100l",)))
    for file in (root / "gtFine").rglob("*_labelIds.png"):
        file.rename(file.with_name(file.name.replace("labelIds", "labelTrainIds")))
    scores = score_predictions(folder, spec(root, tmp_path)).records
    assert [r.value for r in scores if r.metric == "miou"] == [1]
