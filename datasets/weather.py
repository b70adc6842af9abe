"""What attributes say of the weather: which photographs are no clean condition, which are rain."""

from __future__ import annotations

from dataclasses import replace

from datasets.sample import Sample

UNCLEAN = {"weather": ("rainy", "snowy", "foggy", "rain", "snow", "fog")}
"""Images that show bad weather are no clean condition."""
RAINY = ("rainy", "rain")


def with_weather(sample: Sample) -> Sample:
    """The sample, without a clean image where its attributes say that it rains."""
    if sample.attributes.get("weather") not in RAINY or sample.rainy_path is not None:
        return sample
    return replace(sample, rainy_path=sample.path, has_clean=False)
