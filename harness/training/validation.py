"""How well a derainer in training removes rain from photographs that it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from datasets.image import NDArrayByte, round_to_bytes
from datasets.rain import Rain, generator, needs_depth
from datasets.rain.rain import falling_on
from datasets.sample import Sample

CEILING_DB = 100.0
"""No photograph counts more: one equal to its clean image would outweigh all others."""


class Validation:
    """PSNR and SSIM of a derainer on the validation's photographs, a rain in turn on each.

    Wet ground takes its turn where distances are known. Photographs on which no rain is to be seen
    are left out, as far as there are others.

    All rains count alike: the scores are means over the rains of means over their photographs.
    """

    def __init__(
        self, samples: Sequence[Sample], rains: Mapping[str, Rain | None], seed: int
    ) -> None:
        from tasks.quality.psnr import psnr_y_db

        pairs: list[tuple[str, str, NDArrayByte, NDArrayByte]] = []
        for number, sample in enumerate(samples):
            clean = sample.image()
            falling = [
                (word, rain)
                for word, rain in rains.items()
                if rain is not None and (sample.has_depth or not needs_depth(rain))
            ]
            if falling:
                word, rain = falling[number % len(falling)]
                rng = generator(seed, rain, f"validation/{sample.id}")
                with falling_on(sample.id):
                    fallen = rain.render(clean, rng, sample.depth_m())
                rainy, clean = fallen.image, fallen.truth(clean)
            else:
                word, rainy = "given", sample.given_rain()
            pairs.append((word, sample.id, rainy, clean))
        raining = [pair for pair in pairs if psnr_y_db(pair[3], pair[2]) < math.inf]
        self._pairs = raining or pairs
        """Rain, name, rainy and clean image of each."""

    @property
    def names(self) -> list[str]:
        """The photographs that are looked at."""
        return [name for _, name, _, _ in self._pairs]

    def scores(
        self,
        restore: Callable[[NDArrayByte, str], Any],
        ended: Callable[[], bool] = lambda: False,
    ) -> dict[str, float]:
        """Means in the protocol ``matlab-y``, and PSNR-Y by rain as ``psnr_y_db:RAIN``.

        Args:
            restore: The derainer, a function of (image, name).
            ended: Asked before each photograph whether the time is over.

        Raises:
            OutOfTimeError: If it is.
        """
        from derainers.training.loop import OutOfTimeError
        from tasks.quality.psnr import psnr_y_db
        from tasks.quality.ssim import ssim_y

        psnr: dict[str, list[float]] = {}
        ssim: dict[str, list[float]] = {}
        for word, name, rainy, clean in self._pairs:
            if ended():
                raise OutOfTimeError
            restored = round_to_bytes(restore(rainy, name))
            psnr.setdefault(word, []).append(min(psnr_y_db(clean, restored), CEILING_DB))
            ssim.setdefault(word, []).append(ssim_y(clean, restored))
        by_rain = {word: fmean(values) for word, values in psnr.items()}
        return {
            "psnr_y_db": fmean(by_rain.values()),
            "ssim_y": fmean(map(fmean, ssim.values())),
            **{f"psnr_y_db:{word}": value for word, value in by_rain.items()},
        }
