"""CamVid: frames, label maps, drives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from datasets import DATASETS, DatasetError
from datasets.image import UnreadableImageError
from datasets.sample import IGNORED

NAMES = "sky building pole road pavement tree sign fence car pedestrian cyclist"


def test_every_class_is_read_and_void_is_ignored(camvid_root: Path) -> None:
    dataset = DATASETS["camvid"].open(camvid_root, "test")
    assert dataset.classes == dict(enumerate(NAMES.split()))
    assert dataset.categories == {}
    assert [s.id for s in dataset.samples] == ["0001TP_008550", "Seq05VD_f00000", "Seq05VD_f00030"]
    assert [s.group for s in dataset.samples] == ["0001TP", "Seq05VD", "Seq05VD"]
    assert dataset.samples[0].attributes == {"drive": "0001TP"}
    for shift, sample in enumerate(dataset.samples):
        labels = sample.label_map()
        assert labels.shape == sample.image().shape[:2]
        assert np.unique(labels).tolist() == [*range(11), IGNORED]
        assert (labels[(44 + shift) % 48] == IGNORED).all()
        assert (labels[16 + shift] == 4).all()


def test_what_is_missing_is_named(camvid_root: Path) -> None:
    for split, asked in ((None, "choose one with --split"), ("night", "--split night")):
        with pytest.raises(DatasetError, match=f"^{asked}: CamVid has the splits train, val, test"):
            DATASETS["camvid"].open(camvid_root, split)
    with pytest.raises(DatasetError, match="train not found: give the folder"):
        DATASETS["camvid"].open(camvid_root / "train", "train")
    (camvid_root / "valannot" / "0016E5_07959.png").unlink()
    with pytest.raises(DatasetError, match=r"0016E5_07959\.png not found: add the label map"):
        DATASETS["camvid"].open(camvid_root, "val")


def test_a_pixel_of_no_class_is_named(camvid_root: Path) -> None:
    file = camvid_root / "valannot" / "0016E5_07959.png"
    Image.fromarray(np.full((48, 64), 12, np.uint8)).save(file)
    (sample,) = DATASETS["camvid"].open(camvid_root, "val").samples
    with pytest.raises(
        UnreadableImageError, match=r"0016E5_07959\.png: pixel 12 is none of CamVid's"
    ):
        sample.label_map()


def test_a_copy_takes_its_label_maps_along(camvid_root: Path, tmp_path: Path) -> None:
    dataset = DATASETS["camvid"].open(camvid_root, "test").limited(2)
    export = dataset.export_labels
    assert export is not None
    places = {
        s.id: PurePosixPath(s.path.relative_to(camvid_root).as_posix()) for s in dataset.samples
    }
    export(tmp_path / "copy", places)
    copied = sorted(f.stem for f in (tmp_path / "copy" / "testannot").iterdir())
    assert copied == sorted(places)


@pytest.mark.data
def test_the_real_set_has_its_known_size(data: Path) -> None:
    sizes = {}
    for split in ("train", "val", "test"):
        dataset = DATASETS["camvid"].open(data / "camvid", split)
        sizes[split] = len(dataset.samples)
        groups = Counter(s.group for s in dataset.samples)
        assert set(groups) <= {"0001TP", "0006R0", "0016E5", "Seq05VD"}
        for sample in dataset.limited(5).samples:
            assert sample.label_map().shape == (360, 480) == sample.image().shape[:2]
    assert sizes == {"train": 367, "val": 101, "test": 233}
