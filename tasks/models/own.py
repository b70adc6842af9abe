"""Detectors and segmenters that a user's function makes: any callable of a picture.

It gets one picture, ``uint8 (H, W, 3) RGB``, and returns a dict of ``boxes`` (N, 4) in pixels
(left, top, right, bottom), ``scores`` (N,) in [0, 1], ``classes`` (N,), names or, where it has a
list ``names``, numbers into that, and, for instances, ``masks`` (N, H, W); or, for semantic, a
label map (H, W) of numbers into its ``names``. A semantic network may be a ``torch.nn.Module`` of
scores instead, see `tasks.models.segmenter`.
"""

from __future__ import annotations

import copy
import dis
import inspect
import linecache
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.image import NDArrayByte
from tasks import rle
from tasks.coco_ap import Detections
from tasks.models.card import names_by_number
from tasks.models.segmenter import ModuleSegmenter
from tasks.models.units import are_shares
from tasks.task import ROUNDING, TaskError

RETURNS = {
    "detection": 'a dict of "boxes" (N, 4), "scores" (N,) and "classes" (N,)',
    "instance": 'a dict of "boxes" (N, 4), "scores" (N,), "classes" (N,) and "masks" (N, H, W)',
    "semantic": "a label map (H, W) of whole numbers",
}
"""What a call must return, by task."""
WRAP = (
    "; it gets a picture, uint8 (H, W, 3), not tensors: return a function that calls it "
    "(docs/my-detector.md)"
)
"""The remedy where a network raised that was not made to be called so, as torchvision's."""


def own_network(task: str, made: Any, word: str, names: Sequence[str], device: str) -> Any:
    """What a user's factory made, as a `tasks.network.Detector` or `tasks.semantic.Segmenter`.

    Args:
        task: ``detection``, ``instance`` or ``semantic``.
        made: What the factory returned.
        word: How the user named it.
        names: The data set's classes, for a detector that names classes itself.
        device: Where a ``torch.nn.Module`` shall run.

    Raises:
        TaskError: If it cannot be called, or a network of scores does not name its classes.
    """
    if not callable(made):
        raise TaskError(
            f"{word} returned {type(made).__name__}, expected what can be called with a picture "
            f"and gives {RETURNS[task]}"
        )
    own = _own_names(made, word)
    if task != "semantic":
        if isinstance(made, nn.Module):
            made.eval().to(device)
        return OwnDetector(made, word, own, names, task == "instance")
    if not own:
        raise TaskError(
            f"{word}: what it returned must have a list 'names', its classes in the order of its "
            "numbers"
        )
    if isinstance(made, nn.Module):
        mean = getattr(made, "mean", (0.0, 0.0, 0.0))
        return ModuleSegmenter(made, own, device, mean, getattr(made, "std", (1.0, 1.0, 1.0)))
    return OwnSegmenter(made, word, own)


def _own_names(made: Any, word: str) -> list[str]:
    """The classes that it says it has; none where it says nothing."""
    said = getattr(made, "names", None)
    if said is None:
        return []
    names = names_by_number(list(said) if isinstance(said, tuple) else said)
    if names is None:
        raise TaskError(f"{word}: 'names' must be a list of its classes' names, by number")
    return names


def copied(made: Any, memo: dict[int, Any] | None = None) -> Any:
    """A copy of what a user's factory made; the same where there can be none, as of functions."""
    try:
        return copy.deepcopy(made, memo)
    except Exception:  # whatever a copy may raise
        return made


class _Called:
    """A callable of the user's, whose mistakes are told with the line that made them.

    It may keep what it is shown for as long as a call lasts: each thread calls a copy, and what
    cannot be copied is called by one thread at a time.
    """

    def __init__(self, call: Callable[[NDArrayByte], Any], word: str) -> None:
        self._call, self._word = call, word
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> _Called:
        """A copy, or the same, with the one lock of all who call it."""
        other = copied(self._call, memo)
        return self if other is self._call else _Called(other, self._word)

    def answer(self, image: NDArrayByte) -> Any:
        """What it returned for a picture of its own.

        Raises:
            TaskError: If it raised.
        """
        try:
            with self._lock:
                return self._call(image.copy())
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)[1:]
            own = [f for f in frames if f.filename == self._code_file()] or list(frames)
            where = f" at {_place(own[-1].filename, own[-1].lineno)}" if own else ""
            reason = " ".join(str(error).split())[:200]
            hint = WRAP if isinstance(self._call, nn.Module) else ""
            raise TaskError(
                f"{self._word} raised {type(error).__name__}{where}: {reason}{hint}"
            ) from error

    def wrong(self, what: str) -> TaskError:
        """An answer that cannot be used, with the line that returned it."""
        code = _code_of(self._call)
        if code is None:
            return TaskError(f"{self._word} {what}")
        returns = {
            i.positions.lineno
            for i in dis.get_instructions(code)
            if i.opname.startswith("RETURN_") and i.positions and i.positions.lineno
        }
        line = returns.pop() if len(returns) == 1 else code.co_firstlineno
        return TaskError(f"{_place(code.co_filename, line)}: {self._word} {what}")

    def _code_file(self) -> str | None:
        code = _code_of(self._call)
        return code.co_filename if code else None


def _code_of(call: Any) -> CodeType | None:
    """The user's code that a call runs first; None of what is no Python."""
    if isinstance(call, nn.Module):
        call = type(call).forward
    elif not hasattr(call, "__code__"):
        call = type(call).__call__
    code = getattr(inspect.unwrap(call), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _place(file: str, line: int | None) -> str:
    """File, line number and the line itself."""
    text = linecache.getline(file, line or 0).strip()
    return f"{Path(file).name}:{line}" + (f" `{text[:100]}`" if text else "")


class OwnDetector:
    """A user's detector, whose every answer is checked."""

    def __init__(
        self,
        call: Callable[[NDArrayByte], Any],
        word: str,
        own: list[str],
        names: Sequence[str],
        has_masks: bool,
    ) -> None:
        """Take what can be called, its own classes by number, if any, and the data set's."""
        self.names = own or list(names)
        if not self.names:
            raise TaskError(f"{word}: what it returned must have a list 'names', its classes")
        # Without a list of its own a number may be another data set's, or count from 1.
        self._numbered = len(own)
        self._called, self._has_masks = _Called(call, word), has_masks

    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects.

        Raises:
            TaskError: If an answer cannot be used, with the user's own line.
        """
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> Detections:
        found = self._called.answer(image)
        wrong = self._called.wrong
        task = "instance" if self._has_masks else "detection"
        if not isinstance(found, Mapping):
            raise wrong(f"returned {type(found).__name__}, expected {RETURNS[task]}")
        needed = ["boxes", "scores", "classes", *(["masks"] if self._has_masks else [])]
        lacking = [key for key in needed if key not in found]
        if lacking:
            has = ", ".join(map(str, found)) or "nothing"
            raise wrong(f"returned no {', '.join(lacking)}, but {has}: expected {RETURNS[task]}")
        scores = self._numbers(found["scores"], "scores", 1)
        n = len(scores)
        if n and 1 < scores.max() <= 1 + ROUNDING:
            scores = scores.clip(max=1)
        if n and not (scores.min() >= 0 and scores.max() <= 1):
            raise wrong(f"returned scores of {scores.min():g} to {scores.max():g}, expected 0 to 1")
        boxes = self._numbers(found["boxes"], "boxes", 2).reshape(-1, 4)
        if len(boxes) != n:
            raise wrong(f"returned {len(boxes)} boxes with {n} scores")
        self._check_boxes(boxes, image.shape)
        numbers = self._classes(found["classes"], n)
        masks = self._masks(found["masks"], n, image.shape) if self._has_masks else None
        return Detections(
            boxes.astype(np.float32),
            scores.astype(np.float32),
            numbers,
            () if masks is None else rle.encoded(masks),
        )

    def _numbers(self, value: Any, key: str, rank: int) -> NDArray[np.float64]:
        """Finite numbers of a rank; boxes have four columns."""
        array = _array(value)
        if array.size == 0:
            return np.zeros((0, 4)[:rank])
        if array.dtype.kind not in "fiu":
            raise self._called.wrong(f"returned {key} of {array.dtype}, expected numbers")
        if array.ndim != rank or (rank == 2 and array.shape[1] != 4):
            shape = "(N, 4)" if rank == 2 else "(N,)"
            raise self._called.wrong(f"returned {key} {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise self._called.wrong(f"returned {key} that are not finite")
        return array.astype(np.float64)

    def _check_boxes(self, boxes: NDArray[np.float64], shape: tuple[int, ...]) -> None:
        """Left, top, right, bottom in the picture's pixels."""
        height, width = shape[:2]
        if not len(boxes):
            return
        turned = (boxes[:, 2:] < boxes[:, :2]).any(1)
        if turned.any():
            box = boxes[turned][0].round(1).tolist()
            raise self._called.wrong(
                f"returned the box {box}, whose right or bottom lies before its left or top: "
                "expected left, top, right, bottom"
            )
        if are_shares(boxes, (height, width)):
            raise self._called.wrong(
                f"returned boxes of 0 to {boxes.max():.2g}: expected pixels of the "
                f"{width}x{height} picture"
            )
        outside = (boxes[:, 0] > width) | (boxes[:, 1] > height) | (boxes[:, 2:] < 0).any(1)
        if outside.any():
            box = boxes[outside][0].round(1).tolist()
            raise self._called.wrong(
                f"returned the box {box} outside of the picture of {width}x{height} px (width x "
                "height): expected left, top, right, bottom in its pixels"
            )

    def _classes(self, value: Any, n: int) -> NDArray[np.int64]:
        """Places in ``names``, of numbers or names."""
        found = list(value) if isinstance(value, list | tuple) else list(_array(value).reshape(-1))
        if len(found) != n:
            raise self._called.wrong(f"returned {len(found)} classes with {n} scores")
        places = {name: i for i, name in enumerate(self.names)}
        numbers = np.zeros(n, np.int64)
        for i, one in enumerate(found):
            one = one.item() if hasattr(one, "item") else one  # noqa: PLW2901
            # Rows of tensors hold classes as floats, ultralytics' boxes.cls too.
            one = int(one) if isinstance(one, float) and one.is_integer() else one  # noqa: PLW2901
            is_whole = isinstance(one, int) and not isinstance(one, bool)
            number = one if is_whole else places.get(one, -1) if isinstance(one, str) else -1
            if number < 0 or (is_whole and number >= self._numbered):
                known = ", ".join(self.names[:8]) + ("…" if len(self.names) > 8 else "")
                remedy = (
                    "expected names of its list 'names', or numbers into it"
                    if self._numbered
                    else "expected names of the data set's classes, or give it a list 'names' of "
                    "all its classes"
                )
                raise self._called.wrong(
                    f"returned the class {one!r}, which is none of {known}: {remedy}"
                )
            numbers[i] = number
        return numbers

    def _masks(self, value: Any, n: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Masks ``uint8 (N, H, W)`` of 0 and 1."""
        array = _array(value)
        if n == 0:
            return np.zeros((0, *shape[:2]), np.uint8)
        if array.shape != (n, *shape[:2]):
            raise self._called.wrong(
                f"returned masks {array.shape}, expected {(n, *shape[:2])}: one of the picture's "
                "size for each score"
            )
        if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
            raise self._called.wrong("returned masks of other values than 0 and 1")
        return array.astype(np.uint8)


class OwnSegmenter:
    """A user's function of label maps, whose every answer is checked."""

    def __init__(self, call: Callable[[NDArrayByte], Any], word: str, names: list[str]) -> None:
        """Take what can be called, and the names of its numbers."""
        self.names = names
        self._called = _Called(call, word)

    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``; values are places in ``names``.

        Raises:
            TaskError: If an answer cannot be used, with the user's own line.
        """
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> NDArrayByte:
        array = _array(self._called.answer(image))
        if array.dtype.kind not in "iu" or array.shape != image.shape[:2]:
            raise self._called.wrong(
                f"returned {array.dtype} {array.shape}, expected whole numbers {image.shape[:2]}, "
                "a label map of the picture's size"
            )
        if array.size and not 0 <= array.min() <= array.max() < len(self.names):
            raise self._called.wrong(
                f"returned labels of {array.min()} to {array.max()}, its names are 0 to "
                f"{len(self.names) - 1}"
            )
        return array.astype(np.uint8)


def _array(value: Any) -> NDArray[Any]:
    """A tensor, list or array as an array; of objects where it is none of numbers."""
    try:
        if isinstance(value, list | tuple):
            return np.asarray([_known(each) for each in value])
        return np.asarray(_known(value))
    except (ValueError, TypeError, RuntimeError):
        return np.array(None, object)


def _known(value: Any) -> Any:
    """A tensor in the host's memory and in a number format of NumPy's; else the same."""
    if not isinstance(value, Tensor):
        return value
    value = value.detach().cpu()
    return value.float() if value.is_floating_point() and value.dtype != torch.float64 else value
