"""Rain from millimetres per hour: drops in front of a camera, and the veil of all the others.

Drops have the sizes of Marshall and Palmer (1948), fall at Atlas's terminal velocity and lie at
random in the camera's frustum. Each leaves a streak as Garg and Nayar describe it ("Vision and
Rain", IJCV 2007): as wide as the drop, as long as it falls during the exposure, of the opacity
D/(v·t), brighter than what is behind it and rippled by the drop's oscillation ("Photorealistic
Rendering of Rain Streaks", SIGGRAPH 2006). Attenuation and airlight are those of Halder et al.
(ICCV 2019) and Tremblay et al. (IJCV 2020), and so is the camera. It shares no streak code with
the other models, so that it can be the rain that no derainer was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.cameras import CAMERAS
from datasets.rain.depth import Distances, Street, distances
from datasets.rain.drops import Fall, drawn_opacity
from datasets.rain.rain import RainError, RainyImage, check, uniform
from datasets.rain.veil import lay_over, lay_veil, transmission

VERSION = 2
"""Raised whenever the same parameters give other bytes."""

STANDING_M = 30.0
"""Distance of what rises above the horizon where no depth is given."""
SKY_M = 600.0
"""Distance of the sky there."""
NIGHT_LEVEL = 50
"""Mean grey level below which a scene is exposed as at night."""
MOST_DROPS = 5_000_000
"""A view with more is refused: drawing it would take seconds and show a grey image."""


@dataclass(frozen=True)
class PhysicalRain:
    """Rain of a rate, seen by a camera."""

    rate_mm_h: float = 25.0
    """Rain rate; 1 is drizzle, 25 heavy, 100 a cloudburst; 0 to 300 mm/h."""
    wind_m_s: float = 0.0
    """Mean wind across the view, positive to the right, in [-20, 20] m/s."""
    wind_spread_m_s: float = 1.5
    """Each image's wind is drawn from the mean ± spread, 0 to 10 m/s."""
    exposure_ms: float = 2.0
    """Exposure time by day, 0.1 to 100 ms."""
    night_exposure_ms: float = 2.0
    """Exposure time where the image's mean is below 50 of 255, 0.1 to 100 ms."""
    focal_mm: float = 6.0
    """Focal length, 1 to 200 mm."""
    f_number: float = 6.0
    """Focal length over aperture, 0.7 to 64; focused far away, drops blur by the aperture."""
    pixel_um: float = 4.65
    """Pitch of the sensor's pixels, 0.5 to 50 µm."""
    frame_px: int = 1242
    """Width of the sensor in pixels, 64 to 20,000; other images are its frame resized."""
    height_m: float = 1.5
    """Height above the road, 0.2 to 30 m; matters where no depth is given."""
    smallest_mm: float = 1.0
    """Diameter from which on drops are drawn one by one, 0.5 to 5 mm."""
    reach_m: float = 10.0
    """Distance up to which drops are drawn one by one, 1 to 20 m."""
    airlight_ratio: float = 1.99
    """Brightness of the airlight over the image's mean, 0 to 10; where the sky is found in the
    picture it is no darker than that. 1.99 is what Tremblay's formula gives at this camera, gain
    20, sun at 90° and a Henyey-Greenstein g of 0.97."""
    airlight_limit: float = 0.9
    """Brightest that the airlight can be, in [0, 1]: a rainy sky."""
    drop_ratio: float = 3.0
    """Byte of drops over the image's mean byte, at most white, 0 to 10. A drop shows 165° of the
    scene, mostly sky (Garg and Nayar), so that it is brighter than the scene; how much is our
    choice. Three times the scene's light, as of an overcast sky, would be 1.65 of bytes."""

    veil: float = 1.0
    """Factor on the attenuation, 0 to 10; 0 shows the drops alone."""
    drops: float = 1.0
    """Factor on the number of drops that are drawn, 0 to 10; 0 shows the veil alone."""

    family = "physical"
    presets: ClassVar[Mapping[str, Mapping[str, Mapping[str, float]]]] = {"camera": CAMERAS}
    """Words that stand for several of these numbers."""

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"rate_mm_h": (0, 300), "wind_m_s": (-20, 20), "wind_spread_m_s": (0, 10)})
        check(self, {"exposure_ms": (0.1, 100), "focal_mm": (1, 200), "f_number": (0.7, 64)})
        check(self, {"pixel_um": (0.5, 50), "frame_px": (64, 20_000), "height_m": (0.2, 30)})
        check(self, {"night_exposure_ms": (0.1, 100)})
        check(self, {"smallest_mm": (0.5, 5), "reach_m": (1, 20)})
        check(self, {"airlight_ratio": (0, 10), "airlight_limit": (0, 1)})
        check(self, {"drop_ratio": (0, 10), "veil": (0, 10), "drops": (0, 10)})
        frame = round(0.75 * self.frame_px), self.frame_px
        focal_px = self.focal_mm * 1000 / self.pixel_um
        exposures = self.exposure_ms, self.night_exposure_ms
        most = max(self.fall(exposure).expected(frame, focal_px) for exposure in exposures)
        if not most <= MOST_DROPS:
            raise RainError(
                f"rate_mm_h={self.rate_mm_h}: would draw {most / 1e6:.0f} million drops in a 4:3 "
                f"frame, must be at most {MOST_DROPS / 1e6:g} million: lower reach_m or exposure_ms"
            )

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"model": self.family, "version": VERSION, **asdict(self)}

    @property
    def attenuation_per_km(self) -> float:
        """β = 0.312 R^0.67, Tremblay et al. 2020."""
        return round(0.312 * math.pow(self.rate_mm_h, 0.67), 9)

    @property
    def slope_per_mm(self) -> float:
        """Λ = 4.1 R^−0.21 of the drop sizes N(D) = 8000 exp(−Λ D), Marshall and Palmer 1948."""
        return round(4.1 * math.pow(self.rate_mm_h, -0.21), 9)

    @property
    def drops_per_m3(self) -> float:
        """Drops of at least ``smallest_mm`` in a cubic metre: 8000/Λ · exp(−Λ D)."""
        if self.rate_mm_h == 0:
            return 0.0
        steep = self.slope_per_mm
        return round(8000 / steep * math.exp(-steep * self.smallest_mm), 6)

    def focal_px(self, width: int) -> float:
        """Focal length in pixels of an image of this width."""
        return self.focal_mm * 1e3 / self.pixel_um * width / self.frame_px

    def through(
        self, clean: NDArrayByte, depth: NDArrayFloat | None = None
    ) -> tuple[NDArrayFloat, Distances]:
        """Share of the light that reaches the camera, ``float32 (H, W)``, at which distances."""
        street = Street(self.focal_px(clean.shape[1]), STANDING_M, SKY_M, self.height_m)
        found = distances(clean, depth, street)
        beta = self.veil * self.attenuation_per_km / 1000
        return found.through(lambda metres: transmission(metres * beta)), found

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on one image.

        Args:
            clean: ``uint8 (H, W, 3) RGB``, left as it is.
            rng: Generator of this image; nothing else is random.
            depth: Distance in metres, ``float32 (H, W)``; without it a street whose sky is
                found in the pixels.

        Returns:
            The rainy image; its veil lies behind the drops, whose layer holds opacities.

        Raises:
            RainError: If the depth does not fit the image.
        """
        height, width = clean.shape[:2]
        focal_px = self.focal_px(width)
        through, distance = self.through(clean, depth)
        mean = sum(cv2.sumElems(clean)) / clean.size
        haze = max(self.airlight_ratio * mean, distance.sky_level(clean))
        airlight = round(min(haze, 255 * self.airlight_limit))
        light = round(min(self.drop_ratio * mean, 255))
        wind = uniform(
            rng, self.wind_m_s - self.wind_spread_m_s, self.wind_m_s + self.wind_spread_m_s
        )
        exposure = self.exposure_ms if mean >= NIGHT_LEVEL else self.night_exposure_ms
        opacity = drawn_opacity(
            self.fall(exposure), distance.ground_m, (height, width), focal_px, wind, rng
        )
        behind = lay_veil(clean, through, airlight)
        return RainyImage(
            image=lay_over(behind, opacity, light),
            streaks=opacity,
            transmission=through,
            airlight=airlight / 255,
            blend="over",
            light=light / 255,
            veil_first=True,
            depth_source=distance.source,
        )

    def fall(self, exposure_ms: float) -> Fall:
        """The drops in the air, and the camera at that exposure."""
        return Fall(
            per_m3=self.drops * self.drops_per_m3,
            slope_per_mm=self.slope_per_mm if self.rate_mm_h else 1.0,
            smallest_mm=self.smallest_mm,
            exposure_ms=exposure_ms,
            focal_mm=self.focal_mm,
            f_number=self.f_number,
            reach_m=self.reach_m,
            widest_wind_m_s=abs(self.wind_m_s) + self.wind_spread_m_s,
        )
