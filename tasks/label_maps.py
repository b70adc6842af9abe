"""Predicted label maps as files: one grey PNG per image.

It lies under the image file's stem or name, with the beginning of its id's sha256 where two images
share the stem.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets.image import NDArrayByte, UnreadableImageError
from datasets.label_png import decode_labels, encode_labels
from datasets.names import composed
from datasets.sample import IGNORED, Sample
from tasks.task import TaskError


def write_label_maps(folder: Path, predictions: Iterable[tuple[Sample, NDArrayByte]]) -> None:
    """Write ``semantic/<stem>.png``, or `_apart` for images of one stem."""
    place = folder / "semantic"
    place.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    for sample, labels in predictions:
        (place / str(len(samples))).write_bytes(encode_labels(labels))
        samples.append(sample)
    # Some disks hold A.png and a.png for one file.
    shared = Counter(sample.path.stem.casefold() for sample in samples)
    for number, sample in enumerate(samples):
        is_alone = shared[sample.path.stem.casefold()] == 1
        stem = sample.path.stem if is_alone else _apart(sample)
        (place / str(number)).rename(place / f"{stem}.png")


def _apart(sample: Sample) -> str:
    """The stem of an image's label map that no other image's has."""
    return f"{sample.path.stem}-{hashlib.sha256(sample.id.encode()).hexdigest()[:8]}"


def read_label_maps(
    folder: Path, samples: Sequence[Sample], whole: Sequence[Sample], classes: Mapping[int, str]
) -> dict[str, NDArrayByte]:
    """Read one PNG per image, ``a.png`` or ``a.jpg.png``, or as `write_label_maps` names it.

    They lie in the folder, or in folders below it.

    Args:
        folder: Where they lie.
        samples: The images to read them for.
        whole: All images that may have one.
        classes: Those that the data set has.

    Raises:
        TaskError: If one is missing or no label map, has another size than its image or a value
            that is no class, or could be that of two images.
    """
    if not folder.is_dir():
        raise TaskError(f"{folder}: no such folder; label maps are a folder of PNG files")
    files = _files_of(_pictures(folder), samples, whole)
    found = {}
    for sample in samples:
        if sample.id not in files:
            raise TaskError(f"{folder} has no {sample.path.stem}.png for image {sample.id}")
        found[sample.id] = _label_map(files[sample.id], sample, classes)
    return found


def _pictures(folder: Path) -> list[Path]:
    """The PNG files of a folder; where it holds none itself, of all folders below, as cities."""
    for files in (folder.glob("*"), folder.rglob("*")):
        shown = (f for f in files if not any(p[0] == "." for p in f.relative_to(folder).parts))
        found = sorted(f for f in shown if f.suffix.lower() == ".png" and f.is_file())
        if found:
            return found
    return []


def _files_of(
    files: Sequence[Path], samples: Sequence[Sample], whole: Sequence[Sample]
) -> dict[str, Path]:
    """Each image's label map by its id, of those that are there."""
    # What was written of some images says nothing of the others, which may share their stems.
    names = _images_by_name(samples)
    if any(len(names[composed(file.stem)]) != 1 for file in files):
        names = _images_by_name(whole)
    found: dict[str, Path] = {}
    for file in files:
        ids = sorted(names[composed(file.stem)])
        if not ids:
            raise TaskError(
                f"{file.name}: the data set has no image of that stem: call a label map as its "
                f"image, {samples[0].path.stem}.png"
            )
        if len(ids) > 1:
            one = next(s for s in whole if s.id == ids[0])
            raise TaskError(
                f"{file.name} could be of {ids[0]} or {ids[1]}: call that of {ids[0]} "
                f"{_apart(one)}.png, as run --save predictions does"
            )
        other = found.setdefault(ids[0], file)
        if other != file:
            raise TaskError(f"{other.name} and {file.name} are of one image: leave one there")
    return found


def _images_by_name(samples: Sequence[Sample]) -> defaultdict[str, set[str]]:
    """Ids of the images that a label map of a stem may be of."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        for name in (sample.path.stem, sample.path.name, _apart(sample)):
            names[composed(name)].add(sample.id)
    return names


def _label_map(file: Path, sample: Sample, classes: Mapping[int, str]) -> NDArrayByte:
    """A predicted label map of the image's size, every pixel a class or `IGNORED`."""
    try:
        labels = decode_labels(file.read_bytes(), file.name)
    except UnreadableImageError as error:
        raise TaskError(str(error)) from error
    height, width, _ = sample.image().shape
    if labels.shape != (height, width):
        raise TaskError(
            f"{file.name}: {labels.shape[1]}x{labels.shape[0]} pixels, the image {sample.id} has "
            f"{width}x{height}"
        )
    counts = np.bincount(labels.ravel(), minlength=256)
    strange = [v for v in np.flatnonzero(counts).tolist() if v not in classes and v != IGNORED]
    if strange and classes:
        share = counts[strange].sum() / labels.size
        values = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
        raise TaskError(
            f"{file.name}: {share:.1%} of the pixels hold {values}, which is no class of the data "
            f"set ({min(classes)} to {max(classes)}): write its classes (of Cityscapes trainIds, "
            f"not labelIds), and {IGNORED} for anything else"
        )
    return labels
