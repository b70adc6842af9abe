"""AAU RainSnow: frames of traffic cameras in rain and snow, with masks of road users.

Each sequence has a picture of where the road users are labelled; outside of it nothing counts.

Reference:
    C. H. Bahnsen, T. B. Moeslund, "Rain Removal in Traffic Surveillance: Does it Matter?", IEEE
    Transactions on Intelligent Transportation Systems 20(8), 2019. How regions are left out is that
    of its code, https://github.com/chrisbahnsen/aau-rainsnow-eval: what lies there with half its
    pixels or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.coco import open_coco
from datasets.fields import Problems
from datasets.image import decode
from datasets.label_files import copy_files
from datasets.masks import decode as pixels_of
from datasets.masks import encode
from datasets.sample import Annotations, Dataset, DatasetError, Sample
from datasets.weather import as_rain

FILE = "aauRainSnow-rgb.json"
TERMS = "Aalborg University; see the page that it is downloaded from"
LEAST_INSIDE = 0.5
"""Share of an object's pixels in the labelled region above which it counts."""


def open_aau_rainsnow(
    root: Path, split: str | None, masks: bool = False, problems: Problems | None = None
) -> Dataset:
    """Open the frames in colour.

    Args:
        root: Folder with `FILE`, and the frames and regions as they unpack:
            ``Egensevej/Egensevej-1/cam1-00055.png``, ``Egensevej/Egensevej-1-mask.png``.
        split: None, or ``rgb``.
        masks: Whether objects carry their masks.
        problems: Takes what is wrong with single entries, which are then left out.

    Returns:
        Frames of real rain and snow, without clean ones. Place and sequence are attributes, the
        sequence is the group. Objects outside the labelled region are left out, and detections
        there are none.

    Raises:
        DatasetError: If something is missing or wrong; the message names file, field and remedy.
    """
    if split not in (None, "rgb"):
        raise DatasetError(
            f"--split {split}: AAU RainSnow's frames in colour are rgb; of the others there are no "
            "regions: --dataset coco --annotations aauRainSnow-thermal.json reads them without"
        )
    file = root / FILE
    if not file.is_file():
        raise DatasetError(f"{file} not found: give the folder that holds it with --data-root")
    opened = open_coco(root, "rgb", masks=True, problems=problems, annotations=file, mend=_mended)
    regions: dict[Path, _Region] = {}
    samples = [_sample(s, root, regions, masks) for s in opened.samples]
    files = {s.id: [_region_file(s)] for s in samples}
    return replace(
        opened,
        name="aau-rainsnow",
        samples=samples,
        terms=TERMS,
        unclean={},
        export_labels=partial(_export, opened, files, root),
    )


def _mended(entry: Any) -> Any:
    """An annotation whose box may be nonsense; None where it has no outline, as some have not.

    Some boxes have a negative size; those of the outlines take their place.
    """
    if not isinstance(entry, dict):
        return entry
    box = entry.get("bbox")
    is_negative = isinstance(box, list) and any(
        isinstance(v, int | float) and v < 0 for v in box[2:]
    )
    mended = {k: v for k, v in entry.items() if not (k == "bbox" and is_negative)}
    return mended if entry.get("segmentation") else None


def _export(
    opened: Dataset,
    files: Mapping[str, list[Path]],
    root: Path,
    out: Path,
    places: Mapping[str, PurePosixPath],
) -> None:
    """Write the labels of a copy and the pictures of its regions."""
    copy_files(files, root, out, places)
    if opened.export_labels is not None:
        opened.export_labels(out, places)


@dataclass(frozen=True)
class _Region:
    """Where the road users of a sequence are labelled."""

    file: Path

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """``bool (H, W)``."""
        found: NDArray[np.bool_] = decode(self.file.read_bytes(), self.file.name)[:, :, 0] > 127
        return found


def _region_file(sample: Sample) -> Path:
    """The picture of the region that a frame belongs to."""
    sequence = sample.path.parent
    # The archive calls that of Egensevej-5 without "-mask".
    names = (f"{sequence.name}-mask.png", f"{sequence.name}.png")
    found = next((f for n in names if (f := sequence.parent / n).is_file()), None)
    if found is None:
        raise DatasetError(
            f"{sequence.parent / names[0]} not found: add the picture of the labelled region"
        )
    return found


def _sample(sample: Sample, root: Path, regions: dict[Path, _Region], masks: bool) -> Sample:
    """A frame with what its region leaves out."""
    file = _region_file(sample)
    region = regions.setdefault(file, _Region(file))
    place = sample.path.relative_to(root).parts[0]
    said = {"place": place, "sequence": sample.path.parent.name}
    labels = partial(_labels, sample, region, masks)
    return as_rain(replace(sample, group=said["sequence"], attributes=said, labels=labels))


def _labels(sample: Sample, region: _Region, masks: bool) -> Annotations:
    """The objects of a frame that lie where they are labelled."""
    found, inside = sample.annotations, region.inside
    assert found is not None
    if sample.size_px != inside.shape:
        raise DatasetError(f"{region.file.name}: has another size than image {sample.id}")
    pixels = [pixels_of(mask) for mask in found.masks]
    counts = [p.any() and inside[p].mean() > LEAST_INSIDE for p in pixels]
    kept = np.array(counts, np.bool_)
    return Annotations(
        found.boxes_xyxy_px[kept],
        found.categories[kept],
        found.areas_px2[kept],
        found.is_crowd[kept],
        tuple(m for m, is_kept in zip(found.masks, counts, strict=True) if is_kept and masks),
        region=encode(inside),
    )
