"""A whole data set looked over: everything wrong is found, and nothing else."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets import DatasetError
from datasets.check import check, counts
from datasets.coco import open_coco
from datasets.image import encode_png
from tests.miniatures import miniature

FILE = "annotations/instances_val2017.json"
PHOTOS = "images/val2017"


@pytest.fixture
def coco(coco_root: Path, tmp_path: Path) -> Path:
    """A copy to spoil, with photographs that no hash takes for one another."""
    root = tmp_path / "coco"
    shutil.copytree(coco_root, root)
    for number, file in enumerate(sorted((root / PHOTOS).iterdir())):
        with Image.open(file) as picture:
            mode, size, exif = picture.mode, picture.size, picture.getexif()
        noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(noise).resize(size).convert(mode).save(file, exif=exif)
    return root


def told(root: Path, kind: str, **words: Any) -> list[str]:
    findings = check("coco", root, None, **words).findings
    return [f.text for f in findings if f.kind == kind]


def edited(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / FILE).read_text())
    return content


def test_a_good_set_has_a_turned_photograph_and_no_error(coco: Path) -> None:
    checked = check("coco", coco, None)
    assert counts(checked.findings) == {(False, "orientation"): 1}
    assert "000000000004.jpg is turned by its EXIF orientation" in checked.findings[0].text
    assert len(checked.dataset.samples) == 8


def test_the_search_goes_on_after_every_error(coco: Path) -> None:
    content = edited(coco)
    objects = content["annotations"]
    objects[0]["bbox"][2] = -5
    objects[1]["bbox"][0] = float("nan")
    objects[2]["category_id"] = 99
    objects[3]["id"] = objects[4]["id"]
    objects[5]["image_id"] = 1234
    objects[6]["segmentation"] = [[1, 2, 3, 4]]
    objects[7]["segmentation"] = {"size": [9, 9], "counts": [81]}
    objects.append(17)
    content["images"].append(content["images"][0])
    content["images"].append({"id": 70, "file_name": "absent.jpg", "width": 9, "height": 9})
    (coco / FILE).write_text(json.dumps(content))
    texts = told(coco, "label")
    for words in (
        "annotations[0]: 'bbox' has a negative size",
        "annotations[1]: 'bbox' must be a finite number",
        "annotations[2]: category_id 99 is not among",
        "annotations[4]: id 5 stands there twice",
        "annotations[5]: image_id 1234 is not among",
        "expected an object, got int",
        "image id 1 stands there twice",
        "image 70 names absent.jpg",
    ):
        assert sum(words in text for text in texts) == 1, words
    assert len(texts) == 8
    texts = told(coco, "outline")
    assert [text.partition("annotations")[2][:18] for text in texts] == [
        "[6]: 'segmentation",
        "[7]: run lengths o",
    ]


def test_boxes_are_measured_against_the_picture_itself(coco: Path) -> None:
    content = edited(coco)
    objects = [o for o in content["annotations"] if o["image_id"] == 1]
    objects[0]["bbox"] = [150, 10, 30, 20]
    objects[1]["bbox"] = [10, 10, 0, 20]
    objects[2]["bbox"] = [100, 100, 60.9, 20]
    (coco / FILE).write_text(json.dumps(content))
    texts = told(coco, "box")
    assert [text.split(": ", 2)[2] for text in texts] == [
        "box [150, 10, 180, 30] reaches 20 px beyond the image of 160x120",
        "box [10, 10, 10, 30] is empty",
    ]


def test_pictures_are_opened_and_compared_with_their_labels(coco: Path) -> None:
    photos = sorted((coco / PHOTOS).iterdir())
    photos[0].write_bytes(b"\xff\xd8 no picture")
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (90, 90, 3), np.uint8)).save(
        photos[2]
    )
    (coco / PHOTOS / "stray.jpg").write_bytes(photos[4].read_bytes())
    assert told(coco, "image") == [
        "image 1: 000000000001.jpg: the JPEG ends early; copy or download the file again"
    ]
    assert told(coco, "size") == [
        "image 3: the labels are of a picture of 160x120 pixels, 000000000003.jpg has 90x90"
    ]
    assert told(coco, "stray") == ["val2017/stray.jpg belongs to no labelled image"]


def test_images_that_show_the_same_are_found_turned_or_not(coco: Path, tmp_path: Path) -> None:
    photos = sorted((coco / PHOTOS).iterdir())
    with Image.open(photos[5]) as picture:
        picture.transpose(Image.Transpose.ROTATE_180).save(photos[6])
        other = io.BytesIO()
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other, "PNG")
    assert told(coco, "alike") == ["images 6 and 7 look the same"]
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "b.png").write_bytes(other.getvalue())
    shared = check("coco", coco, None, against=tmp_path / "training").findings
    errors = sorted(f.text for f in shared if f.is_error)
    assert errors == [f"image {i} looks like b.png in training" for i in (6, 7)]


def test_a_set_of_boxes_alone_has_no_error(coco: Path) -> None:
    content = edited(coco)
    for entry in content["annotations"]:
        entry["segmentation"] = []
    (coco / FILE).write_text(json.dumps(content))
    assert not any(f.is_error for f in check("coco", coco, None).findings)


@pytest.mark.parametrize("absent", [[], None, "missing"])
def test_objects_without_an_outline_are_one_note(absent: Any, coco: Path) -> None:
    content = edited(coco)
    for entry in content["annotations"][::2]:
        entry.update(segmentation=absent)
        if absent == "missing":
            entry.pop("segmentation")
    content["annotations"][0]["bbox"] = [150, 10, 30, 20]
    (coco / FILE).write_text(json.dumps(content))
    checked = check("coco", coco, None)
    said = "11 of 21 objects have no outline: good for detection, not for instances"
    assert checked.dataset.notes == (said,)
    assert counts(checked.findings) == {(True, "box"): 1, (False, "orientation"): 1}
    assert (
        sum(len(s.annotations.categories) for s in checked.dataset.samples if s.annotations) == 21
    )
    with pytest.raises(DatasetError, match=r"annotations\[0\]: is a box without an outline"):
        open_coco(coco, None, masks=True).samples[0].annotations  # noqa: B018


def test_boxes_and_outlines_in_one_yolo_set_are_one_note(tmp_path: Path) -> None:
    checked = check("yolo", miniature("yolo", tmp_path), None)
    said = "3 of 5 objects have no outline: good for detection, not for instances"
    assert checked.dataset.notes[1:] == (said,)
    assert not any(f.is_error or f.kind == "stray" for f in checked.findings)
    assert len(checked.dataset.samples) == 4


WRONG_OUTLINES: dict[str, tuple[Any, str]] = {
    "two points": ([[1, 2, 3, 4]], "must be [x, y, x, y, …] with at least 3 points"),
    "swapped": ({"size": [160, 120], "counts": [19200]}, "run lengths of size [160, 120]"),
}


@pytest.mark.parametrize("case", WRONG_OUTLINES)
def test_outlines_that_are_all_wrong_are_errors_and_boxes_are_looked_at(
    case: str, coco: Path
) -> None:
    outline, words = WRONG_OUTLINES[case]
    content = edited(coco)
    for entry in content["annotations"]:
        entry.update(segmentation=outline)
    content["annotations"][0]["bbox"] = [150, 10, 30, 20]
    (coco / FILE).write_text(json.dumps(content))
    checked = check("coco", coco, None)
    texts = [f.text for f in checked.findings if f.kind == "outline"]
    assert len(texts) == 21
    assert all(words in text for text in texts)
    assert counts(checked.findings)[(True, "box")] == 1
    assert checked.dataset.notes == ()


def test_one_wrong_outline_keeps_no_other_from_being_looked_at(coco: Path) -> None:
    content = edited(coco)
    content["annotations"][0].update(segmentation=[[1, 2, 3, 4]])
    content["annotations"][-1].update(segmentation={"size": [120, 160], "counts": [19200]})
    (coco / FILE).write_text(json.dumps(content))
    errors = [(f.kind, f.text) for f in check("coco", coco, None).findings if f.is_error]
    assert [kind for kind, _ in errors] == ["outline", "mask"]
    assert errors[1][1].endswith("its mask is empty")


def test_bdd100k_is_looked_over(bdd100k_root: Path) -> None:
    det = bdd100k_root / "labels" / "det_20" / "det_val.json"
    frames = json.loads(det.read_text())
    frames[0]["labels"][0]["box2d"]["x2"] = 1300
    frames[0]["labels"][1]["category"] = "cow"
    frames[1]["name"] = "absent.jpg"
    det.write_text(json.dumps(frames))
    findings = check("bdd100k", bdd100k_root, "100k/val").findings
    texts = sorted(f.text for f in findings if f.is_error)
    assert len(texts) == 3
    assert "frame aaaaaaaa-00000001: labels[1]: category 'cow'" in texts[0]
    assert "frame absent is not in" in texts[1]
    assert "reaches 21 px beyond the image of 1280x720" in texts[2]
    mask = bdd100k_root / "labels" / "ins_seg" / "bitmasks" / "val" / "11111111-00000001.png"
    mask.write_bytes(b"no picture")
    label_map = bdd100k_root / "labels" / "sem_seg" / "masks" / "val" / "22222222-00000001.png"
    Image.fromarray(np.zeros((720, 1279), np.uint8)).save(label_map)
    findings = check("bdd100k", bdd100k_root, "10k/val").findings
    texts = sorted(f.text for f in findings if f.is_error)
    assert len(texts) == 2
    assert "11111111-00000001.png: not a PNG" in texts[0]
    assert "22222222-00000001.png: 1279x720 pixels" in texts[1]


def test_camvid_and_pairs_are_looked_over(camvid_root: Path, tmp_path: Path) -> None:
    (camvid_root / "testannot" / "0001TP_008550.png").unlink()
    size = Image.fromarray(np.zeros((10, 10), np.uint8))
    size.save(camvid_root / "testannot" / "Seq05VD_f00000.png")
    texts = [f.text for f in check("camvid", camvid_root, "test").findings if f.is_error]
    assert "0001TP_008550.png not found" in texts[0]
    assert texts[1] == "image Seq05VD_f00000: label map has 10x10 pixels, Seq05VD_f00000.png 64x48"
    for folder, names in (("in", "ab"), ("gt", "a")):
        (tmp_path / folder).mkdir()
        for name in names:
            image = np.full((12, 16 if folder == "in" else 18, 3), 7, np.uint8)
            (tmp_path / folder / f"{name}.png").write_bytes(encode_png(image))
    texts = [f.text for f in check("pairs", tmp_path, None).findings if f.is_error]
    assert "b.png in in has no clean image" in texts[0]
    assert texts[1] == "image a: a.png is 16x12, its clean image a.png 18x12"


def test_what_cannot_be_opened_at_all_is_one_error(coco: Path) -> None:
    (coco / FILE).write_text("[" * 100_000)
    with pytest.raises(DatasetError, match="nested too deep"):
        check("coco", coco, None)


WRONG_SIZES: dict[str, tuple[dict[str, Any], str]] = {
    "zeros": ({"width": 0, "height": 0}, "'width' and 'height' must be at least 1"),
    "half": ({"width": None, "height": 120}, "'width' must be an integer, got 'None'"),
}


@pytest.mark.parametrize("case", WRONG_SIZES)
def test_images_that_are_all_wrong_are_not_called_none(case: str, coco: Path) -> None:
    sizes, words = WRONG_SIZES[case]
    content = edited(coco)
    for image in content["images"]:
        image.update(sizes)
    (coco / FILE).write_text(json.dumps(content))
    said = rf"images\[0\]: {words}; none of 8 entries can be read"
    with pytest.raises(DatasetError, match=said):
        check("coco", coco, None)
    (coco / FILE).write_text(json.dumps({**content, "images": []}))
    with pytest.raises(DatasetError, match="'images' is empty"):
        check("coco", coco, None)


def test_frames_and_files_that_are_all_wrong_are_not_called_none(
    bdd100k_root: Path, tmp_path: Path
) -> None:
    det = bdd100k_root / "labels" / "det_20" / "det_val.json"
    frames = json.loads(det.read_text())
    det.write_text(json.dumps([{**frame, "name": 7} for frame in frames]))
    said = rf"frame 0: 'name' must be a string, got int; none of {len(frames)} entries"
    with pytest.raises(DatasetError, match=said):
        check("bdd100k", bdd100k_root, "100k/val")
    root = miniature("voc", tmp_path)
    for file in (root / "Annotations").glob("*.xml"):
        file.write_text("<annotation>")
    with pytest.raises(DatasetError, match=r"\.xml: no XML .*; none of 3 entries can be read"):
        check("voc", root, None)


@pytest.mark.data
def test_real_sets_are_without_errors(data: Path) -> None:
    for name, root, split in (
        ("coco", "coco128", "train2017"),
        ("bdd100k", "bdd100k", "100k/train"),
        ("bdd100k", "bdd100k", "10k/train"),
        ("camvid", "camvid", "val"),
    ):
        assert not any(f.is_error for f in check(name, data / root, split).findings), name
