"""One labelled image, and a set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat, UnreadableImageError, decode, decode_depth
from datasets.label_png import decode_labels

Half = Literal["left", "right"]
IGNORED = 255
"""Pixel of a label map that no score counts."""


class DatasetError(ValueError):
    """A data set that cannot be read as it stands; the message names file, field and remedy."""


@dataclass(frozen=True)
class Mask:
    """The pixels of one object, as COCO's compressed run lengths (column by column)."""

    height_px: int
    width_px: int
    counts: bytes


class LabelledObject(NamedTuple):
    """One row of `Annotations`."""

    box_xyxy_px: tuple[float, float, float, float]
    category: int
    area_px2: float
    is_crowd: bool
    mask: Mask | None = None
    is_difficult: bool = False


@dataclass(frozen=True)
class Annotations:
    """The labelled objects of one image, one row each."""

    boxes_xyxy_px: NDArray[np.float64]
    """``(N, 4)``: left, top, right, bottom."""
    categories: NDArray[np.int64]
    """``(N,)``: ids of the data set's own categories."""
    areas_px2: NDArray[np.float64]
    """``(N,)``: area of the object's mask, which COCO's size classes refer to."""
    is_crowd: NDArray[np.bool_]
    """``(N,)``: True where the row marks a group that scorers ignore."""
    masks: tuple[Mask, ...] = ()
    """N masks where they were asked for and the set has them; else none."""
    is_difficult: NDArray[np.bool_] | None = None
    """``(N,)``: True where a row that scorers ignore is one object, not a group: what is found must
    overlap it as it must any other, and not merely lie inside. None: nowhere."""
    region: Mask | None = None
    """Where objects are labelled: what is found with half of its pixels or more outside does not
    count. None: everywhere."""

    @staticmethod
    def of(objects: Sequence[LabelledObject]) -> Annotations:
        """Columns from rows, which all have masks or none."""
        return Annotations(
            boxes_xyxy_px=np.array([o.box_xyxy_px for o in objects], np.float64).reshape(-1, 4),
            categories=np.array([o.category for o in objects], np.int64),
            areas_px2=np.array([o.area_px2 for o in objects], np.float64),
            is_crowd=np.array([o.is_crowd for o in objects], np.bool_),
            masks=tuple(o.mask for o in objects if o.mask is not None),
            is_difficult=np.array([o.is_difficult for o in objects], np.bool_)
            if any(o.is_difficult for o in objects)
            else None,
        )

    def sha256(self, *, masks: bool = True) -> str:
        """Digest of every value; without ``masks`` of all that boxes are scored by."""
        h = hashlib.sha256()
        for rows in (self.boxes_xyxy_px, self.categories, self.areas_px2, self.is_crowd):
            h.update(np.ascontiguousarray(rows).tobytes())
        if self.is_difficult is not None:
            h.update(b"difficult" + self.is_difficult.tobytes())
        if self.region is not None:
            h.update(b"region" + self.region.counts)
        for mask in self.masks if masks else ():
            h.update(f"{mask.height_px}x{mask.width_px}:".encode() + mask.counts)
        return h.hexdigest()


@dataclass(frozen=True)
class Sample:
    """One image with its labels; the file is read when it is asked for."""

    id: str
    """Stable name: the same wherever the data lie."""
    path: Path
    """The image file."""
    group: str
    """What the image must not be separated from when resampling: drive, video, scene, or its id."""
    labels: Annotations | Callable[[], Annotations] | None = None
    """Labelled objects, or what reads them, None where the set has none."""
    size_px: tuple[int, int] | None = None
    """Height and width of the picture that was labelled; None where the labels do not say."""
    rainy_path: Path | None = None
    """The rainy image, where the set brings its own rain."""
    clean_half: Half | None = None
    """Where ``path`` holds the clean image and ``rainy_path``, the same file, the rainy one."""
    has_clean: bool = True
    """False where ``path`` is a photograph of real rain, and so no clean image."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What the set says of the image, e.g. weather."""
    label_map_path: Path | None = None
    """File with the class of every pixel; None where the set has none."""
    decode_label_map: Callable[[bytes, str], NDArrayByte] = decode_labels
    """Function of (the file's bytes, its name) that gives the label map."""

    depth_path: Path | None = None
    """File with the distance of every pixel; None where the set has none."""
    decode_depth: Callable[[bytes, str], NDArrayFloat] = decode_depth
    """Function of (the file's bytes, its name) that gives metres; where it is another, its ``repr``
    says all that decides them."""
    digests: Mapping[Path, str] = field(default_factory=dict)
    """The sha256 that a file must have whenever it is read; of those absent any will do."""

    @cached_property
    def annotations(self) -> Annotations | None:
        """Labelled objects, read once; None where the set has none.

        Raises:
            DatasetError: If what is read is wrong.
        """
        return self.labels() if callable(self.labels) else self.labels

    def read(self) -> bytes:
        """The image file's bytes.

        Raises:
            OSError: If the file has gone since the set was opened.
            DatasetError: If it has changed since it was named.
        """
        return self._bytes(self.path)

    def _bytes(self, file: Path) -> bytes:
        """A file's bytes, which must be those in `digests`."""
        data = file.read_bytes()
        if file in self.digests and hashlib.sha256(data).hexdigest() != self.digests[file]:
            raise DatasetError(f"{file.name} changed under the run: run again while nothing writes")
        return data

    def image(self) -> NDArrayByte:
        """Decode the clean file to ``uint8 (H, W, 3) RGB``.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        return half_of(decode(self.read(), self.path.name), self.clean_half, self.path.name)

    @property
    def rainy_half(self) -> Half | None:
        """Where ``rainy_path`` holds the rainy image, beside the clean one."""
        return {"left": "right", "right": "left", None: None}[self.clean_half]

    def label_map(self) -> NDArrayByte:
        """Class of every pixel, ``uint8 (H, W)``: a key of `Dataset.classes`, or `IGNORED`.

        Raises:
            DatasetError: If the set has none.
            UnreadableImageError: If it cannot be decoded.
        """
        if self.label_map_path is None:
            raise DatasetError(f"image {self.id} has no label map")
        return self.decode_label_map(self._bytes(self.label_map_path), self.label_map_path.name)

    @property
    def has_depth(self) -> bool:
        """Whether the set has the distances of its pixels."""
        return self.depth_path is not None

    def depth_m(self) -> NDArrayFloat | None:
        """Distance of every pixel along the view, ``float32 (H, W)``; None where there is none.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        if self.depth_path is None:
            return None
        return self.decode_depth(self._bytes(self.depth_path), self.depth_path.name)

    def given_rain(self) -> NDArrayByte:
        """Decode the rainy file that the set brings.

        Raises:
            DatasetError: If it brings none.
            UnreadableImageError: If it cannot be decoded.
        """
        if self.rainy_path is None:
            raise DatasetError(f"image {self.id} brings no rain of its own")
        name = self.rainy_path.name
        return half_of(decode(self._bytes(self.rainy_path), name), self.rainy_half, name)


def half_of(image: NDArrayByte, half: Half | None, name: str) -> NDArrayByte:
    """One of two images that lie side by side in one, or the whole image for None."""
    width_px = image.shape[1]
    if half is None:
        return image
    if width_px % 2:
        raise UnreadableImageError(f"{name}: {width_px} columns are no two images side by side")
    middle = width_px // 2
    return np.ascontiguousarray(image[:, :middle] if half == "left" else image[:, middle:])


@dataclass(frozen=True)
class Dataset:
    """A named set of samples."""

    name: str
    split: str
    samples: Sequence[Sample]
    categories: Mapping[int, str] = field(default_factory=dict)
    """Category id to name; empty where the set has no labels."""
    classes: Mapping[int, str] = field(default_factory=dict)
    """Class of a label map's pixel to name; empty where the set has no label maps."""
    export_labels: Callable[[Path, Mapping[str, PurePosixPath]], None] | None = None
    """Writes the labels of some samples into a copy of the set: function of the copy's folder and
    the new relative path of each sample's image; None where images are all there is."""
    unclean: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Attribute values of images that are left out unless one asks for that attribute."""
    terms: str = ""
    """What its makers allow it to be used for, where they say so."""
    notes: tuple[str, ...] = ()
    """What a reader of results must know of the set: labels' source, images left out."""

    @property
    def has_clean(self) -> bool:
        """Whether all samples have a clean image."""
        return all(sample.has_clean for sample in self.samples)

    def limited(self, limit: int | None) -> Dataset:
        """The ``limit`` samples with the smallest sha256(id), in that order; None keeps all.

        Limits are nested (a larger one holds the smaller) and unbiased by the set's own order.
        """
        order = sorted(self.samples, key=lambda s: hashlib.sha256(s.id.encode()).digest())
        return replace(self, samples=order[:limit])

    def shard(self, number: int, count: int) -> Dataset:
        """Every ``count``-th sample, from ``number`` on: of all numbers below it together, all."""
        return replace(self, samples=self.samples[number::count])
