"""BDD100K's pictures of instances: every pixel names the object it belongs to."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from datasets.image import UNREADABLE, NDArrayByte
from datasets.instance_map import labelled, regions
from datasets.label_png import decode_labels
from datasets.sample import IGNORED, DatasetError, LabelledObject
from datasets.scalabel import HEIGHT_PX, WIDTH_PX

FRAME_PX = (HEIGHT_PX, WIDTH_PX)
CROWD, IGNORE = 2, 1
"""Bits of an instance's attributes; 8 = truncated and 4 = occluded change no score."""


def read_bitmask(
    data: bytes, name: str, categories: Mapping[int, str], masks: bool
) -> list[LabelledObject]:
    """Objects of an RGBA PNG: R = category, G = attributes, 256·B + A = instance, 0 = none.

    Args:
        data: The file's bytes.
        name: What to call it in an error.
        categories: Known ids.
        masks: Whether the objects carry their masks.

    Raises:
        DatasetError: If it is no such picture, of another size, or of other categories.

    Reference:
        https://doc.bdd100k.com/format.html#bitmask
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            _require_size(picture.height, picture.width, name)
            if picture.mode != "RGBA":
                raise DatasetError(f"{name}: expected RGBA as bitmasks are, got {picture.mode}")
            r, g, b, a = np.moveaxis(np.asarray(picture).astype(np.int32), 2, 0)
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{name}: not a PNG, or damaged; download it again") from error
    objects = []
    for region in regions(256 * b + a):
        instance, inside, window = region
        kinds = np.unique(256 * r[window][inside] + g[window][inside])
        if len(kinds) > 1:
            raise DatasetError(f"{name}: instance {instance} has several categories or attributes")
        category, flags = divmod(int(kinds[0]), 256)
        is_ignored = bool(flags & (CROWD | IGNORE))
        if category == 0 and is_ignored:
            continue  # How the toolkit writes a region that was not labelled.
        if category not in categories:
            raise DatasetError(f"{name}: instance {instance} has the unknown category {category}")
        objects.append(labelled(region, FRAME_PX, category, is_ignored, masks))
    return objects


def read_colormap(
    data: bytes, name: str, label_map: NDArrayByte, category_of: Mapping[int, int], masks: bool
) -> list[LabelledObject]:
    """Objects of a PNG with palette, whose indices number the instances, 0 = none.

    Such a picture has no categories: each instance takes the class that most of its pixels have in
    the semantic label map, among those classes that are objects.

    Args:
        data: The file's bytes.
        name: What to call it in an error.
        label_map: Classes of the same frame, ``uint8 (720, 1280)``.
        category_of: Category of each class that is an object.
        masks: Whether the objects carry their masks.

    Raises:
        DatasetError: If an instance has no such class.
        UnreadableImageError: If it cannot be decoded.
    """
    numbers = decode_labels(data, name)
    _require_size(numbers.shape[0], numbers.shape[1], name)
    objects = []
    for region in regions(numbers):
        instance, inside, window = region
        votes = np.bincount(label_map[window][inside], minlength=IGNORED + 1)
        of_objects = {c: int(votes[c]) for c in category_of if votes[c]}
        if not of_objects:
            raise DatasetError(f"{name}: instance {instance} has no class in the semantic labels")
        chosen = category_of[max(of_objects, key=lambda c: of_objects[c])]
        objects.append(labelled(region, FRAME_PX, chosen, False, masks))
    return objects


def _require_size(height_px: int, width_px: int, name: str) -> None:
    if (height_px, width_px) != (HEIGHT_PX, WIDTH_PX):
        raise DatasetError(
            f"{name}: {width_px}x{height_px} pixels, BDD100K's frames are {WIDTH_PX}x{HEIGHT_PX}"
        )
