"""Rains by name."""

from __future__ import annotations

from datasets.rain.photoshop import PhotoshopRain, StreakLayer
from datasets.rain.rain import Rain, RainyImage, digest, generator

RAINS: dict[str, Rain] = {
    "photoshop-heavy": PhotoshopRain(
        layers=(
            StreakLayer(length_px=24, width_px=1, coverage=0.55, full=0.01, opacity=0.55),
            StreakLayer(length_px=48, width_px=2, coverage=0.20, full=0.02, opacity=0.85),
        ),
    ),
}
"""Every named rain, literally."""

__all__ = ["RAINS", "PhotoshopRain", "Rain", "RainyImage", "StreakLayer", "digest", "generator"]
