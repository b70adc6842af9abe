"""What a look at a rainy image and its clean one finds, and what it leaves in peace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut, chelsea

from datasets.check import check, counts
from datasets.image import NDArrayByte, encode_png
from datasets.pair_faults import faults
from datasets.rain import RAINS, generator

PHOTO = np.ascontiguousarray(astronaut()[40:360, 60:460])
OTHER = np.ascontiguousarray(chelsea()[:300, :400])
STREAKS = ("photoshop-light", "photoshop-heavy", "rain100l", "rain100h", "bdd350")


def kinds(rainy: NDArrayByte, clean: NDArrayByte) -> list[str]:
    return [kind for kind, _ in faults(rainy, clean)]


def rained(name: str, photo: NDArrayByte = PHOTO) -> NDArrayByte:
    rain = RAINS[name]
    return rain.render(photo, generator(0, rain, "x"), None).image


@pytest.mark.parametrize("name", [*STREAKS, "outdoor-rain", "physical"])
def test_rain_is_no_fault(name: str) -> None:
    assert not faults(rained(name), PHOTO)


@pytest.mark.parametrize("name", STREAKS)
def test_rain_on_the_clean_side_is_found(name: str) -> None:
    assert kinds(PHOTO, rained(name)) == ["streaks"]


def test_less_light_blur_and_compression_are_no_fault() -> None:
    darker = (PHOTO * 0.5).astype(np.uint8)
    veiled = (PHOTO * 0.4 + 120).astype(np.uint8)
    assert not faults(darker, PHOTO)
    assert not faults(veiled, PHOTO)
    assert not faults(PHOTO, veiled)


@pytest.mark.parametrize("name", ["rain100l", "rain100h"])
@pytest.mark.parametrize("move", [(1, 0), (0, -1), (2, 2)])
def test_a_shift_of_a_pixel_is_found_under_rain(name: str, move: tuple[int, int]) -> None:
    down, right = move
    moved = np.roll(rained(name), move, axis=(0, 1))
    ((kind, text),) = faults(moved, PHOTO)
    assert kind == "shift"
    told = [float(word) for word in text.replace("-0.0", "0.0").split() if word[-1].isdigit()]
    assert told == pytest.approx([right, down], abs=0.15)


def test_half_a_pixel_is_found() -> None:
    left, right = PHOTO[:, :-1], PHOTO[:, 1:]
    between = ((left.astype(int) + right) // 2).astype(np.uint8)
    assert kinds(between, np.ascontiguousarray(left)) == ["shift"]


def test_another_scene_and_the_same_picture_are_found() -> None:
    assert kinds(rained("rain100l", OTHER), PHOTO[:300, :400]) == ["scene"]
    assert kinds(PHOTO, PHOTO.copy()) == ["same"]


def test_pictures_that_show_nothing_are_left_in_peace() -> None:
    grey = np.full((80, 90, 3), 90, np.uint8)
    assert not faults(grey, grey + 1)
    assert not faults(PHOTO[:20, :20], OTHER[:20, :20])


def test_folders_the_wrong_way_round_are_an_error(tmp_path: Path) -> None:
    for folder, first in (("input", PHOTO), ("target", rained("rain100l"))):
        (tmp_path / folder).mkdir()
        for i in range(3):
            cut = np.ascontiguousarray(first[i : i + 200, 40 * i : 40 * i + 240])
            (tmp_path / folder / f"{i}.png").write_bytes(encode_png(cut))
    found = check("pairs", tmp_path, None)
    assert counts(found.findings)[True, "swapped"] == 1
    text = next(f.text for f in found.findings if f.kind == "swapped")
    assert text.startswith("3 of 3 clean images have more streaks than their rainy ones")
    turned = check("pairs", tmp_path, None, "target:input").findings
    assert not {f.kind for f in turned} & {"swapped", "streaks", "shift", "scene"}


def test_a_pointer_in_place_of_a_rainy_image_is_named(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    for folder, data in (("input", pointer), ("target", encode_png(PHOTO))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(data)
    (finding,) = check("pairs", tmp_path, None).findings
    assert (finding.is_error, finding.kind) == (True, "image")
    assert finding.text == "image 1: 1.png: a pointer of Git LFS, not the image: git lfs pull"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("rain100l", "input:target"),
        ("rain100h", "input:target"),
        ("outdoor-rain/test1", "in:gt"),
        ("carlarain", "rainy:clean"),
    ],
)
def test_real_pairs_raise_no_alarm(name: str, pair: str, data: Path) -> None:
    found = check("pairs", data / name, None, pair).findings
    assert {f.kind for f in found} <= {"alike"}


@pytest.mark.data
def test_real_pairs_the_wrong_way_round_are_an_error(data: Path) -> None:
    found = check("pairs", data / "carlarain", None, "clean:rainy").findings
    assert {f.kind for f in found} == {"streaks", "swapped"}
