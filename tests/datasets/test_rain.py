"""Rain: the same bytes everywhere, and never outside its range."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.rain import RAINS, PhotoshopRain, StreakLayer, digest, generator

CLEAN = np.add.outer(np.arange(120), np.arange(160)).astype(np.uint8)[:, :, None].repeat(3, axis=2)
GOLDEN = {"photoshop-heavy": "b6bb9483b44535e8"}
"""First digits of sha256 over image and streaks; a change needs a new VERSION of the model."""


def rendered_sha256(name: str) -> str:
    rain = RAINS[name]
    rainy = rain.render(CLEAN, generator(0, rain, "golden"))
    return hashlib.sha256(rainy.image.tobytes() + rainy.streaks.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", RAINS)
def test_bytes_are_golden(name: str) -> None:
    assert rendered_sha256(name) == GOLDEN[name]


def test_bytes_do_not_depend_on_processor_features() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/datasets');"
        "from test_rain import GOLDEN, rendered_sha256;"
        "assert all(rendered_sha256(name) == GOLDEN[name] for name in GOLDEN)"
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


@pytest.mark.parametrize("name", RAINS)
def test_rain_only_brightens_and_leaves_its_input_alone(name: str) -> None:
    clean = CLEAN.copy()
    rainy = RAINS[name].render(clean, generator(1, RAINS[name], "a"))
    assert np.array_equal(clean, CLEAN)
    assert rainy.image.dtype == np.uint8
    assert np.all(rainy.image >= clean)
    assert np.array_equal(rainy.image[rainy.streaks == 0], clean[rainy.streaks == 0])


@pytest.mark.parametrize("name", RAINS)
def test_image_is_the_screen_of_clean_and_streaks(name: str) -> None:
    rainy = RAINS[name].render(CLEAN, generator(2, RAINS[name], "a"))
    streaks = rainy.streaks[:, :, None].astype(float)
    screen = 255 - (255.0 - CLEAN) * (255.0 - streaks) / 255
    assert np.abs(screen - rainy.image).max() <= 0.5


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


def test_no_layers_and_no_coverage_are_no_rain() -> None:
    for layers in ((), (StreakLayer(20, 1, coverage=0.0, full=0.0, opacity=1.0),)):
        rain = PhotoshopRain(layers=layers)
        assert np.array_equal(rain.render(CLEAN, np.random.default_rng(0)).image, CLEAN)


@pytest.mark.parametrize(
    ("field", "value"),
    [("length_px", 0), ("coverage", 1.5), ("coverage", float("nan")), ("opacity", -1), ("full", 1)],
)
def test_impossible_parameters_are_named(field: str, value: float) -> None:
    layer = StreakLayer(20, 1, coverage=0.5, full=0.1, opacity=1.0)
    changed: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=f"{field}={value}: must lie in"):
        replace(layer, **changed)


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    length=st.integers(1, 250),
    grain=st.integers(1, 8),
    coverage=st.floats(0, 1),
    opacity=st.floats(0, 1),
    angle=st.floats(-50, 50),
)
@settings(max_examples=60, deadline=None)
def test_any_size_and_any_parameters_give_an_image(
    height: int, width: int, length: int, grain: int, coverage: float, opacity: float, angle: float
) -> None:
    layer = StreakLayer(length, grain, coverage, full=coverage / 2, opacity=opacity)
    rain = PhotoshopRain(layers=(layer,), angle_deg=angle, angle_spread_deg=10.0)
    rainy = rain.render(np.full((height, width, 3), 9, np.uint8), np.random.default_rng(0))
    assert rainy.image.shape == (height, width, 3)
    assert np.mean(rainy.streaks > 0) <= coverage + 1e-9
