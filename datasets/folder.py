"""Any folder of images, without labels: for image quality and for looking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from datasets.fields import Problems
from datasets.sample import Dataset, DatasetError, Sample

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def open_folder(root: Path, split: str | None, problems: Problems | None = None) -> Dataset:
    """Open every image below ``root``, or below ``root/split``, named by its path there.

    Nothing is wrong with single entries of a plain folder: ``problems`` stays as it is.

    Raises:
        DatasetError: If the folder holds no image.
    """
    folder = root / split if split else root
    samples = []
    for file in sorted(_images(folder)):
        name = file.relative_to(folder).as_posix()
        samples.append(Sample(name, file, group=name))
    if not samples:
        raise DatasetError(f"{folder}: no image there ({' '.join(sorted(SUFFIXES))})")
    return Dataset("folder", split or "all", samples)


def _images(folder: Path) -> Iterator[Path]:
    """Image files of a folder and all below it, through links too, each folder once."""
    seen: set[Path] = set()
    # Path.rglob passes linked folders by without a word.
    for here, below, names in os.walk(folder, followlinks=True):
        real = Path(here).resolve()
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        files = (Path(here, name) for name in names)
        yield from (f for f in files if f.suffix.lower() in SUFFIXES and f.is_file())


def by_stem(folder: Path) -> dict[str, Path]:
    """Image files by stem, sorted.

    Raises:
        DatasetError: If there is none, or two have one stem.
    """
    files: dict[str, Path] = {}
    for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES):
        if file.stem in files:
            raise DatasetError(f"{folder}: {files[file.stem].name} and {file.name} have one stem")
        files[file.stem] = file
    if not files:
        raise DatasetError(f"{folder}: no image there")
    return files
