"""Label maps as files: each image has its own, and gets it back."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from datasets.image import encode_png
from datasets.sample import Sample
from tasks.label_maps import read_label_maps, write_label_maps
from tasks.task import TaskError
from tests.miniatures import packed_png

CLASSES = {i: str(i) for i in range(8)}
NAMES = ("a/0001.png", "b/0001.png", "b/0002.png", "c/X.png", "c/x.png")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Pictures of which two share a stem, and two do where case says nothing."""
    found = []
    for name in NAMES:
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode_png(np.zeros((4, 6, 3), np.uint8)))
        found.append(Sample(name, file, name))
    return found


def written(folder: Path, samples: list[Sample], first: int = 0) -> list[str]:
    """Writes maps of one class each, and gives the names of the files."""
    maps = [np.full((4, 6), first + i, np.uint8) for i in range(len(samples))]
    write_label_maps(folder, zip(samples, maps, strict=True))
    return sorted(file.name for file in (folder / "semantic").iterdir())


def read(folder: Path, samples: list[Sample], whole: list[Sample]) -> dict[str, list[int]]:
    found = read_label_maps(folder / "semantic", samples, whole, CLASSES)
    return {i: np.unique(labels).tolist() for i, labels in found.items()}


def test_images_of_one_stem_have_files_of_their_own(tmp_path: Path, samples: list[Sample]) -> None:
    names = written(tmp_path, samples)
    (tmp_path / "semantic" / "._a.png").write_bytes(b"of a file server")
    assert [name.partition("-")[0] for name in names] == ["0001", "0001", "0002.png", "X", "x"]
    assert read(tmp_path, samples, samples) == {name: [i] for i, name in enumerate(NAMES)}
    assert read(tmp_path, samples[2:3], samples) == {NAMES[2]: [2]}


def test_of_some_images_those_alone_are_told_apart(tmp_path: Path, samples: list[Sample]) -> None:
    assert written(tmp_path, samples[1:3], 5) == ["0001.png", "0002.png"]
    assert read(tmp_path, samples[1:3], samples) == {NAMES[1]: [5], NAMES[2]: [6]}
    says = r"0001\.png could be of a/0001\.png or b/0001\.png: call that of .* 0001-\w{8}\.png, "
    with pytest.raises(TaskError, match=says):  # 0002.png is of the whole set
        read(tmp_path, samples[1:2], samples)


def test_a_long_name_needs_no_longer_one(tmp_path: Path, samples: list[Sample]) -> None:
    long = tmp_path / "photos" / f"{'n' * 251}.png"
    assert written(tmp_path, [Sample("n", long, "n")]) == [long.name]


def test_accents_are_the_same_however_they_are_coded(tmp_path: Path, samples: list[Sample]) -> None:
    nfc, nfd = (unicodedata.normalize(form, "café.png") for form in ("NFC", "NFD"))
    photograph = samples[0].path.rename(tmp_path / "photos" / nfd)
    written(tmp_path, [Sample(nfc, photograph.with_name(nfc), nfc)])
    assert read(tmp_path, [Sample("a", photograph, "a")], [Sample("a", photograph, "a")])


def test_a_map_of_few_classes_in_few_bits_is_scored_as_it_is(
    tmp_path: Path, samples: list[Sample]
) -> None:
    (tmp_path / "semantic").mkdir()
    values = np.array([[0, 1, 2, 3, 1, 2]] * 4, np.uint8)
    (tmp_path / "semantic" / "0002.png").write_bytes(packed_png(values, 4, 0))
    found = read_label_maps(tmp_path / "semantic", samples[2:3], samples, CLASSES)
    assert np.array_equal(found[NAMES[2]], values)
