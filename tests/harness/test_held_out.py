"""What a derainer's training keeps for its validation: whole groups, by their names' sha256."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.image import encode_png
from datasets.pairs import open_pairs
from datasets.sample import Dataset, Sample
from derainers.training.recipes import own
from harness.plan.data import open_splits
from harness.spec import RunSpec
from harness.training.photographs import Held, choose, left_out


def samples(groups: Sequence[str]) -> Dataset:
    """Images that are read by nobody, each with its group."""
    return Dataset("d", "all", [Sample(f"{n:03}", Path("x"), g) for n, g in enumerate(groups)])


def test_rainy_images_of_one_clean_image_are_not_parted(tmp_path: Path) -> None:
    for folder in ("input", "target"):
        (tmp_path / folder).mkdir()
    for scene in range(1, 5):
        image = np.full((100, 100, 3), 40 * scene, np.uint8)
        (tmp_path / "target" / f"{scene}.png").write_bytes(encode_png(image))
        for rain in range(1, 5):
            file = tmp_path / "input" / f"{scene}_{rain}.png"
            file.write_bytes(encode_png(image + rain))
    found = choose(open_pairs(tmp_path, None), own(), [], brings_rain=True)
    assert len(found.validation) == 4
    assert len(found.training) == 12
    assert not {s.path for s in found.training} & {s.path for s in found.validation}


@pytest.mark.parametrize("count", [4, 7, 20, 200])
def test_without_groups_the_smallest_names_are_kept_as_ever(count: int) -> None:
    dataset = samples([f"{n:03}" for n in range(count)])
    learned, judged = Held().among(dataset)
    assert judged == dataset.limited(max(1, min(16, count // 8))).samples
    assert [s for s in dataset.samples if s not in judged] == learned


def test_so_many_groups_and_images_are_kept_at_most() -> None:
    dataset = samples([f"clean {n % 900}" for n in range(12_600)])
    learned, judged = Held().among(dataset)
    assert len({s.group for s in judged}) > 8
    assert (len(judged), len(learned)) == (16, 12_600 - 16 * 14)
    assert not {s.group for s in judged} & {s.group for s in learned}


def test_a_group_of_more_than_half_is_learned_from() -> None:
    dataset = samples(["drive"] * 30 + ["other"] * 5)
    learned, judged = Held().among(dataset)
    assert {s.group for s in judged} == {"other"}
    assert len(learned) == 30


def test_of_one_group_alone_single_images_are_kept_and_it_is_said(tmp_path: Path) -> None:
    for n in range(8):
        image = np.full((100, 100, 3), 20 * n, np.uint8)
        (tmp_path / f"{n}.png").write_bytes(encode_png(image))
    files = [Sample(str(n), tmp_path / f"{n}.png", "drive") for n in range(8)]
    dataset = Dataset("d", "all", files)
    found = choose(dataset, own(), [])
    assert list(found.validation) == list(dataset.limited(1).samples)
    assert any(
        "the validation shows scenes that are learned from" in x for x in left_out(found, [])
    )
    apart = choose(replace(dataset, samples=[replace(s, group=s.id) for s in files]), own(), [])
    assert len(left_out(apart, [])) == 1


def test_images_of_one_name_in_two_splits_are_two(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for n in range(2):
            (tmp_path / split / f"{n}.png").write_bytes(encode_png(np.zeros((9, 9, 3), np.uint8)))
    spec = RunSpec(dataset="folder", data_root=str(tmp_path), split="train+val")
    assert all(s.group == s.id for s in open_splits(spec).samples)
