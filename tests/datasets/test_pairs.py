"""Rainy images and their clean ones."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from datasets import DATASETS, DatasetError
from datasets.image import UnreadableImageError, encode_png
from datasets.pairs import Side
from datasets.rainy_beside import with_rainy
from harness.plan.unit_keys import Entry


def tree(root: Path, rainy: dict[str, int], clean: dict[str, int], names: str = "in:gt") -> Path:
    """Folders of small images of one brightness each."""
    for folder, images in zip(names.split(":"), (rainy, clean), strict=True):
        (root / folder).mkdir(parents=True)
        for name, level in images.items():
            data = encode_png(np.full((12, 16, 3), level, np.uint8))
            (root / folder / name).write_bytes(data)
    return root


@pytest.mark.parametrize("names", ["input:target", "rainy:norain", "inputcrop:cleancrop", "in:gt"])
def test_known_layouts_are_found(names: str, tmp_path: Path) -> None:
    tree(tmp_path, {"a.png": 9, "b.png": 8}, {"a.png": 7, "b.png": 6, "c.png": 5}, names)
    dataset = DATASETS["pairs"].open(tmp_path, None)
    assert [s.id for s in dataset.samples] == ["a", "b"]
    assert dataset.samples[0].given_rain().max() == 9
    assert dataset.samples[0].image().max() == 7


def test_a_longer_name_belongs_to_its_beginning(tmp_path: Path) -> None:
    rainy = {"im_1_s80_a04.png": 9, "im_1_s85_a04.png": 8, "im_10_s80.png": 7}
    tree(tmp_path, rainy, {"im_1.png": 1, "im_10.png": 2})
    samples = {s.id: s for s in DATASETS["pairs"].open(tmp_path, None).samples}
    assert samples["im_1_s80_a04"].group == samples["im_1_s85_a04"].group == "im_1"
    assert samples["im_10_s80"].image().max() == 2


def test_folders_may_be_named(tmp_path: Path) -> None:
    tree(tmp_path / "test", {"a.png": 9}, {"a.jpg": 7}, "wet:dry")
    assert len(DATASETS["pairs"].open(tmp_path, "test", pair="wet:dry").samples) == 1
    with pytest.raises(DatasetError, match=r"no folders wet/moist there.*--pair RAINY:CLEAN"):
        DATASETS["pairs"].open(tmp_path, "test", pair="wet:moist")
    with pytest.raises(DatasetError, match="expected RAINY:CLEAN"):
        DATASETS["pairs"].open(tmp_path, "test", pair="wet")


def test_an_expression_says_what_pairs(tmp_path: Path) -> None:
    rainy = {"rain-7x2.png": 9, "rain-12x2.png": 8}
    tree(tmp_path, rainy, {"norain-7.png": 1, "norain-12.png": 2, "notes.png": 3})
    samples = {s.id: s for s in DATASETS["pairs"].open(tmp_path, None, pair=r"in:gt:\d+").samples}
    assert samples["rain-7x2"].group == "norain-7"
    assert samples["rain-12x2"].image().max() == 2
    grouped = DATASETS["pairs"].open(tmp_path, None, pair=r"in:gt:(?:no)?rain-(\d+)").samples
    assert [s.group for s in grouped] == ["norain-12", "norain-7"]
    for pair, words in {
        "in:gt:(": r"\( is no regex: missing \): \(",
        r"in:gt:(\d)\1": "is no regex: invalid escape",
        "in:gt:(?=rain)": "is no regex: invalid perl operator",
        "in:gt:(a{1000}){1000}": "is no regex: invalid repetition",
        "in:gt:rain": "in gt, rain finds rain in norain-12 and norain-7",
        "in:gt:x2": r"rain-12x2\.png in in has no clean image in gt",
    }.items():
        with pytest.raises(DatasetError, match=words):
            DATASETS["pairs"].open(tmp_path, None, pair=pair)


@pytest.mark.parametrize(
    "expression",
    ["^(a+)+$", "^(a|aa)+$", "^(a|a)*$", "a*a*a*a*a*a*b", "^(.*a){12}$", "(a?){99}a{99}$"],
)
def test_no_expression_takes_long(expression: str, tmp_path: Path) -> None:
    names = {f"{'a' * 200}!{i:02}.png": i for i in range(20)}
    tree(tmp_path, names, names)
    with pytest.raises(DatasetError, match=r"has no clean image|finds a+ in"):
        DATASETS["pairs"].open(tmp_path, None, pair=f"in:gt:{expression}")


@pytest.mark.parametrize(("pair", "clean", "rainy"), [("clean-left", 1, 9), ("clean-right", 9, 1)])
def test_both_may_lie_in_one_file(pair: str, clean: int, rainy: int, tmp_path: Path) -> None:
    both = np.hstack([np.full((4, 6, 3), level, np.uint8) for level in (1, 9)])
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.png").write_bytes(encode_png(both))
    dataset = DATASETS["pairs"].open(tmp_path, "test", pair=pair)
    (sample,) = dataset.samples
    assert sample.image().shape == sample.given_rain().shape == (4, 6, 3)
    assert np.unique(sample.image()).tolist() == [clean]
    assert np.unique(sample.given_rain()).tolist() == [rainy]
    assert dataset.export_labels is not None
    with pytest.raises(DatasetError, match="lie side by side"):
        dataset.export_labels(tmp_path / "copy", {})
    (tmp_path / "test" / "a.png").write_bytes(encode_png(both[:, 1:].copy()))
    with pytest.raises(UnreadableImageError, match="11 columns are no two images"):
        sample.image()
    with pytest.raises(DatasetError, match="no such folder"):
        DATASETS["pairs"].open(tmp_path, "train", pair=pair)


def test_the_halves_of_a_file_have_keys_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((4, 6, 3), np.uint8)))
    entries = [
        Entry.of(DATASETS["pairs"].open(tmp_path, None, pair=pair).samples[0])
        for pair in ("clean-left", "clean-right")
    ]
    assert entries[0].image == entries[1].rainy != entries[0].rainy == entries[1].image


def test_what_cannot_be_paired_is_named(tmp_path: Path) -> None:
    tree(tmp_path / "a", {"x.png": 9}, {"y.png": 7})
    with pytest.raises(DatasetError, match=r"x\.png in in has no clean image in gt"):
        DATASETS["pairs"].open(tmp_path / "a", None)
    tree(tmp_path / "b", {"x.png": 9, "x.jpg": 9}, {"x.png": 7})
    with pytest.raises(DatasetError, match="have one stem"):
        DATASETS["pairs"].open(tmp_path / "b", None)
    tree(tmp_path / "c", {}, {"x.png": 7})
    with pytest.raises(DatasetError, match="no image there"):
        DATASETS["pairs"].open(tmp_path / "c", None)


def test_a_set_without_rain_says_so(tmp_path: Path) -> None:
    tree(tmp_path, {"a.png": 9}, {"a.png": 7})
    with pytest.raises(DatasetError, match="brings no rain"):
        DATASETS["folder"].open(tmp_path / "gt", None).samples[0].given_rain()


def test_labelled_images_may_have_rainy_ones(coco_root: Path, tmp_path: Path) -> None:
    whole = DATASETS["coco"].open(coco_root, None)
    for name in ("000000000002.png", "000000000003_rain.png"):
        (tmp_path / name).write_bytes(encode_png(np.full((120, 160, 3), 200, np.uint8)))
    paired = with_rainy(whole, tmp_path)
    assert [s.id for s in paired.samples] == ["2", "3"]
    assert paired.samples[1].given_rain().min() == 200
    assert paired.samples[1].annotations is not None
    assert paired.notes == (f"rainy images from {tmp_path.name} for 2 of 8 images",)
    assert paired.export_labels is not None
    with pytest.raises(DatasetError, match="leave --pair out"):
        paired.export_labels(tmp_path, {})
    (tmp_path / "000000000003_wet.png").write_bytes(encode_png(np.zeros((9, 9, 3), np.uint8)))
    with pytest.raises(DatasetError, match=r"3_rain\.png and 0+3_wet\.png both belong to 0+3"):
        with_rainy(whole, tmp_path)
    (tmp_path / "000000000003_wet.png").rename(tmp_path / "000000000099.png")
    with pytest.raises(DatasetError, match=r"99\.png in .* belongs to no image of coco val2017"):
        with_rainy(whole, tmp_path)
    with pytest.raises(DatasetError, match="name the folder of the rainy images"):
        with_rainy(whole, tmp_path / "absent")


def lay(root: Path, *names: str) -> Path:
    """Small images of those names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encode_png(np.zeros((4, 6, 3), np.uint8)))
    return root


def pairs(root: Path, pair: str | None = None) -> dict[str, str]:
    """Each rainy image's clean one."""
    samples = DATASETS["pairs"].open(root, None, pair=pair).samples
    return {s.id: s.path.relative_to(root).as_posix() for s in samples}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (  # LHP-Rain
            ["input/0001/0001.png", "input/0002/0001.png", "gt/0001/0001.png", "gt/0002/0001.png"],
            {"0001/0001": "gt/0001/0001.png", "0002/0001": "gt/0002/0001.png"},
        ),
        (  # GT-RAIN: a clean frame for each, or one of the scene
            ["s/A-R-000.png", "s/A-R-001.png", "s/A-C-000.png", "s/A-C-001.png"],
            {"s/A-R-000": "s/A-C-000.png", "s/A-R-001": "s/A-C-001.png"},
        ),
        (
            ["s/A-R-000.png", "s/A-R-007.png", "s/A-C-000.png", "t/B-R-007.png", "t/B-C-000.png"],
            {"s/A-R-000": "s/A-C-000.png", "s/A-R-007": "s/A-C-000.png"}
            | {"t/B-R-007": "t/B-C-000.png"},
        ),
        (  # SPA-Data, training and test
            [
                *(f"real_world/000/000-{i}/000-{i}_0_9.png" for i in (1, 2)),
                *(f"real_world_gt/000/000_0_{y}.png" for y in (9, 99)),
            ],
            {f"000/000-{i}/000-{i}_0_9": "real_world_gt/000/000_0_9.png" for i in (1, 2)},
        ),
        (["rain/000.png", "gt/000gt.png"], {"000": "gt/000gt.png"}),
        (
            ["rain/X2/norain-1x2.png", "norain/norain-1.png"],
            {"X2/norain-1x2": "norain/norain-1.png"},
        ),
        (["rainy/rain-001.png", "norain-001.png"], {"rain-001": "norain-001.png"}),
        (["rain-1.png", "norain-1.png", "rainstreak-1.png"], {"rain-1": "norain-1.png"}),
        (["1_DR.png", "1_GT.png"], {"1_DR": "1_GT.png"}),
        (["001_in.png", "001_GT.jpg"], {"001_in": "001_GT.jpg"}),
        (["data/0_rain.png", "gt/0_clean.png"], {"0_rain": "gt/0_clean.png"}),
        (
            ["rain1.png", "no-rain1.png", "rain12.png", "no-rain12.png"],
            {"rain1": "no-rain1.png", "rain12": "no-rain12.png"},
        ),
        (["7rainy.png", "7clean.jpg"], {"7rainy": "7clean.jpg"}),
        (
            ["rainy_image/901_1.png", "rainy_image/901_14.png", "ground_truth/901.png"],
            {"901_1": "ground_truth/901.png", "901_14": "ground_truth/901.png"},
        ),
        (  # levels of rain, and scenes with one clean image
            ["input/light/1.png", "input/heavy/1.png", "gt/1.png"],
            {"light/1": "gt/1.png", "heavy/1": "gt/1.png"},
        ),
        (["input/7/a.png", "input/7/b.png", "gt/7.png"], {"7/a": "gt/7.png", "7/b": "gt/7.png"}),
        (["input/é 1/x y.png", "gt/é 1/x y.png"], {"é 1/x y": "gt/é 1/x y.png"}),
    ],
)
def test_pairs_are_found_as_their_authors_lay_them(
    names: list[str], expected: dict[str, str], tmp_path: Path
) -> None:
    assert pairs(lay(tmp_path, *names)) == expected


def test_frames_of_a_scene_are_one_group_and_a_note_tells_whose_clean_one_is_shared(
    tmp_path: Path,
) -> None:
    lay(tmp_path, *(f"s/A-{half}-00{i}.png" for half, n in (("R", 3), ("C", 1)) for i in range(n)))
    dataset = DATASETS["pairs"].open(tmp_path, None)
    assert {s.group for s in dataset.samples} == {"s"}
    flat = lay(tmp_path / "flat", *(f"A-{half}-00{i}.png" for half in "RC" for i in range(2)))
    assert {s.group for s in DATASETS["pairs"].open(flat, None).samples} == {"A"}
    assert dataset.notes == (
        "2 rainy images have the only clean image of their scene, of another name (1 scenes)",
    )


@pytest.mark.parametrize(
    ("names", "pair", "said"),
    [
        (["x/1.png", "x/2.png"], "x:x", "x holds both, and no rule of names tells rainy"),
        (["x/1.png", "x/2.png"], "x:./x", "x holds both, and no rule of names tells rainy"),
        (["1_rain.png", "1_gt.png", "1_clean.png"], ".:.", "1_clean and 1_gt are both clean"),
        (["1_rain.png", "1_gt.png", "1_clean.png"], None, "1_clean and 1_gt are both clean"),
        (["input/1.png", "gt/1.png", "target/1.png"], None, "input/target and input/gt are there"),
        (
            ["input/2/1.png", "gt/1.png", "gt/2.png"],
            None,
            "2/1 could belong to 1 and 2: say with --pair",
        ),
        (["train/input/1.png", "train/gt/1.png"], None, "lie in train: give one as --split"),
        (["s/rain/1.png", "s/gt/1.png"], None, "--split, or all as --pair '*/rain:*/gt'"),
        (["s/rain/1.png", "s/gt/1.png"], "*/wet:*/gt", "is like */wet"),
        (["s/rain/1.png", "s/gt/1.png"], r"*/rain:*/gt:\d", r"within folders: leave \d out"),
        (["s/t/rain/1.png", "s/gt/1.png"], "*/*/rain:*/gt", "*/*/rain and */gt have not as many *"),
        (["input/s/1.png", "input/s/2.png", "gt/s/1.png", "gt/s/3.png"], None, "s/2.png in input"),
        (["a/1.png", "a/2_dry.png"], "a/*:a/*_dry", "1.png in a has no clean image"),
        (["a_b_wet.png", "a_dry.png"], "*_*_wet:*_dry", "have not as many"),
        (["1_dry.png"], "*_wet:*_dry", "is like"),
    ],
)
def test_what_could_be_two_things_is_refused(
    names: list[str], pair: str | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError) as told:
        pairs(lay(tmp_path, *names), pair)
    assert said in str(told.value)
    assert "--pair" in str(told.value) or "--split" in str(told.value)
    assert "\n" not in str(told.value)


def test_the_time_of_a_pattern_is_linear(tmp_path: Path) -> None:
    side = Side(tmp_path, "*a" * 12 + "b")
    assert side.key("a" * 150) is None
    assert Side(tmp_path, "r.n-*(1)*").key("x/r.n-a(1)b(1)") == ("a", "b(1)")
    with pytest.raises(DatasetError, match="is no pattern"):
        Side(tmp_path, "a*" * 10**6).key("a")


def test_patterns_tell_halves_apart_and_an_expression_may_see_folders(tmp_path: Path) -> None:
    lay(tmp_path, "1wet.png", "1dry.png", "2wet.png", "2dry.png", "notes.png")
    assert pairs(tmp_path, "*wet:*dry") == {"1wet": "1dry.png", "2wet": "2dry.png"}
    scenes = lay(tmp_path / "n", *(f"{half}/s{i}/x7.png" for half in ("in", "gt") for i in (1, 2)))
    assert pairs(scenes, r"in:gt:s\d") == {f"s{i}/x7": f"gt/s{i}/x7.png" for i in (1, 2)}
    assert pairs(scenes, r"::s\d") == pairs(scenes, r"in:gt:s\d")
    with pytest.raises(DatasetError, match="finds 7 in s1/x7 and s2/x7"):
        pairs(scenes, r"in:gt:\d$")


SCENES = {
    "*/rain:*/gt": "{scene}/{half}",
    "*_rain:*_gt": "{scene}_{half}",
    "test/*-video/rain:test/*-video/gt": "test/{scene}-video/{half}",
    "*/rain/im*:*/gt/im*": "{scene}/{half}",
    "*/rain:gt": "{scene}/rain",
}


@pytest.mark.parametrize("pair", SCENES)
def test_each_scene_may_have_a_pair_of_folders(pair: str, tmp_path: Path) -> None:
    places = {}
    for scene in ("s 1", "s+2"):
        for half in ("rain", "gt"):
            place = SCENES[pair].format(scene=scene, half=half)
            places[scene, half] = f"gt/{scene}" if (pair, half) == ("*/rain:gt", "gt") else place
    names = [f"{place}/im{i}.png" for place in places.values() for i in (1, 2)]
    lay(tmp_path, *names, "s 1/notes/im1.png", ".Trash/s/rain/im1.png")
    dataset = DATASETS["pairs"].open(tmp_path, None, pair=pair)
    expected = {
        f"{places[scene, 'rain']}/im{i}": f"{places[scene, 'gt']}/im{i}.png"
        for scene in ("s 1", "s+2")
        for i in (1, 2)
    }
    start = "test/" if pair.startswith("test") else ""
    assert {start + name: clean for name, clean in pairs(tmp_path, pair).items()} == expected
    assert [s.group for s in dataset.samples] == ["s 1", "s 1", "s+2", "s+2"]
    (tmp_path / places["s+2", "gt"] / "im2.png").unlink()
    (tmp_path / places["s+2", "gt"] / "im3.png").touch()
    with pytest.raises(DatasetError, match=r"s\+2.*/im2\.png in .* has no clean image"):
        pairs(tmp_path, pair)


def test_a_scene_s_only_clean_image_serves_it_and_files_come_before_folders(tmp_path: Path) -> None:
    lay(tmp_path, *(f"s{i}/rain/{j}.png" for i in (1, 2) for j in (1, 2)))
    lay(tmp_path, *(f"s{i}/gt/clean.png" for i in (1, 2)))
    assert pairs(tmp_path, "*/rain:*/gt") == {
        f"s{i}/rain/{j}": f"s{i}/gt/clean.png" for i in (1, 2) for j in (1, 2)
    }
    flat = lay(tmp_path / "flat", "x/a-1.png", "x/b-1.png", "a-x/1.png", "b-x/1.png")
    assert pairs(flat, "a-*:b-*") == {"x/a-1": "x/b-1.png"}


def test_images_below_a_folder_of_images_are_the_other_half(tmp_path: Path) -> None:
    lay(tmp_path, "s/a.png", "t/a.png", "gt/s/a.png", "gt/t/a.png")
    assert pairs(tmp_path, ".:gt") == {"s/a": "gt/s/a.png", "t/a": "gt/t/a.png"}


def test_images_that_are_left_out_below_a_folder_of_images_are_told_of(tmp_path: Path) -> None:
    lay(tmp_path, "rainy/a.png", "rainy/s/b.png", "rainy/t/c.png", "a.png", "s/b.png")
    dataset = DATASETS["pairs"].open(tmp_path, None)
    assert [sample.id for sample in dataset.samples] == ["a"]
    assert dataset.notes == ("2 images in folders below rainy are left out: it holds images",)
    (tmp_path / "rainy" / "a.png").unlink()
    assert not DATASETS["pairs"].open(tmp_path, None, pair="rainy/s:s").notes
    lay(tmp_path, "x.png", "gt/x.png")
    assert not DATASETS["pairs"].open(tmp_path, None, pair="gt:.").notes


def test_accents_are_the_same_however_they_are_coded(tmp_path: Path) -> None:
    nfc, nfd = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    lay(tmp_path, f"in/{nfc}.png", f"in/{nfd}_2.png", f"gt/{nfd}.png")
    assert pairs(tmp_path) == dict.fromkeys([nfc, f"{nfd}_2"], f"gt/{nfd}.png")


def test_a_name_may_be_of_two_lines(tmp_path: Path) -> None:
    lay(tmp_path, "in/a\nb.png", "gt/a\nb.png")
    assert pairs(tmp_path) == {"a\nb": "gt/a\nb.png"}
