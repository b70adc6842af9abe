"""Which sizes a network takes, and which of its outputs is the image: found by trying."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.failures import FIXED_PX
from derainers.outputs import SizeError

MULTIPLES = (
    *(1, 2, 4, 8, 16, 32, 64, 128),
    *(3, 6, 12, 24, 48, 96, 5, 10, 20, 40, 80, 7, 14, 28, 56, 112),
)
"""Sizes that a network may ask its input to be a multiple of, tried in this order."""
SQUARES_PX = (512, 256, 224, 128, 64)
"""Sides of squares that are tried last, for a network that takes one size alone."""
SMALLEST_PX = 64
_PRIMES = (1, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 53, 59, 67, 71, 131, 137, 227, 229)
_NEEDS_ORDER = "view size is not compatible"
"""What torch says where a network looks at numbers as if they lay in order."""
_OF_CODE = (TypeError, AttributeError, NameError, ImportError, NotImplementedError, MemoryError)
"""Errors that no other size would mend."""


@dataclass(frozen=True)
class _Outcome:
    """What a forward gave."""

    error: str | None
    output: str | None = None
    """Key of the output that was taken, of several."""
    is_plain: bool = False
    """Whether that needed tensors whose numbers lie in order."""


def fitted(derainer: Derainer, name: str) -> Derainer:
    """The same network with the sizes and the output that it was found to take.

    One forward where it takes any size. Where it does not, the multiples are tried in turn, with
    sides that are multiples of nothing else; then the smaller ones once more with larger images:
    what failed may only have been too small, and then small images are padded. A square that fits
    where nothing else does is taken for the one size that the network takes.

    Args:
        derainer: On its device; left as it is. Sizes that it declares are not doubted.
        name: What to call it in an error.

    Raises:
        DerainerError: If it fails at all sizes tried, or which output is the image is not clear.
    """
    trial = copy.copy(derainer)
    try:
        trial.module = copy.deepcopy(derainer.module)  # some keep state in a forward
    except Exception:
        trial.module = derainer.module
    if derainer.is_fitted or derainer.fixed_px is not None:
        sides = _sides(derainer.multiple_of, SMALLEST_PX)
        return _found(derainer, derainer.multiple_of, _tried(trial, sides, name, is_known=True))
    failed: dict[str, None] = {}
    for multiple in MULTIPLES:
        sides = _sides(multiple, SMALLEST_PX)
        outcome = _tried(trial, sides, name)
        if outcome.error is None:
            least, again = _least(trial, multiple, outcome, sides[0], name)
            return _found(derainer, least, again, 1 if least == multiple else sides[0])
        failed[outcome.error] = None
    for side in SQUARES_PX:
        outcome = _tried(trial, (side, side), name)
        if outcome.error is None:
            square = copy.copy(derainer)
            square.fixed_px = (side, side)
            return _found(square, 1, outcome)
        failed[outcome.error] = None
    height, width = _sides(1, SMALLEST_PX)
    said = f"derainer {name} fails on an image of {width}x{height} px ({next(iter(failed))})"
    multiples = ", ".join(map(str, sorted(MULTIPLES)[1:]))
    where = f"where the sides are multiples of {multiples}, and on squares"
    if len(failed) == 1:
        where = "and so on every other that was tried"
    raise DerainerError(
        f"{said}, {where}: if it takes others, give multiple_of=N, or {FIXED_PX} in its code"
    )


def _least(
    trial: Derainer, multiple: int, outcome: _Outcome, smallest_px: int, name: str
) -> tuple[int, _Outcome]:
    """The least multiple that does where images are large enough."""
    for other in MULTIPLES[: MULTIPLES.index(multiple)]:
        if other < multiple:
            again = _tried(trial, _sides(other, smallest_px), name)
            if again.error is None:
                return other, again
    return multiple, outcome


def _sides(multiple: int, smallest_px: int) -> tuple[int, int]:
    """Height and width that are multiples of this and of nothing else that is tried."""
    first, second = [m * multiple for m in _PRIMES if m * multiple >= smallest_px][:2]
    return first, second


@torch.inference_mode()
def _tried(
    derainer: Derainer, sides_px: tuple[int, int], name: str, is_known: bool = False
) -> _Outcome:
    """What the network makes of noise of this height and width."""
    made = torch.Generator().manual_seed(0)
    batch = torch.rand(1, 3, *sides_px, generator=made)
    try:
        try:
            return _Outcome(None, derainer.forward(batch)[1])
        except RuntimeError as error:
            if _NEEDS_ORDER not in str(error):
                raise
            return _Outcome(None, derainer.in_plain_layout().forward(batch)[1], is_plain=True)
    except SizeError as error:
        return _Outcome(str(error))
    except DerainerError as error:
        raise DerainerError(f"derainer {name}: {error}") from error
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        if isinstance(error, _OF_CODE) and not is_known:
            raise DerainerError(
                f"derainer {name} fails on an image of {sides_px[1]}x{sides_px[0]} px: {said}"
            ) from error
        return _Outcome(said)


def _found(derainer: Derainer, multiple: int, outcome: _Outcome, minimum_px: int = 1) -> Derainer:
    """The network with what was found, and what to say of that."""
    found = derainer.in_plain_layout() if outcome.is_plain else copy.copy(derainer)
    said = list(derainer.said)
    found.is_fitted, found.multiple_of = True, multiple
    if multiple != derainer.multiple_of:
        said.append(
            f"takes sides that are multiples of {multiple}, as trying showed, and is padded"
        )
    if minimum_px > derainer.minimum_px:
        found.minimum_px = minimum_px
        said.append(f"takes sides of {minimum_px} px, not of all below, and is padded to that")
    if outcome.output is not None and derainer.output is None:
        found.output = outcome.output
        said.append(f"output {outcome.output} is taken, the only one of the input's size")
    if derainer.fixed_px is not None:
        height, width = derainer.fixed_px
        said.append(f"takes {width}x{height} px alone: works in tiles of that size, blended")
    found.said = tuple(said)
    return found
