"""Samples by what their set says of them: ``weather=rainy``, ``timeofday=night``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from datasets.sample import Dataset, DatasetError, Sample

_NEGATION = re.compile(r"^no|\b(?:no|not|without|before|after|free)\b")
"""In values of what is clean: ``no rain``, ``rain-free``."""


def select(dataset: Dataset, words: Sequence[str], is_clean: bool = True) -> Dataset:
    """The samples that every word allows, without those that are no clean condition.

    Args:
        dataset: Any set.
        words: Each ``KEY=VALUE`` or ``KEY=VALUE/VALUE…``, an attribute and the values to keep. Of
            an attribute that no word names, the values in `Dataset.unclean` are left out.
        is_clean: Whether clean images are asked for; rain alone leaves none out.

    Returns:
        The set with a note that says how many samples were left out, and why.

    Raises:
        DatasetError: For an unknown attribute or value, with the known ones, or if nothing is left.
    """
    known: dict[str, set[str]] = {}
    for sample in dataset.samples:
        for key, value in sample.attributes.items():
            known.setdefault(key, set()).add(value)
    samples, notes = list(dataset.samples), list(dataset.notes)
    asked = set()
    for word in words:
        key, equals, text = word.partition("=")
        if not (key and equals and text):
            raise DatasetError(f"--where {word}: expected KEY=VALUE or KEY=VALUE/VALUE")
        if key not in known:
            names = ", ".join(sorted(known)) or "none"
            raise DatasetError(f"--where {word}: no image has '{key}': known are {names}")
        values = _values(text, known[key], word)
        samples = [s for s in samples if s.attributes.get(key) in values]
        asked.add(key)
    if words:
        notes.append(f"{' '.join(words)}: {len(samples)} of {len(dataset.samples)} images")
    for key, unclean in dataset.unclean.items() if is_clean else ():
        if key not in asked:
            bad = [
                s
                for s in samples
                if s.attributes.get(key, "").lower() in unclean and not _is_pair(s)
            ]
            dropped = Counter(s.attributes[key].lower() for s in bad)
            told = [f"{dropped[value]} {value}" for value in unclean if dropped[value]]
            left_out = {s.id for s in bad}
            samples = [s for s in samples if s.id not in left_out]
            notes += [f"left out as unclean by {key}: {', '.join(told)}"] if told else []
            notes += _doubt(samples, key, unclean)
    if not samples:
        why = "; ".join(notes)
        raise DatasetError(f"no image is left of {dataset.name} {dataset.split}: {why}")
    return replace(dataset, samples=samples, notes=tuple(notes))


def _doubt(samples: Sequence[Sample], key: str, unclean: Sequence[str]) -> list[str]:
    """A note of images that are kept as clean though a word of theirs says otherwise."""
    is_unclean = re.compile(rf"\b(?:{'|'.join(map(re.escape, unclean)) or '(?!)'})")
    values = (s.attributes.get(key, "").lower() for s in samples if not _is_pair(s))
    found = Counter(
        value
        for value in values
        if is_unclean.search(words := value.replace("_", " ")) and not _NEGATION.search(words)
    )
    told = ", ".join(f"{count} {value}" for value, count in found.items())
    return [f"kept as clean though {key} says {told}: --where {key}=… chooses"] if told else []


def _is_pair(sample: Sample) -> bool:
    """Whether a rainy image has a clean one."""
    return sample.has_clean and sample.rainy_path is not None


def _values(text: str, known: set[str], word: str) -> set[str]:
    """Values between slashes, which may themselves hold slashes, as ``dawn/dusk`` does."""
    parts = text.split("/")
    values = set()
    while parts:
        length = next((n for n in range(len(parts), 0, -1) if "/".join(parts[:n]) in known), None)
        if length is None:
            raise DatasetError(
                f"--where {word}: unknown value '{parts[0]}': known are {', '.join(sorted(known))}"
            )
        values.add("/".join(parts[:length]))
        parts = parts[length:]
    return values
