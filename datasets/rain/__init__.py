"""Rain on images."""

from __future__ import annotations

from datasets.rain.additive import AdditiveRain, Strokes
from datasets.rain.outdoor import OutdoorRain
from datasets.rain.photoshop import PhotoshopRain, StreakLayer
from datasets.rain.physical import PhysicalRain
from datasets.rain.rain import Rain, RainError, RainyImage, digest, generator, recompose
from datasets.rain.random_rain import RandomRain
from datasets.rain.rows import RAINS, parse
from datasets.rain.varied import VariedRain

__all__ = [
    "RAINS",
    "AdditiveRain",
    "OutdoorRain",
    "PhotoshopRain",
    "PhysicalRain",
    "Rain",
    "RainError",
    "RainyImage",
    "RandomRain",
    "StreakLayer",
    "Strokes",
    "VariedRain",
    "digest",
    "generator",
    "parse",
    "recompose",
]
