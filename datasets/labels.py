"""Labels that give a wrong number without a word: of other sizes or forms, crowds, empty masks.

What a run refuses or notes, and `datasets.check` finds one by one, is decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.categories import spelling
from datasets.image import UnreadableImageError, decode, is_turned, size_px
from datasets.label_ids import train_ids
from datasets.plausible_boxes import doubt, no_pixels, no_sizes
from datasets.plausible_masks import elsewhere
from datasets.sample import Annotations, Dataset, DatasetError, Sample
from datasets.upright import upright_px

SHOWN = 3
"""Of many images or classes, those that are named."""
LOOKED_AT = 200
"""Pictures whose boxes tell of what form all are."""


def misfit(sample: Sample, image_px: tuple[int, int]) -> str | None:
    """What to say where the labels are of a picture of another size.

    Args:
        sample: With its labels.
        image_px: Height and width of the image as it is decoded.
    """
    said = sample.size_px
    return None if said in (None, image_px) else _told(sample, said, sample.path, image_px)


def _told(sample: Sample, said: tuple[int, int], file: Path, image_px: tuple[int, int]) -> str:
    """In words: the size that was labelled, and that of a picture."""
    name, turned = file.name, ""
    if file != sample.path:
        name = f"its rainy image {name}"
    if said == image_px[::-1] and is_turned(file):
        turned = " once its EXIF orientation turns it: turn the labels too, or remove that tag"
    return (
        f"image {sample.id}: the labels are of a picture of {_size(said)} pixels, "
        f"{name} has {_size(image_px)}{turned}"
    )


def require_fitting(samples: Iterable[Sample]) -> None:
    """Refuse labels of pictures of another size, no pixels, or train ids in the place of label ids.

    Rainy images that a set brings are such pictures too. Where the labels say no size, they are of
    the clean image.

    Raises:
        DatasetError: With the number of such images and the first of them, or what the labels are.
    """
    samples = list(samples)
    found = [text for sample in samples if (text := _misfit(sample)) is not None]
    if found:
        raise DatasetError(
            f"pictures of another size than was labelled, {len(found)} of {len(samples)} images: "
            f"{first(found)}; give those that were labelled, or mend the labels"
        )
    if (form := wrong_form(samples) or train_ids(samples)) is not None:
        raise DatasetError(f"labels: {form}")


def wrong_form(samples: Iterable[Sample]) -> str | None:
    """What to say where the boxes of a set are no pixels, or corners taken for sizes."""
    boxes = _boxes_xywh(samples)
    return no_pixels(*boxes) or no_sizes(*boxes)


def _boxes_xywh(samples: Iterable[Sample]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labelled boxes as left, top, width, height, and the height and width of their pictures.

    Of `LOOKED_AT` pictures, spread over all; those whose size cannot be told are left out.
    """
    labelled = [sample for sample in samples if sample.labels is not None]
    boxes, sizes = [np.zeros((0, 4))], [np.zeros((0, 2))]
    for sample in labelled[:: -(-len(labelled) // LOOKED_AT) or 1]:
        objects, picture_px = sample.annotations, sample.size_px or upright_px(sample.path)
        if objects is not None and len(objects.categories) and picture_px is not None:
            corners = objects.boxes_xyxy_px
            boxes.append(np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]))
            sizes.append(np.tile(np.array(picture_px, np.float64), (len(corners), 1)))
    return np.concatenate(boxes), np.concatenate(sizes)


def _misfit(sample: Sample) -> str | None:
    """As `misfit`, of the rainy image too, from headers where these are enough."""
    said, rainy = sample.size_px, sample.rainy_path
    is_labelled = sample.labels is not None or sample.label_map_path is not None
    try:
        text = None if said is None else _unlike(sample, said, sample.path)
        text = text or _unlike_map(sample)
        if text is not None or rainy in (None, sample.path) or not is_labelled:
            return text
        said = said or upright_px(sample.path)
        return None if said is None else _unlike(sample, said, rainy)
    except (UnreadableImageError, OSError):
        return None  # That is told where it is decoded.


def _unlike_map(sample: Sample) -> str | None:
    """What to say of a picture of another size than its label map."""
    file = sample.label_map_path
    told = None if file is None else size_px(file)
    if told is None or told == upright_px(sample.path):
        return None
    # Here too the decoder may know more than the header.
    height_px, width_px = sample.label_map().shape
    return _unlike(sample, (height_px, width_px), sample.path)


def _unlike(sample: Sample, said: tuple[int, int], file: Path) -> str | None:
    """What to say of a picture of another size than the labels say."""
    if upright_px(file) == said:
        return None
    # A header may say less than the decoder knows.
    height_px, width_px, _ = decode(file.read_bytes(), file.name).shape
    return (
        None if (height_px, width_px) == said else _told(sample, said, file, (height_px, width_px))
    )


def empty_masks(objects: Annotations) -> list[int]:
    """Places of the objects whose mask holds no pixel: they can never be found."""
    from datasets.masks import area_px2

    return [i for i, mask in enumerate(objects.masks) if not area_px2(mask)]


def empty_boxes(objects: Annotations) -> list[int]:
    """Places of the objects whose box holds nothing: they can never be found."""
    sides = objects.boxes_xyxy_px[:, 2:] - objects.boxes_xyxy_px[:, :2]
    counts = ~np.asarray(objects.is_crowd)
    return np.flatnonzero((sides <= 0).any(axis=1) & counts).tolist()


def twins(objects: Annotations) -> list[int]:
    """Places of the objects that stand there before already: same class, box and mask."""
    seen: set[object] = set()
    found = []
    masks = objects.masks or (None,) * len(objects.categories)
    rows = zip(objects.categories.tolist(), objects.boxes_xyxy_px.tolist(), masks, strict=True)
    for place, (category, box, mask) in enumerate(rows):
        row = category, tuple(box), mask
        if row in seen:
            found.append(place)
        seen.add(row)
    return found


def all_crowd(samples: Iterable[Sample]) -> str | None:
    """What to say where every object is a crowd, so that none counts."""
    ignored, total = _ignored(samples)
    if not total or ignored < total:
        return None
    return (
        f"all {total:,} objects are marked as crowds (iscrowd 1), which no score counts: "
        "CVAT exports masks so; where they are single objects, set iscrowd to 0"
    )


def _few_count(samples: Iterable[Sample]) -> str | None:
    """What to say where most objects are ignored: what is found of the others is the number."""
    ignored, total = _ignored(samples)
    if not total / 2 < ignored < total:
        return None
    return (
        f"{ignored:,} of {total:,} labelled objects are ignored, as groups or as too small: "
        f"numbers are of the other {total - ignored:,}"
    )


def _ignored(samples: Iterable[Sample]) -> tuple[int, int]:
    """How many objects scorers ignore, and how many there are."""
    crowds = [np.asarray(s.annotations.is_crowd) for s in samples if s.annotations is not None]
    return sum(int(crowd.sum()) for crowd in crowds), sum(map(len, crowds))


def masks_elsewhere(samples: Iterable[Sample]) -> str | None:
    """What to say where most masks lie elsewhere than the boxes of their objects."""
    labelled = (s.annotations for s in samples if s.annotations is not None)
    return elsewhere((objects.boxes_xyxy_px, objects.masks) for objects in labelled)


def too_large_areas(samples: Iterable[Sample]) -> str | None:
    """What to say where most areas are larger than the boxes of their objects."""
    labelled = [s.annotations for s in samples if s.annotations is not None]
    total = sum(len(objects.categories) for objects in labelled)
    larger = 0
    for objects in labelled:
        boxes = objects.boxes_xyxy_px
        # Tools round corners in different ways, and count the last pixel or not.
        largest = (boxes[:, 2:] - boxes[:, :2] + 2).prod(axis=1)
        larger += int((objects.areas_px2 > largest).sum())
    if 2 * larger <= total:
        return None
    return (
        f"{larger:,} of {total:,} labelled objects have an area larger than their box: are these "
        "of pictures of another size? Numbers of small, medium and large objects go by them"
    )


def no_object(samples: Iterable[Sample]) -> str | None:
    """What to say where the set has labels, and no object in any."""
    labelled = [s.annotations for s in samples if s.annotations is not None]
    if not labelled or any(len(objects.categories) for objects in labelled):
        return None
    return f"no object is labelled in any of {len(labelled):,} images"


def named_twice(categories: Mapping[int, str]) -> Iterator[str]:
    """What to say of names that several classes share, or that differ in spelling alone."""
    by_name: dict[str, list[int]] = {}
    for category, name in categories.items():
        by_name.setdefault(name, []).append(category)
    for name, ids in by_name.items():
        if len(ids) > 1:
            yield f"the classes {', '.join(map(str, ids))} are all called {name} and count as one"
    by_spelling: dict[str, list[str]] = {}
    for name in by_name:
        by_spelling.setdefault(spelling(name), []).append(name)
    for names in by_spelling.values():
        if len(names) > 1:
            yield f"the classes {', '.join(names)} differ in spelling alone and stay apart"


def notes(samples: Sequence[Sample], categories: Mapping[int, str]) -> list[str]:
    """What a reader of numbers must know of the labelled objects."""
    form = doubt(*_boxes_xywh(samples))
    counted = all_crowd(samples) or _few_count(samples)
    shapes, areas = masks_elsewhere(samples), too_large_areas(samples)
    said = [*filter(None, [first([*named_twice(categories)]), counted, form, shapes, areas])]
    labelled = [(s.id, s.annotations) for s in samples if s.annotations is not None]
    total = sum(len(objects.categories) for _, objects in labelled)
    for find, what in (
        (empty_boxes, "have an empty box, which nothing can match"),
        (empty_masks, "have an empty mask, which nothing can match"),
        (twins, "stand there twice, with one class and box, and each is to be found"),
    ):
        by_image = Counter({name: len(find(objects)) for name, objects in labelled})
        if number := by_image.total():
            where = first([f"image {name}" for name, count in by_image.items() if count])
            said.append(f"{number:,} of {total:,} labelled objects {what}: {where}")
    return said


def unmatched(
    network: str, matched: Mapping[str, str | None], dataset: Dataset, samples: Iterable[Sample]
) -> list[str]:
    """What to say of classes that a network does not know, or calls otherwise.

    Args:
        network: What to call it.
        matched: Its name of each class, None where it has none.
        dataset: Names the classes of the objects.
        samples: Hold the objects.
    """
    objects: Counter[str] = Counter()
    for sample in samples:
        if sample.annotations is not None:
            numbers = sample.annotations.categories.tolist()
            objects.update(dataset.categories[number] for number in numbers)
    said = []
    otherwise = [
        f"{ours} as {theirs}" for ours, theirs in matched.items() if theirs not in (None, ours)
    ]
    if otherwise:
        said.append(f"{network}: classes of other names are matched: {first(otherwise)}")
    unknown = Counter({n: objects[n] for n, theirs in matched.items() if theirs is None})
    missed = unknown.total()
    if missed:
        names = first([f"{name} ({count:,})" for name, count in unknown.most_common() if count])
        said.append(
            f"{network}: {missed:,} of {objects.total():,} labelled objects "
            f"({missed / objects.total():.0%}) are of classes that it does not know, and so count "
            f"as missed: {names}"
        )
    return said


def first(texts: Sequence[str]) -> str:
    """The first few of many, and how many more there are."""
    more = len(texts) - SHOWN
    return "; ".join(texts[:SHOWN]) + (f"; and {more:,} more" if more > 0 else "")


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
