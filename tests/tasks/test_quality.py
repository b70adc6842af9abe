"""Every metric against hand arithmetic, scikit-image, or a plain reading of its formula."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photo import PHOTO, WORSE, ssim_options, value
from scipy.stats import skew
from skimage.data import astronaut, coffee
from skimage.measure import shannon_entropy
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from datasets.image import NDArrayByte
from tasks import quality
from tasks.quality.halve import halve, halve_bytes
from tasks.quality.luma import gray, studio_luma, studio_luma_unrounded
from tasks.quality.niqe import niqe_of_luma
from tasks.quality.sseq import features, model_file
from tasks.quality.uqi import uqi_of_luma

COMPARING = [m for m, row in quality.METRICS.items() if row.reference]
ALONE = [m for m, row in quality.METRICS.items() if not row.reference]


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


def test_luma_of_every_colour_is_the_formulas() -> None:
    g = np.arange(256, dtype=np.uint8)
    for red in range(0, 256, 15):
        colours = np.empty((256, 256, 3), np.uint8)
        colours[..., 0], colours[..., 1], colours[..., 2] = red, g[:, None], g
        exact = colours.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16
        off = np.abs(studio_luma(colours) - exact)
        assert off.max() < 0.5 + 1e-9
        assert np.array_equal(studio_luma(colours), np.rint(studio_luma_unrounded(colours)))


def test_dcsfn_judges_floats_with_zeros_around() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.05, PHOTO.shape)
    restored = np.clip(PHOTO / 255 + noise, 0, 1).astype(np.float32)
    clean = PHOTO.astype(np.float32) / np.float32(255)
    psnr = peak_signal_noise_ratio(clean.astype(float), restored.astype(float), data_range=1)
    assert value("psnr_rgb_db@dcsfn", PHOTO, restored) == pytest.approx(psnr, abs=1e-9)
    zeros = ((5, 5), (5, 5), (0, 0))
    x, y = np.pad(clean, zeros).astype(float), np.pad(restored, zeros).astype(float)
    options = {**ssim_options(), "data_range": 1, "channel_axis": 2}
    ssim = structural_similarity(x, y, **options)
    assert value("ssim_rgb@dcsfn", PHOTO, restored) == pytest.approx(ssim, abs=1e-9)
    # of bytes it is the same ratio as in 0..255
    assert value("psnr_rgb_db@dcsfn", PHOTO, WORSE) == pytest.approx(
        value("psnr_rgb_db", PHOTO, WORSE), abs=1e-5
    )


def test_hrrsr_cuts_values_off_that_the_others_round() -> None:
    restored = (WORSE.astype(np.float32) + np.float32(0.6)) / np.float32(255.6)
    cut = np.floor(np.clip(restored, 0, 1) * np.float32(255)).astype(np.uint8)
    assert value("psnr_rgb_db@hrrsr", PHOTO, restored) == value("psnr_rgb_db", PHOTO, cut)
    assert value("psnr_rgb_db@hrrsr", PHOTO, restored) != value("psnr_rgb_db", PHOTO, restored)


def naive_uqi(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    found = []
    for i in range(x.shape[0] - 7):
        for j in range(x.shape[1] - 7):
            a, b = x[i : i + 8, j : j + 8].ravel(), y[i : i + 8, j : j + 8].ravel()
            (va, cab), (_, vb) = np.cov(a, b)
            ma, mb = a.mean(), b.mean()
            means = 2 * ma * mb / (ma**2 + mb**2)
            found.append(means if va + vb == 0 else means * 2 * cab / (va + vb))
    return float(np.mean(found))


def test_uqi_by_its_formula_with_flat_parts() -> None:
    a, b = PHOTO[:30, :25].copy(), WORSE[:30, :25].copy()
    a[:12, :12], b[:12, :12] = 90, 120
    expected = naive_uqi(studio_luma(a).astype(float), studio_luma(b).astype(float))
    assert value("uqi", a, b) == pytest.approx(expected, abs=1e-12)


def test_uqi_where_both_windows_are_black() -> None:
    black = np.zeros((8, 9), np.uint8)
    assert uqi_of_luma(black, black) == 1
    assert uqi_of_luma(black, black + 7) == 0


def test_fsim_of_a_photograph() -> None:
    """piq 0.8.0 gives 0.937706 and 0.931420 for these, in PyTorch and by other filters' sums."""
    noise = np.random.default_rng(0).normal(0, 20, astronaut().shape)
    worse = np.clip(astronaut() + noise, 0, 255).astype(np.uint8)
    assert value("fsim", astronaut(), worse) == pytest.approx(0.937706, abs=1e-5)
    assert value("fsimc", astronaut(), worse) == pytest.approx(0.931420, abs=1e-5)
    assert value("fsimc", astronaut(), astronaut()) == pytest.approx(1)


def test_fsim_of_a_constant_image_is_undefined_at_any_size() -> None:
    """Also where down-sampling with zeros around the image would give it edges."""
    for size in (400, 100):
        photo, flat = astronaut()[:size, :size], np.full((size, size, 3), 90, np.uint8)
        assert math.isnan(value("fsimc", photo, flat))
        assert math.isnan(value("fsim", flat, photo))


def test_niqe_of_a_photograph() -> None:
    """BasicSR 1.4.2 gives 3.064958 and 8.950116 on rounded studio luma, in float32."""
    noise = np.random.default_rng(0).normal(0, 20, astronaut().shape)
    worse = np.clip(astronaut() + noise, 0, 255).astype(np.uint8)
    assert niqe_of_luma(studio_luma(astronaut()).astype(float)) == pytest.approx(3.065, abs=1e-3)
    assert niqe_of_luma(studio_luma(worse).astype(float)) == pytest.approx(8.9501, abs=1e-3)


def test_half_size_keeps_ramps_and_flats_and_mirrors_the_edge() -> None:
    ramp = np.tile(np.arange(21.0), (9, 1))
    half = halve(ramp)
    assert half.shape == (5, 11)
    assert half[2, 2:-2] == pytest.approx(2 * np.arange(11.0)[2:-2] + 0.5)
    mirrored = np.pad(ramp, 20, mode="symmetric")
    assert halve(mirrored)[10:15, 10:21] == pytest.approx(half)
    flat = np.full((7, 5), 201, np.uint8)
    assert halve_bytes(flat).tolist() == [[201] * 3] * 4


def test_spatial_and_spectral_entropies_by_hand() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8, :4] = 100  # one block of two levels: 1 bit; the others are flat: 0 bits
    image[8:, 8:] = 50
    found = features(image)
    # of four blocks the middle ones are the first to the fourth in order: all
    assert found[0] == pytest.approx(0.25)
    # three zeros and a one: (0.75³ - 3 · 0.25³) / 4 over (0.75² + 3 · 0.25²)/4 to the power 1.5
    assert found[1] == pytest.approx(((0.75**3 - 3 * 0.25**3) / 4) / (0.75 / 4) ** 1.5)


def test_entropies_of_a_photograph_block_by_block() -> None:
    """The first size, by scikit-image's entropy and the cosine transform's matrix."""
    luma = gray(PHOTO)  # 200x150: the last column of blocks has two of zeros
    full = np.pad(luma, ((0, 0), (0, 2)))
    k = np.arange(8)
    cosines = np.cos(np.pi * k[:, None] * (2 * k + 1) / 16) * np.where(k, 0.5, 8**-0.5)[:, None]
    spatial, spectral = [], []
    for i in range(0, 200, 8):
        for j in range(0, 152, 8):
            block = full[i : i + 8, j : j + 8]
            spatial.append(shannon_entropy(block))
            power = (cosines @ block @ cosines.T).ravel()[1:] ** 2
            spectral.append(entropy_of(power))
    found = features(PHOTO)
    for at, entropies in ((0, spatial), (2, spectral)):
        middle = np.sort(entropies)[95 - 1 : 380]  # a fifth and four fifths of 475 blocks
        assert found[at] == pytest.approx(middle.mean(), abs=1e-6)
        assert found[at + 1] == pytest.approx(skew(entropies), abs=1e-6)


def entropy_of(power: NDArray[np.float64]) -> float:
    share = power / power.sum()
    return float(-(share * np.log2(share)).sum())


def test_ssim_is_scikit_images() -> None:
    # scikit-image's mean leaves out the border of half a window, as we do
    channels = [
        structural_similarity(PHOTO[..., c], WORSE[..., c], **ssim_options()) for c in range(3)
    ]
    assert value("ssim_rgb", PHOTO, WORSE) == pytest.approx(np.mean(channels), abs=1e-6)
    luma = structural_similarity(studio_luma(PHOTO), studio_luma(WORSE), **ssim_options())
    assert value("ssim_y", PHOTO, WORSE) == pytest.approx(luma, abs=1e-6)


@pytest.mark.parametrize("metric", COMPARING)
def test_metrics_are_symmetric_and_prefer_the_better_image(metric: str) -> None:
    assert value(metric, PHOTO, WORSE) == pytest.approx(value(metric, WORSE, PHOTO))
    half = ((PHOTO.astype(int) + WORSE) // 2).astype(np.uint8)
    assert quality.METRICS[metric].higher_is_better
    assert value(metric, PHOTO, half) > value(metric, PHOTO, WORSE)


@pytest.mark.parametrize("metric", COMPARING)
def test_equal_images_have_the_best_value(metric: str) -> None:
    best = math.inf if quality.METRICS[metric].unit == "dB" else 1
    assert value(metric, PHOTO, PHOTO) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("metric", quality.METRICS)
@pytest.mark.parametrize("size", [(1, 1), (5, 9), (8, 8), (96, 191), (97, 193)])
def test_constant_and_tiny_images_give_numbers_or_nan(metric: str, size: tuple[int, int]) -> None:
    """No warning (an error here), no infinity but for equal images, nothing out of range."""
    black, grey = np.zeros((*size, 3), np.uint8), np.full((*size, 3), 128, np.uint8)
    row = quality.METRICS[metric]
    found = value(metric, black if row.reference else None, grey)
    if row.unit == "fraction":
        assert math.isnan(found) or -1 <= found <= 1
    else:
        # SSEQ's machine, where it is there, has an opinion on images large enough for its blocks.
        has_opinion = metric == "sseq" and size == (97, 193) and model_file() is not None
        assert math.isfinite(found) if row.unit == "dB" or has_opinion else math.isnan(found)


def test_noise_raises_niqe_on_either_route() -> None:
    """No reference is looked at, whether or not one is there."""
    found = quality.evidence(None, astronaut(), ("niqe",))["niqe"]
    assert value("niqe", coffee()[:, :512][:400], astronaut()[:400]) != found
    assert quality.evidence(astronaut(), astronaut(), ("niqe",))["niqe"] == found
    assert not quality.METRICS["niqe"].higher_is_better


def test_sseq_without_its_model_is_null_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DERAIN_HARNESS_DATA", raising=False)
    other = tmp_path / "model.mat"
    other.write_bytes(b"another model")
    for name in ("", str(other), str(tmp_path / "none.mat")):
        monkeypatch.setenv("DERAIN_HARNESS_SSEQ_MODEL", name)
        score = quality.reduce([quality.evidence(None, PHOTO, ("sseq",))], ("sseq",))["sseq"]
        assert score.value is None
        assert score.why is not None
        assert score.why.startswith("no model here: python -m harness fetch sseq-model, or set")
        assert quality.version("sseq") == -quality.METRICS["sseq"].version


def test_identical_images_are_counted_not_averaged() -> None:
    metrics = tuple(COMPARING)
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


def test_images_left_out_are_counted_in_the_reason() -> None:
    tiny = np.zeros((10, 30, 3), np.uint8)
    found = [quality.evidence(tiny, tiny + 1, ("ssim_y",))]
    found += [quality.evidence(PHOTO, WORSE, ("ssim_y",))] * 2
    score = quality.reduce(found, ("ssim_y",))["ssim_y"]
    assert score.value == pytest.approx(value("ssim_y", PHOTO, WORSE))
    assert score.why == "1 of 3 images left out: images too small"


def test_resampled_means_are_weighted_means() -> None:
    metrics = ("psnr_y_db",)
    found = [quality.evidence(p, w, metrics) for p, w in ((PHOTO, WORSE), (WORSE, PHOTO // 2))]
    first, second = (float(e["psnr_y_db"]) for e in found)
    counts = np.array([[2, 0], [1, 1], [0, 2]])
    drawn = quality.resample(found, metrics, counts)["psnr_y_db"]
    assert drawn == pytest.approx([first, (first + second) / 2, second])


def test_wrong_images_are_refused_by_what_was_expected_and_got() -> None:
    with pytest.raises(ValueError, match=r"sizes differ: reference \(200, 150, 3\), restored"):
        quality.evidence(PHOTO, coffee(), ("psnr_y_db",))
    with pytest.raises(ValueError, match=r"restored: expected uint8 or .* got int64 \(200, 150, 3"):
        quality.evidence(PHOTO, WORSE.astype(np.int64), ("psnr_y_db",))
    with pytest.raises(ValueError, match=r"reference: expected uint8 \(H, W, 3\), got uint8 \(200"):
        quality.evidence(PHOTO[..., 0], WORSE, ("psnr_y_db",))
    with pytest.raises(ValueError, match="ssim_y compares with a reference image"):
        quality.evidence(None, PHOTO, ("niqe", "ssim_y"))


def test_words_name_metrics_or_families() -> None:
    assert quality.chosen(("ssim", "psnr_y_db")) == ("psnr_y_db", "ssim_y", "ssim_rgb")
    assert quality.chosen(("fsim",)) == ("fsim", "fsimc")
    assert quality.chosen(("none",)) == ()
    assert quality.chosen(("all", "none")) == tuple(m for m in quality.METRICS if "@" not in m)
    assert quality.chosen(("ssim",), ("pil-y", "matlab-y")) == (
        "ssim_y",
        "ssim_rgb",
        "ssim_y@pil-y",
    )
    assert quality.chosen(("psnr_y_db",), ("all",)) == tuple(
        m for m in quality.METRICS if m.startswith("psnr_y_db")
    )
    assert quality.chosen(("ssim", "niqe"), ("dcsfn",)) == ("ssim_rgb@dcsfn", "niqe")
    assert quality.chosen(("all",), ("all",)) == tuple(quality.METRICS)
    with pytest.raises(ValueError, match="unknown protocol 'matlab': choose among matlab-y"):
        quality.chosen(("ssim",), ("matlab",))
    with pytest.raises(ValueError, match="unknown quality metric 'pnsr': choose among psnr"):
        quality.chosen(("pnsr",))
    with pytest.raises(ValueError, match="the protocols hrrsr have no psnr_y_db"):
        quality.chosen(("psnr_y_db",), ("hrrsr",))


def test_a_border_is_cut_from_both_images_and_named() -> None:
    names = quality.chosen(("ssim_y", "uqi"), ("matlab-y", "matlab-y:border_px=4"))
    assert names == ("ssim_y", "ssim_y@matlab-y:border_px=4", "uqi")
    inside = value("ssim_y", PHOTO[4:-4, 4:-4], WORSE[4:-4, 4:-4])
    assert value("ssim_y@matlab-y:border_px=4", PHOTO, WORSE) == inside != value(*_pair())
    assert quality.chosen(("ssim_y",), ("pil-y:border_px=8",)) == ("ssim_y@pil-y:border_px=8",)
    assert quality.captions(names)["matlab-y:border_px=4"].endswith(", 4 px cut off at each side")
    assert (
        quality.captions(names)["uqi"] == quality.captions(["uqi"])["uqi"] + ", of the whole image"
    )
    assert math.isnan(value("psnr_y_db@matlab-y:border_px=75", PHOTO, WORSE))
    with pytest.raises(ValueError, match=r"expected prenet:border_px=N, N pixels to cut off"):
        quality.chosen(("ssim",), ("prenet:border=4",))


def _pair() -> tuple[str, NDArrayByte, NDArrayByte]:
    return "ssim_y", PHOTO, WORSE


GOLDEN = {
    "psnr_y_db": (1, 27.3393820308),
    "psnr_rgb_db": (1, 22.4205696643),
    "ssim_y": (3, 0.5226462691),
    "ssim_rgb": (3, 0.3329943560),
    "psnr_y_db@prenet": (2, 27.3638439268),
    "ssim_y@prenet": (3, 0.5236956087),
    "psnr_y_db@pil-y": (1, 26.0432193204),
    "ssim_y@pil-y": (3, 0.4946737048),
    "psnr_rgb_db@dcsfn": (1, 22.4221115252),
    "ssim_rgb@dcsfn": (2, 0.3726871883),
    "psnr_rgb_db@hrrsr": (1, 22.4316518873),
    "ssim_rgb@hrrsr": (2, 0.3632021042),
    "fsim": (2, 0.7672012595),
    "fsimc": (2, 0.7476095285),
    "uqi": (1, 0.3660621597),
    "niqe": (1, 12.6144534169),
}
"""Version and value of one pair: where a value moves, the version must."""


@pytest.mark.parametrize("metric", GOLDEN)
def test_a_value_moves_only_with_its_version(metric: str) -> None:
    photo = astronaut()[:200, :200]
    noise = np.random.default_rng(0).normal(0, 20, photo.shape)
    worse = np.clip(photo / 255 + noise / 255, 0, 1).astype(np.float32)
    found = quality.metric(metric).version, value(metric, photo, worse)
    assert found == pytest.approx(GOLDEN[metric], abs=1e-7)


def test_every_metric_has_a_caption() -> None:
    captions = quality.captions(quality.METRICS)
    assert set(captions) == {*quality.PROTOCOLS, "fsim", "fsimc", "uqi", "niqe", "sseq"}
    lower = [m for m, row in quality.METRICS.items() if not row.higher_is_better]
    assert lower == ["niqe", "sseq"] == [m for m in captions if "lower is better" in captions[m]]
