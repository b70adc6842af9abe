"""Keys of label maps and distances hold how these are read."""

from __future__ import annotations

import functools
import importlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import DATASETS, Sample
from datasets.carla import CarlaDepth
from datasets.cityscapes_labels import decode_label_ids, decode_train_ids
from datasets.depth_files import DepthFile
from datasets.image import encode_depth, encode_png
from datasets.label_png import encode_labels
from harness.machine import code
from harness.plan import keys, stages
from harness.plan.plan import Plan, make_plan
from harness.plan.unit_keys import Entry, Keyring, labels_sha256
from harness.spec import RunSpec

HALF = functools.partial(decode_train_ids, name="half")


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A picture with a label map, read as grey levels, and distances in streetsim's form."""
    names = [tmp_path / name for name in ("a.png", "map.png", "far.png")]
    names[0].write_bytes(encode_png(np.zeros((4, 6, 3), np.uint8)))
    names[1].write_bytes(encode_labels(np.full((4, 6), 7, np.uint8)))
    names[2].write_bytes(encode_depth(np.ones((4, 6), np.float32)))
    return Sample("a", names[0], "a", label_map_path=names[1], depth_path=names[2])


def test_one_file_read_in_two_ways_is_two_label_maps(sample: Sample) -> None:
    ways = [replace(sample, decode_label_map=d) for d in (decode_label_ids, decode_train_ids, HALF)]
    assert [way.label_map()[0, 0] for way in ways[:2]] == [0, 7]
    entries = [Entry.of(way) for way in (sample, *ways)]
    assert len({entry.labels for entry in entries}) == len({e.boxes for e in entries}) == 4
    assert len({labels_sha256([entry], ["semantic"])["semantic"] for entry in entries}) == 4
    assert len({entry.content for entry in entries}) == 1


def test_keys_of_what_is_read_as_usual_are_as_ever(sample: Sample) -> None:
    entry = Entry.of(sample)
    assert sample.label_map_path is not None
    assert sample.depth_path is not None
    label_map, far = map(keys.file_sha256, (sample.label_map_path, sample.depth_path))
    assert entry.labels == keys.key("labels", objects=None, map=label_map)
    assert entry.depth == far
    for stage in ("rainy", "evidence"):
        assert entry.distances(stage) == {"depth": far}
    assert entry.map_source("evidence") == entry.map_source("picture") == {}
    scaled = Entry.of(replace(sample, decode_depth=DepthFile(256.0)))
    named = keys.key("depth", bytes=far, decoder="DepthFile(per_m=256.0)")
    assert scaled.distances("rainy") == {"depth": named}


def test_decoders_are_named_the_same_in_every_process() -> None:
    assert keys.decoder(decode_label_ids) == "datasets.cityscapes_labels.decode_label_ids"
    assert keys.decoder(HALF) == "datasets.cityscapes_labels.decode_train_ids(name='half')"
    assert keys.decoder(CarlaDepth()) == "CarlaDepth()"


def test_frames_of_one_file_are_different_label_maps(bdd100k_root: Path) -> None:
    shutil.rmtree(bdd100k_root / "labels" / "sem_seg" / "masks", ignore_errors=True)
    shutil.rmtree(bdd100k_root / "labels" / "sem_seg" / "colormaps", ignore_errors=True)
    samples = DATASETS["bdd100k"].open(bdd100k_root, "10k/val").samples
    assert {s.label_map_path.suffix for s in samples if s.label_map_path} == {".json"}
    names = [keys.decoder(sample.decode_label_map) for sample in samples]
    assert len(set(names)) == len(samples)
    assert not any(" at 0x" in name for name in names)


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Path]:
    """A copy of our sources."""
    for room in ("harness", "datasets", "derainers", "tasks", "reports"):
        ignored = shutil.ignore_patterns("__pycache__", "weights")
        shutil.copytree(code.ROOT / room, tmp_path / "ours" / room, ignore=ignored)
    code._place_sha256.cache_clear()
    yield tmp_path / "ours"
    code._place_sha256.cache_clear()


def restored(plan: Plan) -> list[str]:
    """The key of each condition's image."""
    entry = Entry.of(plan.dataset.samples[0])
    return [Keyring(plan, condition).of(entry).restored for condition in plan.conditions]


def test_a_decoder_of_distances_decides_the_rain_of_its_data_set_alone(
    maker: Callable[[str], Any], copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = maker("carla").make(tmp_path / "carla")
    asked: dict[str, Any] = {"task": ("none",), "device": "cpu", "derainer": ("identity",)}
    rains = ("none", "physical:rate_mm_h=50", "given")
    of_carla = RunSpec(dataset="carla", data_root=str(root), rain=rains, **asked)
    of_folder = RunSpec(dataset="folder", data_root=str(root / "clean"), rain=rains[:2], **asked)
    carla, folder = make_plan(of_carla, {}), make_plan(of_folder, {})
    content = Entry.of(carla.dataset.samples[0]).content
    before = restored(carla), restored(folder)
    monkeypatch.setattr(code, "ROOT", copied)
    code._place_sha256.cache_clear()
    assert (restored(carla), restored(folder)) == before
    with (copied / "datasets" / "carla.py").open("ab") as file:
        file.write(b"\n# another\n")
    code._place_sha256.cache_clear()
    after = restored(carla)
    assert [one == two for one, two in zip(after, before[0], strict=True)] == [True, False, True]
    assert restored(folder) == before[1]
    assert Entry.of(carla.dataset.samples[0]).content == content


def test_a_decoder_of_an_installed_package_is_named_by_its_source(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "packed_maps.py"
    file.write_text("def decode(data, name):\n    return None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    decode = importlib.import_module("packed_maps").decode
    entry = Entry.of(replace(sample, decode_label_map=decode, decode_depth=decode))
    before = [entry.map_source("evidence"), entry.distances("rainy"), entry.distances("evidence")]
    assert [len(parts) for parts in before] == [1, 2, 2]
    file.write_text("def decode(data, name):\n    return 0\n")
    stages._of_package.cache_clear()  # as in the next process
    after = [entry.map_source("evidence"), entry.distances("rainy"), entry.distances("evidence")]
    assert not any(one == two for one, two in zip(before, after, strict=True))
