"""Rendered streets: the same bytes everywhere, labels that are what the picture shows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from datasets import DATASETS, masks
from datasets.image import UnreadableImageError, decode, decode_depth, encode_depth
from datasets.rain import PhysicalRain
from datasets.sample import DatasetError
from datasets.streetsim import VERSION, Scene, files, render
from datasets.streetsim import scene as scenes
from datasets.streetsim.canvas import FIRST_OBJECT, SCALE, Canvas
from datasets.streetsim.classes import CATEGORIES, CLASSES, ROAD, SKY

SMALL = (160, 120)
DEMO = (320, 240)
GOLDEN = {1: "f7e37123f027befd"}
"""First digits of sha256 over `sha256` of three scenes by VERSION; other bytes need a new one."""


@cache
def scene(index: int, split: str = "test", size: tuple[int, int] = SMALL) -> Scene:
    return render(split, index, size)


def sha256(one: Scene) -> str:
    h = hashlib.sha256()
    for part in (one.image, one.label_map, one.depth_m):
        h.update(part.tobytes())
    h.update(one.annotations.sha256().encode())
    h.update(json.dumps(dict(one.attributes), sort_keys=True).encode())
    return h.hexdigest()


def sha256_of_demo(count: int) -> str:
    text = "".join(sha256(render("demo", i, DEMO)) for i in range(count))
    return hashlib.sha256(text.encode()).hexdigest()


def test_bytes_are_golden() -> None:
    text = "".join(sha256(scene(i)) for i in range(3))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == GOLDEN[VERSION]


@pytest.mark.parametrize("count", [3, pytest.param(24, marks=pytest.mark.slow)])
def test_bytes_do_not_depend_on_processor_features(count: int) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/datasets');"
        "from test_streetsim import sha256_of_demo;"
        f"print(sha256_of_demo({count}))"
    )
    plain = {
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENCV_IPP": "disabled",
        "OPENCV_CPU_DISABLE": "AVX,AVX2,AVX512-SKX,FP16,SSE4.2",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == sha256_of_demo(count)


@pytest.mark.parametrize("index", range(8))
def test_boxes_areas_and_classes_are_those_of_the_masks(index: int) -> None:
    one = scene(index)
    labels = one.annotations
    taken = np.zeros(one.label_map.shape, bool)
    for i, mask in enumerate(labels.masks):
        pixels = masks.decode(mask)
        rows, columns = np.nonzero(pixels)
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert tuple(labels.boxes_xyxy_px[i]) == box
        assert labels.areas_px2[i] == len(rows)
        assert not (taken & pixels).any()
        taken |= pixels
        name = CATEGORIES[int(labels.categories[i])]
        (label,) = {CLASSES[c] for c in np.unique(one.label_map[pixels])}
        assert label == name or (name, label) == ("person", "rider")


@pytest.mark.parametrize("index", range(6))
def test_an_object_alone_shows_what_it_shows_and_hides_only_behind_what_is_nearer(
    index: int,
) -> None:
    stage = scenes.build("test", index, SMALL)
    depth = 1 / stage.canvas.nearness
    for i, shape in enumerate(stage.shapes):
        owner = FIRST_OBJECT + i
        alone = Canvas(stage.canvas.width_px, stage.canvas.height_px, scenes.FARTHEST_M)
        alone.draw(shape, owner)
        whole, shown = alone.owner == owner, stage.canvas.owner == owner
        assert not (shown & ~whole).any()
        hidden = whole & ~shown
        assert (depth[hidden] <= 1 / alone.nearness[hidden]).all()
        seen = int(np.count_nonzero(whole[1::SCALE, 1::SCALE]))
        assert seen == stage.canvas.alone_px.get(owner, 0)


def test_small_and_hidden_objects_are_marked_as_crowd() -> None:
    least = scenes.LEAST_PX2 * SMALL[0] * SMALL[1] / (640 * 480)
    rows = [scene(i).annotations for i in range(8)]
    small = np.concatenate([a.areas_px2 for a in rows]) < least
    crowd = np.concatenate([a.is_crowd for a in rows])
    assert crowd[small].all()
    assert not crowd.all()


@pytest.mark.parametrize("index", range(6))
def test_depth_is_a_distance_and_grows_up_the_road(index: int) -> None:
    one = scene(index)
    assert np.isfinite(one.depth_m).all()
    assert (one.depth_m > 0).all()
    assert (one.depth_m[one.label_map == SKY] == np.float32(scenes.FARTHEST_M)).all()
    assert (one.depth_m[one.label_map != SKY] < scenes.FARTHEST_M).all()
    road = np.where(one.label_map == ROAD, one.depth_m, np.nan)
    rows = [row[~np.isnan(row)] for row in road]
    assert all(np.ptp(row) == 0 for row in rows if len(row))
    means = [float(row[0]) for row in rows if len(row)]
    assert means == sorted(means, reverse=True)


def test_scenes_differ_by_split_and_index_and_times_of_day_occur() -> None:
    seen = [scene(i, split) for split in ("train", "val", "test") for i in range(2)]
    assert len({sha256(one) for one in seen}) == len(seen)
    assert {scene(i).attributes["timeofday"] for i in range(8)} == {"day", "dusk", "night"}


def test_an_impossible_scene_is_refused() -> None:
    with pytest.raises(ValueError, match="scene -1 of 160x120: index from 0"):
        render("test", -1, SMALL)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(files.COUNTS, "demo", 4)
    monkeypatch.setitem(files.SIZES, "demo", SMALL)


@pytest.mark.usefixtures("few")
def test_the_files_hold_what_was_rendered(tmp_path: Path) -> None:
    dataset = DATASETS["streetsim"].open(tmp_path, None, masks=True)
    assert (dataset.name, dataset.split, len(dataset.samples)) == ("streetsim", "demo", 4)
    assert dataset.classes == dict(enumerate(CLASSES))
    for i, sample in enumerate(dataset.samples):
        one = scene(i, "demo")
        assert sample.path == tmp_path / f"{files.tree_name()}/images/demo/{i:06d}.png"
        assert np.array_equal(sample.image(), one.image)
        assert np.array_equal(sample.label_map(), one.label_map)
        assert sample.annotations is not None
        assert sample.annotations.sha256() == one.annotations.sha256()
        depth_m = sample.depth_m()
        assert depth_m is not None
        assert np.abs(depth_m - one.depth_m).max() <= 0.00501
        assert (sample.group, sample.attributes) == (sample.id, one.attributes)


@pytest.mark.usefixtures("few")
def test_a_rendering_that_was_broken_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []

    def failing(split: str, index: int, size_px: tuple[int, int]) -> Scene:
        rendered.append(index)
        if index == 2 and rendered.count(2) == 1:
            raise KeyboardInterrupt
        return scene(index, split, size_px)

    monkeypatch.setattr(files, "render", failing)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        DATASETS["streetsim"].open(tmp_path, "demo")
    kept = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.json")}
    assert kept
    assert not list(tmp_path.rglob("instances_*.json"))
    dataset = DATASETS["streetsim"].open(tmp_path, "demo")
    assert len(dataset.samples) == 4
    assert all(f.stat().st_mtime_ns == at for f, at in kept.items())
    assert not list(tmp_path.rglob("*.tmp"))
    before = len(rendered)
    DATASETS["streetsim"].open(tmp_path, "demo")
    assert len(rendered) == before


def test_other_sources_render_into_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = files.tree_name()
    sources = shutil.copytree(Path(files.__file__).parent, tmp_path / "streetsim")
    monkeypatch.setattr(files, "__file__", str(sources / "files.py"))
    files.tree_name.cache_clear()
    assert files.tree_name() == ours
    with (sources / "ground.py").open("a") as file:
        file.write("\n# other\n")
    files.tree_name.cache_clear()
    assert files.tree_name() != ours
    files.tree_name.cache_clear()


@pytest.mark.usefixtures("few")
def test_a_copy_holds_labels_and_depth(tmp_path: Path) -> None:
    dataset = DATASETS["streetsim"].open(tmp_path / "root", None)
    places = {
        s.id: PurePosixPath(s.path.relative_to(tmp_path / "root")) for s in dataset.samples[:2]
    }
    assert dataset.export_labels is not None
    copy = tmp_path / "copy"
    copy.mkdir()
    dataset.export_labels(copy, places)
    for sample in dataset.samples[:2]:
        image = copy / sample.path.relative_to(tmp_path / "root")
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(sample.read())
    again = DATASETS["streetsim"].open(copy, None)
    assert [s.id for s in again.samples] == [s.id for s in dataset.samples[:2]]
    copied, own = again.samples[1].depth_path, dataset.samples[1].depth_path
    assert copied is not None
    assert own is not None
    assert copied.read_bytes() == own.read_bytes()
    (copy / files.tree_name()).rename(copy / "v1-00000000")  # of other sources
    assert [s.path.parts[-4] for s in DATASETS["streetsim"].open(copy, None).samples] == [
        "v1-00000000"
    ] * 2
    shutil.copytree(copy / "v1-00000000", copy / "v1-11111111")
    with pytest.raises(DatasetError, match="copies of several renderings"):
        DATASETS["streetsim"].open(copy, None)


@pytest.mark.parametrize("word", ["dev", "train", "val:3", "train:0", "train:many", "train:²"])
def test_unknown_splits_are_named(word: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"^--split {word}: "):
        DATASETS["streetsim"].open(tmp_path, word)


def test_splits_have_the_documented_sizes() -> None:
    assert (files.split_of(None).count, files.split_of(None).size_px) == (24, (320, 240))
    assert (files.split_of("test").count, files.split_of("test").size_px) == (500, (640, 480))
    assert files.split_of("val-720p").size_px == (1280, 720)
    assert files.split_of("train:7").folder == "train-7"
    assert files.split_of("train-720p:7").size_px == (1280, 720)


def test_physical_rain_uses_the_depth() -> None:
    one = next(scene(i) for i in range(12) if scene(i).attributes["timeofday"] == "day")
    rainy = PhysicalRain(rate_mm_h=50).render(one.image, np.random.default_rng(0), one.depth_m)
    assert rainy.depth_source == "given"
    assert rainy.transmission is not None
    near, far = one.depth_m < 15, one.depth_m > 100
    assert rainy.transmission[near].min() > rainy.transmission[far].max()


def test_depth_files_are_read_as_written() -> None:
    depth_m = np.array([[0.01, 1.5], [600, 655.35]], np.float32)
    assert np.array_equal(decode_depth(encode_depth(depth_m), "d.png"), depth_m)
    with pytest.raises(UnreadableImageError, match=r"d\.png: expected a PNG"):
        decode_depth(b"nothing", "d.png")
    assert decode(encode_depth(depth_m), "d.png").shape == (2, 2, 3)
