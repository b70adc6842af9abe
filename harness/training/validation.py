"""How well a derainer in training removes rain from photographs that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datasets.image import NDArrayByte, round_to_bytes
from datasets.rain import Rain, generator
from datasets.sample import Sample


class Validation:
    """PSNR and SSIM of a derainer on the validation's photographs, a rain in turn on each."""

    def __init__(
        self, samples: Sequence[Sample], rains: Mapping[str, Rain | None], seed: int
    ) -> None:
        self._pairs: list[tuple[str, NDArrayByte, NDArrayByte]] = []
        falling = [rain for rain in rains.values() if rain is not None]
        for number, sample in enumerate(samples):
            clean = sample.image()
            if falling:
                rain = falling[number % len(falling)]
                rng = generator(seed, rain, f"validation/{sample.id}")
                rainy = rain.render(clean, rng, sample.depth_m()).image
            else:
                rainy = sample.given_rain()
            self._pairs.append((sample.id, rainy, clean))

    def scores(
        self,
        restore: Callable[[NDArrayByte, str], Any],
        ended: Callable[[], bool] = lambda: False,
    ) -> dict[str, float]:
        """Means over the photographs, in the protocol ``matlab-y``.

        Args:
            restore: The derainer, a function of (image, name).
            ended: Asked before each photograph whether the time is over.

        Raises:
            OutOfTimeError: If it is.
        """
        from derainers.training.loop import OutOfTimeError
        from tasks.quality.psnr import psnr_y_db
        from tasks.quality.ssim import ssim_y

        psnr, ssim = [], []
        for name, rainy, clean in self._pairs:
            if ended():
                raise OutOfTimeError
            restored = round_to_bytes(restore(rainy, name))
            psnr.append(psnr_y_db(clean, restored))
            ssim.append(ssim_y(clean, restored))
        n = len(self._pairs)
        return {"psnr_y_db": sum(psnr) / n, "ssim_y": sum(ssim) / n}
