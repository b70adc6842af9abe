"""Distances of a data set reach the rain, and the keys of what it made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.image import decode, encode_depth
from datasets.rain import PhysicalRain, generator
from datasets.streetsim import files
from harness.plan import keys
from harness.plan.data import open_dataset, root_of
from harness.plan.unit_keys import Entry
from harness.runs.rainy_copy import Recipe, synthesize
from harness.spec import RunSpec


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """Two small scenes."""
    monkeypatch.setitem(files.COUNTS, "demo", 2)
    monkeypatch.setitem(files.SIZES, "demo", (96, 64))
    return RunSpec(dataset="streetsim", data_root=str(tmp_path / "root"))


def test_a_copy_is_rained_on_at_its_true_distances(spec: RunSpec, tmp_path: Path) -> None:
    dataset, rain = open_dataset(spec), PhysicalRain(rate_mm_h=100)
    synthesize(dataset, root_of(spec), Recipe("physical", rain), tmp_path / "copy")
    for sample in dataset.samples:
        file = tmp_path / "copy" / files.tree_name() / "images" / "demo" / sample.path.name
        made = [
            rain.render(sample.image(), generator(0, rain, sample.id), depth).image
            for depth in (sample.depth_m(), None)
        ]
        assert np.array_equal(decode(file.read_bytes(), file.name), made[0])
        assert not np.array_equal(made[0], made[1])


def test_keys_tell_depths_apart_and_are_as_ever_without(spec: RunSpec, tmp_path: Path) -> None:
    sample = open_dataset(spec).samples[0]
    entry, bare = Entry.of(sample), Entry.of(replace(sample, depth_path=None))
    other = tmp_path / "other.png"
    other.write_bytes(encode_depth(np.ones((64, 96), np.float32)))
    assert (
        len({entry.content, bare.content, Entry.of(replace(sample, depth_path=other)).content}) == 3
    )
    assert entry.image == bare.image
    assert bare.content == keys.key("content", image=bare.image, labels=bare.labels, rainy=None)
