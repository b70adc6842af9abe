"""Pictures of a run, with what was seen in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from reports.results.cell import Condition


@dataclass(frozen=True)
class GalleryItem:
    """One picture of the gallery with what a detector saw in it."""

    sample: str
    why: str
    """Why this image was chosen, in words."""
    condition: Condition
    jpeg: bytes
    """At full size."""
    width: int
    height: int
    """Size in pixels of the picture that the boxes refer to."""
    boxes: tuple[tuple[float, float, float, float, float, str], ...]
    """Left, top, right, bottom in pixels, confidence, class; from confidence 0.25."""
    labelled: Mapping[str, bytes]
    """The picture with its masks or its label map coloured in, as JPEG, by task."""
    truth: tuple[tuple[float, float, float, float, str], ...]
    """The labelled boxes: left, top, right, bottom in pixels, class."""
    truths: Mapping[str, bytes]
    """The picture with the labelled masks or classes coloured in; of one condition alone."""
    key: str
    """Names the picture in the ledger."""

    @staticmethod
    def of(sample: str, why: str, condition: Condition, key: str, data: bytes) -> GalleryItem:
        """A picture from the ledger's row, which is a line of JSON and a JPEG.

        Raises:
            ValueError, KeyError, TypeError: If they are not what a run wrote.
        """
        head, _, jpeg = data.partition(b"\n")
        seen = json.loads(head)
        labelled, truths = (
            {task: base64.b64decode(data) for task, data in seen[name].items()}
            for name in ("labelled", "truths")
        )
        fields = {
            "sample": sample,
            "why": why,
            "condition": condition,
            "jpeg": jpeg,
            "width": seen["width"],
            "height": seen["height"],
            "boxes": seen["boxes"],
            "labelled": labelled,
            "truth": seen["truth"],
            "truths": truths,
            "key": key,
        }
        return _ITEM.validate_python(fields)


_ITEM = TypeAdapter(GalleryItem)
