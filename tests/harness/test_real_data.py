"""The main job on real photographs, with published weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import RunSpec, run

pytestmark = [pytest.mark.data, pytest.mark.slow]


def test_yolov8n_on_coco128_has_its_known_ap(data: Path, tmp_path: Path) -> None:
    """0.467 and 0.624: ultralytics' own predictions at its defaults, scored by pycocotools."""
    spec = RunSpec(
        dataset="coco",
        data_root=str(data / "coco128"),
        split="train2017",
        rain="photoshop-heavy",  # type: ignore[arg-type]
        derainer=("identity",),
        model={"detection": (str(data / "weights" / "yolov8n.pt"),)},
        workspace=str(tmp_path),
    )
    results = run(spec)
    clean = {m: results.value("none", "identity", "detection", m) for m in ("ap", "ap50")}
    assert clean["ap"] is not None
    assert clean["ap50"] is not None
    assert clean["ap"].n == 128
    assert clean["ap"].value == pytest.approx(0.467, abs=0.001)
    assert clean["ap50"].value == pytest.approx(0.624, abs=0.001)
    assert clean["ap"].seen == ("task-images",)
    rainy = results.value("photoshop-heavy", "identity", "detection", "ap")
    assert rainy is not None
    assert rainy.value is not None
    assert rainy.value < 0.2


def test_granet_gains_on_photographs_it_never_saw(data: Path, tmp_path: Path) -> None:
    """At least 3 dB PSNR-Y on 20 photographs of the test split, which no training used."""
    spec = RunSpec(
        dataset="folder",
        data_root=str(data / "bsds500"),
        split="test",
        derainer=("granet",),
        task=("none",),
        limit=20,
        workspace=str(tmp_path),
    )
    results = run(spec)
    rainy = results.value("photoshop-heavy", "identity", "quality", "psnr_y_db")
    restored = results.value("photoshop-heavy", "granet", "quality", "psnr_y_db")
    assert rainy is not None
    assert restored is not None
    paired = results.compare(rainy, restored)
    assert paired is not None
    assert paired.ci is not None
    assert paired.ci[0] > 3
    assert restored.seen == ("rain",)
