"""What else rain does: overcast light, wet ground, drops on the lens; and what it was before."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import (
    LAYERS,
    RAINS,
    Composed,
    LensDrops,
    Overcast,
    RainError,
    WetGround,
    generator,
    needs_depth,
    parse,
    recompose,
)
from datasets.rain.wet import ground_of, mirrored

WORDS = ("physical+overcast", "physical+wet", "rain100l+lens", "physical+overcast+wet+lens")
GOLDEN = {
    "physical+overcast": "e5df063b5c12c2e3",
    "physical+wet": "4eb7b8a1216bdd24",
    "rain100l+lens": "279eacac977d85be",
    "physical+overcast+wet+lens": "1f0eece6e8801aec",
}
"""First digits of sha256 over image and reference; a change needs a new VERSION of the layer."""
HORIZON, HEIGHT_M, FOCAL_PX = 40.0, 1.5, 100.0


def street(height: int = 120, width: int = 160) -> tuple[NDArrayByte, NDArrayFloat]:
    """A grey road to the horizon, a red post of 2 m at 10 m on it, sky above."""
    rows = np.arange(height)
    below = np.maximum(rows - HORIZON, 0)
    with np.errstate(divide="ignore"):
        metres = np.minimum(HEIGHT_M * FOCAL_PX / below, 600.0)
    depth = np.repeat(metres[:, None], width, axis=1).astype(np.float32)
    image = np.full((height, width, 3), 100, np.uint8)
    image[rows <= HORIZON] = (170, 190, 220)
    top, foot = (int(HORIZON + FOCAL_PX * y / 10) for y in (HEIGHT_M - 2, HEIGHT_M))
    depth[top:foot, 70:90] = 10
    image[top:foot, 70:90] = (200, 20, 20)
    return image, depth


def rendered_sha256(word: str) -> str:
    clean, depth = street()
    ((_, rain),) = parse(word)
    rainy = rain.render(clean, generator(0, rain, "golden"), depth)
    shown = rainy.image.tobytes() + rainy.truth(clean).tobytes()
    return hashlib.sha256(shown).hexdigest()[:16]


@pytest.mark.parametrize("word", WORDS)
def test_bytes_are_golden(word: str) -> None:
    assert rendered_sha256(word) == GOLDEN[word]


def test_bytes_do_not_depend_on_processor_features() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/datasets');"
        "from test_rain_layers import WORDS, rendered_sha256;"
        "print(*map(rendered_sha256, WORDS))"
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
    assert done.stdout.split() == [GOLDEN[word] for word in WORDS]


@pytest.mark.parametrize("word", WORDS)
def test_layers_give_the_image_again_from_the_reference(word: str) -> None:
    clean, depth = street()
    before = clean.copy()
    ((_, rain),) = parse(word)
    for sample in "abc":
        rainy = rain.render(clean, generator(1, rain, sample), depth)
        assert np.abs(recompose(clean, rainy).astype(int) - rainy.image).max() <= 1
        assert np.array_equal(clean, before)
        assert (rainy.reference is None) == (word == "rain100l+lens")
        assert np.array_equal(rainy.truth(clean), clean) == (rainy.reference is None)


def test_the_reference_is_the_scene_without_drops_veil_and_lens() -> None:
    """No rain and no lens: image and reference are the same wet scene."""
    clean, depth = street()
    ((_, rain),) = parse("physical:rate_mm_h=0+overcast+wet+lens:per_dm2=0")
    rainy = rain.render(clean, generator(0, rain, "a"), depth)
    assert rainy.reference is not None
    assert np.array_equal(rainy.image, rainy.reference)
    assert not np.array_equal(rainy.image, clean)


def test_layers_that_do_nothing_are_the_identity() -> None:
    clean, depth = street()
    nothing = Overcast(evenness=0, greyness=0, brightness=1)
    shown = nothing.changed(np.full_like(clean, 90), np.random.default_rng(0), depth)
    assert (shown == 90).all()
    opacity, _ = LensDrops(per_dm2=0).drops(clean, np.random.default_rng(0))
    assert not opacity.any()
    dry = WetGround(albedo=1, puddles=0, film=0)
    assert np.array_equal(dry.changed(clean, np.random.default_rng(0), depth), clean)


def test_a_post_is_mirrored_where_optics_says() -> None:
    """A point of height y at distance z is mirrored at hor + f (h + y) / z of its column."""
    clean, depth = street()
    nearness = 1 / depth.astype(np.float64)
    ground = ground_of(nearness)
    assert ground is not None
    assert ground.horizon == pytest.approx(HORIZON, abs=0.1)
    assert 1 / ground.slope == pytest.approx(HEIGHT_M * FOCAL_PX, rel=0.01)
    assert not ground.mask[:, 75][36:54].any()
    seen = mirrored(clean, nearness, ground)
    foot, head = (int(HORIZON + FOCAL_PX * (HEIGHT_M + y) / 10) for y in (0.1, 1.9))
    assert (seen[foot + 1 : head - 1, 75] == (200, 20, 20)).all()
    assert (seen[head + 3, 75] == (170, 190, 220)).all()
    assert (seen[foot:head, 20] == (170, 190, 220)).all()


def test_wet_ground_is_darker_near_and_a_mirror_far_away() -> None:
    clean, depth = street()
    wet = WetGround(puddles=1.0).changed(clean, np.random.default_rng(0), depth)
    assert np.array_equal(wet[:36], clean[:36])
    assert wet[115, 20].mean() < 0.8 * clean[115, 20].mean()
    assert wet[45, 20].mean() > 1.3 * clean[45, 20].mean()


def test_no_flat_ground_leaves_the_scene_as_it_is() -> None:
    clean, _ = street()
    rng = np.random.default_rng(0)
    for depth in (np.full((120, 160), 5.0), rng.uniform(1, 50, (120, 160)), np.ones((120, 160))):
        assert np.array_equal(WetGround().changed(clean, rng, depth.astype(np.float32)), clean)


def test_wet_ground_without_distances_is_refused() -> None:
    ((_, rain),) = parse("physical+wet")
    assert needs_depth(rain)
    assert not needs_depth(RAINS["physical"])
    with pytest.raises(RainError, match="wet ground needs distances: give --depth DIR"):
        rain.render(street()[0], np.random.default_rng(0))


@pytest.mark.parametrize("word", ["rain100l+wet", "physical+wet"])
def test_distances_of_another_picture_are_refused_on_wet_ground(word: str) -> None:
    clean, depth = street()
    ((_, rain),) = parse(word)
    for wrong in (depth[1:, 1:], depth[:60], np.pad(depth, 1, mode="edge"), depth.T):
        sizes = re.escape(f"depth is {wrong.shape}: must be (120, 160) as the image is")
        with pytest.raises(RainError, match=sizes):
            rain.render(clean, np.random.default_rng(0), wrong)
    for none in (np.full_like(depth, np.nan), np.zeros_like(depth)):
        with pytest.raises(RainError, match="depth holds values that are no distance"):
            rain.render(clean, np.random.default_rng(0), none)


def test_overcast_light_lifts_shadows_and_greys_colours() -> None:
    clean: NDArrayByte = np.full((120, 160, 3), (120, 90, 60), np.uint8)
    clean[:, :80] //= 3
    shown = Overcast().changed(clean, np.random.default_rng(0), None).astype(int)
    dark, light = shown[100, 10], shown[100, 150]
    assert light.mean() / dark.mean() < 0.8 * 3
    assert light[0] - light[2] < 60


def test_drops_on_the_lens_are_as_dense_as_they_should_be() -> None:
    clean: NDArrayByte = np.full((240, 320, 3), 90, np.uint8)
    lens = LensDrops(per_dm2=100, radius_mm=1, aperture_mm=0.1, strength=1, glass_width_mm=100)
    shares = [lens.drops(clean, np.random.default_rng(s))[0].mean() / 255 for s in range(40)]
    # Ellipses: mean of r² over [½, 1½] is 13/12, height over width 1.1 on average.
    covered = 100 / 1e4 * np.pi * 13 / 12 * 1.1
    assert np.mean(shares) == pytest.approx(1 - np.exp(-covered), rel=0.12)


def test_words_name_layers_in_the_order_of_the_table() -> None:
    found = parse("physical:rate_mm_h=5/50+lens:per_dm2=20/90+wet")
    assert [name for name, _ in found] == [
        f"physical:rate_mm_h={rate}+wet+lens:per_dm2={drops}"
        for rate in (5, 50)
        for drops in (20, 90)
    ]
    rain = found[3][1]
    assert isinstance(rain, Composed)
    assert rain.layers == (WetGround(), LensDrops(per_dm2=90))
    assert rain.family == "physical"
    for name, each in found:
        assert parse(name) == [(name, each)]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("physical+fog", "unknown layer 'fog': known are overcast, wet, lens"),
        ("physical+lense", r"unknown layer 'lense' \(did you mean lens\?\)"),
        ("physical+wet+wet", "layer wet stands twice"),
        ("physical+lens:drops=4", "lens has no parameter 'drops'"),
        ("physical+lens:per_dm2=900", r"per_dm2=900.0: must lie in \[0, 400\]"),
        ("physical:camera=gopro", "camera=gopro: known are kitti, dashcam, surveillance, phone"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(word: str, message: str) -> None:
    with pytest.raises(RainError, match=message) as caught:
        parse(word)
    assert "\n" not in str(caught.value)


def test_a_camera_stands_for_its_numbers_and_the_others_hold() -> None:
    found = parse("physical:rate_mm_h=5:camera=dashcam/phone:f_number=4")
    assert [name for name, _ in found] == [
        f"physical:camera={camera}:rate_mm_h=5:f_number=4" for camera in ("dashcam", "phone")
    ]
    physical = RAINS["physical"]
    numbers = {**physical.presets["camera"]["phone"], "rate_mm_h": 5, "f_number": 4}  # type: ignore[attr-defined]
    assert found[1][1] == replace(physical, **numbers)  # type: ignore[type-var]


def test_a_longer_exposure_at_night_makes_longer_streaks() -> None:
    ((_, rain),) = parse("physical:camera=dashcam:rate_mm_h=50")
    far: NDArrayFloat = np.full((240, 320), 1e4, np.float32)
    steps = []
    for level in (40, 60):
        clean: NDArrayByte = np.full((240, 320, 3), level, np.uint8)
        drops = rain.render(clean, np.random.default_rng(0), far).streaks.astype(float)
        steps.append(np.abs(np.diff(drops, axis=0)).mean() / np.abs(np.diff(drops)).mean())
    assert steps[0] < 0.5 * steps[1]


@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_any_size_gives_an_image(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = (2 + 50 * rng.random((height, width))).astype(np.float32)
    rain = Composed(RAINS["rain100l"], tuple(LAYERS.values()))
    rainy = rain.render(clean, rng, depth)
    assert rainy.image.shape == clean.shape
    assert np.abs(recompose(clean, rainy).astype(int) - rainy.image).max() <= 1
