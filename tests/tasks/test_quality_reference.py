"""Numbers that the metrics' authors and others have published, on the files they published."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.image import NDArrayByte, decode
from tasks import quality
from tasks.quality.luma import gray, studio_luma, studio_luma_unrounded
from tasks.quality.niqe import niqe, niqe_of_luma
from tasks.quality.psnr import psnr_db, psnr_rgb_db, psnr_y_db_prenet
from tasks.quality.sseq import features, model_file, score
from tasks.quality.ssim import ssim_of_luma, ssim_rgb

pytestmark = pytest.mark.data
PRISTINE = Path(quality.__file__).with_name("niqe_pristine.npz")


def read(file: Path) -> NDArrayByte:
    return decode(file.read_bytes(), file.name)


def enlarged(image: NDArrayByte, factor: int) -> NDArrayByte:
    """MATLAB's ``imresize(image, factor)``: bicubic with a = -0.5, edges mirrored."""
    full = image.astype(np.float64)
    for axis in (0, 1):
        full = np.moveaxis(np.tensordot(_taps(image.shape[axis], factor), full, (1, axis)), 0, axis)
    return np.clip(np.rint(full), 0, 255).astype(np.uint8)


def _taps(n: int, factor: int) -> NDArray[np.float64]:
    place = (np.arange(n * factor) + 0.5) / factor - 0.5
    near = np.floor(place).astype(int)[:, None] + np.arange(-1, 3)
    x = np.abs(place[:, None] - near)
    weights = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
    mirrored = np.where(near < 0, -1 - near, np.where(near >= n, 2 * n - 1 - near, near))
    taps = np.zeros((n * factor, n))
    np.add.at(taps, (np.arange(n * factor)[:, None], mirrored), weights)
    return taps


def test_psnr_and_ssim_of_baboon(data: Path) -> None:
    """BasicSR's table, which MATLAB's values stand beside; border of 4 px cut off.

    Theirs is PSNR-Y of luma kept in float32: given that luma, ours is theirs to 1e-6; in double
    precision it is 1.2e-6 more.
    """
    folder = data / "reference" / "baboon"
    clean, small = read(folder / "gt_baboon.png"), read(folder / "lq_baboon.png")
    a, b = (image[4:-4, 4:-4] for image in (clean, enlarged(small, 4)))
    assert psnr_rgb_db(a, b) == pytest.approx(20.419710, abs=1e-6)
    assert psnr_y_db_prenet(a, b) == pytest.approx(22.441898, abs=2e-6)
    assert psnr_db(float32_luma(a), float32_luma(b)) == pytest.approx(22.441898, abs=1e-6)
    assert ssim_rgb(a, b) == pytest.approx(0.391853, abs=1e-5)
    luma = studio_luma_unrounded(a), studio_luma_unrounded(b)
    assert ssim_of_luma(*luma) == pytest.approx(0.453097, abs=1e-5)
    name = "psnr_rgb_db@matlab-y:border_px=4"
    cut = quality.evidence(clean, enlarged(small, 4), (name,))[name]
    assert cut == pytest.approx(20.419710, abs=1e-6)


def float32_luma(image: NDArrayByte) -> NDArray[np.float64]:
    levels = image.astype(np.float32) / np.float32(255)
    luma = (levels.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) + 16) / 255
    kept: NDArray[np.float32] = luma.astype(np.float32) * np.float32(255)
    return kept.astype(np.float64)


def expected(data: Path) -> dict[str, dict[str, float]]:
    with (data / "reference" / "calibration" / "expected.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {r["metric"]: {i: float(r[i]) for i in ("I04", "I06", "I08")} for r in rows}


@pytest.mark.parametrize("pair", ["I04", "I06", "I08"])
def test_values_of_the_original_matlab_codes(pair: str, data: Path) -> None:
    """Three pairs of TID2013, to the digits printed.

    NIQE of I06 and I08 hangs on rounding noise: where an image is flat, luma less its mean is zero
    but for the filter's last bit, whose sign the fit of the distribution counts. Filters that are
    equal on paper give 3.2343 to 3.2367 and 3.1946 to 3.2155; here such differences are zero.
    """
    folder = data / "reference" / "calibration"
    a, b = read(folder / f"{pair}_ref.bmp"), read(folder / f"{pair}_dist.bmp")
    known = {metric: values[pair] for metric, values in expected(data).items()}
    found = quality.evidence(a, b, ("psnr_rgb_db", "fsimc", "niqe"))
    assert round(float(found["psnr_rgb_db"]), 2) == known["psnr_rgb_db"]
    assert round(ssim_of_luma(gray(a), gray(b)), 4) == known["ssim"]
    assert round(float(found["fsimc"]), 4) == known["fsim"]
    noise = {"I04": 1e-10, "I06": 0.002, "I08": 0.03}[pair]
    assert found["niqe"] == pytest.approx(known["niqe"], abs=noise)


def test_goldhill(data: Path) -> None:
    """FSIM 0.89691 and SSIM with the original's down-sampling 0.8202, as piq's tests have them."""
    from PIL import Image

    folder = data / "reference" / "piq"
    a, b = (
        np.asarray(Image.open(folder / f"{name}.gif").convert("RGB"))
        for name in ("goldhill", "goldhill_jpeg")
    )
    assert quality.evidence(a, b, ("fsim",))["fsim"] == pytest.approx(0.89691, abs=1e-4)
    half = [
        np.add.reduce([g[i::2, j::2] / 4.0 for i in (0, 1) for j in (0, 1)])
        for g in (a[..., 0], b[..., 0])
    ]
    assert ssim_of_luma(*half) == pytest.approx(0.8202, abs=1e-4)


def test_niqe_of_baboon(data: Path) -> None:
    """5.7296 in MATLAB, on luma rounded to 16..235."""
    image = read(data / "reference" / "baboon" / "baboon.png")
    assert niqe_of_luma(studio_luma(image).astype(float)) == pytest.approx(5.7296, abs=0.002)
    assert niqe(image) == pytest.approx(5.7496, abs=1e-3)  # rgb2gray is another luma


def test_the_model_of_niqe_is_the_releases_bit_for_bit(data: Path) -> None:
    from scipy.io import loadmat

    release = loadmat(data / "reference" / "niqe" / "modelparameters.mat")
    with np.load(PRISTINE, allow_pickle=False) as model:
        assert np.array_equal(model["mean"], release["mu_prisparam"].ravel())
        assert np.array_equal(model["covariance"], release["cov_prisparam"])


LIBSVM = {
    "sseq/img.bmp": 52.3912830971,
    "calibration/I04_dist.bmp": 2.1442407641,
    "calibration/I06_dist.bmp": 8.0843894425,
    "calibration/I08_dist.bmp": -0.9673718399,
    "baboon/baboon.png": 10.8748178646,
}
"""What LIBSVM 3.37 gives for our features and the release's machines."""


@pytest.mark.parametrize("name", LIBSVM)
def test_the_machine_of_sseq_decides_as_libsvm(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DERAIN_HARNESS_SSEQ_MODEL", raising=False)
    monkeypatch.setenv("DERAIN_HARNESS_DATA", str(data))
    file = model_file()
    assert file is not None
    image = read(data / "reference" / name)
    assert score(features(image), file) == pytest.approx(LIBSVM[name], abs=1e-8)
    found = quality.evidence(None, image, ("sseq",))["sseq"]
    assert found == pytest.approx(LIBSVM[name], abs=1e-8)
    assert quality.version("sseq") > 0


def test_flat_images_have_the_least_spectral_entropy_that_the_release_saw(data: Path) -> None:
    """1.674e-5 bits: what its stand-ins for zero leave, the lower end of its feature's range."""
    from scipy.io import loadmat

    low = loadmat(data / "reference" / "sseq" / "model.mat", squeeze_me=True)["fmin"]
    flat = np.full((64, 64, 3), 77, np.uint8)
    assert features(flat)[2] == pytest.approx(low[2], rel=1e-6)


def test_rainy_input_of_rain100l(data: Path) -> None:
    """26.900 dB and 0.8383: MATLAB's protocol, as independent tools measured it on these files.

    In the other protocols: 25.579/0.8147 (pil-y), 25.523/0.8140 (RGB, 7x7), 26.903 (unrounded Y).
    """
    known = {
        "psnr_y_db": 26.900,
        "ssim_y": 0.8383,
        "psnr_y_db@prenet": 26.903,
        "psnr_y_db@pil-y": 25.579,
        "ssim_y@pil-y": 0.8147,
        "psnr_rgb_db@hrrsr": 25.523,
        "ssim_rgb@hrrsr": 0.8140,
    }
    found = [
        quality.evidence(read(data / "rain100l" / "target" / f.name), read(f), tuple(known))
        for f in sorted((data / "rain100l" / "input").iterdir())
    ]
    for metric, scored in quality.reduce(found, tuple(known)).items():
        digits = 3 if quality.metric(metric).unit == "dB" else 4
        assert scored.value is not None
        assert round(scored.value, digits) == known[metric], metric
