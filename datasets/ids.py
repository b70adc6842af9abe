"""Ids of samples: of files by their names, and never one for two samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from datasets.names import text_of
from datasets.sample import Dataset, DatasetError


def ids_of(files: Sequence[Path], root: Path) -> dict[Path, str]:
    """Stems; of files that share one, paths below the root, with their ending where that tells."""
    stems = {file: text_of(file.stem) for file in files}
    inner = {file: file.relative_to(root) for file in files}
    bare = {file: text_of(path.with_suffix("").as_posix()) for file, path in inner.items()}
    of_stem, of_path = Counter(stems.values()), Counter(bare.values())
    return {
        file: stems[file]
        if of_stem[stems[file]] == 1
        else bare[file]
        if of_path[bare[file]] == 1
        else text_of(inner[file].as_posix())
        for file in files
    }


def shared(dataset: Dataset) -> str | None:
    """What to say where several samples have one id, by which all that is kept is told apart."""
    counts = Counter(sample.id for sample in dataset.samples)
    several = [name for name, count in counts.items() if count > 1]
    if not several:
        return None
    one, two, *_ = (s.path.name for s in dataset.samples if s.id == several[0])
    return (
        f"{dataset.name} {dataset.split}: {len(several)} of {len(counts)} ids stand for several "
        f"images, {several[0]} for {one} and {two}: rename one of each"
    )


def require_distinct(dataset: Dataset) -> Dataset:
    """The data set, refused where several samples have one id.

    Raises:
        DatasetError: With their number and the first two.
    """
    said = shared(dataset)
    if said is not None:
        raise DatasetError(said)
    return dataset
