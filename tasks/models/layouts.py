"""What the outputs of detectors mean: told by their shapes, and read as boxes.

The forms are facts about exporters: ultralytics (YOLOv5 to 26, RT-DETR), the authors of YOLOv5,
YOLOv7, YOLOv10 and RT-DETR, torchvision, and the DETR family of Hugging Face. C is the number of
classes, M of mask coefficients, N of boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import box_convert, nms

from datasets.plausible_boxes import SHARES_MAX
from tasks.models.options import EXPORTED_OPTIONS as OPTIONS
from tasks.models.units import are_shares
from tasks.task import TaskError

LAYOUTS = {
    "yolo": "(1, 4+C+M, N): centre, width, height in pixels, a score per class (YOLOv8 and later)",
    "yolov5": "(1, N, 5+C+M): the same with a score of any object first (YOLOv5, v6, v7)",
    "rows": "(1, N, 6+M): corners in pixels, score, class, suppressed (YOLOv10, YOLO26)",
    "batch-rows": "(N, 7): image, corners in pixels, class, score, suppressed (YOLOv7)",
    "detr": "(1, N, 4+C): centre, width, height in 0..1, a score per class (RT-DETR)",
    "detr-rows": "(1, N, 6): centre, width, height in 0..1, score, class (RT-DETR)",
    "logits": "(1, N, C) or, with 'no object' last, (1, N, C+1), and boxes (1, N, 4) in 0..1",
    "lists": "boxes (N, 4), whole classes (N), scores (N), perhaps a count, masks (N, 1, H, W)",
}
"""Form of the outputs by its name in a card."""
UNIT = ("detr", "detr-rows", "logits")
"""Whose boxes are fractions of what the network sees: it sees pictures stretched."""
SUPPRESSED_BY_US = ("yolo", "yolov5")
MOST_CANDIDATES = 30_000
"""Boxes that are suppressed, the most confident ones, as ultralytics and YOLOv5 do."""
CLASS_OFFSET_PX = 7680
"""What keeps the boxes of two classes apart where they are suppressed together."""
SCORES_SLACK = 0.01
"""How far probabilities may lie outside 0 to 1, as those of networks of 8 bits do."""
CORNER = 4
"""One part in so many of a picture's sides holds no whole grid of boxes."""
BOX_RANKS = (2, 3)
"""Of boxes in ``lists``: ``(N, 4)`` or ``(1, N, 4)``."""


@dataclass(frozen=True)
class Found:
    """Objects in the pixels of what the network saw."""

    boxes: Tensor
    """``float32 (N, 4)`` xyxy."""
    scores: Tensor
    classes: Tensor
    coefficients: Tensor | None = None
    """``(N, M)``: each mask as a sum of prototypes."""
    masks: Tensor | None = None
    """``(N, 1, h, w)`` probabilities."""

    def __getitem__(self, which: Tensor) -> Found:
        """Some of them."""
        return Found(
            self.boxes[which],
            self.scores[which],
            self.classes[which],
            None if self.coefficients is None else self.coefficients[which],
            None if self.masks is None else self.masks[which],
        )


def layout_of(
    shapes: Sequence[tuple[int, ...]], classes: int, is_suppressed: bool | None, head: str
) -> str:
    """The form of outputs.

    Args:
        shapes: Theirs, in the network's order.
        classes: How many the network knows.
        is_suppressed: Whether the file says that no boxes overlap; None = it does not say.
        head: The file's name for its last layer, of ultralytics' exports.

    Raises:
        TaskError: If none fits, or several do, with their names.
    """
    flat = [s for s in shapes if len(s) == 3]
    prototypes = [s for s in shapes if len(s) == 4 and len(flat) == 1]
    found: list[str] = []
    if len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] == 7:
        found = ["batch-rows"]
    elif len(flat) == 1 and len(shapes) - len(prototypes) == 1:
        found = _of_one(flat[0], classes, sum(s[1] for s in prototypes), is_suppressed, head)
    elif len(flat) == 2 and sorted(s[2] for s in flat)[0] <= classes + 1:
        wide = next((s for s in flat if s[2] != 4), flat[0])
        found = ["logits"] if 4 in (flat[0][2], flat[1][2]) and wide[2] - classes in (0, 1) else []
    if not found and len(shapes) >= 3 and any(len(s) in BOX_RANKS and s[-1] == 4 for s in shapes):
        found = ["lists"]
    if len(found) == 1:
        return found[0]
    said = ", ".join(map(str, shapes))
    what = f"could be {' or '.join(found)}" if found else "are of no form that is known"
    raise TaskError(f"its outputs {said} with {classes} classes {what}")


def _of_one(
    shape: tuple[int, ...], classes: int, coefficients: int, is_suppressed: bool | None, head: str
) -> list[str]:
    """The forms that one array may have."""
    _, down, across = shape
    if head == "RTDETRDecoder":
        return ["detr-rows"] if across == 6 else ["detr"] if across == 4 + classes else []
    if is_suppressed:
        return ["rows"] if across == 6 + coefficients else []
    fits = {
        "yolo": down == 4 + classes + coefficients,
        "yolov5": across == 5 + classes + coefficients,
        "detr": across == 4 + classes and not coefficients,
        "rows": across == 6 + coefficients,
    }
    if is_suppressed is False:  # an export of ultralytics: not YOLOv5's own
        fits["rows"] = fits["yolov5"] = False
    return [name for name, does in fits.items() if does]


def read(
    layout: str, outputs: Sequence[NDArray[Any]], classes: int, size_px: Sequence[int]
) -> Found:
    """The objects of one image, the most confident first where the form has an order.

    Args:
        layout: Of `LAYOUTS`.
        outputs: The network's, in its order.
        classes: How many it knows.
        size_px: Height and width of what it saw.

    Raises:
        TaskError: If the outputs are not of that form, or not finite.
    """
    arrays = [torch.from_numpy(np.ascontiguousarray(o)) for o in outputs]
    for array in arrays:
        if array.is_floating_point() and not torch.isfinite(array).all():
            raise TaskError("the network gave non-finite numbers")
    try:
        found = _READERS[layout](arrays, classes)
    except (IndexError, RuntimeError, StopIteration) as error:
        shapes = ", ".join(str(tuple(a.shape)) for a in arrays)
        raise TaskError(f"its outputs {shapes} are not {layout}: {LAYOUTS[layout]}") from error
    if layout in UNIT:
        height, width = size_px
        scale = torch.tensor([width, height, width, height], dtype=torch.float32)
        found = Found(found.boxes * scale, found.scores, found.classes)
    numbers = found.classes
    if not torch.equal(numbers, numbers.round()):
        odd = numbers[numbers != numbers.round()][0]
        raise TaskError(f"the network found class {odd:g}, which is no whole number: not {layout}")
    found = replace(found, classes=numbers.long())
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < classes:
        raise TaskError(
            f"the network found class {int(numbers.max())}, its {classes} classes are 0 to "
            f"{classes - 1}"
        )
    return found


def require_unit(layout: str, found: Found, size_px: Sequence[int]) -> None:
    """Refuse boxes of a picture that cannot be in the unit of their form.

    Args:
        layout: Of `LAYOUTS`.
        found: What `read` gave.
        size_px: Height and width of what the network saw.

    Raises:
        TaskError: If they are shares where pixels are expected, or the other way round.
    """
    if layout in SUPPRESSED_BY_US or not len(found.boxes):  # see `require_decoded`
        return
    height, width = size_px
    most = float((found.boxes / torch.tensor([width, height, width, height])).max())
    if layout in UNIT and most > SHARES_MAX:
        raise TaskError(
            f"its boxes reach {most:.3g}, which are no shares of the picture, not {layout}: "
            f"{LAYOUTS[layout]}"
        )
    if layout not in UNIT and are_shares(found.boxes.numpy(), size_px):
        raise TaskError(_of_shares(found.boxes))


def require_decoded(layout: str, outputs: Sequence[NDArray[Any]], size_px: Sequence[int]) -> None:
    """Refuse a grid of boxes all of which lie in the picture's corner.

    Args:
        layout: Of `SUPPRESSED_BY_US`, whose boxes stand all over a picture, found or not.
        outputs: The network's, in its order.
        size_px: Height and width of what it saw.

    Raises:
        TaskError: If they are offsets in the grid's cells, as YOLOX exports them, or shares.
    """
    rows = torch.from_numpy(
        np.ascontiguousarray(next(o for o in outputs if o.ndim == 3)[0])
    ).float()
    boxes = rows[:4].T if layout == "yolo" else rows[:, :4]
    reach = float(boxes[:, :2].abs().max()) if len(boxes) else 0.0
    if not 0 < reach < min(size_px) / CORNER:
        return
    if float(boxes.min()) >= 0 and are_shares(boxes.numpy(), size_px):
        raise TaskError(_of_shares(boxes))
    raise TaskError(
        f"its {layout}'s boxes are not decoded, all their centres lie within {reach:.2g} px of the "
        "corner: export them decoded, YOLOX with --decode_in_inference"
    )


def require_probabilities(layout: str, outputs: Sequence[NDArray[Any]], classes: int) -> None:
    """Refuse scores of all boxes that are logits: those below 0 would be dropped in silence.

    Args:
        layout: Of `LAYOUTS`; of those that give every class of every box.
        outputs: The network's, in its order.
        classes: How many it knows.

    Raises:
        TaskError: If they cannot be probabilities.
    """
    rows = next((o[0] for o in outputs if o.ndim == 3), np.zeros((0, 0), np.float32))
    of_boxes = {
        "yolo": rows[4 : 4 + classes],
        "yolov5": rows[:, 4 : 5 + classes],
        "detr": rows[:, 4 : 4 + classes],
    }
    scores = of_boxes.get(layout, rows[:0])
    if scores.size and not -SCORES_SLACK <= scores.min() <= scores.max() <= 1 + SCORES_SLACK:
        raise TaskError(
            f"its scores are of {scores.min():.2g} to {scores.max():.2g} and no probabilities: "
            "export it with the sigmoid behind them"
        )


def _of_shares(boxes: Tensor) -> str:
    least, most = float(boxes.min()), float(boxes.max())
    return (
        f"its boxes are of {least:.2g} to {most:.2g}, shares of the picture: export them in pixels"
    )


def _yolo(arrays: list[Tensor], classes: int) -> Found:
    rows = _array(arrays, 3)[0].float().T
    return _suppressed(rows[:, :4], rows[:, 4 : 4 + classes], rows[:, 4 + classes :])


def _yolov5(arrays: list[Tensor], classes: int) -> Found:
    rows = _array(arrays, 3)[0].float()
    rows = rows[rows[:, 4] > OPTIONS["conf"]]
    scores = rows[:, 5 : 5 + classes] * rows[:, 4:5]
    return _suppressed(rows[:, :4], scores, rows[:, 5 + classes :])


def _suppressed(boxes: Tensor, scores: Tensor, coefficients: Tensor) -> Found:
    """The best class of each box, less what overlaps a better one of its class."""
    best, classes = scores.max(1)
    kept = best > OPTIONS["conf"]
    found = Found(
        box_convert(boxes[kept], "cxcywh", "xyxy"),
        best[kept],
        classes[kept],
        coefficients[kept] if coefficients.shape[1] else None,
    )
    if len(found.scores) > MOST_CANDIDATES:
        found = found[found.scores.argsort(descending=True)[:MOST_CANDIDATES]]
    apart = found.boxes + found.classes[:, None] * CLASS_OFFSET_PX
    return found[nms(apart, found.scores, OPTIONS["iou"])[: int(OPTIONS["max_det"])]]


def _rows(arrays: list[Tensor], classes: int) -> Found:
    rows = _array(arrays, 3)[0].float()
    more = rows[:, 6:] if rows.shape[1] > 6 else None
    return _confident(Found(rows[:, :4], rows[:, 4], rows[:, 5], more))


def _batch_rows(arrays: list[Tensor], classes: int) -> Found:
    rows = _array(arrays, 2).float()
    return _confident(Found(rows[:, 1:5], rows[:, 6], rows[:, 5]))


def _detr(arrays: list[Tensor], classes: int) -> Found:
    rows = _array(arrays, 3)[0].float()
    best, numbers = rows[:, 4 : 4 + classes].max(1)
    found = Found(box_convert(rows[:, :4], "cxcywh", "xyxy"), best, numbers)
    return _confident(found[best.argsort(descending=True, stable=True)])


def _detr_rows(arrays: list[Tensor], classes: int) -> Found:
    rows = _array(arrays, 3)[0].float()
    boxes = box_convert(rows[:, :4], "cxcywh", "xyxy")
    return _confident(Found(boxes, rows[:, 4], rows[:, 5]))


def _logits(arrays: list[Tensor], classes: int) -> Found:
    """DETR's with a last class for nothing, one class a box; else every class of every box.

    Where both arrays are four wide the boxes are the second, as runtimes hand them on.
    """
    flat = [a[0].float() for a in arrays if a.ndim == 3]
    widths = [a.shape[1] for a in flat]
    place = 1 - widths.index(4) if widths.count(4) == 1 else 0
    logits, boxes = flat[place], box_convert(flat[1 - place], "cxcywh", "xyxy")
    if logits.shape[1] == classes + 1:
        best, numbers = logits.softmax(1)[:, :-1].max(1)
        return _confident(Found(boxes, best, numbers))
    best, places = logits.sigmoid().flatten().topk(len(logits))
    return _confident(Found(boxes[places // classes], best, places % classes))


def _lists(arrays: list[Tensor], classes: int) -> Found:
    """The largest array of fours is boxes; of the others whole numbers are classes."""
    # Of four boxes the scores and classes may be rows of four too.
    fours = [a for a in arrays if a.ndim in BOX_RANKS and a.shape[-1] == 4]
    largest = sorted(fours, key=Tensor.numel)[-1]
    n = largest.numel() // 4
    of_each = [a for a in arrays if a is not largest and a.numel() == n and a.ndim < 4]
    scores = next(a for a in of_each if a.is_floating_point())
    whole = [a for a in of_each if not a.is_floating_point()]
    if len(whole) > 1:  # Of one box a count is as long as the classes.
        whole = [a for a in whole if a.ndim == scores.ndim]
    if len(whole) > 1:
        raise TaskError("which of its outputs are the classes cannot be told: export one such list")
    boxes, scores, numbers = largest.reshape(-1, 4).float(), scores.reshape(-1).float(), whole[0]
    masks = next((a for a in arrays if a.ndim == 4 and a.shape[0] == n and n), None)
    found = Found(boxes, scores, numbers.reshape(-1), None, masks)
    count = next(
        (a for a in arrays if a.numel() == 1 and not a.is_floating_point() and n > 1), None
    )
    if count is not None:
        found = found[torch.arange(min(int(count.reshape(-1)[0]), n))]
    return _confident(found)


def _confident(found: Found) -> Found:
    return found[(found.scores > OPTIONS["conf"]).nonzero()[:, 0][: int(OPTIONS["max_det"])]]


def _array(arrays: list[Tensor], rank: int) -> Tensor:
    return next(a for a in arrays if a.ndim == rank)


_READERS: dict[str, Callable[[list[Tensor], int], Found]] = {
    "yolo": _yolo,
    "yolov5": _yolov5,
    "rows": _rows,
    "batch-rows": _batch_rows,
    "detr": _detr,
    "detr-rows": _detr_rows,
    "logits": _logits,
    "lists": _lists,
}
