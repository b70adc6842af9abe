"""A rainy copy is no clean condition: no rain of ours falls on it, and a note says what it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.rain import RAINS
from harness import RunSpec
from harness.cli.main import run_command_line
from harness.plan.data import open_dataset, root_of
from harness.plan.plan import make_plan
from harness.runs.rainy_copy import Recipe, synthesize
from harness.spec import UsageError

COPY = "the images are a rainy copy (rain100l, seed 3)"


def copied(spec: RunSpec, out: Path) -> RunSpec:
    """The spec of a rainy copy of what a spec names."""
    recipe = Recipe("rain100l", RAINS["rain100l"], seed=3)
    synthesize(open_dataset(spec), root_of(spec), recipe, out)
    return spec.model_copy(update={"data_root": str(out), "annotations": None})


@pytest.fixture
def spec(coco_root: Path) -> RunSpec:
    return RunSpec(dataset="coco", data_root=str(coco_root), limit=2, task=("none",))


@pytest.mark.parametrize("rain", [None, ("photoshop-heavy",), ("none", "rain100h")])
def test_rain_on_rain_is_refused(
    rain: tuple[str, ...] | None, spec: RunSpec, tmp_path: Path
) -> None:
    made = copied(spec, tmp_path / "copy").model_copy(update={"rain": rain})
    with pytest.raises(UsageError, match=r"are a rainy copy already \(rain100l, seed 3\): give"):
        make_plan(made, {})


@pytest.mark.parametrize("rain", ["given", "none"])
def test_a_copy_as_it_is_says_what_it_is(rain: str, spec: RunSpec, tmp_path: Path) -> None:
    made = copied(spec, tmp_path / "copy").model_copy(update={"rain": (rain,)})
    assert COPY in make_plan(made, {}).dataset.notes


def test_a_copy_of_a_copy_is_refused(
    spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(spec, tmp_path / "data" / "copy")
    for root, split in ((tmp_path / "data" / "copy", []), (tmp_path / "data", ["--split", "copy"])):
        command = ["synth", "--dataset", "folder", "--data-root", str(root), *split]
        assert run_command_line([*command, "--out", str(tmp_path / "twice")]) == 2
        assert "are a rainy copy already (rain100l, seed 3)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["prn-r", "yolo"])
def test_nothing_learns_from_rain_on_rain(
    name: str, spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(spec.model_copy(update={"limit": None}), tmp_path / "copy")
    data = ["--dataset", "coco", "--data-root", str(tmp_path / "copy"), "--split", "val2017"]
    command = ["train", name, *data, "--rain", "rain100h", "--epochs", "1"]
    assert run_command_line([*command, "--out", str(tmp_path / "out")]) == 2
    assert "are a rainy copy already (rain100l, seed 3)" in capsys.readouterr().err


def test_the_clean_images_of_pairs_are_none(tmp_path: Path) -> None:
    for name in ("rainy/a.png", "clean/a.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / name), np.full((32, 32, 3), 90, np.uint8))
    pairs = RunSpec(dataset="pairs", data_root=str(tmp_path / "set"), task=("none",))
    made = copied(pairs, tmp_path / "copy").model_copy(update={"rain": ("rain100h",)})
    assert not make_plan(made, {}).dataset.notes
