"""Rain on images."""

from __future__ import annotations

from datasets.rain.additive import AdditiveRain, Strokes
from datasets.rain.composed import Composed, needs_depth
from datasets.rain.dense import DenseRain
from datasets.rain.lens import LensDrops
from datasets.rain.outdoor import OutdoorRain
from datasets.rain.overcast import Overcast
from datasets.rain.photoshop import PhotoshopRain, StreakLayer
from datasets.rain.physical import PhysicalRain
from datasets.rain.rain import Rain, RainError, RainyImage, digest, generator, recompose
from datasets.rain.random_rain import RandomRain
from datasets.rain.rows import LAYERS, RAINS, parse
from datasets.rain.varied import VariedRain
from datasets.rain.wet import WetGround
from datasets.rain.words import base_of

__all__ = [
    "LAYERS",
    "RAINS",
    "AdditiveRain",
    "Composed",
    "DenseRain",
    "LensDrops",
    "OutdoorRain",
    "Overcast",
    "PhotoshopRain",
    "PhysicalRain",
    "Rain",
    "RainError",
    "RainyImage",
    "RandomRain",
    "StreakLayer",
    "Strokes",
    "VariedRain",
    "WetGround",
    "base_of",
    "digest",
    "generator",
    "needs_depth",
    "parse",
    "recompose",
]
