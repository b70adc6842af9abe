"""Any folder of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.folder import open_folder
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
