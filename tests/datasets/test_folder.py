"""Any folder of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.folder import by_stem, open_folder
from datasets.marked import mark
from datasets.sample import DatasetError


def test_images_are_found_in_folders_and_through_links(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "b.PNG").touch()
    (tmp_path / "elsewhere" / "notes.txt").touch()
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    (home / "sub" / "a.jpg").touch()
    (home / "linked").symlink_to(tmp_path / "elsewhere")
    (home / "sub" / "round").symlink_to(home)  # must not lead around for ever
    names = [sample.id for sample in open_folder(home, None).samples]
    assert names == ["linked/deep/b.PNG", "sub/a.jpg"]
    assert open_folder(home, "sub").samples[0].id == "a.jpg"


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no image there"):
        open_folder(tmp_path, None)


HEAD = '{"rain": "rain100l", "rain_sha256": "0", "seed": 0}\n'


def test_a_copy_is_data_by_itself_and_beside_other_copies_alone(tmp_path: Path) -> None:
    for name in ("heavy/a.png", "light/deep/b.png", "theirs/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name, head in (("heavy", HEAD), ("light", HEAD), ("theirs", '{"of": "theirs"}\n')):
        (tmp_path / name / "manifest.jsonl").write_text(head)

    def found(split: str | None = None) -> list[str]:
        return [sample.id for sample in open_folder(tmp_path, split).samples]

    assert found() == ["theirs/c.png"]
    assert found("light") == ["deep/b.png"]
    (tmp_path / "theirs" / "c.png").unlink()
    assert found() == ["heavy/a.png", "light/deep/b.png"]


def test_what_the_harness_wrote_is_no_data(tmp_path: Path) -> None:
    for name in ("a.png", "out/plots/b.png", "derain-runs/images/c.png", "out-of-them/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    mark(tmp_path / "out")
    mark(tmp_path / "derain-runs")
    assert [s.id for s in open_folder(tmp_path, None).samples] == ["a.png", "out-of-them/d.png"]
    for split in ("out", "derain-runs"):
        with pytest.raises(DatasetError, match="the harness wrote into this folder"):
            open_folder(tmp_path, split)
    mark(tmp_path)
    with pytest.raises(DatasetError, match=r"name another, or move its results away"):
        by_stem(tmp_path)
