"""What is known of images beyond their labels: from their paths, or from a table."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets.expressions import compiled
from datasets.names import composed, text_of
from datasets.sample import Dataset, DatasetError, Sample
from datasets.weather import UNCLEAN, defined, with_weather

TABLES = (".csv", ".tsv")
"""Endings of a word that names a table."""
PUBLISHED = Path(__file__).parent / "tables"
"""Tables that come with the package, named without a folder: ``coco128-scenes.csv``."""
Said = Mapping[str, Mapping[str, str]]
"""Attributes by sample id."""


def with_attributes(dataset: Dataset, root: Path, words: Sequence[str]) -> Dataset:
    """The images with attributes that their labels do not hold.

    Args:
        dataset: Any set.
        root: Where it lies.
        words: Each a table, ``FILE.csv`` or one of `PUBLISHED`, whose first column names the
            images, by id, path below the root, file name or stem, and whose others are attributes;
            or a regular expression with named groups that is searched in the image's path below the
            root, ``(?P<weather>rain|sun)``, and where that holds none in its rainy image's. Of what
            two words say the later holds.

    Returns:
        The set with notes that say how many images each word tells of.

    Raises:
        DatasetError: If a word is neither, or tells of no image.
    """
    samples, notes = list(dataset.samples), list(dataset.notes)
    for word in words:
        said = _of_table(word, samples, root) if is_table(word) else _of_paths(word, samples, root)
        samples = [
            replace(s, attributes={**s.attributes, **said[s.id]}) if said.get(s.id) else s
            for s in samples
        ]
        name = Path(word).name if is_table(word) else word
        notes.append(f"attributes of {len(said)} of {len(samples)} images from {name}")
    if not words:
        return dataset
    rainy = [with_weather(sample) for sample in samples]
    return replace(
        dataset, samples=rainy, notes=tuple(notes), unclean={**UNCLEAN, **dataset.unclean}
    )


def is_table(word: str) -> bool:
    """Whether a word names a table."""
    return word.lower().endswith(TABLES)


def _below(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _files(sample: Sample) -> list[Path]:
    """The image, and the rainy one that the set brings: names of both are the sample's."""
    return [path for path in (sample.path, sample.rainy_path) if path is not None]


def _compiled(word: str) -> Any:
    """A regular expression with named groups."""
    try:
        pattern = compiled(word)
    except ValueError as error:
        raise DatasetError(
            f"--attributes {word}: no table ({' '.join(TABLES)}) and no regex: {error}"
        ) from error
    if not pattern.groupindex:
        raise DatasetError(
            f"--attributes {word}: name what it finds, as in (?P<weather>rain|sun), or give a table"
        )
    return pattern


def _of_paths(word: str, samples: Iterable[Sample], root: Path) -> Said:
    """What an expression finds in the paths."""
    pattern = _compiled(word)
    said = {}
    for sample in samples:
        searched = (pattern.search(text_of(_below(path, root))) for path in _files(sample))
        found = next(filter(None, searched), None)
        if found is not None:
            said[sample.id] = defined({k: v for k, v in found.groupdict().items() if v})
    if not said:
        first = next((_below(s.path, root) for s in samples), "none")
        raise DatasetError(f"--attributes {word}: found in no path, e.g. not in {first}")
    return said


def _of_table(word: str, samples: Iterable[Sample], root: Path) -> Said:
    """What a table says of the images."""
    file = Path(word)
    if not file.is_file():
        file = PUBLISHED / word
    if not file.is_file():
        known = ", ".join(sorted(table.name for table in PUBLISHED.glob("*.csv")))
        raise DatasetError(f"--attributes {word}: no such file; {known} comes with the package")
    named = _names(samples, root)
    said: dict[str, dict[str, str]] = {}
    for number, row in enumerate(_rows(file), start=2):
        (_, name), *values = row.items()
        owners = named.get(composed(name.replace("\\", "/")), set())
        if len(owners) > 1:
            raise DatasetError(
                f"{file.name} line {number}: {name} may be {' or '.join(sorted(owners)[:2])}: "
                "give paths"
            )
        for owner in owners:
            if owner in said:
                raise DatasetError(f"{file.name} line {number}: {name} stands there twice")
            said[owner] = defined({key: value for key, value in values if value})
    if not said:
        raise DatasetError(f"{file.name}: its first column names no image of the data set")
    return said


def _names(samples: Iterable[Sample], root: Path) -> dict[str, set[str]]:
    """Ids of the images that each name may mean."""
    named: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        files = [(_below(path, root), path.name, path.stem) for path in _files(sample)]
        for name in (sample.id, *(name for names in files for name in names)):
            named[composed(name)].add(sample.id)
    return named


def _rows(file: Path) -> list[dict[str, str]]:
    """Rows of a table by its first line, separated by what stands there most often."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        head = text.partition("\n")[0]
        separator = max(",;\t", key=head.count)
        table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        lines = [[cell.strip() for cell in line] for line in table if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file.name}: no table in UTF-8 ({error})") from error
    names = lines[0] if lines else []
    if len(names) < 2 or not all(names) or len(set(names)) < len(names):
        raise DatasetError(
            f"{file.name}: expected a first line with the names of the columns, image,weather,…"
        )
    wrong = next((i for i, line in enumerate(lines) if len(line) != len(names)), None)
    if wrong is not None:
        raise DatasetError(
            f"{file.name} line {wrong + 1}: {len(lines[wrong])} cells, expected {len(names)}"
        )
    return [dict(zip(names, line, strict=True)) for line in lines[1:]]
