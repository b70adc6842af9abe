"""BDD100K: every form of its labels says the same, and what is wrong is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets import DATASETS, Annotations, Dataset, DatasetError
from datasets.image import UnreadableImageError
from datasets.masks import box_xyxy_px, decode
from datasets.sample import IGNORED
from harness.scores.parts import parts

DET = "labels/det_20/det_val.json"
RLES = "labels/ins_seg/rles/ins_seg_val.json"
MASK = "labels/ins_seg/bitmasks/val/11111111-00000001.png"


def bdd(root: Path, split: str | None = "10k/val", masks: bool = True) -> Dataset:
    return DATASETS["bdd100k"].open(root, split, masks=masks)


def keep_only(root: Path, kind: str, form: str) -> None:
    for folder in (root / "labels" / kind).iterdir():
        if folder.name != form:
            shutil.rmtree(folder)


def labels_of(dataset: Dataset) -> list[Annotations]:
    return [s.annotations for s in dataset.samples if s.annotations is not None]


def test_boxes_have_the_toolkits_categories_and_inclusive_ends(bdd100k_root: Path) -> None:
    dataset = bdd(bdd100k_root, "100k/val")
    assert dataset.categories[1] == "pedestrian"
    assert dataset.categories[10] == "traffic sign"
    first = labels_of(dataset)[0]
    assert [dataset.categories[int(c)] for c in first.categories] == [
        "car",
        "pedestrian",
        "car",
        "traffic light",
        "car",
    ]
    assert first.boxes_xyxy_px[0].tolist() == [100.5, 200, 300.25, 320]
    assert first.areas_px2[0] == 199.75 * 120
    assert first.is_crowd.tolist() == [False, False, True, False, True]
    assert len(labels_of(dataset)[-1].categories) == 0


def test_frames_have_groups_and_attributes_and_rain(bdd100k_root: Path) -> None:
    samples = {s.id: s for s in bdd(bdd100k_root, "100k/val").samples}
    assert samples["aaaaaaaa-00000001"].group == samples["aaaaaaaa-00000002"].group == "aaaaaaaa"
    rainy = samples["aaaaaaaa-00000002"]
    assert rainy.attributes == {"weather": "rainy", "timeofday": "night", "scene": "highway"}
    assert not rainy.has_clean
    assert (rainy.given_rain() == rainy.image()).all()
    assert [s.id for s in samples.values() if s.rainy_path is not None] == [rainy.id]


def test_undefined_weather_is_unknown(bdd100k_root: Path) -> None:
    dataset = bdd(bdd100k_root, "100k/val")
    said = {s.id: s.attributes for s in dataset.samples}
    assert said["dddddddd-00000001"] == {"timeofday": "dawn/dusk", "scene": "city street"}
    assert dataset.notes[-1] == "weather unknown of 1 of 6 frames, which are kept as clean"
    assert "weather=undefined" not in parts(dataset.samples)


@pytest.mark.parametrize("form", ["bitmasks", "rles", "polygons"])
def test_every_form_of_instances_says_the_same(form: str, bdd100k_root: Path) -> None:
    keep_only(bdd100k_root, "ins_seg", form)
    dataset = bdd(bdd100k_root)
    assert any(form in note for note in dataset.notes)
    for shift, labels in zip((0, 40), labels_of(dataset), strict=True):
        rows = sorted(
            zip(
                labels.categories.tolist(),
                labels.boxes_xyxy_px.tolist(),
                labels.areas_px2.tolist(),
                labels.is_crowd.tolist(),
                strict=True,
            )
        )
        assert rows == [
            (1, [400 + shift, 360, 460 + shift, 440], 4800, True),
            (1, [500 + shift, 350, 540 + shift, 470], 4800, False),
            (3, [100 + shift, 400, 300 + shift, 500], 20000, False),
            (3, [1000 + shift, 420, 1100 + shift, 470], 5000, True),
            (4, [700 + shift, 300, 900 + shift, 450], 30000, False),
        ]
        for mask, box in zip(labels.masks, labels.boxes_xyxy_px.tolist(), strict=True):
            assert list(box_xyxy_px(mask)) == box
            assert decode(mask).sum() == (box[2] - box[0]) * (box[3] - box[1])
    plain = labels_of(bdd(bdd100k_root, masks=False))
    assert all(labels.masks == () and len(labels.categories) == 5 for labels in plain)


def test_colours_of_instances_take_their_classes_from_the_label_map(bdd100k_root: Path) -> None:
    keep_only(bdd100k_root, "ins_seg", "colormaps")
    labels = labels_of(bdd(bdd100k_root))[1]
    assert labels.categories.tolist() == [3, 1, 4, 3, 1]
    assert labels.boxes_xyxy_px[2].tolist() == [740, 300, 940, 450]
    assert not labels.is_crowd.any()
    shutil.rmtree(bdd100k_root / "labels" / "sem_seg")
    with pytest.raises(DatasetError, match="colours name no category: add labels/sem_seg"):
        bdd(bdd100k_root)


@pytest.mark.parametrize("form", ["masks", "colormaps", "rles"])
def test_every_form_of_label_maps_says_the_same(form: str, bdd100k_root: Path) -> None:
    shutil.rmtree(bdd100k_root / "labels" / "ins_seg")
    keep_only(bdd100k_root, "sem_seg", form)
    dataset = bdd(bdd100k_root)
    assert dataset.categories == {}
    assert dataset.classes[0] == "road"
    assert dataset.classes[18] == "bicycle"
    for shift, sample in zip((0, 40), dataset.samples, strict=True):
        labels = sample.label_map()
        assert labels.shape == (720, 1280)
        assert np.unique(labels).tolist() == [0, 10, 11, 13, 14, IGNORED]
        assert (labels[400:500, 100 + shift : 300 + shift] == 13).all()
        assert (labels[700:] == IGNORED).all()


def test_a_set_without_labels_says_so(bdd100k_root: Path) -> None:
    shutil.rmtree(bdd100k_root / "labels")
    for split, n, file in (
        ("100k/val", 6, "det_20/det_val.json"),
        ("10k/val", 2, "ins_seg or sem_seg"),
    ):
        dataset = bdd(bdd100k_root, split)
        assert len(dataset.samples) == n
        assert dataset.notes[0] == f"no labels there: labels/{file} is absent"
        assert f"weather unknown of {n} of {n} frames" in dataset.notes[1]
        assert all(s.annotations is None and s.label_map_path is None for s in dataset.samples)


def test_labels_of_2018_are_read_where_those_of_2020_are_absent(bdd100k_root: Path) -> None:
    plain = bdd(bdd100k_root, "100k/val")
    home = bdd100k_root / "labels"
    frames = json.loads((home / "det_20" / "det_val.json").read_text())
    words = {"pedestrian": "person", "bicycle": "bike", "motorcycle": "motor"}
    lane = {"category": "lane", "poly2d": [{"vertices": [[0, 0], [9, 9]], "types": "LL"}]}
    for frame in frames:
        for label in frame["labels"] or []:
            label["category"] = words.get(label["category"], label["category"])
        frame["labels"] = [lane, *(frame["labels"] or []), {**lane, "category": "drivable area"}]
    shutil.rmtree(home / "det_20")
    file = home / "bdd100k_labels_images_val.json"
    file.write_text(json.dumps(frames))
    old = bdd(bdd100k_root, "100k/val")
    assert old.notes[0] == "labels from labels/bdd100k_labels_images_val.json"
    assert [s.annotations.sha256() for s in old.samples if s.annotations] == [
        s.annotations.sha256() for s in plain.samples if s.annotations
    ]
    assert [s.attributes for s in old.samples] == [s.attributes for s in plain.samples]
    frames[0]["labels"][1]["category"] = "cow"
    file.write_text(json.dumps(frames))
    with pytest.raises(DatasetError, match="category 'cow' is none of"):
        bdd(bdd100k_root, "100k/val")


def test_the_split_is_a_folder_of_images(bdd100k_root: Path) -> None:
    with pytest.raises(DatasetError, match="choose the images with --split: 100k/val, 10k/val"):
        bdd(bdd100k_root, None)
    for split in ("val", "100k/train", "../images/10k/val"):
        with pytest.raises(DatasetError, match="there: give one of 100k/val, 10k/val"):
            bdd(bdd100k_root, split)


@pytest.mark.parametrize("split", [None, "100k/val", "10k/val"])
def test_a_folder_without_its_images_says_what_is_missing(
    split: str | None, bdd100k_root: Path
) -> None:
    with pytest.raises(DatasetError) as refused:
        bdd(bdd100k_root.parent, split)
    assert "no images/100k/PART and no images/10k/PART there: give the folder" in str(refused.value)
    (bdd100k_root / "images").rename(bdd100k_root / "pictures")
    with pytest.raises(DatasetError, match="holds images/ and labels/ with --data-root"):
        bdd(bdd100k_root, split)


def change(file: str, edit: Callable[[Any], object]) -> Callable[[Path], object]:
    def apply(root: Path) -> None:
        content = json.loads((root / file).read_text())
        edit(content)
        (root / file).write_text(json.dumps(content))

    return apply


def box(**sides: object) -> Callable[[Path], object]:
    return change(DET, lambda c: c[0]["labels"][1]["box2d"].update(sides))


def picture(file: str, pixels: Callable[[Any], Any]) -> Callable[[Path], object]:
    def apply(root: Path) -> None:
        Image.fromarray(pixels(np.array(Image.open(root / file)))).save(root / file)

    return apply


def rle(**parts: object) -> Callable[[Path], object]:
    def apply(root: Path) -> None:
        shutil.rmtree(root / "labels" / "ins_seg" / "bitmasks")
        change(RLES, lambda c: c["frames"][0]["labels"][2]["rle"].update(parts))(root)

    return apply


def repaint(pixels: Any, value: Any) -> Any:
    pixels[405, 105] = value
    return pixels


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "deep": ("100k", lambda r: (r / DET).write_text("[" * 100_000), "det_val.json: not a JSON"),
    "object": ("100k", lambda r: (r / DET).write_text("{}"), "expected a list of frames"),
    "none": ("100k", lambda r: (r / DET).write_text("[]"), "no frame there"),
    "twice": ("100k", change(DET, lambda c: c.append(c[0])), "frame 6: the name aaaaaaaa-0"),
    "escape": ("100k", change(DET, lambda c: c[0].update(name="../a.jpg")), "leaves the image"),
    "no image": ("100k", change(DET, lambda c: c[0].update(name="f.jpg")), "frame f is not in"),
    "labels": ("100k", change(DET, lambda c: c[0].update(labels="x")), "'labels' must be a list"),
    "no box": (
        "100k",
        change(DET, lambda c: c[0]["labels"][3].pop("box2d")),
        r"frame aaaaaaaa-00000001: labels\[3\]: the key 'box2d' is missing",
    ),
    "swapped": ("100k", box(x1=700), r"labels\[1\]: 'box2d' has a negative size"),
    "far": ("100k", box(x2=1e6), r"labels\[1\]: 'box2d' lies far outside"),
    "infinite": ("100k", box(x2=10**400), r"labels\[1\]: box2d: 'x2' must be a finite number"),
    "category": (
        "100k",
        change(DET, lambda c: c[0]["labels"][0].update(category="cow")),
        r"labels\[0\]: category 'cow' is none of pedestrian, rider",
    ),
    "size": ("10k", picture(MASK, lambda p: p[1:]), "1280x719 pixels, BDD100K's frames are"),
    "mode": ("10k", picture(MASK, lambda p: p[..., 0].copy()), "expected RGBA as bitmasks are"),
    "damaged": ("10k", lambda r: (r / MASK).write_bytes(b"\x89PNG"), "not a PNG, or damaged"),
    "missing": ("10k", lambda r: (r / MASK).unlink(), "not found: add the labels or remove 1111"),
    "mixed": (
        "10k",
        picture(MASK, lambda p: repaint(p, (4, 8, 0, 1))),
        "instance 1 has several categories",
    ),
    "unknown": (
        "10k",
        picture(MASK, lambda p: repaint(p, (9, 0, 0, 77))),
        "instance 77 has the unknown category 9",
    ),
    "overlong": ("10k", rle(counts=[0, 10**11]), r"labels\[2\]: 'rle': 'counts' sum to"),
    "other size": ("10k", rle(size=[720, 720]), r"labels\[2\]: 'rle': run lengths of size"),
    "frame": (
        "10k",
        lambda r: (rle()(r), change(RLES, lambda c: c["frames"].pop())(r)),
        "no frame 22222222-00000001: add it",
    ),
}


def read_all(dataset: Dataset) -> None:
    """Read the objects of every frame, which opening the set leaves for later."""
    for sample in dataset.samples:
        assert sample.annotations is not None


def test_only_the_instances_that_are_asked_for_are_read(bdd100k_root: Path) -> None:
    (bdd100k_root / MASK).write_bytes(b"no picture")
    dataset = bdd(bdd100k_root, "10k/val")
    good = [s for s in dataset.samples if s.id not in MASK]
    assert len(good) == len(dataset.samples) - 1
    assert all(s.annotations is not None for s in good)


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_named_with_its_field(case: str, bdd100k_root: Path) -> None:
    kind, spoil, words = BAD[case]
    spoil(bdd100k_root)
    with pytest.raises(DatasetError, match=words) as caught:
        read_all(bdd(bdd100k_root, f"{kind}/val"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "spoil", "words"),
    [
        ("masks", lambda p: p[:, 1:], "1279x720 pixels"),
        ("masks", lambda p: repaint(p, 19), "pixel 19 is none of the classes"),
        ("colormaps", lambda p: repaint(p, (1, 2, 3)), "the colour at x 105, y 405 is no class's"),
    ],
)
def test_a_wrong_label_map_is_named(
    form: str, spoil: Callable[[Any], Any], words: str, bdd100k_root: Path
) -> None:
    shutil.rmtree(bdd100k_root / "labels" / "ins_seg")
    keep_only(bdd100k_root, "sem_seg", form)
    picture(f"labels/sem_seg/{form}/val/22222222-00000001.png", spoil)(bdd100k_root)
    with pytest.raises(UnreadableImageError, match=words):
        bdd(bdd100k_root).samples[1].label_map()


@pytest.mark.parametrize("split", ["100k/val", "10k/val"])
def test_a_copy_opens_with_the_same_labels(split: str, bdd100k_root: Path, tmp_path: Path) -> None:
    if split == "10k/val":
        shutil.rmtree(bdd100k_root / "labels" / "ins_seg" / "bitmasks")
    dataset = bdd(bdd100k_root, split).limited(2)
    copy = tmp_path / "copy"
    places = {}
    for sample in dataset.samples:
        place = sample.path.relative_to(bdd100k_root).with_suffix(".png")
        places[sample.id] = PurePosixPath(place.as_posix())
        (copy / place).parent.mkdir(parents=True, exist_ok=True)
        (copy / place).write_bytes(sample.read())
    assert dataset.export_labels is not None
    dataset.export_labels(copy, places)
    again = {s.id: s for s in bdd(copy, split).samples}
    assert sorted(again) == sorted(places)
    for sample in dataset.samples:
        assert sample.annotations is not None
        other = again[sample.id].annotations
        assert other is not None
        assert other.sha256() == sample.annotations.sha256()


@pytest.mark.data
def test_the_real_frames_load_in_every_form_they_have(data: Path) -> None:
    boxes = bdd(data / "bdd100k", "100k/train")
    assert [len(labels.categories) for labels in labels_of(boxes)] == [7, 6]
    assert {s.group for s in boxes.samples} == {"0000f77c"}
    assert boxes.samples[1].attributes["timeofday"] == "dawn/dusk"
    segments = bdd(data / "bdd100k", "10k/train")
    counted = [np.bincount(labels.categories).tolist() for labels in labels_of(segments)]
    assert counted == [[0, 3, 0, 11, 5], [0, 0, 0, 7]]
    for sample in segments.samples:
        assert sample.annotations is not None
        assert len(sample.annotations.masks) == len(sample.annotations.categories)
        label_map = sample.label_map()
        assert label_map.shape == sample.image().shape[:2]
        renamed = {"pedestrian": "person"}
        for mask, category in zip(
            sample.annotations.masks, sample.annotations.categories.tolist(), strict=True
        ):
            name = segments.categories[category]
            wanted = {n: i for i, n in segments.classes.items()}[renamed.get(name, name)]
            assert (label_map[decode(mask)] == wanted).mean() > 0.9


@pytest.mark.data
def test_the_toolkits_examples_load(data: Path) -> None:
    from datasets.bdd100k import OBJECTS
    from datasets.class_png import decode_classes
    from datasets.instance_png import read_bitmask
    from datasets.scalabel import boxes, outlines, read_frames

    home = data / "bdd100k" / "toolkit_label_examples"
    ids = {name: i for i, name in enumerate(OBJECTS, start=1)}
    names = {i: name for name, i in ids.items()}
    for name, n in (("insseg_bitmask", 4), ("segtrack_bitmask", 3)):
        file = home / "bitmasks" / "quasi-video" / f"{name}.png"
        objects = read_bitmask(file.read_bytes(), file.name, names, masks=True)
        assert [o.category for o in objects] == [ids["car"]] * n
    (frame,) = read_frames(home / "example_annotation.json").values()
    cars = outlines(frame, ids, "example")
    assert [o.category for o in cars] == [ids["car"]] * 4
    first, second = read_frames(home / "example_ignore_annotation.json").values()
    assert [o.is_crowd for o in boxes(first, ids, "example")] == [True, False]
    assert boxes(second, ids, "example") == []
    label_map = decode_classes((home / "semseg_mask.png").read_bytes(), "semseg_mask.png")
    assert np.unique(label_map).tolist() == [13, IGNORED]
    painted = np.any([decode(o.mask) for o in cars if o.mask is not None], axis=0)
    agreement = (painted == (label_map == 13)).mean()
    assert agreement > 0.99
