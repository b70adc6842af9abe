"""Distances beside photographs: one file for each, in metres or on a stated scale."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayFloat, UnreadableImageError
from datasets.masks import MAX_PIXELS
from datasets.names import text_of
from datasets.sample import Dataset, DatasetError, Sample

SKY_M = 655.35
"""Where an infinite distance is put: the farthest that 16 bits of centimetres hold."""
FARTHEST_MEDIAN_M = 500.0
"""No street is that far away in half of a picture: the file is on another scale."""
LOOKED_AT, FEWEST = 20, 3
"""Pictures whose distances tell whether all are inverse, and how many must."""
SUFFIXES = (".npz", ".npy", ".png")
SCALE = ":per_m="


@dataclass(frozen=True)
class DepthFile:
    """Decodes one kind of file; its ``repr`` says all that decides what comes out."""

    per_m: float | None = None
    """How many of a file's units make a metre; None where the files hold metres."""

    def __call__(self, data: bytes, name: str) -> NDArrayFloat:
        """Distance of every pixel, ``float32 (H, W)`` in metres, finite and above 0.

        Args:
            data: A PNG of one number per pixel, or one array as NPY or NPZ (there alone, or called
                ``depth``). Infinite distances are the sky's.
            name: What to call it in an error.

        Raises:
            UnreadableImageError: If it is no such file, lacks a distance, or cannot be metres.
        """
        values = _png(data, name) if data[:4] == b"\x89PNG" else _array(data, name)
        if values.dtype == np.uint8 and self.per_m is None:
            raise UnreadableImageError(
                f"{name}: 8 bits hold no metres: say how many levels make one, --depth DIR{SCALE}N"
            )
        metres = values.astype(np.float64) / (self.per_m or 1.0)
        lacking = int(np.count_nonzero(~(metres > 0)))
        if lacking:
            raise UnreadableImageError(
                f"{name}: {lacking} pixels hold no distance (0 or less): fill them, the sky with "
                "infinity or the farthest"
            )
        if self.per_m is None and np.median(metres[np.isfinite(metres)]) > FARTHEST_MEDIAN_M:
            raise UnreadableImageError(
                f"{name}: half of it is farther than {FARTHEST_MEDIAN_M:g} m, so these are no "
                f"metres: say how many units make one, --depth DIR{SCALE}1000 for millimetres"
            )
        return np.where(np.isfinite(metres), metres, SKY_M).astype(np.float32)


def _png(data: bytes, name: str) -> NDArray[Any]:
    """The numbers of a PNG."""
    try:
        levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UnreadableImageError(f"{name}: cannot be decoded: {error.err or error}") from error
    if levels is None or levels.ndim != 2:
        raise UnreadableImageError(f"{name}: expected a PNG with one number per pixel")
    return levels


def _array(data: bytes, name: str) -> NDArray[Any]:
    """The one array of a NumPy file."""
    try:
        found = np.load(io.BytesIO(data), allow_pickle=False)
        if not isinstance(found, np.ndarray):
            names = list(found.files)
            key = "depth" if "depth" in names else names[0]
            if len(names) > 1 and key != "depth":
                raise UnreadableImageError(f"{name}: holds {', '.join(names)}, none called depth")
            found = found[key]
    except (ValueError, OSError, EOFError, IndexError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, UnreadableImageError):
            raise
        raise UnreadableImageError(f"{name}: no array of NumPy, or damaged") from error
    values: NDArray[Any] = found
    if values.ndim != 2 or values.dtype.kind not in "fui" or not 0 < values.size <= MAX_PIXELS:
        raise UnreadableImageError(f"{name}: expected numbers (H, W), got {values.shape}")
    return values


def with_depth(dataset: Dataset, root: Path, word: str) -> Dataset:
    """The images with the distances of a folder.

    Args:
        dataset: Any set.
        root: Where it lies.
        word: ``DIR`` with a file for each image, of the same path below ``DIR`` as the image below
            the root or of the same stem, with ``_depth`` after it or not; or ``DIR:per_m=256``
            where 256 of the files' units make a metre.

    Raises:
        DatasetError: If the folder is absent, the scale no number, an image has no distances, or
            two have one file.
    """
    place, is_scaled, scale = word.rpartition(SCALE)
    folder, per_m = Path(place if is_scaled else word), _number(word, scale) if is_scaled else None
    if not folder.is_dir():
        raise DatasetError(f"--depth {folder}: no such folder")
    decode = DepthFile(per_m)
    samples, of_file = [], dict[Path, Path]()
    for sample in dataset.samples:
        file = _file_of(sample, root, folder)
        other = of_file.setdefault(file, sample.path)
        if other != sample.path:  # rainy images may share a clean one
            one, two = (text_of(_inner(path, root).as_posix()) for path in (other, sample.path))
            raise DatasetError(
                f"--depth {folder}: {file.name} would be of {one} and of {two}: give the files the "
                "images' folders and stems"
            )
        samples.append(replace(sample, depth_path=file, decode_depth=decode))
    notes = (*dataset.notes, f"depth from {folder.name}", *_doubt(samples))
    return replace(dataset, samples=samples, notes=notes)


def _doubt(samples: Sequence[Sample]) -> list[str]:
    """What to say where most pictures are nearer above than below, as inverse distances are."""
    few = samples[:: -(-len(samples) // LOOKED_AT) or 1]
    found = [is_nearer for each in few if (is_nearer := _is_nearer_above(each)) is not None]
    number = sum(found)
    if number < FEWEST or number < 0.8 * len(found):
        return []
    return [
        f"the distances of {number} of {len(found)} images are smaller above than below: are they "
        "inverse ones (disparities), where more is nearer?"
    ]


def _is_nearer_above(sample: Sample) -> bool | None:
    """Whether the upper third of a picture is nearer than the lower; None of what is unreadable."""
    try:
        metres = sample.depth_m()
    except (UnreadableImageError, OSError):
        return None  # That is told where it is used.
    if metres is None:
        return None
    third = -(-len(metres) // 3)
    return bool(np.median(metres[:third]) < np.median(metres[-third:]))


def _number(word: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise DatasetError(f"--depth {word}: {SCALE}N needs a number above 0")
    return number


def _inner(path: Path, root: Path) -> Path:
    """An image's path below the root."""
    return path.relative_to(root) if path.is_relative_to(root) else Path(path.name)


def _file_of(sample: Sample, root: Path, folder: Path) -> Path:
    """The file with an image's distances."""
    inner = _inner(sample.path, root)
    for stem in (inner.with_suffix(""), Path(inner.stem)):
        for ending in ("", "_depth"):
            for suffix in SUFFIXES:
                file = folder / f"{stem}{ending}{suffix}"
                if file.is_file():
                    return file
    raise DatasetError(
        f"--depth {folder}: nothing there for image {sample.id}: expected {inner.stem} with "
        f"{', '.join(SUFFIXES)}"
    )
