"""A training by the benchmark's protocol, with little of everything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee

from datasets.image import encode_png
from derainers.training import benchmark
from derainers.training.recipes import Cosine, Recipe
from harness.cli.main import run_command_line
from harness.training import protocol


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like BSDS500's, and a protocol of 16 steps."""
    for split in ("train", "val"):
        folder = tmp_path / "photos" / split
        folder.mkdir(parents=True)
        for number, image in enumerate((astronaut(), chelsea(), coffee())):
            top = 30 if split == "val" else 0
            window = np.ascontiguousarray(image[top : top + 120, 100:230])
            (folder / f"{number}.png").write_bytes(encode_png(window))
    small = replace(
        benchmark.BENCHMARK,
        scenes="train:3",
        validation_scenes=1,
        validation_photographs=1,
        steps=16,
        crop_px=16,
        large_px=48,
        validated_every_crops=80,
    )
    monkeypatch.setattr(benchmark, "BENCHMARK", small)
    monkeypatch.setattr(protocol, "BENCHMARK", small)
    monkeypatch.setattr("harness.plan.data.FETCHED", tmp_path / "fetched")
    return tmp_path / "photos"


def words(photographs: Path, *more: str) -> list[str]:
    flags = ["--recipe", "benchmark", "--data-root", str(photographs), "--out", "out"]
    return ["train", "prn-r", *flags, "--workers", "1", *more]


def test_photographs_and_scenes_are_learned_from_and_told(
    photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photographs.parent)
    assert run_command_line(words(photographs)) == 2
    told = capsys.readouterr().err
    assert "these 9 images are not the protocol's: it takes BSDS500's train and val" in told
    monkeypatch.setattr(protocol, "require_images", lambda _: None)
    monkeypatch.setattr("harness.training.derainer.require_images", lambda _: None)
    assert run_command_line(words(photographs)) == 0
    card = json.loads(Path("out/prn-r.json").read_bytes())
    trained = card["trained_on"]
    assert trained["datasets"] == ["photos/train", "photos/val", "streetsim/train"]
    assert "split" not in trained
    assert len(trained["photographs"]) == 7
    assert trained["photographs"][-2:] == ["streetsim/train/0", "streetsim/train/1"]
    assert trained["rain_digests"]["none"] is None
    assert "real-like+overcast+wet+lens" in trained["rain_digests"]
    assert card["validated_on"]["photographs"][-1] == "streetsim/train/2"
    assert (card["steps_done"], card["crops_seen"]) == (16, 14 * 4 + 2 * 9)
    assert card["recipe"]["decay"]["ends"] == [0.25, 1.0]


def test_a_training_ends_at_so_many_crops_and_goes_on(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photographs.parent)
    monkeypatch.setattr("harness.training.derainer.require_images", lambda _: None)
    seen = []
    for more in (("--crops", "37"), ()):  # the eighth step sees a large one, which counts as nine
        assert run_command_line(words(photographs, *more)) == 0
        card = json.loads(Path("out/prn-r.json").read_bytes())
        seen.append((card["steps_done"], card["crops_seen"], card["steps"]))
    assert seen == [(8, 7 * 4 + 9, 16), (16, 14 * 4 + 2 * 9, 16)]
    rows = (photographs.parent / "out" / "curve.csv").read_text().splitlines()
    assert len(rows) == 2, "a validation at the end alone"


@pytest.mark.data
def test_the_photographs_and_scenes_at_hand_are_the_protocols(data: Path) -> None:
    from harness.plan.data import open_splits
    from harness.spec import RunSpec
    from harness.training.photographs import choose

    spec = protocol.under_protocol(RunSpec(data_root=str(data / "bsds500")))
    recipe = benchmark.benchmark(Recipe("mae", 1e-3, Cosine(), 1, 4, 96))
    tests = (data / "rain100l" / "target", data / "rain100h" / "target")
    found = choose(open_splits(spec), recipe, tests, held=protocol.BENCHMARK_HELD)
    found = protocol.with_scenes(found)
    protocol.require_images([*found.training, *found.validation])
    assert (len(found.training), len(found.validation)) == (284, 29)
