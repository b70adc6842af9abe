"""PSNR and SSIM against hand arithmetic and scikit-image."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut, coffee
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from datasets.image import NDArrayByte
from tasks import quality
from tasks.quality.luma import studio_luma

PHOTO = astronaut()[:200, :150]
WORSE = np.clip(PHOTO + np.random.default_rng(0).normal(0, 20, PHOTO.shape), 0, 255).astype(
    np.uint8
)


def value(metric: str, a: NDArrayByte, b: NDArrayByte) -> float:
    return quality.METRICS[metric].function(a, b)


def ssim_options() -> dict[str, object]:
    return {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
    }


def test_luma_of_black_white_and_the_primaries() -> None:
    # 16 + 65.481 = 81.481, 16 + 128.553 = 144.553, 16 + 24.966 = 40.966
    colours = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert studio_luma(np.array([colours], np.uint8)).tolist() == [[16, 235, 81, 145, 41]]


def test_psnr_by_hand() -> None:
    black, grey = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    grey[0, 0] = (10, 0, 0)  # one of 12 values is off by 10
    assert value("psnr_rgb_db", black, grey) == pytest.approx(10 * math.log10(255**2 / (100 / 12)))
    # its luma is 16 + 2.568 → 19, so one of four pixels is off by 3
    assert value("psnr_y_db", black, grey) == pytest.approx(10 * math.log10(255**2 / (9 / 4)))


def test_psnr_is_scikit_images() -> None:
    assert value("psnr_rgb_db", PHOTO, WORSE) == pytest.approx(
        peak_signal_noise_ratio(PHOTO, WORSE, data_range=255), abs=1e-9
    )


def test_ssim_is_scikit_images() -> None:
    # scikit-image's mean leaves out the border of half a window, as we do
    channels = [
        structural_similarity(PHOTO[..., c], WORSE[..., c], **ssim_options()) for c in range(3)
    ]
    assert value("ssim_rgb", PHOTO, WORSE) == pytest.approx(np.mean(channels), abs=1e-9)
    luma = structural_similarity(studio_luma(PHOTO), studio_luma(WORSE), **ssim_options())
    assert value("ssim_y", PHOTO, WORSE) == pytest.approx(luma, abs=1e-9)


@pytest.mark.parametrize("metric", quality.METRICS)
def test_metrics_are_symmetric_and_prefer_the_better_image(metric: str) -> None:
    assert value(metric, PHOTO, WORSE) == pytest.approx(value(metric, WORSE, PHOTO))
    half = ((PHOTO.astype(int) + WORSE) // 2).astype(np.uint8)
    assert value(metric, PHOTO, half) > value(metric, PHOTO, WORSE)


def test_identical_images_are_counted_not_averaged() -> None:
    metrics = tuple(quality.METRICS)
    found = [quality.evidence(PHOTO, PHOTO, metrics), quality.evidence(PHOTO, WORSE, metrics)]
    scores = quality.reduce(found, metrics)
    assert scores["psnr_y_db"].value == value("psnr_y_db", PHOTO, WORSE)
    assert scores["psnr_y_db"].n_identical == 1
    assert scores["ssim_y"].n_identical == 0
    alone = quality.reduce(found[:1], metrics)
    assert alone["psnr_y_db"].value is None
    assert alone["psnr_y_db"].why == "every image is identical to its reference"
    assert alone["ssim_y"].value == pytest.approx(1)


def test_images_smaller_than_the_window_have_no_ssim() -> None:
    tiny = np.zeros((10, 30, 3), np.uint8)
    score = quality.reduce([quality.evidence(tiny, tiny + 1, ("ssim_y",))], ("ssim_y",))["ssim_y"]
    assert score.value is None
    assert score.why == "images too small"


def test_resampled_means_are_weighted_means() -> None:
    metrics = ("psnr_y_db",)
    found = [quality.evidence(p, w, metrics) for p, w in ((PHOTO, WORSE), (WORSE, PHOTO // 2))]
    first, second = (float(e["psnr_y_db"]) for e in found)
    counts = np.array([[2, 0], [1, 1], [0, 2]])
    drawn = quality.resample(found, metrics, counts)["psnr_y_db"]
    assert drawn == pytest.approx([first, (first + second) / 2, second])


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="sizes differ"):
        quality.evidence(PHOTO, coffee(), ("psnr_y_db",))


def test_words_name_metrics_or_families() -> None:
    assert quality.chosen(("ssim", "psnr_y_db")) == ("psnr_y_db", "ssim_y", "ssim_rgb")
    assert quality.chosen(("all", "none")) == tuple(m for m in quality.METRICS if "@" not in m)
    assert quality.chosen(("ssim",), ("pil-y", "matlab-y")) == (
        "ssim_y",
        "ssim_rgb",
        "ssim_y@pil-y",
    )
    assert quality.chosen(("psnr_y_db",), ("all",)) == tuple(
        m for m in quality.METRICS if m.startswith("psnr_y_db")
    )
    with pytest.raises(ValueError, match="unknown protocol 'matlab': choose among matlab-y"):
        quality.chosen(("ssim",), ("matlab",))
    with pytest.raises(ValueError, match="unknown quality metric 'pnsr': choose among psnr"):
        quality.chosen(("pnsr",))


@pytest.mark.data
def test_rainy_input_of_rain100l(data: Path) -> None:
    """26.900 dB and 0.8383: MATLAB's protocol, as independent tools measured it on these files."""
    from datasets.image import decode

    scores = [
        quality.evidence(
            decode((data / "rain100l" / "target" / f.name).read_bytes(), f.name),
            decode(f.read_bytes(), f.name),
            ("psnr_y_db", "ssim_y"),
        )
        for f in sorted((data / "rain100l" / "input").iterdir())
    ]
    reduced = quality.reduce(scores, ("psnr_y_db", "ssim_y"))
    assert reduced["psnr_y_db"].value == pytest.approx(26.900, abs=5e-4)
    assert reduced["ssim_y"].value == pytest.approx(0.8383, abs=5e-5)
