"""COCO: photographs with boxes and masks in one JSON file (Lin et al. 2014, cocodataset.org)."""

from __future__ import annotations

import contextlib
import gc
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from datasets import fields
from datasets.below import Below
from datasets.coco_json import CocoImage, CocoJson, read_coco_json
from datasets.fields import Problems
from datasets.marked import shown
from datasets.sample import Dataset, DatasetError, Sample
from datasets.weather import UNCLEAN, with_weather

ROBOFLOW = "_annotations.coco.json"
"""What Roboflow calls the file that it puts beside the images of a split."""


class _Layout(NamedTuple):
    """Where the parts of a set lie."""

    file: Path
    """The annotations."""
    folder: Path
    """The images."""
    split: str
    is_typed: bool
    """Whether the user named both, so that images are looked for wherever they may be below."""


def open_coco(
    root: Path,
    split: str | None,
    masks: bool = False,
    problems: Problems | None = None,
    annotations: Path | None = None,
    mend: Callable[[Any], Any] | None = None,
) -> Dataset:
    """Open one split of a COCO tree, or any COCO JSON and the folder of its images.

    Args:
        root: Folder with ``annotations/instances_<split>.json`` and the photographs in
            ``images/<split>/`` or ``<split>/``, or with ``<split>/_annotations.coco.json`` beside
            them; where ``annotations`` is given, the folder with the images, at whatever depth.
        split: E.g. ``val2017``; None takes the only annotation file there is. Beside
            ``annotations`` it is a name alone.
        masks: Whether objects carry their masks.
        problems: Takes what is wrong with single entries, which are then left out.
        annotations: The annotation file, wherever it lies.
        mend: See `CocoJson.mend`.

    Returns:
        Samples named by COCO's image id, crowd regions kept and marked. Objects are read, and
        checked, when they are asked for, or at once for ``problems``. Fields of an image that hold
        one value are its attributes.

    Raises:
        DatasetError: If something is missing or wrong; the message names file, field and remedy.
    """
    layout = _given(root, split, annotations) if annotations else _found(root, split)
    with _no_garbage():
        content = replace(read_coco_json(layout.file, problems), mend=mend)
        samples = _samples(content, _Files(root, layout), masks, problems)
    return Dataset(
        "coco",
        layout.split,
        samples,
        content.categories,
        export_labels=partial(_export, content, layout, root),
        unclean=UNCLEAN,
        notes=content.notes,
    )


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Let nobody look for garbage among a million new objects, again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _samples(
    content: CocoJson, files: _Files, masks: bool, problems: Problems | None
) -> list[Sample]:
    """Every image with its file."""
    samples = []
    for image_id, image in content.images.items():
        with fields.told(problems):
            path = files.of(image)
            labels = partial(content.labels, image_id, path, masks)
            sample = Sample(
                image_id,
                path,
                group=image_id,
                labels=labels if problems is None else labels(problems),
                size_px=image.size_px,
                attributes=image.attributes,
            )
            samples.append(with_weather(sample) if sample.attributes else sample)
    return samples


def _given(root: Path, split: str | None, annotations: Path) -> _Layout:
    """The layout where the user named file and folder."""
    if not annotations.is_file():
        raise DatasetError(f"--annotations {annotations}: no such file")
    stem = annotations.name.partition(".")[0].strip("_")
    return _Layout(annotations, root, split or stem, is_typed=True)


def _found(root: Path, split: str | None) -> _Layout:
    """The layout of a COCO tree, or of Roboflow's."""
    split = split or _only_split(root)
    roboflow = root / split / ROBOFLOW
    if roboflow.is_file():
        return _Layout(roboflow, roboflow.parent, split, is_typed=False)
    file = root / "annotations" / f"instances_{split}.json"
    if not file.is_file():
        raise DatasetError(
            f"{file} not found: give the folder that holds annotations/ with --data-root, "
            f"and one of its splits with --split (found: {', '.join(_splits(root)) or 'none'}), "
            "or the file with --annotations"
        )
    folder = root / "images" / split
    return _Layout(file, folder if folder.is_dir() else root / split, split, is_typed=False)


class _Files:
    """The image files of a set."""

    def __init__(self, root: Path, layout: _Layout) -> None:
        """Look below the root, first where the layout says."""
        split = layout.split
        if not layout.folder.is_dir():
            raise DatasetError(f"{root}: no folder images/{split} or {split} with the photographs")
        self._layout = layout
        self._below = Below(root)
        places = (layout.folder, layout.file.parent, root)
        self._bases = tuple(
            dict.fromkeys(p.relative_to(root).as_posix() for p in places if p.is_relative_to(root))
        )
        self._taken: dict[Path, tuple[CocoImage, bool]] = {}
        """By file its image, and whether that names another place."""

    def of(self, image: CocoImage) -> Path:
        """The file of an image.

        Raises:
            DatasetError: If it is not there, or that of another image.
        """
        path, refusal = None, None
        try:
            path = self._below.named(image.entry, "file_name", image.where, self._bases)
        except DatasetError as error:
            refusal = error
        is_moved = path is None and self._layout.is_typed
        if is_moved:
            path = self._below.moved(image.entry, "file_name", image.where)
        if path is None:
            raise refusal or DatasetError(
                f"{image.where} names {image.entry['file_name']}, "
                f"which is not in {self._layout.folder}: add the file or remove its entry"
            )
        other, was_moved = self._taken.setdefault(path, (image, is_moved))
        if other is not image:
            remedy = (
                ", the only file of that name: keep the folders that the names begin with"
                if is_moved or was_moved
                else ": give the file one entry, and that one's id to all its annotations"
            )
            raise DatasetError(f"{other.where} and image {image.id} are both {path.name}{remedy}")
        return path


def _export(
    content: CocoJson,
    layout: _Layout,
    root: Path,
    out: Path,
    places: Mapping[str, PurePosixPath],
) -> None:
    """Write the annotation file of a copy that holds the images in ``places`` alone.

    Args:
        content: The whole annotation file.
        layout: Where it lies, and the images.
        root: Folder of the set.
        out: Folder of the copy.
        places: New path of each image, by sample id, relative to ``out``.
    """
    is_inside = layout.file.is_relative_to(root)
    copy = out / (layout.file.relative_to(root) if is_inside else layout.file.name)
    folder = layout.folder.relative_to(root)
    # Images may lie beside the folder that their names start from.
    names = {k: posixpath.relpath(places[k], folder) for k in content.images if k in places}
    for made in (copy.parent, out / folder):
        made.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content.part(names))


def _splits(root: Path) -> list[str]:
    """Splits that have an annotation file."""
    files = (root / "annotations").glob("instances_*.json")
    named = {f.stem.removeprefix("instances_") for f in files}
    return sorted(named | {f.parent.name for f in shown(root.glob(f"*/{ROBOFLOW}"), root)})


def _only_split(root: Path) -> str:
    """The split, where there is just one."""
    splits = _splits(root)
    if len(splits) == 1:
        return splits[0]
    if splits:
        raise DatasetError(
            f"{root} has several splits, choose one with --split: {', '.join(splits)}"
        )
    raise DatasetError(
        f"{root}: no annotations/instances_*.json there: give the COCO folder with --data-root, "
        "or the file with --annotations and the folder of its images with --data-root"
    )
