"""COCO's JSON as tools export it gives the labels that COCO's own form gives."""

from __future__ import annotations

import copy
import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import DATASETS, Dataset, DatasetError
from datasets.coco import open_coco
from datasets.coco_json import read_coco_json
from datasets.where import select

FILE = "annotations/instances_val2017.json"
Content = dict[str, Any]


@pytest.fixture
def plain(coco_root: Path) -> Content:
    content: Content = json.loads((coco_root / FILE).read_text())
    return content


@pytest.fixture
def folder(coco_root: Path) -> Path:
    return coco_root / "images" / "val2017"


def opened(
    content: Content, images: Path, file: Path, encoding: str = "utf-8", **options: Any
) -> Dataset:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(json.dumps(content).encode(encoding))
    dataset: Dataset = DATASETS["coco"].open(images, None, annotations=file, **options)
    return dataset


def labels(dataset: Dataset) -> dict[str, str]:
    return {s.id: s.annotations.sha256() for s in dataset.samples if s.annotations}


def each(content: Content, kind: str, change: Callable[[Content], object]) -> Content:
    changed = copy.deepcopy(content)
    for entry in changed[kind]:
        change(entry)
    return changed


def ids(to: Callable[[int], Any]) -> Callable[[Content], Content]:
    def change(content: Content) -> Content:
        changed = copy.deepcopy(content)
        for kind, keys in (
            ("images", ("id",)),
            ("annotations", ("id", "image_id", "category_id")),
            ("categories", ("id",)),
        ):
            for entry in changed[kind]:
                entry.update({key: to(entry[key]) for key in keys})
        return changed

    return change


def keypoints(entry: Content) -> None:
    entry.update(keypoints=[10, 10, 2, 0, 0, 0], num_keypoints=1)


WRITTEN: dict[str, Callable[[Content], Content]] = {
    "ids as text": ids(str),
    "ids as float": ids(float),
    "ids of images as text alone": lambda c: each(c, "images", lambda e: e.update(id=str(e["id"]))),
    "crowds as boolean": lambda c: each(
        c, "annotations", lambda e: e.update(iscrowd=bool(e["iscrowd"]))
    ),
    "crowds as text": lambda c: each(
        c, "annotations", lambda e: e.update(iscrowd=str(e["iscrowd"]))
    ),
    "null for no crowd": lambda c: each(
        c, "annotations", lambda e: e["iscrowd"] or e.update(iscrowd=None)
    ),
    "sizes as text": lambda c: each(c, "images", lambda e: e.update(width=str(e["width"]))),
    "no id": lambda c: each(c, "annotations", lambda e: e.pop("id")),
    "keypoints": lambda c: each(c, "annotations", keypoints),
    "back-slashes": lambda c: each(
        c, "images", lambda e: e.update(file_name=f"val2017\\{e['file_name']}")
    ),
    "dots inside": lambda c: each(
        c, "images", lambda e: e.update(file_name=f"./a/../{e['file_name']}")
    ),
    "other folders before": lambda c: each(
        c, "images", lambda e: e.update(file_name=f"upload/1/{e['file_name']}")
    ),
}


def test_a_list_of_no_point_is_no_outline(plain: Content, folder: Path, tmp_path: Path) -> None:
    """As tools write it of a box alone."""

    none = each(plain, "annotations", lambda e: (e.pop("area", 0), e.update(segmentation=[])))
    empty = each(none, "annotations", lambda e: e.update(segmentation=[[]]))
    expected = labels(opened(none, folder, tmp_path / "a.json"))
    assert labels(opened(empty, folder, tmp_path / "b.json")) == expected
    with pytest.raises(DatasetError, match="is a box without an outline"):
        labels(opened(empty, folder, tmp_path / "b.json", masks=True))


@pytest.mark.parametrize("case", WRITTEN)
def test_what_tools_write_is_read_as_it_is_meant(
    case: str, plain: Content, folder: Path, tmp_path: Path
) -> None:
    expected = opened(plain, folder, tmp_path / "plain.json")
    found = opened(WRITTEN[case](plain), folder, tmp_path / "labels.json")
    assert labels(found) == labels(expected)
    assert [s.path for s in found.samples] == [s.path for s in expected.samples]
    assert found.categories == expected.categories


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_it(
    encoding: str, plain: Content, folder: Path, tmp_path: Path
) -> None:
    found = opened(plain, folder, tmp_path / "labels.json", encoding)
    assert labels(found) == labels(opened(plain, folder, tmp_path / "plain.json"))


def test_images_are_found_from_the_place_of_the_file_and_in_folders_below(
    plain: Content, coco_root: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(coco_root / "images", root / "images")
    up = each(plain, "images", lambda e: e.update(file_name=f"../images/val2017/{e['file_name']}"))
    for content, file in ((up, root / "labels" / "a.json"), (plain, tmp_path / "b.json")):
        found = opened(content, root, file)
        assert {s.path.parent for s in found.samples} == {root / "images" / "val2017"}


def test_two_files_of_one_name_are_not_chosen_between(
    plain: Content, folder: Path, tmp_path: Path
) -> None:
    for place in ("a", "b"):
        shutil.copytree(folder, tmp_path / "root" / place)
    with pytest.raises(DatasetError, match=r"may be a/0+1.jpg or b/0+1.jpg"):
        opened(plain, tmp_path / "root", tmp_path / "labels.json")


def test_two_images_are_never_one_file(plain: Content, folder: Path, tmp_path: Path) -> None:
    one, two = plain["images"][:2]
    one.update(file_name="train/x.jpg")
    two.update(file_name="val/x.jpg")
    shutil.copytree(folder, tmp_path / "flat")
    shutil.copy(folder / "000000000001.jpg", tmp_path / "flat" / "x.jpg")
    with pytest.raises(DatasetError, match=r"image 1 and image 2 are both x\.jpg"):
        opened(plain, tmp_path / "flat", tmp_path / "labels.json")
    one.update(file_name="x.jpg")
    for images in ([one, two], [two, one]):
        plain["images"][:2] = images
        with pytest.raises(DatasetError, match=r"image \d and image \d are both x\.jpg"):
            opened(plain, tmp_path / "flat", tmp_path / "labels.json")


@pytest.mark.parametrize("place", ["upload/{}", "{}"])
def test_accents_are_the_same_however_they_are_coded(
    place: str, plain: Content, folder: Path, tmp_path: Path
) -> None:
    """An archive of macOS has them as characters of their own."""
    entry = plain["images"][0]
    shutil.copytree(folder, tmp_path / "root" / "deep")
    shutil.move(tmp_path / "root" / "deep" / entry["file_name"], tmp_path / "root" / NFD)
    entry["file_name"] = place.format(NFC)
    found = opened(plain, tmp_path / "root", tmp_path / "a.json").samples[0].path
    assert found == tmp_path / "root" / NFD
    assert found.is_file()


NFC, NFD = (unicodedata.normalize(form, "café 한국.jpg") for form in ("NFC", "NFD"))
ELSEWHERE = (
    *("/home/anna/data/val2017/{}", "C:\\data\\images\\{}", "..\\..\\media\\upload\\1\\{}"),
    *("../../{}", "https://host.org/data/val2017/{}", "s3://bucket/{}"),
)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_of_another_place_are_looked_for_by_their_end(
    name: str, plain: Content, folder: Path, tmp_path: Path
) -> None:
    expected = labels(opened(plain, folder, tmp_path / "labels.json"))
    renamed = each(plain, "images", lambda e: e.update(file_name=name.format(e["file_name"])))
    for images in (folder, folder.parent):
        dataset = opened(renamed, images, tmp_path / "labels.json")
        assert labels(dataset) == expected
        assert {s.path.parent for s in dataset.samples} == {folder}
    renamed["images"][0]["file_name"] = name.format("absent.jpg")
    with pytest.raises(DatasetError, match=r"leaves the image folder|which is not in"):
        opened(renamed, folder, tmp_path / "labels.json")


def test_an_area_that_is_missing_is_the_masks_or_else_the_boxs(
    plain: Content, folder: Path, tmp_path: Path
) -> None:
    bare = each(plain, "annotations", lambda e: e.pop("area"))
    for sample in opened(bare, folder, tmp_path / "a.json", masks=True).samples:
        found = sample.annotations
        assert found is not None
        # The miniature's masks are its boxes.
        sides = found.boxes_xyxy_px[:, 2:] - found.boxes_xyxy_px[:, :2]
        assert np.array_equal(found.areas_px2, sides.prod(1))
    boxes = each(bare, "annotations", lambda e: e.update(segmentation=[]))
    assert labels(opened(boxes, folder, tmp_path / "b.json")) == labels(
        opened(bare, folder, tmp_path / "c.json")
    )
    outlines = each(plain, "annotations", lambda e: e.pop("bbox"))
    assert labels(opened(outlines, folder, tmp_path / "d.json")) == labels(
        opened(plain, folder, tmp_path / "e.json")
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: (e.pop("width"), e.pop("height")),
        lambda e: e.update(width=None, height=None),
    ],
)
def test_a_size_that_does_not_stand_there_is_that_of_the_picture(
    spoil: Callable[[Content], object], plain: Content, folder: Path, tmp_path: Path
) -> None:
    expected = opened(plain, folder, tmp_path / "a.json", masks=True)
    found = opened(each(plain, "images", spoil), folder, tmp_path / "b.json", masks=True)
    assert {s.size_px for s in found.samples} == {None}
    assert labels(found) == labels(expected)
    with_problems = open_coco(folder, None, annotations=tmp_path / "b.json", problems=[])
    assert labels(with_problems) == labels(
        open_coco(folder, None, annotations=tmp_path / "a.json", problems=[])
    )
    shutil.copytree(folder, tmp_path / "spoilt")
    (tmp_path / "spoilt" / "000000000001.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"image 1: says no size, and .*1.jpg is no picture"):
        labels(opened(each(plain, "images", spoil), tmp_path / "spoilt", tmp_path / "b.json"))


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("area", [0, 0.0, -1])
def test_an_area_of_nothing_is_missing_and_told(
    area: float, masks: bool, plain: Content, folder: Path, tmp_path: Path
) -> None:
    bare = each(plain, "annotations", lambda e: e.pop("area"))
    zero = each(plain, "annotations", lambda e: e.update(area=area))
    expected = opened(bare, folder, tmp_path / "a.json", masks=masks)
    found = opened(zero, folder, tmp_path / "b.json", masks=masks)
    assert labels(found) == labels(expected)
    assert expected.notes == ()
    assert found.notes == (
        "21 of 21 annotations have an area of 0 or less: that of the outline or box is taken",
    )
    as_text = each(zero, "annotations", lambda e: e.update(id=str(e["id"])))
    assert opened(as_text, folder, tmp_path / "c.json").notes == found.notes
    empty = each(zero, "annotations", lambda e: e.update(bbox=[9, 9, 0, 0]))
    areas = [s.annotations for s in opened(empty, folder, tmp_path / "d.json").samples]
    assert {a for one in areas if one is not None for a in one.areas_px2} == {area}


BAD: dict[str, tuple[Callable[[Content], object], str]] = {
    "half an id": (lambda c: c["images"][0].update(id=1.5), r"images\[0\]: 'id' must be an int"),
    "no id": (lambda c: c["images"][0].update(id=None), r"images\[0\]: 'id' must be an integer"),
    "two writings": (lambda c: c["images"][1].update(id="1"), "image id 1 stands there twice"),
    "other zeros": (lambda c: c["images"][0].update(id="001"), "image_id 1 is not among"),
    "crowd": (lambda c: c["annotations"][0].update(iscrowd="maybe"), "'iscrowd' must be an int"),
    "a long name": (
        lambda c: c["images"][0].update(file_name="x" * 5000),
        "is too long for a file's name",
    ),
    "one side": (lambda c: c["images"][0].pop("width"), r"images\[0\]: the key 'width' is missing"),
    "a size": (lambda c: c["images"][0].update(width=0), "'width' and 'height' must be at least 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_has_two_meanings_is_refused(
    case: str, plain: Content, folder: Path, tmp_path: Path
) -> None:
    spoil, words = BAD[case]
    spoil(plain)
    with pytest.raises(DatasetError, match=words):
        labels(opened(plain, folder, tmp_path / "labels.json"))


def test_a_folder_of_roboflow_is_opened_by_its_split(
    plain: Content, folder: Path, tmp_path: Path
) -> None:
    for split in ("train", "valid"):
        shutil.copytree(folder, tmp_path / split)
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(plain))
    found = DATASETS["coco"].open(tmp_path, "valid")
    assert labels(found) == labels(opened(plain, folder, tmp_path / "plain.json"))
    assert {s.path.parent.name for s in found.samples} == {"valid"}
    with pytest.raises(DatasetError, match="choose one with --split: train, valid"):
        DATASETS["coco"].open(tmp_path, None)


def test_fields_of_images_are_attributes(plain: Content, folder: Path, tmp_path: Path) -> None:
    for i, image in enumerate(plain["images"]):
        image.update(license=i % 3, date_captured=f"2013-11-1{i}", camera="left", is_wet=i > 3)
        image.update(attributes={"weather": "rainy" if i % 2 else "clear", "rate": i / 4})
    dataset = opened(plain, folder, tmp_path / "labels.json")
    said = {"camera": "left", "is_wet": "false", "weather": "clear", "rate": "0"}
    assert dataset.samples[0].attributes == said
    assert dataset.samples[1].attributes["rate"] == "0.25"
    assert len(select(dataset, ["is_wet=true", "weather=clear"]).samples) == 2
    kept = select(dataset, []).samples
    assert {s.attributes["weather"] for s in kept} == {"clear"}
    assert not select(dataset, ["weather=rainy"]).has_clean


def test_a_copy_holds_the_labels_of_its_images(
    plain: Content, folder: Path, tmp_path: Path
) -> None:
    dataset = opened(plain, folder, tmp_path / "labels.json")
    assert dataset.export_labels is not None
    kept = dataset.samples[:3]
    (tmp_path / "copy").mkdir()
    places = {}
    for sample in kept:
        shutil.copy(sample.path, tmp_path / "copy" / f"{sample.path.stem}.png")
        places[sample.id] = Path(f"{sample.path.stem}.png")
    dataset.export_labels(tmp_path / "copy", places)  # type: ignore[arg-type]
    copied = tmp_path / "copy" / "labels.json"
    found = DATASETS["coco"].open(tmp_path / "copy", None, annotations=copied)
    expected = labels(dataset)
    assert labels(found) == {s.id: expected[s.id] for s in kept}


def test_outlines_that_nobody_asks_for_are_not_decoded(plain: Content, tmp_path: Path) -> None:
    plain["annotations"][0]["segmentation"] = "?"
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(plain))
    content = read_coco_json(file)
    picture = tmp_path / "1.jpg"
    assert len(content.labels("1", picture, masks=False).categories) == 3
    with pytest.raises(DatasetError, match=r"annotations\[0\]: 'segmentation' must be polygons"):
        content.labels("1", picture, masks=True)
