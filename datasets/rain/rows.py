"""Rains by name."""

from __future__ import annotations

from datasets.installed import Table
from datasets.rain import words
from datasets.rain.additive import AdditiveRain, Strokes
from datasets.rain.composed import Layer
from datasets.rain.dense import DenseRain
from datasets.rain.lens import LensDrops
from datasets.rain.outdoor import OutdoorRain
from datasets.rain.overcast import Overcast
from datasets.rain.photoshop import PhotoshopRain, StreakLayer
from datasets.rain.physical import PhysicalRain
from datasets.rain.rain import Rain
from datasets.rain.random_rain import RandomRain
from datasets.rain.varied import VariedRain
from datasets.rain.wet import WetGround

RAINS: Table[Rain] = Table(
    "rains",
    Rain,
    {
        "photoshop-light": PhotoshopRain(
            layers=(
                StreakLayer(length_px=18, width_px=1, coverage=0.18, full=0.002, opacity=0.45),
            ),
        ),
        "photoshop-medium": PhotoshopRain(
            layers=(
                StreakLayer(length_px=20, width_px=1, coverage=0.35, full=0.005, opacity=0.5),
                StreakLayer(length_px=36, width_px=2, coverage=0.08, full=0.005, opacity=0.7),
            ),
        ),
        "photoshop-heavy": PhotoshopRain(
            layers=(
                StreakLayer(length_px=24, width_px=1, coverage=0.55, full=0.01, opacity=0.55),
                StreakLayer(length_px=48, width_px=2, coverage=0.20, full=0.02, opacity=0.85),
            ),
        ),
        "rain100l": AdditiveRain(
            strokes=(
                Strokes(length_px=10, width_px=1, per_mpx=2600, brightness=0.55),
                Strokes(length_px=20, width_px=2, per_mpx=1900, brightness=0.45),
                Strokes(length_px=54, width_px=3, per_mpx=650, brightness=0.45),
            ),
        ),
        "rain100h": AdditiveRain(
            strokes=(
                Strokes(length_px=36, width_px=2, per_mpx=2300, brightness=0.5),
                Strokes(length_px=94, width_px=3, per_mpx=620, brightness=0.75),
            ),
            directions=5,
            density_spread=0.3,
            magnitude_spread=0.2,
        ),
        # Fitted to half of Rain100H's pairs by benchmarks/dense.py --fit.
        "rain100h-dense": DenseRain(
            length_low_px=48,
            length_high_px=88,
            width_low_px=1,
            width_high_px=3,
            layers_low=1.04,
            layers_high=4.98,
            brightness_low=0.147,
            brightness_high=0.229,
            fan_low_deg=3.0,
            fan_high_deg=22.9,
            evenness=0.41,
            taper=8,
            angle_spread_deg=15.4,
        ),
        "outdoor-rain": OutdoorRain(),
        "physical": PhysicalRain(),
        "coco350": VariedRain(
            layers=(
                StreakLayer(length_px=22, width_px=1, coverage=0.24, full=0.005, opacity=0.46),
                StreakLayer(length_px=44, width_px=2, coverage=0.11, full=0.01, opacity=0.8),
            ),
            haze=0.312,
        ),
        "bdd350": VariedRain(
            layers=(
                StreakLayer(length_px=24, width_px=1, coverage=0.57, full=0.005, opacity=0.56),
                StreakLayer(length_px=48, width_px=2, coverage=0.20, full=0.01, opacity=0.85),
            ),
            haze=0.23,
        ),
        "bdd150": VariedRain(
            layers=(
                StreakLayer(length_px=22, width_px=1, coverage=0.13, full=0.005, opacity=0.4),
                StreakLayer(length_px=40, width_px=2, coverage=0.06, full=0.01, opacity=0.6),
            ),
            haze=0.195,
        ),
        # Fitted to half of 40 photographs of real rain by benchmarks/real_rain.py --fit.
        "real-like": VariedRain(
            layers=(
                StreakLayer(length_px=19, width_px=1, coverage=0.32, full=0.016, opacity=0.18),
                StreakLayer(length_px=111, width_px=2, coverage=0.076, full=0.0076, opacity=0.41),
            ),
            haze=0.071,
            angle_spread_deg=11.7,
        ),
        "albumentations": RandomRain(),
    },
)
"""Every named rain, literally, and those of installed packages."""

LAYERS: dict[str, Layer] = {"overcast": Overcast(), "wet": WetGround(), "lens": LensDrops()}
"""What else rain does, by the word after a plus, in the order in which it is laid."""


def parse(word: str) -> list[tuple[str, Rain]]:
    """The rains that a word of the command line stands for; see `datasets.rain.words.parse`."""
    return words.parse(word, RAINS, LAYERS)
