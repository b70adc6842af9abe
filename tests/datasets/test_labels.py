"""Labels that would give a wrong number without a word."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from PIL import Image

from datasets import DATASETS, DatasetError
from datasets.check import check
from datasets.coco import open_coco
from datasets.image import decode, encode_png
from datasets.labels import notes, require_fitting, unmatched
from datasets.rainy_beside import with_rainy
from datasets.sample import Dataset, Sample
from datasets.voc import open_voc
from harness.work.labels import compared
from tasks.rows import TASKS
from tests.miniatures import maker_of, miniature

if TYPE_CHECKING:
    from harness.plan.networks import TaskPlan

FILE = "annotations/instances_val2017.json"
PHOTOS = "images/val2017"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def coco(coco_root: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(coco_root, tmp_path / "coco"))


def edit(root: Path, change: Edit) -> None:
    content = json.loads((root / FILE).read_text())
    change(content)
    (root / FILE).write_text(json.dumps(content))


def told(root: Path, kind: str) -> list[tuple[bool, str]]:
    findings = check("coco", root, None).findings
    return [(f.is_error, f.text) for f in findings if f.kind == kind]


def noted(root: Path) -> list[str]:
    dataset = open_coco(root, None, masks=True)
    return notes(dataset.samples, dataset.categories)


def resized(file: Path, scale: float) -> None:
    with Image.open(file) as picture:
        size = round(picture.width * scale), round(picture.height * scale)
        picture.resize(size).save(file)


def test_good_labels_fit_and_need_no_word(coco: Path) -> None:
    require_fitting(open_coco(coco, None).samples)
    assert noted(coco) == []
    assert [f.kind for f in check("coco", coco, None).findings if f.is_error] == []


@pytest.mark.parametrize("scale", [2, 0.5, 1.01])
def test_pictures_of_another_size_than_was_labelled_are_refused(scale: float, coco: Path) -> None:
    photos = sorted((coco / PHOTOS).iterdir())
    for photo in photos[4:]:
        resized(photo, scale)
    height, width, _ = decode(photos[4].read_bytes(), "").shape
    both = f"image 5: the labels are of a picture of 160x120 pixels, {photos[4].name} has "
    with pytest.raises(DatasetError, match="4 of 8 images: image 5") as caught:
        require_fitting(open_coco(coco, None).samples)
    assert f"{both}{width}x{height}" in str(caught.value)
    assert "; and 1 more" in str(caught.value)
    assert told(coco, "size")[0] == (True, f"{both}{width}x{height}")
    assert len(told(coco, "size")) == 4


HALVED = {
    "cityscapes": (["leftImg8bit/val/*/*.png"], "val"),
    "acdc": (["rgb_anon/*/val/*/*.png"], "val"),
    "carla": (["clean/*", "rainy/*"], None),
    "camvid": (["val/*.png"], "val"),
}
"""Where the pictures lie of sets whose labels are pictures too, and a split."""


def halved(name: str, root: Path, **kinds: Sequence[str]) -> Dataset:
    """A set whose pictures are half as wide and high as their labels."""
    reader = "cityscapes" if name == "acdc" else name
    maker = maker_of(reader)
    make = maker.make_acdc if name == "acdc" else maker.make
    make(root, **kinds)
    patterns, split = HALVED[name]
    for photo in [file for pattern in patterns for file in root.glob(pattern)]:
        resized(photo, 0.5)
    return DATASETS[reader].open(root, split)


@pytest.mark.parametrize("name", HALVED)
def test_pictures_of_another_size_than_their_label_pictures_are_refused(
    name: str, tmp_path: Path
) -> None:
    dataset = halved(name, tmp_path / "set")
    number = len(dataset.samples)
    with pytest.raises(DatasetError, match=f"{number} of {number} images: .* are of a picture of"):
        require_fitting(dataset.samples)


@pytest.mark.parametrize("kind", ["labelTrainIds", "instanceIds", "polygons"])
def test_every_form_of_label_pictures_says_its_size(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="another size than was labelled"):
        require_fitting(halved("cityscapes", tmp_path / "set", kinds=(kind,)).samples)


def test_label_maps_of_another_size_are_nothing_to_a_task_that_compares_with_boxes(
    coco: Path, tmp_path: Path
) -> None:
    file = tmp_path / "map.png"
    Image.new("L", (12, 10)).save(file)
    boxed = open_coco(coco, None).samples
    samples = [replace(sample, label_map_path=file) for sample in boxed]
    tasks = {name: cast("TaskPlan", SimpleNamespace(name=name)) for name in TASKS}
    require_fitting(compared(samples, [tasks["detection"]]))
    for needing in ([tasks["semantic"]], [tasks["detection"], tasks["semantic"]]):
        with pytest.raises(DatasetError, match="picture of 12x10 pixels"):
            require_fitting(compared(samples, needing))


def rainy(coco: Path, scale: float) -> None:
    """A folder of rainy images, of which the last three have another size."""
    shutil.copytree(coco / PHOTOS, coco / "rainy")
    for photo in sorted((coco / "rainy").iterdir())[5:]:
        resized(photo, scale)


@pytest.mark.parametrize("scale", [2, 0.5])
def test_rainy_images_of_another_size_than_was_labelled_are_refused(
    scale: float, coco: Path
) -> None:
    rainy(coco, scale)
    dataset = with_rainy(open_coco(coco, None), coco / "rainy")
    size = f"{160 * scale:g}x{120 * scale:g}"
    said = f"picture of 160x120 pixels, its rainy image 000000000006.jpg has {size}"
    with pytest.raises(DatasetError, match=f"3 of 8 images: image 6: the labels are of a {said}"):
        require_fitting(dataset.samples)
    # Labels that say no size are of the clean image.
    unsaid = [replace(sample, size_px=None) for sample in dataset.samples]
    with pytest.raises(DatasetError, match=said):
        require_fitting(unsaid)
    require_fitting([replace(sample, labels=None) for sample in unsaid])
    found = [f for f in check("coco", coco, None, "rainy").findings if f.kind == "size"]
    assert [f.is_error for f in found] == [True] * 3
    assert "its clean image 000000000006.jpg 160x120" in found[0].text


def test_rainy_images_of_the_labelled_size_are_taken(coco: Path) -> None:
    rainy(coco, 1)
    require_fitting(with_rainy(open_coco(coco, None), coco / "rainy").samples)
    (coco / "rainy" / "000000000001.jpg").rename(coco / "rainy" / "9.jpg")
    found = [f for f in check("coco", coco, None, "rainy").findings if f.kind == "pair"]
    assert [f.is_error for f in found] == [True]
    assert "9.jpg in rainy belongs to no image" in found[0].text


@pytest.mark.parametrize("orientation", [5, 8])
def test_labels_made_on_an_unturned_tiff_are_blamed(orientation: int, coco: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = coco / PHOTOS / "000000000001"
    with Image.open(file.with_suffix(".jpg")) as picture:
        picture.save(file.with_suffix(".tif"), exif=exif)
    edit(coco, lambda content: content["images"][0].update(file_name="000000000001.tif"))
    with pytest.raises(DatasetError, match="has 120x160 once its EXIF orientation turns it"):
        require_fitting(open_coco(coco, None).samples)
    edit(coco, lambda content: content["images"][0].update(width=120, height=160))
    require_fitting(open_coco(coco, None).samples)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_labels_made_on_the_unturned_picture_are_blamed(orientation: int, coco: Path) -> None:
    file = coco / PHOTOS / "000000000001.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    with Image.open(file) as picture:
        picture.save(buffer, "JPEG", exif=exif)
    file.write_bytes(buffer.getvalue())
    with pytest.raises(DatasetError, match="1 of 8 images") as caught:
        require_fitting(open_coco(coco, None).samples)
    assert "labels are of a picture of 160x120 pixels" in str(caught.value)
    assert "has 120x160 once its EXIF orientation turns it" in str(caught.value)
    assert "EXIF" in told(coco, "size")[0][1]


def test_an_unreadable_picture_is_not_taken_for_one_of_another_size(coco: Path) -> None:
    (coco / PHOTOS / "000000000001.jpg").write_bytes(b"no picture")
    require_fitting(open_coco(coco, None).samples)


def boxes_as(coco: Path, form: Callable[[float, float, float, float], list[float]]) -> None:
    """Write each box, 160x120 px pictures, as ``form`` has it."""
    edit(coco, lambda c: [o.update(bbox=form(*o["bbox"])) for o in c["annotations"]])


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (lambda x, y, w, h: [x / 160, y / 120, w / 160, h / 120], "so they are shares of the"),
        (lambda x, y, w, h: [x, y, x + w, y + h], "none does if they are corners"),
    ],
)
def test_boxes_that_are_shares_or_corners_are_refused(
    form: Callable[..., list[float]], says: str, coco: Path
) -> None:
    boxes_as(coco, form)
    with pytest.raises(DatasetError, match=says):
        require_fitting(open_coco(coco, None).samples)
    assert says in told(coco, "box")[0][1]


def test_boxes_that_may_be_centres_are_told(coco: Path) -> None:
    boxes_as(coco, lambda x, y, w, h: [x + w / 2, y + h / 2, w, h])
    require_fitting(open_coco(coco, None).samples)
    assert any("if they are centres and sizes" in note for note in noted(coco))


def test_shares_in_files_of_voc_are_refused(tmp_path: Path) -> None:
    root = miniature("voc", tmp_path)
    for file in (root / "Annotations").glob("*.xml"):
        file.write_text(re.sub(r"(<[xy]m..>)(\d+)", share, file.read_text()))
    with pytest.raises(DatasetError, match="shares of the picture"):
        require_fitting(open_voc(root, None).samples)


def share(side: re.Match[str]) -> str:
    return f"{side[1]}{int(side[2]) / (100 if side[1][1] == 'x' else 80)}"


def test_objects_that_are_all_crowds_are_told(coco: Path) -> None:
    edit(coco, lambda content: [o.update(iscrowd=1) for o in content["annotations"]])
    assert noted(coco)[0].startswith("all 21 objects are marked as crowds (iscrowd 1)")
    assert told(coco, "crowd") == [(True, noted(coco)[0])]
    edit(coco, lambda content: content["annotations"][0].update(iscrowd=0))
    few = "labelled objects are ignored, as groups or as too small: numbers are of the other"
    assert noted(coco) == [f"20 of 21 {few} 1"]
    assert told(coco, "crowd") == []
    edit(coco, lambda content: [o.update(iscrowd=0) for o in content["annotations"][10:]])
    assert noted(coco) == []


def test_labels_without_any_object_are_told(coco: Path) -> None:
    edit(coco, lambda content: content["annotations"].clear())
    assert told(coco, "label") == [(True, "no object is labelled in any of 8 images")]


@pytest.mark.parametrize(
    "outline",
    [
        [[-90, -90, -80, -90, -80, -80]],
        [[300, 10, 310, 10, 310, 20]],
        [[5, 5, 5, 5, 5, 5]],
        {"size": [120, 160], "counts": [19200]},
    ],
)
def test_a_mask_without_a_pixel_is_told(outline: Any, coco: Path) -> None:
    edit(coco, lambda content: content["annotations"][1].update(segmentation=outline))
    assert noted(coco) == [
        "1 of 21 labelled objects have an empty mask, which nothing can match: image 1"
    ]
    assert told(coco, "mask") == [(True, "image 1: object 1: its mask is empty")]


def halved_outline(entry: dict[str, Any]) -> Any:
    left, top, width, height = (side / 2 for side in entry["bbox"])
    right, bottom = left + width, top + height
    return [[left, top, right, top, right, bottom, left, bottom]]


def row_by_row(entry: dict[str, Any]) -> Any:
    """Run lengths of the box in a picture of 160x120, along its rows."""
    left, top, width, height = map(int, entry["bbox"])
    pixels = np.zeros((120, 160), np.int8)
    pixels[top : top + height, left : left + width] = 1
    ends = np.flatnonzero(np.diff(pixels.ravel(), prepend=0)).tolist()
    return {"size": [120, 160], "counts": np.diff([0, *ends, pixels.size]).tolist()}


@pytest.mark.parametrize("drawn", [halved_outline, row_by_row])
def test_outlines_elsewhere_than_their_boxes_are_told(
    drawn: Callable[[dict[str, Any]], Any], coco: Path
) -> None:
    def spoil(content: dict[str, Any], number: int) -> None:
        sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
        fit = [o for o in content["annotations"] if sizes[o["image_id"]] == (160, 120)]
        content["annotations"] = [o for o in fit if not o["iscrowd"]]
        for entry in content["annotations"][:number]:
            entry.update(segmentation=drawn(entry))

    edit(coco, lambda content: spoil(content, 1))
    assert noted(coco) == []
    edit(coco, lambda content: spoil(content, 99))
    [said] = noted(coco)
    assert re.match(r"the masks of (\d+) of \1 objects lie elsewhere than their boxes", said)
    assert told(coco, "mask") == [(True, said)]
    boxes = open_coco(coco, None)
    assert notes(boxes.samples, boxes.categories) == []


def test_objects_that_stand_there_twice_are_told(coco: Path) -> None:
    def again(content: dict[str, Any]) -> None:
        objects = content["annotations"]
        objects += [{**o, "id": 100 + o["id"]} for o in objects if o["image_id"] in (1, 2)]

    edit(coco, again)
    assert noted(coco)[0].startswith("6 of 27 labelled objects stand there twice")
    assert noted(coco)[0].endswith(": image 1; image 2")
    texts = told(coco, "twin")
    assert len(texts) == 6
    assert texts[0] == (False, "image 1: object 3: one of its class and box stands there before")
    edit(coco, lambda content: [o.update(category_id=3) for o in content["annotations"][-6:]])
    assert len(told(coco, "twin")) == 2  # of another class, the same box may well be there


@pytest.mark.parametrize("factor", [1, 4])
def test_areas_of_pictures_of_another_size_are_told(factor: float, coco: Path) -> None:
    edit(coco, lambda c: [o.update(area=o["area"] * factor) for o in c["annotations"][:15]])
    said = [
        "15 of 21 labelled objects have an area larger than their box: are these of pictures of "
        "another size? Numbers of small, medium and large objects go by them"
    ]
    assert noted(coco) == (said if factor > 1 else [])
    assert told(coco, "area") == [(False, text) for text in noted(coco)]
    edit(coco, lambda c: [o.update(area=1) for o in c["annotations"][:5]])
    assert noted(coco) == []


def test_names_that_several_classes_share_are_told(coco: Path) -> None:
    edit(coco, lambda content: content["categories"].append({"id": 90, "name": "car"}))
    edit(coco, lambda content: content["categories"].append({"id": 91, "name": "Dog"}))
    said = [
        "the classes 3, 90 are all called car and count as one",
        "the classes dog, Dog differ in spelling alone and stay apart",
    ]
    assert noted(coco) == ["; ".join(said)]
    assert [text for _, text in told(coco, "class")][:2] == said


def test_names_that_are_spelt_otherwise_elsewhere_are_told(coco: Path) -> None:
    edit(coco, lambda content: content["categories"][0].update(name="PERSON"))
    assert told(coco, "class") == [(False, "PERSON is spelt person elsewhere, and matched with it")]


def test_an_id_that_two_names_share_is_refused(coco: Path) -> None:
    edit(coco, lambda content: content["categories"].append({"id": 3, "name": "van"}))
    with pytest.raises(DatasetError, match=r"categories\[3\]: id 3 stands there twice"):
        open_coco(coco, None)


def test_the_share_that_no_class_of_a_network_covers_is_told(coco: Path) -> None:
    dataset = open_coco(coco, None)
    said = unmatched(
        "detection by tiny",
        {"person": None, "car": "Car", "dog": "dog", "cat": None},
        dataset,
        dataset.samples,
    )
    assert said == [
        "detection by tiny: classes of other names are matched: car as Car",
        "detection by tiny: 7 of 21 labelled objects (33%) are of classes that it does not know, "
        "and so count as missed: person (7)",
    ]
    whole = {name: name for name in dataset.categories.values()}
    assert unmatched("x", whole | {"cat": None}, dataset, dataset.samples) == []


def test_pixels_that_are_no_class_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, labels = np.zeros((4, 4, 3), np.uint8), np.array([[0, 26, 255, 7]] * 4, np.uint8)
    for name, pixels in (("a.png", picture), ("labels.png", labels)):
        data = encode_png(pixels) if pixels.ndim == 3 else _grey(pixels)
        (tmp_path / name).write_bytes(data)

    def opened(root: Path, split: str | None, problems: Any = None) -> Dataset:
        sample = Sample("a", root / "a.png", "a", label_map_path=root / "labels.png")
        return Dataset("own", "all", [sample], classes={0: "road", 7: "pole"})

    from datasets.rows import DatasetRow

    monkeypatch.setattr("datasets.check.DATASETS", {"own": DatasetRow(opened)})
    texts = [f.text for f in check("own", tmp_path, None).findings if f.is_error]
    assert texts == ["image a: its label map holds 26, which is no class of the data set"]


def _grey(values: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()
