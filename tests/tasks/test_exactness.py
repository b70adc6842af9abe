"""Single precision, what images share, and devices: the values stay those of doubles."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from photo import PHOTO, WORSE, ssim_options, value
from skimage.metrics import structural_similarity

from datasets.image import NDArrayByte
from tasks import quality
from tasks.quality.luma import gray, pil_luma, studio_luma


@pytest.mark.parametrize("shape", [(11, 11), (12, 40), (106, 33), (107, 20), (208, 12)])
def test_ssim_of_every_height_is_scikit_images(shape: tuple[int, int]) -> None:
    """Whatever the number of strips and the rest in the last one."""
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    luma = structural_similarity(studio_luma(a), studio_luma(b), **ssim_options())
    assert value("ssim_y", a, b) == pytest.approx(luma, abs=1e-6)
    pil = structural_similarity(pil_luma(a), pil_luma(b), data_range=255)
    assert value("ssim_y@pil-y", a, b) == pytest.approx(pil, abs=1e-6)
    rgb = structural_similarity(a, b, data_range=255, channel_axis=2)
    assert value("ssim_rgb@hrrsr", a, b) == pytest.approx(rgb, abs=1e-6)


def fields() -> dict[str, NDArrayByte]:
    """Images that single precision finds hard: flat parts, two levels, ramps, and a photograph."""
    y, x = np.mgrid[:90, :120]
    made = {
        "white": 255 + 0 * x,
        "grey": 37 + 0 * x,
        "halves": 255 * (x > 60),
        "checks": 60 * ((x + y) % 2) + 90,
        "stripes": 255 * (x % 4 < 2),
        "ramp": x * 2,
        "almost flat": 200 + np.random.default_rng(4).integers(0, 3, x.shape),
    }
    return {k: v.astype(np.uint8) for k, v in made.items()} | {"photo": gray(PHOTO)[:90, :120]}


@pytest.mark.parametrize("name", fields())
def test_ssim_of_bytes_is_that_of_doubles(name: str) -> None:
    """To 1e-6, whatever is compared: where single precision is not enough, it is not taken."""
    all_fields = fields()
    clean = all_fields[name]
    others = [*all_fields.values(), (clean * 0.6).astype(np.uint8), clean // 2 + 110]
    for other in others:
        x, y = (np.repeat(luma[..., None], 3, 2) for luma in (clean, other))
        exact = structural_similarity(clean, other, **ssim_options())
        assert value("ssim_rgb", x, y) == pytest.approx(exact, abs=1e-6)
        sample = structural_similarity(clean, other, data_range=255)
        assert value("ssim_rgb@hrrsr", x, y) == pytest.approx(sample, abs=1e-6)


@pytest.mark.parametrize("name", ["grey dot", *fields()])
def test_fsim_in_single_precision_is_that_of_doubles(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To 1e-6: where there is next to nothing to find, rounding would be found."""
    dotted = np.full((90, 120), 90, np.uint8)
    dotted[45, 60] = 255
    all_fields = fields() | {"grey dot": dotted}
    x, *others = (
        np.repeat(luma[..., None], 3, 2)
        for luma in (all_fields[name], *(v for k, v in all_fields.items() if k != name))
    )
    found = [value("fsim", x, y) for y in others]
    monkeypatch.setattr("tasks.quality.fsim._LEAST_NOISE", math.inf)
    assert found == pytest.approx([value("fsim", x, y) for y in others], abs=1e-6, nan_ok=True)


def test_what_is_known_of_the_clean_image_changes_no_value() -> None:
    """One `Planes` for all that is compared with it, from several threads."""
    floats = (WORSE / 255).astype(np.float32)
    names = (*quality.METRICS, "ssim_y@matlab-y:border_px=4")
    clean = quality.Planes(PHOTO)
    alone = [quality.evidence(PHOTO, image, names) for image in (WORSE, floats)]
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda image: quality.evidence(clean, image, names), [WORSE, floats] * 4)
        )
    for n, values in enumerate(found):
        for name in names:
            np.testing.assert_array_equal(values[name], alone[n % 2][name], err_msg=name)


def test_a_device_gives_the_values_of_the_processor() -> None:
    """On tensors of the processor here; luma of every colour is rounded the same."""
    from tasks.quality import on_device

    clean = quality.Planes(torch.from_numpy(PHOTO))
    names = tuple(on_device.METRICS)
    for image in (WORSE, PHOTO, np.full_like(PHOTO, 200)):
        found = on_device.evidence(clean, torch.from_numpy(image), names)
        for name in names:
            assert found[name] == pytest.approx(value(name, PHOTO, image), abs=1e-6)
    tiny = torch.zeros((10, 30, 3), dtype=torch.uint8)
    assert math.isnan(on_device.evidence(tiny, tiny, ("ssim_y",))["ssim_y"])
    with pytest.raises(ValueError, match=r"restored: expected torch.uint8 \(H, W, 3\)"):
        on_device.evidence(tiny, tiny.float(), names)
    with pytest.raises(ValueError, match=r"reference \(10, 30, 3\) on cpu, restored \(9, 30, 3\)"):
        on_device.evidence(tiny, tiny[1:], names)


def test_planes_make_each_thing_once() -> None:
    made = []

    def luma(image: NDArrayByte, channel: int) -> NDArrayByte:
        made.append(channel)
        return image[..., channel]

    clean = quality.Planes(PHOTO)
    first = clean.through(luma, 1)
    assert clean.through(luma, 1) is first
    assert first.of(np.ndarray.max) == clean.through(luma, 2).of(np.ndarray.max) == 255
    assert made == [1, 2]
