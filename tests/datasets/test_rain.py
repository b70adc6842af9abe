"""Every rain: the same bytes everywhere, layers that add up, never outside its range."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.image import NDArrayByte
from datasets.rain import (
    RAINS,
    AdditiveRain,
    DenseRain,
    OutdoorRain,
    PhotoshopRain,
    PhysicalRain,
    Rain,
    RainError,
    RandomRain,
    StreakLayer,
    Strokes,
    VariedRain,
    digest,
    generator,
    recompose,
)

CLEAN = np.add.outer(np.arange(120), np.arange(160)).astype(np.uint8)[:, :, None].repeat(3, axis=2)
GOLDEN = {
    "photoshop-light": "3ad348c27a5ddd51",
    "photoshop-medium": "ee6b16f476f4b55c",
    "photoshop-heavy": "b6bb9483b44535e8",
    "rain100l": "81fbcb7062d6c837",
    "rain100h": "db32215592b52aee",
    "rain100h-dense": "74a956bd4c7e290c",
    "outdoor-rain": "9eccc4ae14d4ead3",
    "physical": "1036006e8ad1fa21",
    "coco350": "679a3251f827e212",
    "bdd350": "22611a4e584f4e9e",
    "bdd150": "61c5eb7781fc17c9",
    "real-like": "819c0bce26f9901e",
    "albumentations": "e46bd06be668b7c9",
}
"""First digits of sha256 over image and streaks; a change needs a new VERSION of the model."""
GOLDEN_ALBUMENTATIONS = "2.0.8"
"""The version of the library whose lines the golden bytes show; see lock.txt."""

DENSE: Any = RAINS["rain100h-dense"]
NO_RAIN: list[Rain] = [
    PhotoshopRain(layers=()),
    PhotoshopRain(layers=(StreakLayer(20, 1, coverage=0.0, full=0.0, opacity=1.0),)),
    AdditiveRain(strokes=(Strokes(20, 1, per_mpx=0, brightness=1.0),), directions=5),
    AdditiveRain(strokes=(Strokes(20, 1, per_mpx=5000, brightness=1.0),), magnitude=0),
    replace(DENSE, layers_low=0, layers_high=0),
    replace(DENSE, magnitude=0),
    OutdoorRain(gain=0, beta_low=0, beta_high=0, blur_px=0),
    PhysicalRain(rate_mm_h=0),
    PhysicalRain(rate_mm_h=200, veil=0, drops=0),
    VariedRain(layers=(StreakLayer(20, 1, 0.5, 0.1, 0.9),), haze=0.3, magnitude=0),
]
"""Parameters of every model of ours under which it does not rain."""


def rendered_sha256(name: str) -> str:
    rain = RAINS[name]
    rainy = rain.render(CLEAN, generator(0, rain, "golden"))
    return hashlib.sha256(rainy.image.tobytes() + rainy.streaks.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", RAINS)
def test_bytes_are_golden(name: str) -> None:
    library = importlib.metadata.version("albumentations")
    if name == "albumentations" and library != GOLDEN_ALBUMENTATIONS:
        pytest.skip(f"albumentations {library} may draw other lines than {GOLDEN_ALBUMENTATIONS}")
    assert rendered_sha256(name) == GOLDEN[name]


def test_bytes_do_not_depend_on_processor_features() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/datasets');"
        "from test_rain import RAINS, rendered_sha256;"
        "print(*(rendered_sha256(name) for name in RAINS))"
    )
    plain = {
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENCV_IPP": "disabled",
        "OPENCV_CPU_DISABLE": "AVX,AVX2,AVX512-SKX,FP16,SSE4.2",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [rendered_sha256(name) for name in RAINS]


@pytest.mark.parametrize("name", RAINS)
def test_rain_leaves_its_input_alone_and_repeats_itself(name: str) -> None:
    clean = CLEAN.copy()
    rainy = RAINS[name].render(clean, generator(1, RAINS[name], "a"))
    again = RAINS[name].render(clean, generator(1, RAINS[name], "a"))
    other = RAINS[name].render(clean, generator(1, RAINS[name], "b"))
    assert np.array_equal(clean, CLEAN)
    assert rainy.image.dtype == np.uint8
    assert np.array_equal(rainy.image, again.image)
    assert not np.array_equal(rainy.image, other.image)
    assert not np.array_equal(rainy.image, clean)
    assert not np.shares_memory(rainy.image, clean)


@pytest.mark.parametrize("name", RAINS)
def test_layers_recompose_within_one_level(name: str) -> None:
    clean = np.random.default_rng(5).integers(0, 256, (97, 65, 3), dtype=np.uint8)
    for sample in "abc":
        rainy = RAINS[name].render(clean, generator(2, RAINS[name], sample))
        assert rainy.streaks.shape == clean.shape[:2]
        error = recompose(clean, rainy).astype(int) - rainy.image
        assert np.abs(error).max() <= 1


@pytest.mark.parametrize("rain", NO_RAIN, ids=lambda rain: type(rain).__name__)
def test_zero_rain_is_the_identity(rain: Rain) -> None:
    assert np.array_equal(rain.render(CLEAN, np.random.default_rng(0)).image, CLEAN)


@pytest.mark.parametrize("name", ["photoshop-heavy", "rain100l", "rain100h"])
def test_streaks_without_veil_only_brighten(name: str) -> None:
    rainy = RAINS[name].render(CLEAN, generator(1, RAINS[name], "a"))
    assert np.all(rainy.image >= CLEAN)
    assert np.array_equal(rainy.image[rainy.streaks == 0], CLEAN[rainy.streaks == 0])


def test_presets_get_heavier_by_their_names() -> None:
    means = [
        float(
            np.mean([RAINS[name].render(CLEAN, np.random.default_rng(s)).image for s in range(4)])
        )
        for name in ("photoshop-light", "photoshop-medium", "photoshop-heavy")
    ]
    assert means == sorted(means)


def test_a_dark_scene_gets_fainter_rain() -> None:
    rain = RAINS["bdd350"]
    night, day = (
        rain.render(np.full((90, 120, 3), level, np.uint8), np.random.default_rng(3))
        for level in (10, 110)
    )
    assert night.streaks.max() < day.streaks.max()
    assert night.transmission is not None
    assert day.transmission is not None
    assert night.transmission.min() > day.transmission.max()


def test_seed_sample_and_parameters_all_matter() -> None:
    rain = RAINS["photoshop-heavy"]
    assert isinstance(rain, PhotoshopRain)
    other = replace(rain, angle_deg=5.0)
    assert digest(rain) != digest(other)
    states = [
        generator(seed, r, sample).bytes(8)
        for seed, r, sample in ((0, rain, "a"), (1, rain, "a"), (0, rain, "b"), (0, other, "a"))
    ]
    assert len(set(states)) == 4
    assert len({digest(rain) for rain in RAINS.values()}) == len(RAINS)


def test_the_reference_library_is_part_of_its_parameters() -> None:
    known = RAINS["albumentations"].parameters()
    assert known["library"] == importlib.metadata.version("albumentations")


@pytest.mark.parametrize(
    ("rain", "field", "value"),
    [
        (StreakLayer(20, 1, coverage=0.5, full=0.1, opacity=1.0), "length_px", 0),
        (StreakLayer(20, 1, coverage=0.5, full=0.1, opacity=1.0), "coverage", float("nan")),
        (StreakLayer(20, 1, coverage=0.5, full=0.1, opacity=1.0), "opacity", -1),
        (StreakLayer(20, 1, coverage=0.5, full=0.1, opacity=1.0), "full", 1),
        (RAINS["photoshop-heavy"], "angle_deg", 51),
        (RAINS["photoshop-heavy"], "angle_spread_deg", 61),
        (Strokes(20, 1, 100, 1.0), "length_px", 2),
        (RAINS["rain100h"], "directions", 9),
        (RAINS["rain100h-dense"], "layers_low", 5),
        (RAINS["rain100h-dense"], "fan_high_deg", 31),
        (RAINS["rain100l"], "density", float("inf")),
        (RAINS["outdoor-rain"], "length_high_px", 20),
        (RAINS["outdoor-rain"], "beta_low", -0.1),
        (RAINS["physical"], "rate_mm_h", -1),
        (RAINS["physical"], "rate_mm_h", float("nan")),
        (RAINS["coco350"], "haze", 1.5),
        (RAINS["albumentations"], "blur_px", 0),
    ],
)
def test_impossible_parameters_are_named(rain: Any, field: str, value: float) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(RainError, match=f"^{field}={value}: must lie in \\[.*\\]$"):
        replace(rain, **changed)


def test_more_drops_than_anyone_can_draw_are_refused() -> None:
    with pytest.raises(RainError, match=r"rate_mm_h=300: would draw .* million drops"):
        PhysicalRain(rate_mm_h=300, reach_m=20, smallest_mm=0.5)


LAYERS = st.builds(
    lambda length, grain, coverage, part, opacity: StreakLayer(
        length, grain, coverage, coverage * part, opacity
    ),
    st.integers(1, 250),
    st.integers(1, 8),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
STROKES = st.builds(
    Strokes, st.integers(3, 250), st.integers(1, 8), st.floats(0, 200_000), st.floats(0, 1)
)
RAINY: dict[type, st.SearchStrategy[Rain]] = {
    PhotoshopRain: st.builds(
        PhotoshopRain,
        layers=st.tuples(LAYERS),
        angle_deg=st.floats(-50, 50),
        angle_spread_deg=st.floats(0, 10),
    ),
    AdditiveRain: st.builds(
        AdditiveRain,
        strokes=st.tuples(STROKES, STROKES),
        directions=st.integers(1, 8),
        angle_deg=st.floats(-50, 50),
        angle_spread_deg=st.floats(0, 10),
        density=st.floats(0, 10),
        density_spread=st.floats(0, 1),
        magnitude=st.floats(0, 4),
        magnitude_spread=st.floats(0, 1),
    ),
    DenseRain: st.builds(
        DenseRain,
        length_low_px=st.floats(3, 20),
        length_high_px=st.floats(20, 250),
        width_low_px=st.integers(1, 2),
        width_high_px=st.integers(2, 8),
        layers_low=st.floats(0, 1),
        layers_high=st.floats(1, 10),
        brightness_low=st.floats(0, 0.5),
        brightness_high=st.floats(0.5, 1),
        fan_low_deg=st.floats(0, 5),
        fan_high_deg=st.floats(5, 30),
        evenness=st.floats(0, 1),
        taper=st.integers(1, 20),
        angle_spread_deg=st.floats(0, 30),
        directions=st.integers(1, 8),
        magnitude=st.floats(0, 4),
    ),
    OutdoorRain: st.builds(
        OutdoorRain,
        noise_mean_low=st.floats(-5, -0.8),
        noise_variance_high=st.floats(0.7, 4),
        length_low_px=st.integers(1, 60),
        length_high_px=st.integers(60, 250),
        gain=st.floats(0, 4),
        beta_high=st.floats(2.6, 20),
        airlight_low=st.floats(0, 0.9),
        blur_px=st.floats(0, 1.5),
    ),
    PhysicalRain: st.builds(
        PhysicalRain,
        rate_mm_h=st.floats(0, 300),
        wind_m_s=st.floats(-20, 20),
        wind_spread_m_s=st.floats(0, 10),
        exposure_ms=st.floats(0.1, 10),
        focal_mm=st.floats(4, 200),
        f_number=st.floats(0.7, 64),
        pixel_um=st.floats(0.5, 4),
        frame_px=st.integers(64, 1000),
        smallest_mm=st.floats(0.5, 5),
        reach_m=st.floats(1, 3),
        airlight_ratio=st.floats(0, 10),
        airlight_limit=st.floats(0, 1),
        drop_ratio=st.floats(0, 10),
        night_exposure_ms=st.floats(0.1, 10),
        height_m=st.floats(0.2, 30),
        veil=st.floats(0, 10),
        drops=st.floats(0, 2),
    ),
    VariedRain: st.builds(
        VariedRain,
        layers=st.tuples(LAYERS),
        haze=st.floats(0, 1),
        angle_spread_deg=st.floats(0, 60),
        density=st.floats(0, 4),
        density_spread=st.floats(0, 1),
        magnitude=st.floats(0, 4),
        magnitude_spread=st.floats(0, 1),
        night=st.floats(0, 1),
    ),
    RandomRain: st.builds(
        RandomRain,
        slant_px=st.floats(0, 20),
        width_px=st.integers(1, 5),
        blur_px=st.integers(1, 15),
        brightness=st.floats(0.05, 1),
    ),
}


@pytest.mark.parametrize("model", RAINY)
@given(data=st.data(), height=st.integers(1, 60), width=st.integers(1, 60))
@settings(max_examples=25)
def test_any_size_and_any_parameters_give_an_image(
    model: type, data: st.DataObject, height: int, width: int
) -> None:
    rain = data.draw(RAINY[model])
    clean: NDArrayByte = np.full((height, width, 3), 90, np.uint8)
    rainy = rain.render(clean, np.random.default_rng(0))
    assert rainy.image.shape == clean.shape
    assert rainy.image.dtype == np.uint8
    assert np.abs(recompose(clean, rainy).astype(int) - rainy.image).max() <= 1


def test_no_model_escapes_the_property_test() -> None:
    assert {type(rain) for rain in RAINS.values()} == set(RAINY)


@given(coverage=st.floats(0, 1), grain=st.integers(1, 8))
@settings(max_examples=20)
def test_levels_leave_no_more_than_the_coverage(coverage: float, grain: int) -> None:
    layer = StreakLayer(20, grain, coverage, full=coverage / 2, opacity=1.0)
    rain = PhotoshopRain(layers=(layer,))
    rainy = rain.render(np.zeros((50, 40, 3), np.uint8), np.random.default_rng(0))
    assert np.mean(rainy.streaks > 0) <= coverage + 1e-9
