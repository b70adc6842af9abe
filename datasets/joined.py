"""Parts of a set whose label files number the classes each in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from datasets.sample import Annotations, Dataset, Sample


def alike_numbered(parts: Sequence[Dataset]) -> list[Dataset]:
    """The parts with one number for each class of objects, by its name: the first that it has."""
    if all(part.categories == parts[0].categories for part in parts):
        return list(parts)
    numbers: dict[str, int] = {}
    for part in parts:
        for number, name in part.categories.items():
            free = number if number not in numbers.values() else max(numbers.values()) + 1
            numbers.setdefault(name, free)
    categories = {number: name for name, number in numbers.items()}
    return [_numbered(part, numbers, categories) for part in parts]


def _numbered(part: Dataset, numbers: Mapping[str, int], categories: Mapping[int, str]) -> Dataset:
    """A part with other numbers."""
    new = {number: numbers[name] for number, name in part.categories.items()}
    if all(number == other for number, other in new.items()):
        return replace(part, categories=categories)
    samples = [
        sample if sample.labels is None else replace(sample, labels=partial(_labels, sample, new))
        for sample in part.samples
    ]
    return replace(part, samples=samples, categories=categories)


def _labels(sample: Sample, new: Mapping[int, int]) -> Annotations:
    """A sample's objects with other numbers of classes."""
    objects = sample.annotations
    assert objects is not None
    numbers = np.array([new[number] for number in objects.categories.tolist()], np.int64)
    return replace(objects, categories=numbers)
