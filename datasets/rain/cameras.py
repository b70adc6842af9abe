"""Cameras that see rain as long, as wide and as faint as such cameras do.

Each is a set of `PhysicalRain`'s numbers; ``physical:camera=dashcam:rate_mm_h=50``. Gain stands in
none: whatever it is, exposure is set so that the picture is as bright as it is, and drops and veil
are so many times as bright.
"""

from __future__ import annotations

from collections.abc import Mapping

CAMERAS: Mapping[str, Mapping[str, float]] = {
    # Geiger et al., "Vision meets Robotics: The KITTI Dataset", IJRR 2013: Flea2 with Sony's ICX267
    # (4.65 µm), shutter of at most 2 ms, 1.65 m above the road; rectified, the focal length is
    # 721.5 px of 1242. It has no night. The f-number is that of Halder et al., ICCV 2019.
    "kitti": {
        "exposure_ms": 2.0,
        "night_exposure_ms": 2.0,
        "focal_mm": 3.36,
        "f_number": 6.0,
        "pixel_um": 4.65,
        "frame_px": 1242,
        "height_m": 1.65,
    },
    # A recorder behind a windscreen: 1/2.8-inch sensors of 1920 pixels of 2.9 µm (Sony's IMX307
    # and alike) under f/1.8 and 3.2 mm, 82 degrees. Exposures are ours: 1/500 s under rain clouds,
    # 1/60 s at night, half of what 30 frames a second leave.
    "dashcam": {
        "exposure_ms": 2.0,
        "night_exposure_ms": 16.7,
        "focal_mm": 3.2,
        "f_number": 1.8,
        "pixel_um": 2.9,
        "frame_px": 1920,
        "height_m": 1.3,
    },
    # A fixed camera on a post or wall: the same sensors under the usual 4 mm at f/1.6. Exposures
    # are ours: 1/100 s, the slowest that lamps of 50 Hz do not make flicker, and 1/25 s at night.
    "surveillance": {
        "exposure_ms": 10.0,
        "night_exposure_ms": 40.0,
        "focal_mm": 4.0,
        "f_number": 1.6,
        "pixel_um": 2.9,
        "frame_px": 1920,
        "height_m": 4.0,
    },
    # The main camera of a telephone of about 2020: 4.2 mm at f/1.6 before 4032 pixels of 1.4 µm,
    # 26 mm in terms of film. Exposures are ours: 1/250 s under rain clouds, 1/20 s at night.
    "phone": {
        "exposure_ms": 4.0,
        "night_exposure_ms": 50.0,
        "focal_mm": 4.2,
        "f_number": 1.6,
        "pixel_um": 1.4,
        "frame_px": 4032,
        "height_m": 1.5,
    },
}
"""By the word that stands after ``camera=``."""
