"""Rainy images with their clean ones: the benchmarks of the deraining papers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from datasets.folder import by_stem
from datasets.label_files import copy_files
from datasets.sample import Dataset, DatasetError, Sample

LAYOUTS = (
    ("input", "target"),
    ("rainy", "norain"),
    ("inputcrop", "cleancrop"),
    ("in", "gt"),
)
"""Folders of rainy and clean images that are found by themselves."""


def open_pairs(root: Path, split: str | None, pair: str | None = None) -> Dataset:
    """Open a folder of rainy images and one of clean images, paired by file name.

    A rainy image belongs to the clean one of the same stem, or else to the longest clean stem that
    begins its own before a ``_`` or ``-`` (``im_0001_s80_a04`` to ``im_0001``). Samples are named
    and grouped: by the rainy stem, and by the clean one.

    Args:
        root: Folder of both folders; ``root/split`` if a split is given.
        split: Part of the data set, or None.
        pair: ``rainy:clean``, names of the two folders; None finds those of `LAYOUTS`.

    Raises:
        DatasetError: If a folder is missing, a rainy image has no clean one, or two have one name.
    """
    home = root / split if split else root
    rainy_folder, clean_folder = _folders(home, pair)
    rainy, clean = by_stem(rainy_folder), by_stem(clean_folder)
    samples = []
    for stem, path in rainy.items():
        partner = _partner(stem, clean)
        if partner is None:
            raise DatasetError(
                f"{path.name} in {rainy_folder.name} has no clean image in {clean_folder.name}: "
                "remove it, or name the folders with --pair RAINY:CLEAN"
            )
        samples.append(Sample(stem, clean[partner], group=partner, rainy_path=path))
    export = partial(copy_files, {sample.id: [sample.path] for sample in samples}, root)
    return Dataset("pairs", split or root.resolve().name, samples, export_labels=export)


def _folders(home: Path, pair: str | None) -> tuple[Path, Path]:
    """The folders of rainy and of clean images."""
    if pair is not None:
        rainy, colon, clean = pair.partition(":")
        if not (rainy and colon and clean):
            raise DatasetError(f"--pair {pair}: expected RAINY:CLEAN, names of two folders")
        layouts: tuple[tuple[str, str], ...] = ((rainy, clean),)
    else:
        layouts = LAYOUTS
    for rainy, clean in layouts:
        if (home / rainy).is_dir() and (home / clean).is_dir():
            return home / rainy, home / clean
    looked = ", ".join("/".join(layout) for layout in layouts)
    raise DatasetError(f"{home}: no folders {looked} there: name them with --pair RAINY:CLEAN")


def _partner(stem: str, clean: dict[str, Path]) -> str | None:
    """The clean stem that belongs to a rainy one."""
    if stem in clean:
        return stem
    cuts = [i for i, sign in enumerate(stem) if sign in "_-"]
    return next((stem[:i] for i in reversed(cuts) if stem[:i] in clean), None)
