"""Rainy images with their clean ones: the benchmarks of the deraining papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from datasets import fields
from datasets.expressions import compiled
from datasets.fields import Problems
from datasets.folder import by_stem
from datasets.label_files import copy_files
from datasets.names import text_of
from datasets.sample import Dataset, DatasetError, Half, Sample

LAYOUTS = (
    ("input", "target"),
    ("rainy", "norain"),
    ("inputcrop", "cleancrop"),
    ("in", "gt"),
)
"""Folders of rainy and clean images that are found by themselves."""
SIDE_BY_SIDE: dict[str, Half] = {"clean-left": "left", "clean-right": "right"}
EXPECTED = "expected RAINY:CLEAN or RAINY:CLEAN:REGEX, names of two folders, or clean-left|right"


def open_pairs(
    root: Path, split: str | None, pair: str | None = None, problems: Problems | None = None
) -> Dataset:
    r"""Open rainy images with their clean ones.

    Args:
        root: Folder of both folders; ``root/split`` if a split is given.
        split: Part of the data set, or None.
        pair: ``rainy:clean``, names of the two folders; None finds those of `LAYOUTS`. A rainy
            image then belongs to the clean one of the same stem, or else to the longest clean stem
            that begins its own before a ``_`` or ``-`` (``im_0001_s80_a04`` to ``im_0001``).
            ``rainy:clean:regex`` pairs stems in which the expression finds the same: its first
            group, or all that it matches (``\d+`` pairs ``norain-7`` with ``rain-7x2``). It is
            RE2's, whose time is linear in the stem whatever a suite asks for.
            ``clean-left`` and ``clean-right`` take each file for two images side by side.
        problems: Takes rainy images that have no clean one, which are then left out.

    Returns:
        Samples named by the rainy stem, grouped by the clean one.

    Raises:
        DatasetError: If a folder is missing, a rainy image has no clean one, or two have one name.
    """
    home = root / split if split else root
    name = text_of(split or root.resolve().name)
    if pair in SIDE_BY_SIDE:
        samples = _side_by_side(home, SIDE_BY_SIDE[pair])
        return Dataset("pairs", name, samples, export_labels=_refuse_copy)
    rainy_folder, clean_folder, regex = _folders(home, pair)
    rainy, clean = by_stem(rainy_folder), by_stem(clean_folder)
    by_key = _by_key(clean, regex, clean_folder) if regex else {}
    samples = []
    for stem, path in rainy.items():
        partner = by_key.get(_key(stem, regex)) if regex else _partner(stem, clean)
        with fields.told(problems):
            if partner is None:
                raise DatasetError(
                    f"{path.name} in {rainy_folder.name} has no clean image in "
                    f"{clean_folder.name}: remove it, or say with --pair how they belong together"
                )
            samples.append(Sample(stem, clean[partner], group=partner, rainy_path=path))
    export = partial(copy_files, {sample.id: [sample.path] for sample in samples}, root)
    return Dataset("pairs", name, samples, export_labels=export)


def with_rainy(dataset: Dataset, folder: Path) -> Dataset:
    """Labelled images with rainy ones that were made elsewhere, as COCO350 has them.

    Args:
        dataset: Clean images with their labels.
        folder: Rainy images, each named as its clean one or with more after a ``_`` or ``-``.

    Returns:
        The images that have a rainy one; a note tells how many of the set that are.

    Raises:
        DatasetError: If a rainy image belongs to no image of the set, or two to one.
    """
    if not folder.is_dir():
        raise DatasetError(f"--pair: {folder} not found: name the folder of the rainy images")
    clean = {text_of(sample.path.stem): sample.path for sample in dataset.samples}
    if len(clean) < len(dataset.samples):
        raise DatasetError(f"--pair: two images of {dataset.name} have one stem")
    rainy: dict[str, Path] = {}
    for stem, path in by_stem(folder).items():
        partner = _partner(stem, clean)
        if partner is None:
            raise DatasetError(
                f"{path.name} in {folder.name} belongs to no image of {dataset.name} "
                f"{dataset.split}: remove it, or give another --split"
            )
        if partner in rainy:
            raise DatasetError(f"{rainy[partner].name} and {path.name} both belong to {partner}")
        rainy[partner] = path
    samples = [
        replace(s, rainy_path=rainy[text_of(s.path.stem)], has_clean=True)
        for s in dataset.samples
        if text_of(s.path.stem) in rainy
    ]
    note = f"rainy images from {folder.name} for {len(samples)} of {len(clean)} images"
    notes = (*dataset.notes, note)
    return replace(dataset, samples=samples, notes=notes, export_labels=_refuse_rain)


def _refuse_rain(out: Path, places: Mapping[str, PurePosixPath]) -> None:
    raise DatasetError(f"{out}: a copy gets rain of its own: leave --pair out")


def _side_by_side(folder: Path, clean_half: Half) -> list[Sample]:
    """Files that hold two images each."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    return [
        Sample(stem, path, group=stem, rainy_path=path, clean_half=clean_half)
        for stem, path in by_stem(folder).items()
    ]


def _refuse_copy(out: Path, places: Mapping[str, PurePosixPath]) -> None:
    raise DatasetError(
        f"{out}: a copy of images that lie side by side would lose the clean ones: "
        "split them into two folders first"
    )


def _folders(home: Path, pair: str | None) -> tuple[Path, Path, Any]:
    """The folders of rainy and of clean images, and the expression that pairs them."""
    layouts: tuple[tuple[str, str], ...] = LAYOUTS
    regex = None
    if pair is not None:
        rainy, _, rest = pair.partition(":")
        clean, _, expression = rest.partition(":")
        if not (rainy and clean):
            raise DatasetError(f"--pair {pair}: {EXPECTED}")
        layouts = ((rainy, clean),)
        try:
            regex = compiled(expression) if expression else None
        except ValueError as error:
            raise DatasetError(f"--pair: {expression} is no regex: {error}") from error
    for rainy, clean in layouts:
        if (home / rainy).is_dir() and (home / clean).is_dir():
            return home / rainy, home / clean, regex
    looked = ", ".join("/".join(layout) for layout in layouts)
    raise DatasetError(f"{home}: no folders {looked} there: name them with --pair RAINY:CLEAN")


def _partner(stem: str, clean: Mapping[str, Path]) -> str | None:
    """The clean stem that is a rainy one or begins it."""
    if stem in clean:
        return stem
    cuts = [i for i, sign in enumerate(stem) if sign in "_-"]
    return next((stem[:i] for i in reversed(cuts) if stem[:i] in clean), None)


def _key(stem: str, regex: Any) -> str:
    """What the expression finds in a stem; empty where it finds nothing."""
    found = regex.search(stem)
    return (found and found[min(1, regex.groups)]) or ""


def _by_key(clean: Mapping[str, Path], regex: Any, folder: Path) -> dict[str, str]:
    """Clean stems by what the expression finds in them."""
    stems: dict[str, str] = {}
    for stem in clean:
        key = _key(stem, regex)
        if not key:
            continue
        if key in stems:
            raise DatasetError(
                f"--pair: in {folder.name}, {regex.pattern} finds {key} in {stems[key]} and {stem}"
            )
        stems[key] = stem
    return stems
