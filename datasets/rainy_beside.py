"""Rainy images of a labelled set, which were made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from datasets.folder import by_name
from datasets.names import text_of
from datasets.partners import partners
from datasets.sample import Dataset, DatasetError


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
    files = by_name(folder)
    paired = partners(files, clean).clean
    for name, path in files.items():
        partner = paired.get(name)
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
