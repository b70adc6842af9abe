"""What a task network in training sees: images under rain that is made as it goes, or derained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets.image import NDArrayByte
from datasets.rain import Rain, digest, generator
from datasets.rain.rain import falling_on
from datasets.sample import Dataset, Sample
from harness.machine.device import Placement, device_of
from harness.plan import keys
from harness.plan.data import require_dry
from harness.plan.derainers import DerainerPlan, derainer_plan
from harness.plan.rains import rains_of, require_depth
from harness.spec import RunSpec, UsageError
from harness.training.derained import Derained


@dataclass(frozen=True)
class Weather:
    """The rains of a training and the derainer behind them."""

    rains: Mapping[str, Rain | None] = field(default_factory=dict)
    """By name, ``none`` among them; nothing where all images stay clean."""
    derained: DerainerPlan | None = None

    def identity(self) -> dict[str, Any]:
        """What must not change where the training is gone on with; nothing without rain."""
        found: dict[str, Any] = {"rains": self.digests()} if self.rains else {}
        if self.derained is not None:
            found["derained"] = keys.key("derainer", key=self.derained.key)
        return found

    def digests(self) -> dict[str, str | None]:
        """The rains' digests by name; None for no rain."""
        return {word: digest(rain) if rain else None for word, rain in self.rains.items()}

    def card(self) -> dict[str, Any]:
        """What ``trained_on`` in the card says of it."""
        by = self.derained
        return {
            "rain_families": sorted({rain.family for rain in self.rains.values() if rain}),
            "rain_digests": self.digests(),
            "derained": None if by is None else {"by": by.name, "weights": by.weights_sha256},
        }

    def view(self, samples: Sequence[Sample], spec: RunSpec) -> View | None:
        """What is seen of the samples; None: each as it is."""
        if not self.rains and self.derained is None:
            return None
        # In single floats, as runs derain where nothing else is said: --dtype is the training's.
        place = Placement(device_of(spec.device))
        derained = None if self.derained is None else Derained.of(self.derained, place, spec)
        places = {sample.id: place for place, sample in enumerate(samples)}
        return View(tuple(self.rains.values()) or (None,), spec.seed, places, derained)


@dataclass(frozen=True)
class View:
    """One `tasks.training.view.View`: the rains take turns at an image, an epoch each."""

    rains: tuple[Rain | None, ...]
    seed: int
    places: Mapping[str, int]
    """The place of each image by its id, so that each epoch has as many of every rain."""
    derained: Derained | None

    def __call__(self, sample: Sample, clean: NDArrayByte, epoch: int) -> NDArrayByte:
        """The image under the rain whose turn it is, derained where that is asked for.

        No run has this rain: where its ids are, here stand words that no id can hold.
        """
        rain = self.rains[(self.places[sample.id] + epoch + self.seed) % len(self.rains)]
        shown = clean
        if rain is not None:
            rng = generator(self.seed, rain, f"training\0{epoch}\0{sample.id}")
            with falling_on(sample.id):
                shown = rain.render(clean, rng, sample.depth_m()).image
        return shown if self.derained is None else self.derained(shown, sample.id)


def weather_of(spec: RunSpec, derained: str | None, dataset: Dataset) -> Weather:
    """What the words of ``--rain`` and ``--derained`` mean for a data set.

    Raises:
        UsageError: For an unknown word, rain that a set brings, rain on rain, rain that needs
            distances where there are none, or images that were derained elsewhere.
    """
    named = dict(pair for word in spec.rain or () for pair in rains_of(word))
    if "given" in named:
        raise UsageError(
            "--rain given: a task network sees the images of its data set, real rain too where "
            "--where asks for it: leave --rain out, or name rains that are made"
        )
    falling = {name: rain for name, rain in named.items() if rain is not None}
    if falling and not dataset.has_clean:
        raise UsageError(f"{dataset.name} {dataset.split}: rain on photographs of real rain")
    require_dry(falling, spec, dataset)
    require_depth(falling, dataset)
    by = None if derained is None else derainer_plan(derained, {}, dataset)
    if by is not None and by.folders:
        raise UsageError(f"--derained {derained}: training makes other rain: name a derainer")
    if by is not None and by.is_identity:
        raise UsageError(f"--derained {derained}: it changes nothing: leave it out")
    return Weather(named if falling else {}, by)
