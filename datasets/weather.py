"""What attributes say of the weather: which photographs are no clean condition, which are rain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from datasets.sample import Dataset, Sample

RAINY = ("rainy", "rain")
UNCLEAN: Mapping[str, tuple[str, ...]] = {"weather": (*RAINY, "snowy", "snow", "foggy", "fog")}
"""Images that show bad weather are no clean condition; however the words are spelt."""

UNDEFINED = "undefined"
"""What BDD100K calls a value that nobody knows."""


def defined(said: Mapping[str, str]) -> dict[str, str]:
    """The attributes whose value is known."""
    return {key: value for key, value in said.items() if value.lower() != UNDEFINED}


def with_weather(sample: Sample) -> Sample:
    """The sample, without a clean image where its attributes say that it rains."""
    if sample.attributes.get("weather", "").lower() not in RAINY or sample.rainy_path is not None:
        return sample
    return as_rain(sample)


def taken_for_rain(dataset: Dataset) -> Dataset:
    """Images that nothing is known of as photographs of real rain, for who says that they are.

    A set that knows the weather of some of its images stays as it is.
    """
    unknown = [s for s in dataset.samples if s.rainy_path is None]
    if not unknown or any("weather" in s.attributes for s in dataset.samples):
        return dataset
    note = f"{len(unknown)} images are taken for photographs of real rain: --rain given says so"
    samples = [as_rain(s) if s.rainy_path is None else s for s in dataset.samples]
    return replace(dataset, samples=samples, notes=(*dataset.notes, note))


def as_rain(sample: Sample) -> Sample:
    """A photograph of real rain, which has no clean one."""
    return replace(sample, rainy_path=sample.path, has_clean=False)
