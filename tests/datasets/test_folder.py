"""Any folder of images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets import DATASETS
from datasets.check import check
from datasets.folder import by_stem, open_folder
from datasets.marked import mark
from datasets.sample import DatasetError
from derainers.errors import DerainerError
from derainers.folder import paired
from derainers.shards import shards


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


def test_what_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that leads nowhere is an image that fails, not one fewer; so is a closed folder."""
    for side in ("rainy", "clean"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.png").touch()
        (tmp_path / side / "b.png").symlink_to(tmp_path / "gone.png")
        (tmp_path / side / "folder.png").mkdir()
    names = [sample.id for sample in open_folder(tmp_path, None).samples]
    assert names == ["clean/a.png", "clean/b.png", "rainy/a.png", "rainy/b.png"]
    assert [sample.id for sample in DATASETS["pairs"].open(tmp_path, None).samples] == ["a", "b"]

    def closed(folder: str) -> Any:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr("os.scandir", closed)
    with pytest.raises(PermissionError):
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


def litter(root: Path) -> None:
    """Puts beside all files what desktops, shares and notebooks put there."""
    for file in [f for f in root.rglob("*") if f.is_file()]:
        (file.parent / f"._{file.name}").write_bytes(b"\0\5\26\7")
        for folder in (".ipynb_checkpoints", "@eaDir"):
            (file.parent / folder).mkdir(exist_ok=True)
            shutil.copy(file, file.parent / folder)
    shutil.copytree(root, root.parent / "copied")
    (root.parent / "copied").rename(root / ".Trash-1000")


def laid_out(case: str, maker: Callable[[str], Any], root: Path) -> None:
    """Makes a small data set."""
    if case == "acdc":
        maker("cityscapes").make_acdc(root)
        return
    of_photographs = case in ("folder", "pairs", "side by side", "voc")
    made = maker("voc" if of_photographs else case).make(root.parent / "made")
    if case == "pairs":
        for side in ("gt", "input"):
            shutil.copytree(made / "JPEGImages", root / side)
    elif of_photographs:
        shutil.copytree(made / "JPEGImages", root)
    else:
        made.rename(root)
    if case == "voc":
        shutil.copytree(made / "Annotations", root, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("case", "name", "split", "options"),
    [
        ("folder", "folder", None, {}),
        ("pairs", "pairs", None, {}),
        ("side by side", "pairs", None, {"pair": "clean-left"}),
        ("coco", "coco", None, {}),
        ("yolo", "yolo", None, {}),
        ("voc", "voc", None, {}),
        ("cityscapes", "cityscapes", None, {}),
        ("acdc", "cityscapes", None, {}),
        ("bdd100k", "bdd100k", "10k/val", {}),
        ("camvid", "camvid", "test", {}),
        ("carla", "carla", None, {}),
    ],
)
def test_hidden_files_are_no_data(
    case: str,
    name: str,
    split: str | None,
    options: dict[str, str],
    maker: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    root = tmp_path / "set"
    laid_out(case, maker, root)

    def opened() -> tuple[list[str], list[str]]:
        samples = DATASETS[name].open(root, split, **options).samples
        findings = [] if options else check(name, root, split).findings
        return [sample.id for sample in samples], [finding.text for finding in findings]

    plain = opened()
    litter(root)
    assert opened() == plain


def test_hidden_files_are_nobodys_restored_images_and_weights(tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "sub").mkdir(parents=True)
    for name in ("sub/a.png", "model.safetensors"):
        (root / name).touch()
    litter(root)
    assert paired(root, {"a": Path("a.png")}) == {"a": root / "sub" / "a.png"}
    with pytest.raises(DerainerError, match=r"no restored image for \._a"):
        paired(root, {"._a": Path("._a.png")})
    (root / "model.safetensors").rename(root / "mine.safetensors")
    assert shards(root) == [root / "mine.safetensors"]
