"""Rains on their way from the command line into a run and onto a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from datasets.coco import open_coco
from datasets.image import NDArrayByte, decode, encode_png
from datasets.rain import LAYERS, RAINS, PhysicalRain, RainyImage
from datasets.rain.composed import Composed
from datasets.rain.rain import origin
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.plan.plan import make_plan
from harness.runs.rain_sheet import rain_sheet
from harness.runs.rainy_copy import Recipe, synthesize
from harness.spec import UsageError
from reports.pages.contact_sheet import CAPTION_PX, MARGIN_PX, contact_sheet

SWEEP = "physical:rate_mm_h=200/5"


@pytest.fixture(scope="module")
def spec(coco_root: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("median",),
        task=("none",),
        rain=("none", SWEEP, "coco350"),
    )


def test_a_sweep_is_one_condition_per_value(spec: RunSpec) -> None:
    plan = make_plan(spec, {})
    names = ["physical:rate_mm_h=200", "physical:rate_mm_h=5", "coco350"]
    assert list(plan.rains) == names
    expected = (PhysicalRain(rate_mm_h=200), PhysicalRain(rate_mm_h=5), RAINS["coco350"])
    assert list(plan.rains.values()) == list(expected)
    assert [(c.rain, c.derainer.name) for c in plan.conditions] == [
        ("none", "identity"),
        *((name, "identity") for name in names),
        *((name, "median") for name in ("none", *names)),
    ]


def test_records_carry_the_full_name(spec: RunSpec, tmp_path: Path) -> None:
    changes = {"workspace": str(tmp_path / "w"), "out": str(tmp_path / "out"), "limit": 2}
    results = run(spec.model_copy(update=changes))
    assert not results.errors
    heavy, light = (
        results.value(f"physical:rate_mm_h={rate}", "identity", "quality", "psnr_y_db")
        for rate in (200, 5)
    )
    assert heavy is not None
    assert light is not None
    assert heavy.value is not None
    assert light.value is not None
    assert heavy.value < light.value


def test_given_rain_takes_no_parameters(spec: RunSpec) -> None:
    with pytest.raises(UsageError, match="unknown rain 'given'"):
        make_plan(spec.model_copy(update={"rain": ("given:seed=1",)}), {})


def test_sheet_lays_pictures_in_rows() -> None:
    tile: NDArrayByte = np.full((30, 100, 3), 7, np.uint8)
    sheet = contact_sheet([(tile, "a"), (tile + 1, "b"), (tile + 2, "c")], columns=2)
    tall, wide = 30 + CAPTION_PX + MARGIN_PX, 100 + MARGIN_PX
    assert sheet.shape == (2 * tall + MARGIN_PX, 2 * wide + MARGIN_PX, 3)
    for row, column, level in ((0, 0, 7), (0, 1, 8), (1, 0, 9)):
        top, left = MARGIN_PX + row * tall, MARGIN_PX + column * wide
        assert (sheet[top : top + 30, left : left + 100] == level).all()
        assert (sheet[top + 30 : top + 30 + CAPTION_PX, left : left + 100] == 0).any()
    assert (sheet[MARGIN_PX + tall :, MARGIN_PX + wide :] == 255).all()
    seven = contact_sheet([(tile, "")] * 7)  # not six and one
    assert seven.shape == (2 * tall + MARGIN_PX, 4 * wide + MARGIN_PX, 3)


def test_sheet_of_rains_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph, file = tmp_path / "grey.png", tmp_path / "sheet.png"
    photograph.write_bytes(encode_png(np.full((120, 160, 3), 90, np.uint8)))
    words = ["list", "rains", "--sheet", str(file), "--image", str(photograph)]
    assert run_command_line(words) == 0
    shown = capsys.readouterr().out.split()
    assert all(name in shown for name in ("none", *RAINS))
    assert np.array_equal(decode(file.read_bytes(), "sheet"), rain_sheet(photograph))


def test_a_sheet_is_written_over_a_sheet_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.runs.rain_sheet.RAINS", {"rain100l": RAINS["rain100l"]})
    photograph, notes = tmp_path / "photo.png", tmp_path / "notes.txt"
    photograph.write_bytes(encode_png(np.full((20, 30, 3), 90, np.uint8)))
    notes.write_text("mine")
    before = photograph.read_bytes()
    data = ["check-data", "--dataset", "folder", "--data-root", str(tmp_path)]
    for other in (photograph, notes):
        for words in (["list", "rains", "--image", str(photograph)], data):
            assert run_command_line([*words, "--sheet", str(other)]) == 2
            said = f"error: --sheet {other} is there, and is no sheet: name a new file\n"
            assert capsys.readouterr().err == said
    assert (photograph.read_bytes(), notes.read_text()) == (before, "mine")
    for _ in range(2):
        words = ["list", "rains", "--image", str(photograph)]
        assert run_command_line([*words, "--sheet", str(tmp_path / "sheet.png")]) == 0


def test_the_sheet_has_a_photograph_of_its_own() -> None:
    assert rain_sheet(None).shape[2] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tasks", "--sheet", "a.png"], "--sheet and --image belong to list rains"),
        (["rains", "--image", "a.png"], "--image needs --sheet FILE.png"),
        (
            ["rains", "--sheet", "no/such/a.png"],
            "--sheet no/such/a.png cannot be written: no/such is no folder",
        ),
        (["rains", "--sheet", "a.png", "--image", "no.png"], "--image no.png: no such file"),
    ],
)
def test_mistakes_with_the_sheet_are_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["list", *words]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"error: {message}")


@dataclass(frozen=True)
class Drizzle:
    """A rain of a package of somebody's, whose numbers do not say how bright its drops are."""

    family = "drizzle"
    light: ClassVar[int] = 60

    def parameters(self) -> dict[str, Any]:
        return {"family": self.family}

    def render(self, clean: Any, rng: np.random.Generator, depth: Any = None) -> RainyImage:
        drops = np.full(clean.shape[:2], self.light, np.uint8)
        rainy = np.minimum(255, clean.astype(np.int64) + drops[:, :, None]).astype(np.uint8)
        return RainyImage(rainy, drops, blend="add")


def test_the_code_of_a_packages_rain_decides_its_images(
    coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layered = Composed(Drizzle(), (LAYERS["lens"],))
    assert origin(layered) == origin(Drizzle()) != origin(RAINS["real-like"])
    recipe = Recipe("drizzle", Drizzle())
    dataset = open_coco(coco_root, None).limited(2)
    assert synthesize(dataset, coco_root, recipe, tmp_path / "out").written == 2
    assert synthesize(dataset, coco_root, recipe, tmp_path / "out").written == 0
    monkeypatch.setattr("harness.runs.rainy_copy.origin", lambda _: "edited")
    recipe = Recipe("drizzle", Drizzle())
    assert synthesize(dataset, coco_root, recipe, tmp_path / "out").written == 2
