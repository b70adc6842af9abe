"""Rains that stand for published sets, on real images: the mean PSNR and SSIM of their input."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from datasets import DATASETS, Sample
from datasets.rain import RAINS, generator
from tasks.quality import METRICS

pytestmark = [pytest.mark.data, pytest.mark.slow]


def means(name: str, samples: Iterable[Sample]) -> tuple[float, float]:
    """Mean PSNR-Y in dB and SSIM-Y of the rainy input at seed 0, protocol ``matlab-y``."""
    rain, rows = RAINS[name], []
    for sample in samples:
        clean = sample.image()
        rainy = rain.render(clean, generator(0, rain, sample.id)).image
        rows.append([METRICS[m].function(clean, rainy) for m in ("psnr_y_db", "ssim_y")])
    psnr, ssim = np.mean(rows, axis=0)
    return float(psnr), float(ssim)


def test_coco350_is_as_hard_as_the_published_set(data: Path) -> None:
    psnr, ssim = means("coco350", DATASETS["coco"].open(data / "coco128", "train2017").samples)
    assert psnr == pytest.approx(14.79, abs=0.3)
    assert ssim == pytest.approx(0.648, abs=0.02)


@pytest.mark.parametrize(
    ("name", "psnr_db", "ssim"), [("bdd350", 14.13, 0.470), ("bdd150", 18.0, 0.722)]
)
def test_road_scenes_are_as_hard_as_the_published_sets(
    name: str, psnr_db: float, ssim: float, data: Path
) -> None:
    camvid = DATASETS["folder"].open(data / "camvid", "test")
    bdd = DATASETS["folder"].open(data / "bdd100k" / "images", None)
    found = means(name, [*camvid.samples, *bdd.samples])
    assert found[0] == pytest.approx(psnr_db, abs=0.5)
    assert found[1] == pytest.approx(ssim, abs=0.03)


@pytest.mark.parametrize(
    ("name", "psnr_db", "ssim"), [("rain100l", 26.90, 0.838), ("rain100h", 13.56, 0.371)]
)
def test_rain100_is_as_hard_as_the_published_sets(
    name: str, psnr_db: float, ssim: float, data: Path
) -> None:
    found = means(name, DATASETS["pairs"].open(data / "rain100l", None).samples)
    assert found[0] == pytest.approx(psnr_db, abs=0.5)
    assert found[1] == pytest.approx(ssim, abs=0.03)


def test_outdoor_rain_clears_towards_the_bottom_as_the_set_does(data: Path) -> None:
    rain, real, ours = RAINS["outdoor-rain"], [], []
    for sample in DATASETS["pairs"].open(data / "outdoor-rain" / "test1", None).samples:
        clean, rainy = sample.image(), sample.given_rain()
        quarter = len(clean) // 4
        outer = slice(0, quarter), slice(-quarter, None)
        # Where I = T·J + (1 − T)·A, the slope of I over J is T.
        real.append([np.polyfit(clean[q].ravel(), rainy[q].ravel(), 1)[0] for q in outer])
        for seed in range(40):
            through = rain.render(clean, generator(seed, rain, sample.id)).transmission
            assert through is not None
            ours.append([through[q].mean() for q in outer])
    # Half of the last digit that docs/rain.md prints.
    assert np.min(real, axis=0) == pytest.approx([0.16, 0.54], abs=0.005)
    assert np.max(real, axis=0) == pytest.approx([0.35, 0.61], abs=0.005)
    assert np.mean(ours, axis=0) == pytest.approx([0.23, 0.67], abs=0.005)
