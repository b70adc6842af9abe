"""Restored images of other names than the rainy ones: paired as two folders are, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.image import encode_png
from derainers.errors import DerainerError
from harness import run
from harness.plan.data import open_dataset
from harness.plan.manifest import restored_files
from harness.scores.restored_images import score_quality, score_restored
from harness.spec import RunSpec

IMAGE = encode_png(np.full((16, 16, 3), 99, np.uint8))
NUMBERED = ("rain-001", "rain-002", "rain-003")
OF_ONE = tuple(f"rainy_image/901_{i}" for i in range(1, 15))


def laid(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.png").write_bytes(IMAGE)
    return root


def found(
    tmp_path: Path, names: tuple[str, ...], restored: tuple[str, ...], **more: object
) -> dict[str, str]:
    root, folder = laid(tmp_path / "set", *names), laid(tmp_path / "res", *restored)
    spec = RunSpec(dataset="pairs", data_root=str(root), **more)  # type: ignore[arg-type]
    files = restored_files(folder, open_dataset(spec))
    return {i: file.path.stem for i, file in files.items()}


BESIDE = (*NUMBERED, *(f"no{name}" for name in NUMBERED))
APART = (*(f"input/{i}_rain" for i in (1, 2, 10)), *(f"target/{i}_clean" for i in (1, 2, 10)))


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (BESIDE, "{}_derained"),
        (BESIDE, "{}-MyNet"),
        (BESIDE, "no{}"),
        (BESIDE, "no{}_derained"),
        (APART, "{}_derained"),
        ((*OF_ONE, "ground_truth/901"), "{}_derained"),
    ],
)
def test_names_pair_as_those_of_two_folders(
    names: tuple[str, ...], pattern: str, limit: int | None, tmp_path: Path
) -> None:
    rainy = [Path(n).name for n in names if not n.startswith(("no", "target", "ground"))]
    pairs = found(tmp_path, names, tuple(pattern.format(n) for n in rainy), limit=limit)
    assert pairs == {n: pattern.format(n) for n in rainy if n in pairs}
    assert len(pairs) == (limit or len(rainy))


def test_a_run_and_both_scores_are_of_the_same_pairs(tmp_path: Path) -> None:
    root = laid(tmp_path / "own", *BESIDE)
    folder = laid(tmp_path / "res", *(f"{name}_derained" for name in NUMBERED))
    clean = laid(tmp_path / "clean", *NUMBERED)
    for i, file in enumerate(sorted(folder.iterdir())):
        file.write_bytes(encode_png(np.full((16, 16, 3), 100 + i, np.uint8)))
    spec = RunSpec(
        **{"dataset": "pairs", "data_root": str(root), "task": ("none",), "quality": ("psnr",)},  # type: ignore[arg-type]
        derainer=(f"a=dir:{folder}",),
        workspace=str(tmp_path / "w"),
    )
    values = [
        next(r.value for r in results.records if r.derainer in ("a", "dir:res"))
        for results in (
            run(spec),
            score_restored(folder, spec),
            score_quality(folder, clean, ("psnr",)),
        )
    ]
    assert values[0] == values[1] == pytest.approx(values[2])


@pytest.mark.parametrize("limit", [None, 1])
def test_one_restored_image_is_not_that_of_many_rainy_ones(
    limit: int | None, tmp_path: Path
) -> None:
    with pytest.raises(
        DerainerError, match=r"no restored image for .*each called as its rainy image"
    ):
        found(tmp_path, (*OF_ONE, "ground_truth/901"), ("901_k",), limit=limit)


def test_a_longer_name_is_not_taken_for_a_shorter_one_that_a_limit_kept(tmp_path: Path) -> None:
    names = ("input/1", "input/1_2", "target/1", "target/1_2")
    limit = {"limit": 1}
    kept = next(iter(found(tmp_path, names, ("1_derained", "1_2_derained"), **limit)))
    other = {"1": "1_2", "1_2": "1"}[kept]
    (tmp_path / "res" / f"{kept}_derained.png").unlink()
    with pytest.raises(DerainerError, match="no restored image for"):
        found(tmp_path, names, (f"{other}_derained",), **limit)


def test_two_that_could_be_one_image_are_refused(tmp_path: Path) -> None:
    both = [f"{name}_{of}" for name in NUMBERED for of in ("A", "B")]
    with pytest.raises(DerainerError, match=r"rain-00\d_A\.png and rain-00\d_B\.png could both be"):
        found(tmp_path, BESIDE, tuple(both))


def test_the_only_image_of_a_folder_is_not_known_to_be_the_rainy_one(tmp_path: Path) -> None:
    with pytest.raises(DerainerError, match="no restored image for"):
        found(tmp_path, ("input/a/1", "target/a/1"), ("a/other",))


SCENES = tuple(f"{side}/{scene}/1" for side in ("input", "target") for scene in ("s1", "s2"))


@pytest.mark.parametrize("restored", ["1", "s1/1", "elsewhere/1"])
def test_one_of_a_stem_that_several_scenes_have_is_not_that_of_the_one_a_limit_kept(
    restored: str, tmp_path: Path
) -> None:
    with pytest.raises(DerainerError, match="could be images s1/1 and s2/1"):
        found(tmp_path, SCENES, (restored,), limit=1)


def test_a_folder_of_links_to_folders_is_seen_through(tmp_path: Path) -> None:
    laid(tmp_path / "far", "s1/1", "s2/1")
    (tmp_path / "res").mkdir()
    for scene in ("s1", "s2"):
        (tmp_path / "res" / scene).symlink_to(tmp_path / "far" / scene)
    (tmp_path / "res" / "again").symlink_to(tmp_path / "res")
    assert found(tmp_path, SCENES, ()) == {"s1/1": "1", "s2/1": "1"}
