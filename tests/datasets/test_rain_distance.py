"""Rain with distance: its formulas, its drops, and depth maps given or made up."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

from datasets.image import NDArrayByte, NDArrayFloat, decode
from datasets.rain import RAINS, PhysicalRain, RainError, drops, generator, physical
from datasets.rain.depth import CAMERA_HEIGHT_M, HORIZON, road_scene_m
from datasets.rain.sky import sky_share
from datasets.rain.veil import lay_veil, transmission

RATES = (1, 5, 10, 25, 50, 100, 200)
WITH_DEPTH = ("physical", "outdoor-rain")
PRINTED = {
    1: (0.991, 0.969, 0.911),
    5: (0.973, 0.912, 0.759),
    10: (0.957, 0.864, 0.645),
    25: (0.922, 0.764, 0.445),
    50: (0.879, 0.651, 0.276),
    100: (0.815, 0.505, 0.129),
    200: (0.722, 0.338, 0.038),
}
"""exp(−0.312 R^0.67 d) at 30, 100 and 300 m, by hand, to three digits."""


@pytest.mark.parametrize("rate", RATES)
def test_transmission_is_the_formula_at_every_distance(rate: float) -> None:
    rain = PhysicalRain(rate_mm_h=rate)
    clean: NDArrayByte = np.full((1, 3, 3), 100, np.uint8)
    depth = np.array([[30, 100, 300]], np.float32)
    through = rain.render(clean, np.random.default_rng(0), depth).transmission
    assert through is not None
    formula = [math.exp(-0.312 * rate**0.67 * metres / 1000) for metres in (30, 100, 300)]
    assert np.abs(through[0] - formula).max() < 1e-6
    assert through[0] == pytest.approx(PRINTED[int(rate)], abs=6e-4)


def test_transmission_is_the_exponential_everywhere() -> None:
    x = np.linspace(0, 20, 200_001)
    assert np.abs(transmission(x) - np.exp(-x)).max() < 1e-6
    assert transmission(np.array([0.0]))[0] == 1


def test_veil_is_its_formula_rounded() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    through = transmission(np.random.default_rng(1).random((40, 30)) * 5)
    exact = through[:, :, None].astype(float) * image + (1.0 - through[:, :, None]) * 200
    assert np.abs(lay_veil(image, through, 200) - exact).max() <= 0.5 + 1e-4


def test_veil_by_rows_is_the_veil_by_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    rows = transmission(np.linspace(0, 3, 40))[:, None]
    pixels = np.ascontiguousarray(np.broadcast_to(rows, (40, 30)))
    assert np.array_equal(lay_veil(image, rows, 180), lay_veil(image, pixels, 180))


def test_density_of_drops_is_the_integral_of_their_sizes() -> None:
    for rate in RATES:
        sizes = np.linspace(1, 30, 200_001)
        density = 8000 * np.exp(-4.1 * rate**-0.21 * sizes)
        integral = float(np.sum((density[1:] + density[:-1]) / 2) * (sizes[1] - sizes[0]))
        assert PhysicalRain(rate_mm_h=rate).drops_per_m3 == pytest.approx(integral, rel=1e-5)
    assert PhysicalRain(rate_mm_h=1).drops_per_m3 == pytest.approx(32, abs=1)


def test_drops_in_the_image_follow_the_rate_and_the_smallest_size() -> None:
    """Separate spots in a sharp, short exposure are counted against the frustum's volume."""

    def spots(rate: float, smallest: float) -> tuple[float, float]:
        rain = PhysicalRain(
            rate_mm_h=rate,
            smallest_mm=smallest,
            exposure_ms=0.3,
            f_number=64,
            reach_m=3.0,
            wind_spread_m_s=0,
        )
        side = 2000
        black: NDArrayByte = np.zeros((side, side, 3), np.uint8)
        far: NDArrayFloat = np.full((side, side), 1e4, np.float32)
        opacity = rain.render(black, np.random.default_rng(4), far).streaks
        number = cv2.connectedComponents((opacity > 0).astype(np.uint8))[0] - 1
        focal_px = 6 / 4.65e-3 * side / 1242
        volume_m3 = (side / focal_px) ** 2 * (rain.reach_m**3 - 0.5**3) / 3
        return number, rain.drops_per_m3 * volume_m3

    for rate, smallest in ((1, 1), (5, 1), (25, 2)):
        found, expected = spots(rate, smallest)
        # Poisson noise, and a few spots that touch.
        assert found == pytest.approx(expected, abs=4 * math.sqrt(expected) + 0.05 * expected)


@pytest.mark.parametrize("wind_m_s", [0, 20])
def test_drops_are_as_dense_at_the_edges_as_in_the_middle(wind_m_s: float) -> None:
    rain = PhysicalRain(rate_mm_h=200, wind_m_s=wind_m_s, exposure_ms=20, reach_m=1)
    clean: NDArrayByte = np.full((240, 320, 3), 60, np.uint8)
    far: NDArrayFloat = np.full((240, 320), 1e4, np.float32)
    layers = [rain.render(clean, np.random.default_rng(s), far).streaks for s in range(120)]
    mean = np.mean(layers, axis=0)
    for edge in (mean[:16], mean[-16:], mean[:, :16], mean[:, -16:]):
        assert edge.mean() == pytest.approx(mean.mean(), rel=0.06)


def test_fine_drops_hold_the_light_that_they_should() -> None:
    """Mean opacity is that of all drops in the frustum: Σ opacity · width · fall / area."""
    rain = PhysicalRain(rate_mm_h=5, wind_spread_m_s=0)
    shape = 240, 320
    focal_px = rain.focal_px(320)
    far: NDArrayFloat = np.full(shape, 1e4, np.float32)
    shown = [
        drops.drawn_opacity(
            rain.fall(2.0), far, shape, focal_px, 0.0, np.random.default_rng(s)
        ).mean()
        for s in range(200)
    ]
    kinds = drops.kinds_of(rain.fall(2.0))
    light = kinds.opacity * kinds.width_m * (kinds.length_m - kinds.width_m)
    # ∫ (f/z)² z² dz / f² from the nearest to the reach.
    expected = rain.drops_per_m3 * light.mean() * (rain.reach_m - drops.NEAREST_M)
    assert np.mean(shown) / 255 == pytest.approx(expected, rel=0.1)


def test_no_drop_is_seen_behind_a_wall() -> None:
    clean: NDArrayByte = np.full((120, 160, 3), 60, np.uint8)
    wall: NDArrayFloat = np.full((120, 160), 0.4, np.float32)
    rain = PhysicalRain(rate_mm_h=100)
    assert not rain.render(clean, np.random.default_rng(0), wall).streaks.any()
    assert rain.render(clean, np.random.default_rng(0), wall + 20).streaks.any()


def test_more_rain_is_a_thicker_veil_and_more_drops() -> None:
    clean: NDArrayByte = np.full((120, 160, 3), 60, np.uint8)
    drops, through = [], []
    for rate in RATES:
        rainy = PhysicalRain(rate_mm_h=rate).render(clean, np.random.default_rng(0))
        assert rainy.transmission is not None
        drops.append(int(rainy.streaks.sum(dtype=np.int64)))
        through.append(float(rainy.transmission.mean()))
    assert drops == sorted(drops)
    assert through == sorted(through, reverse=True)


def test_the_road_is_flat_and_ends_at_the_horizon() -> None:
    depth = road_scene_m(200, focal_px=300, farthest_m=1e6)[:, 0]
    below = np.arange(200) + 0.5 - HORIZON * 200
    road = below > 0
    assert depth[road] == pytest.approx(CAMERA_HEIGHT_M * 300 / below[road], rel=1e-3)
    assert (depth[~road] == 1e6).all()
    assert (np.diff(depth) <= 0).all()


def street_picture(height: int, width: int) -> NDArrayByte:
    """A bright sky with a hard edge to dark walls that leave a gap, and a grey road."""
    image: NDArrayByte = np.full((height, width, 3), (60, 50, 45), np.uint8)
    image[: height // 2, width // 3 : 2 * width // 3] = (190, 200, 215)
    image[height // 2 :] = (95, 95, 98)
    noise = np.random.default_rng(0).integers(0, 20, image.shape, dtype=np.uint8)
    image[:, : width // 3] += noise[:, : width // 3]
    return image


@pytest.mark.parametrize("size", [(360, 480), (480, 640), (720, 1280)])
def test_a_made_up_veil_has_no_edge(size: tuple[int, int]) -> None:
    rainy = PhysicalRain(rate_mm_h=50).render(street_picture(*size), np.random.default_rng(0))
    through = rainy.transmission
    assert through is not None
    for axis in (0, 1):
        assert np.abs(np.diff(through, axis=axis)).max() <= 0.02
    assert through.min() < 0.2
    assert through[-1].min() > 0.9


@pytest.mark.data
def test_frames_of_camvid_have_no_edge_either(data: Path) -> None:
    files = [f for part in ("train", "val", "test") for f in (data / "camvid" / part).iterdir()]
    order = sorted(files, key=lambda f: hashlib.sha256(f.read_bytes()).digest())
    for file in order[:16]:
        clean = decode(file.read_bytes(), file.name)
        through, _ = PhysicalRain(rate_mm_h=50).through(clean)
        assert np.abs(np.diff(through, axis=0)).max() <= 0.02


def test_the_sky_is_where_the_picture_shows_it() -> None:
    share = sky_share(street_picture(360, 480))
    assert share[20:100, 220:260].min() > 0.9
    assert share[300:].max() < 0.05
    assert share[60:120, :60].max() < 0.3


def test_the_veil_is_no_darker_than_the_sky_that_is_seen() -> None:
    picture = street_picture(360, 480) // 5
    picture[: 360 // 2, 160:320] = 180
    rainy = PhysicalRain(rate_mm_h=50).render(picture, np.random.default_rng(0))
    assert rainy.airlight is not None
    assert rainy.airlight * 255 > 1.99 * picture.mean()
    assert rainy.image[10:60, 220:260].mean() > 1.99 * picture.mean() + 10
    far: NDArrayFloat = np.full((360, 480), 1e4, np.float32)
    given = PhysicalRain(rate_mm_h=50).render(picture, np.random.default_rng(0), far)
    assert given.airlight == round(1.99 * picture.mean()) / 255


def test_a_picture_without_a_horizon_is_no_error() -> None:
    for size in ((1, 1), (1, 50), (50, 1), (7, 9)):
        share = sky_share(np.full((*size, 3), 128, np.uint8))
        assert share.shape == size
        assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize("name", WITH_DEPTH)
def test_a_depth_that_is_none_is_refused(name: str) -> None:
    clean: NDArrayByte = np.full((20, 30, 3), 60, np.uint8)
    rain = RAINS[name]
    for wrong in (np.ones((30, 20)), np.zeros((20, 30)), np.full((20, 30), np.nan)):
        with pytest.raises(RainError, match="depth"):
            rain.render(clean, np.random.default_rng(0), wrong.astype(np.float32))


@pytest.mark.parametrize("name", [name for name in RAINS if name not in WITH_DEPTH])
def test_models_without_distance_say_so(name: str) -> None:
    clean: NDArrayByte = np.full((20, 30, 3), 60, np.uint8)
    rainy = RAINS[name].render(clean, np.random.default_rng(0), np.ones((20, 30), np.float32))
    assert rainy.depth_source is None


@pytest.fixture(scope="module")
def motorcycle() -> tuple[NDArrayByte, NDArrayFloat]:
    """Left image and depth in metres of Middlebury's Motorcycle (Scharstein et al. 2014).

    The calibration of the quarter-size images is that of scikit-image's ``stereo_motorcycle``:
    depth = baseline · focal / (disparity + doffs), 193.001 mm, 994.978 px, 31.086 px.
    """
    folder = Path(skimage.__file__).parent / "data"
    files = [folder / name for name in ("motorcycle_left.png", "motorcycle_disp.npz")]
    if not all(file.is_file() for file in files):
        pytest.skip("this scikit-image ships no motorcycle and would have to download it")
    image = decode(files[0].read_bytes(), "motorcycle")
    disparity = np.load(files[1])["arr_0"].astype(np.float64)
    disparity[~np.isfinite(disparity)] = 0
    return image, (0.193001 * 994.978 / (disparity + 31.086)).astype(np.float32)


@pytest.mark.parametrize("name", WITH_DEPTH)
def test_transmission_falls_with_a_real_depth_map(
    name: str, motorcycle: tuple[NDArrayByte, NDArrayFloat]
) -> None:
    clean, depth = motorcycle
    rain = RAINS[name]
    given = rain.render(clean, generator(0, rain, "m"), depth)
    made_up = rain.render(clean, generator(0, rain, "m"))
    assert given.depth_source == "given"
    assert made_up.depth_source == "pseudo"
    assert not np.array_equal(given.image, made_up.image)
    assert given.transmission is not None
    near, far = depth < np.percentile(depth, 20), depth > np.percentile(depth, 80)
    assert given.transmission[near].mean() > given.transmission[far].mean()
    order = np.corrcoef(given.transmission.ravel(), depth.ravel())[0, 1]
    assert order < -0.8


def test_physical_shares_no_streak_code_with_the_others() -> None:
    of_rain = {
        str(getattr(value, "__module__", None) or getattr(value, "__name__", ""))
        for value in vars(physical).values()
    }
    shared = {name.rsplit(".", 1)[-1] for name in of_rain if name.startswith("datasets.rain.")}
    assert shared == {"physical", "depth", "drops", "rain", "veil"}
