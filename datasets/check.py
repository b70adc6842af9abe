"""What is wrong with a data set: every entry is looked at, none stops the search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.categories import SETS, spelling
from datasets.duplicates import alike, hashes_of_views
from datasets.fields import NO_OUTLINE
from datasets.folder import open_folder
from datasets.ids import shared
from datasets.image import NDArrayByte, UnreadableImageError, is_turned
from datasets.label_ids import train_ids
from datasets.labels import (
    all_crowd,
    empty_masks,
    masks_elsewhere,
    misfit,
    named_twice,
    no_object,
    too_large_areas,
    twins,
    wrong_form,
)
from datasets.marked import SUFFIXES, shown
from datasets.pair_faults import faults
from datasets.rainy_beside import with_rainy
from datasets.rows import DATASETS, DatasetRow
from datasets.sample import IGNORED, Dataset, DatasetError, Sample

SLACK_PX = 1
"""Labels may reach this far beyond the image: tools round corners in different ways."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or at least strange."""

    is_error: bool
    kind: str
    text: str


@dataclass(frozen=True)
class Checked:
    """A data set as far as it can be read, and what was found."""

    dataset: Dataset
    findings: list[Finding]


@dataclass(frozen=True)
class _Look:
    """What is known of one sample after its files were decoded."""

    findings: list[Finding]
    hashes: NDArray[np.bool_] | None
    """`hashes_of_views`; None where the image cannot be decoded."""


def check(
    name: str,
    root: Path,
    split: str | None,
    pair: str | None = None,
    against: Path | None = None,
    annotations: Path | None = None,
) -> Checked:
    """Look at every label and every image of a data set.

    Args:
        name: One of `DATASETS`.
        root: Where it lies.
        split: Part of it.
        pair: How pairs are found, by a set whose row takes it; of another set the folder below
            ``root`` with its rainy images.
        against: A folder of images that the set should share none with.
        annotations: The label file, by a set whose row takes it.

    Raises:
        DatasetError: If there is no such set at all, so that nothing can be looked at.
    """
    label_file = {} if annotations is None else {"annotations": annotations}
    dataset, findings = _opened(DATASETS[name], root, split, pair, label_file)
    samples = dataset.samples
    if not findings:  # Else wrong entries were left out.
        findings += _told(True, "label", no_object(samples))
    findings += _told(True, "box", wrong_form(samples))
    findings += _told(True, "label", train_ids(samples))
    findings += _told(True, "mask", masks_elsewhere(samples))
    findings += _told(False, "area", too_large_areas(samples))
    findings += _told(True, "id", shared(dataset))
    if pair is not None and not DATASETS[name].takes_pair:
        dataset, unpaired = _paired(dataset, root / pair)
        findings += unpaired
    findings += _classes(dataset)
    findings += _strays(dataset.samples)
    looks = _look_at(dataset.samples, dataset.classes)
    findings += [finding for look in looks for finding in look.findings]
    findings += _swapped(dataset.samples, findings)
    findings += _alike_within(dataset.samples, looks)
    if against is not None:
        findings += _alike_with(dataset.samples, looks, against)
    return Checked(dataset, findings)


def _told(is_error: bool, kind: str, text: str | None) -> list[Finding]:
    """What is wrong with the whole set, if it is."""
    return [] if text is None else [Finding(is_error, kind, text)]


def _opened(
    row: DatasetRow,
    root: Path,
    split: str | None,
    pair: str | None,
    label_file: Mapping[str, Path],
) -> tuple[Dataset, list[Finding]]:
    """The set without its wrong entries, and what is wrong with them."""
    outlined, of_outlines = None, list[str]()
    if row.has_masks:
        outlined = row.open(root, split, masks=True, problems=of_outlines, **label_file)
        if not of_outlines:
            return outlined, []
    problems: list[str] = []
    options = {"pair": pair} if row.takes_pair else {}
    dataset = row.open(root, split, problems=problems, **options, **label_file)
    findings = [Finding(True, "label", text) for text in problems]
    if outlined is None:
        return dataset, findings
    is_of_boxes = {*problems}
    wrong = [text for text in of_outlines if text not in is_of_boxes]
    malformed = [text for text in wrong if not text.endswith(NO_OUTLINE)]
    findings += [Finding(True, "outline", text) for text in malformed]
    return _merged(dataset, outlined, len(wrong) - len(malformed)), findings


def _merged(boxes: Dataset, outlined: Dataset, lacking: int) -> Dataset:
    """A set with the outlines of the images where each object has a good one.

    Args:
        boxes: Of all objects.
        outlined: Of those with a good outline.
        lacking: How many objects have none; of a set of boxes alone nothing is said.
    """
    whole = {(s.id, s.path): s for s in outlined.samples}
    found = [(s, whole.get((s.id, s.path), s)) for s in boxes.samples]
    samples = [other if _number(other) == _number(s) else s for s, other in found]
    total = sum(map(_number, boxes.samples))
    note = (
        f"{lacking:,} of {total:,} objects have no outline: good for detection, not for instances"
    )
    notes = (note,) if 0 < lacking < total else ()
    return replace(boxes, samples=samples, notes=(*boxes.notes, *notes))


def _number(sample: Sample) -> int:
    """How many objects are labelled."""
    return 0 if sample.annotations is None else len(sample.annotations.categories)


def _paired(dataset: Dataset, folder: Path) -> tuple[Dataset, list[Finding]]:
    """The set with the rainy images of a folder, as a run has it, or why it has none."""
    try:
        return with_rainy(dataset, folder), []
    except DatasetError as error:
        return dataset, [Finding(True, "pair", str(error))]


def _look_at(samples: Sequence[Sample], classes: Mapping[int, str]) -> list[_Look]:
    """Decode the files of every sample."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(partial(_look, classes=classes), samples))


def _look(sample: Sample, classes: Mapping[int, str]) -> _Look:
    """Decode a sample's files and compare them with its labels."""
    findings = []
    try:
        image = sample.image()
    except (UnreadableImageError, OSError) as error:
        return _Look([Finding(True, "image", f"image {sample.id}: {_line(error)}")], None)
    if is_turned(sample.path):
        text = (
            f"image {sample.id}: {sample.path.name} is turned by its EXIF orientation, so decoded"
        )
        findings.append(Finding(False, "orientation", text))
    if sample.rainy_path is not None and sample.has_clean:
        findings += _pair(sample, image)
    try:
        if sample.label_map_path is not None:
            label_map = sample.label_map()
            findings += _sizes(sample, label_map.shape, image, "label map")
            findings += _strange_pixels(sample, label_map, classes)
    except (UnreadableImageError, DatasetError, OSError) as error:
        findings.append(Finding(True, "label", f"image {sample.id}: {_line(error)}"))
    findings += _of_another_size(sample, image) or _boxes(sample, image)
    findings += _objects(sample)
    return _Look(findings, hashes_of_views(image))


def _pair(sample: Sample, clean: NDArrayByte) -> list[Finding]:
    """What is wrong with the rainy image that the set brings."""
    assert sample.rainy_path is not None
    try:
        rainy = sample.given_rain()
    except (UnreadableImageError, OSError) as error:
        return [Finding(True, "image", f"image {sample.id}: {_line(error)}")]
    if rainy.shape != clean.shape:
        (height_px, width_px), (clean_h, clean_w) = rainy.shape[:2], clean.shape[:2]
        text = (
            f"image {sample.id}: {sample.rainy_path.name} is {width_px}x{height_px}, its clean "
            f"image {sample.path.name} {clean_w}x{clean_h}"
        )
        return [Finding(True, "size", text)]
    return [
        Finding(kind == "same", kind, f"image {sample.id}: {text}")
        for kind, text in faults(rainy, clean)
    ]


def _swapped(samples: Sequence[Sample], findings: Sequence[Finding]) -> list[Finding]:
    """Whether rainy and clean folders are the wrong way round: most clean images have the rain."""
    pairs = sum(s.rainy_path is not None and s.has_clean for s in samples)
    wrong = sum(finding.kind == "streaks" for finding in findings)
    if wrong < 2 or 2 * wrong <= pairs:
        return []
    text = (
        f"{wrong} of {pairs} clean images have more streaks than their rainy ones: are the folders "
        "the wrong way round? --pair RAINY:CLEAN"
    )
    return [Finding(True, "swapped", text)]


def _of_another_size(sample: Sample, image: NDArrayByte) -> list[Finding]:
    """Labels of a picture of another size, told once; boxes there are beyond any picture."""
    height_px, width_px = image.shape[:2]
    text = misfit(sample, (height_px, width_px))
    if text is not None:
        return [Finding(True, "size", text)]
    # All masks of an image share the size that its entry claims.
    masks = sample.annotations.masks[:1] if sample.annotations else ()
    return [
        finding
        for mask in masks
        for finding in _sizes(sample, (mask.height_px, mask.width_px), image, "mask 0")
    ]


def _sizes(sample: Sample, size: tuple[int, ...], image: NDArrayByte, what: str) -> list[Finding]:
    """A size that is not the image's."""
    height_px, width_px = image.shape[:2]
    if size == (height_px, width_px):
        return []
    text = (
        f"image {sample.id}: {what} has {size[1]}x{size[0]} pixels, "
        f"{sample.path.name} {width_px}x{height_px}"
    )
    return [Finding(True, "size", text)]


def _strange_pixels(
    sample: Sample, label_map: NDArrayByte, classes: Mapping[int, str]
) -> list[Finding]:
    """Values of a label map that are no class."""
    strange = set(np.unique(label_map).tolist()) - set(classes) - {IGNORED}
    if not strange:
        return []
    values = ", ".join(map(str, sorted(strange)))
    text = f"image {sample.id}: its label map holds {values}, which is no class of the data set"
    return [Finding(True, "label", text)]


def _boxes(sample: Sample, image: NDArrayByte) -> list[Finding]:
    """Boxes that are empty or reach beyond the image."""
    if sample.annotations is None:
        return []
    findings = []
    height_px, width_px = image.shape[:2]
    for number, (left, top, right, bottom) in enumerate(sample.annotations.boxes_xyxy_px.tolist()):
        shown = f"[{left:g}, {top:g}, {right:g}, {bottom:g}]"
        where = f"image {sample.id}: object {number}: box {shown}"
        if right <= left or bottom <= top:
            findings.append(Finding(True, "box", f"{where} is empty"))
        beyond = max(-left, -top, right - width_px, bottom - height_px)
        if beyond > SLACK_PX:
            size = f"{width_px}x{height_px}"
            findings.append(
                Finding(True, "box", f"{where} reaches {beyond:g} px beyond the image of {size}")
            )
    return findings


def _objects(sample: Sample) -> list[Finding]:
    """Objects that nothing can match, or that are to be found twice."""
    objects = sample.annotations
    if objects is None:
        return []
    where = f"image {sample.id}: object"
    empty = [f"{where} {i}: its mask is empty" for i in empty_masks(objects)]
    again = [f"{where} {i}: one of its class and box stands there before" for i in twins(objects)]
    return [
        *(Finding(True, "mask", text) for text in empty),
        *(Finding(False, "twin", text) for text in again),
    ]


def _classes(dataset: Dataset) -> list[Finding]:
    """Names of classes that no network can be matched by, and objects that none counts of."""
    return [
        *(Finding(False, "class", text) for text in named_twice(dataset.categories)),
        *(Finding(False, "class", text) for text in _other_spelling(dataset.categories.values())),
        *_told(True, "crowd", all_crowd(dataset.samples)),
    ]


def _other_spelling(names: Iterable[str]) -> list[str]:
    """Names that networks of the known sets spell in another way."""
    known = {each for classes in SETS.values() for each in classes}
    elsewhere = {spelling(each): each for each in sorted(known)}
    return [
        f"{name} is spelt {elsewhere[spelling(name)]} elsewhere, and matched with it"
        for name in dict.fromkeys(names)
        if name not in known and spelling(name) in elsewhere
    ]


def _strays(samples: Sequence[Sample]) -> list[Finding]:
    """Images and label maps beside those of the set that belong to no sample."""
    used = {p for s in samples for p in (s.path, s.rainy_path, s.label_map_path) if p is not None}
    folders = sorted({path.parent for path in used})
    strays = [
        file
        for folder in folders
        for file in shown(folder.iterdir(), folder)
        if file.suffix.lower() in SUFFIXES and file not in used
    ]
    return [
        Finding(False, "stray", f"{f.parent.name}/{f.name} belongs to no labelled image")
        for f in strays
    ]


def _alike_within(samples: Sequence[Sample], looks: Sequence[_Look]) -> list[Finding]:
    """Images of the set that show the same, of different groups."""
    seen = [(s, look.hashes) for s, look in zip(samples, looks, strict=True)]
    known = [(s, h) for s, h in seen if h is not None]
    if not known:
        return []
    views = np.stack([h for _, h in known])
    return [
        Finding(False, "alike", f"images {known[i][0].id} and {known[j][0].id} look the same")
        for i, j in alike(views[:, 0], views)
        if i < j and known[i][0].group != known[j][0].group
    ]


def _alike_with(samples: Sequence[Sample], looks: Sequence[_Look], against: Path) -> list[Finding]:
    """Images of the set that another folder holds too."""
    others = open_folder(against, None).samples
    found = {o.id: look.hashes for o, look in zip(others, _look_at(others, {}), strict=True)}
    ids = [key for key, hashes in found.items() if hashes is not None]
    known = [(s, k.hashes) for s, k in zip(samples, looks, strict=True) if k.hashes is not None]
    if not ids or not known:
        return []
    ours = np.stack([hashes for _, hashes in known])
    theirs = np.stack([h[0] for h in found.values() if h is not None])
    return [
        Finding(True, "shared", f"image {known[j][0].id} looks like {ids[i]} in {against.name}")
        for i, j in alike(theirs, ours)
    ]


def _line(error: Exception) -> str:
    """An error in one line, without folders."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())


def counts(findings: Iterable[Finding]) -> dict[tuple[bool, str], int]:
    """Number of findings by (is an error, kind), errors first."""
    totals: dict[tuple[bool, str], int] = {}
    for finding in findings:
        key = (finding.is_error, finding.kind)
        totals[key] = totals.get(key, 0) + 1
    return dict(sorted(totals.items(), key=lambda item: (not item[0][0], item[0][1])))
