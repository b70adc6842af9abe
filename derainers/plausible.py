"""A derainer on images of known rain: fed as it expects it removes the rain best."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from datasets.image import NDArrayByte, to_tensor
from derainers.derainer import Derainer
from derainers.errors import DerainerError

MARGIN_DB = 1.0
"""By how much another convention must restore the images better, on average, to be named."""
SURE = 2.0
"""Of how many standard errors that must be where the order of channels alone is another: what it
costs differs much between images. A wrong range costs about the same on all."""
REMOVES_DB = 1.0
"""By how much it must bring the rainy images nearer to the clean ones, on average."""


class Convention(NamedTuple):
    """How a network is fed, and how its output is read."""

    channels: str
    """``rgb`` or ``bgr``."""
    black: float
    white: float


CONVENTIONS = tuple(
    Convention(channels, *levels)
    for channels, levels in itertools.product(
        ("rgb", "bgr"), ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
    )
)


@dataclass(frozen=True)
class Finding:
    """A convention under which a network restores better than under the declared one."""

    better: Convention
    better_db: float
    """PSNR of what it restores then, mean of the images."""
    declared_db: float
    rainy_db: float
    sign: str = ""
    """``-`` or ``+`` where what restores better is the input less the output, or both together."""
    returned: tuple[float, float] | None = None
    """Black and white of the output, where what restores better has others than the input."""


def doubt(
    derainer: Derainer, name: str, pairs: Sequence[tuple[NDArrayByte, NDArrayByte]]
) -> Finding | None:
    """What looks wrong with how a network is fed or read, or None.

    A network that improves the images under no convention tells nothing: no doubt.

    Args:
        derainer: On its device; left as it is.
        name: What to call it in an error.
        pairs: Rainy and clean images of the same size, ``uint8 (H, W, 3) RGB``.

    Raises:
        DerainerError: If the network fails on them or returns no image.
    """
    images = [(to_tensor([rainy]), to_tensor([clean])) for rainy, clean in pairs]
    declared = Convention(derainer.channels, *derainer.range)
    try:
        levels = [_levels(derainer, rainy) for rainy, _ in images]
    except DerainerError as error:
        raise DerainerError(f"derainer {name}: {error}") from error
    except Exception as error:
        height, width = images[0][0].shape[2:]
        raise DerainerError(
            f"derainer {name} fails on an image of {width}x{height} px: "
            f"{type(error).__name__}: {error}"
        ) from error
    rainy_db = [psnr_db(*pair) for pair in images]
    made: dict[Convention, Sequence[Tensor]] = {declared: levels}
    findings = (
        _fed_otherwise(derainer, images, rainy_db, made),
        _read_otherwise(declared, levels, images, rainy_db),
        _returned_otherwise(declared, made, images, rainy_db),
    )
    told = [each for each in findings if each is not None]
    return max(told, key=lambda each: each.better_db, default=None)


def _levels(derainer: Derainer, rainy: Tensor) -> Tensor:
    """What a network makes of an image; what works in tiles is cut to black and white."""
    return derainer(rainy) if derainer.fixed_px is not None else derainer.levels(rainy)


def _scores(restored: Sequence[Tensor], images: Sequence[tuple[Tensor, Tensor]]) -> list[float]:
    return [
        psnr_db(image.clamp(0, 1), clean)
        for image, (_, clean) in zip(restored, images, strict=True)
    ]


def _read_otherwise(
    declared: Convention,
    levels: Sequence[Tensor],
    images: Sequence[tuple[Tensor, Tensor]],
    rainy_db: Sequence[float],
) -> Finding | None:
    """Whether a network's output is the rain, or what rain takes away, rather than the image."""
    own_db = _scores(levels, images)
    if any(made.shape != rainy.shape for made, (rainy, _) in zip(levels, images, strict=True)):
        return None
    # No rain is 0 in the network's values, which is not black where its range begins below.
    zero = -declared.black / (declared.white - declared.black)
    found = None
    for sign in (-1, 1):
        sums = [x + sign * (y - zero) for y, (x, _) in zip(levels, images, strict=True)]
        better_db = _mean(_scores(sums, images))
        if _is_clear(better_db, own_db, rainy_db) and (
            found is None or better_db > found.better_db
        ):
            told = better_db, _mean(own_db), _mean(rainy_db), "-" if sign < 0 else "+"
            found = Finding(declared, *told)
    return found


def _returned_otherwise(
    declared: Convention,
    made: Mapping[Convention, Sequence[Tensor]],
    images: Sequence[tuple[Tensor, Tensor]],
    rainy_db: Sequence[float],
) -> Finding | None:
    """Whether a network returns values of another range than it takes, as a tanh of bytes.

    Args:
        declared: How it is fed.
        made: What it made where it was fed so, and otherwise, read in the range that it was fed in.
        images: Rainy and clean ones.
        rainy_db: PSNR of the rainy ones.
    """
    own_db = _scores(made[declared], images)
    found = None
    for fed, levels in made.items():
        if fed.channels != declared.channels:
            continue
        for black, white in dict.fromkeys(each[1:] for each in CONVENTIONS):
            if (black, white) == fed[1:]:
                continue
            values = [y * (fed.white - fed.black) + fed.black for y in levels]
            read = [(y - black) / (white - black) for y in values]
            better_db = _mean(_scores(read, images))
            if _is_clear(better_db, own_db, rainy_db) and (
                found is None or better_db > found.better_db
            ):
                told = better_db, _mean(own_db), _mean(rainy_db), ""
                found = Finding(fed, *told, (black, white))
    return found


def _is_clear(better_db: float, own_db: Sequence[float], rainy_db: Sequence[float]) -> bool:
    """Whether what restores at this PSNR removes rain, and is better than what was declared."""
    return better_db >= max(_mean(own_db) + MARGIN_DB, _mean(rainy_db) + REMOVES_DB)


def _fed_otherwise(
    derainer: Derainer,
    images: Sequence[tuple[Tensor, Tensor]],
    rainy_db: Sequence[float],
    made: dict[Convention, Sequence[Tensor]],
) -> Finding | None:
    """A convention that is better than the declared one, of which alone the images are given.

    Those under the others that are tried are added.
    """
    (declared,) = made
    restored = {declared: _scores(made[declared], images)}
    found = None
    for slips in (1, 2):  # two at once only where one is likely
        for other in CONVENTIONS:
            if _slips(other, declared) == slips:
                with contextlib.suppress(DerainerError, RuntimeError):
                    made[other] = _fed(derainer, other, images)
                    restored[other] = _scores(made[other], images)
        found = judged(rainy_db, restored, declared)
        if found is None:
            return None
    return found


def judged(
    rainy_db: Sequence[float],
    restored_db: Mapping[Convention, Sequence[float]],
    declared: Convention,
) -> Finding | None:
    """What the PSNR of each image says, or None where it says nothing.

    A second slip is named beside a first one only where it has to be, by the same measure.
    """
    best = _better(rainy_db, restored_db, declared)
    if best is None:
        return None
    best = _better(rainy_db, restored_db, best) or best
    return Finding(best, _mean(restored_db[best]), _mean(restored_db[declared]), _mean(rainy_db))


def _better(
    rainy_db: Sequence[float],
    restored_db: Mapping[Convention, Sequence[float]],
    declared: Convention,
) -> Convention | None:
    """The best of the conventions that differ in one thing and are clearly better."""
    rainy, own = _mean(rainy_db), restored_db[declared]
    better = {}
    for other, values in restored_db.items():
        gains = [value - mine for value, mine in zip(values, own, strict=True)]
        least = MARGIN_DB
        if other.channels != declared.channels:
            least = max(least, SURE * _standard_error(gains))
        is_better = _mean(gains) >= least and _mean(values) >= rainy + REMOVES_DB
        if is_better and _slips(other, declared) == 1:
            better[other] = _mean(values)
    return max(better, key=better.__getitem__, default=None)


def _slips(one: Convention, other: Convention) -> int:
    """In how many things two conventions differ: the order of channels, the range."""
    return (one.channels != other.channels) + (one[1:] != other[1:])


def measured(
    derainer: Derainer,
    pairs: Sequence[tuple[NDArrayByte, NDArrayByte]],
    conventions: Sequence[Convention] = CONVENTIONS,
) -> dict[Convention, list[float]]:
    """PSNR of each restored image under each convention."""
    images = [(to_tensor([rainy]), to_tensor([clean])) for rainy, clean in pairs]
    return {other: _scores(_fed(derainer, other, images), images) for other in conventions}


def psnr_db(image: Tensor, clean: Tensor) -> float:
    """PSNR over the three channels; of an enlarged image every pixel that the clean one has."""
    scale = image.shape[2] // clean.shape[2]
    error = float((image[:, :, ::scale, ::scale] - clean).square().mean())
    return -10 * math.log10(max(error, 1e-10))


def _fed(
    derainer: Derainer, convention: Convention, images: Sequence[tuple[Tensor, Tensor]]
) -> list[Tensor]:
    """What a network makes of images that it is fed under a convention."""
    other = copy.copy(derainer)
    other.channels, other.range = convention.channels, (convention.black, convention.white)
    return [_levels(other, rainy) for rainy, _ in images]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _standard_error(values: Sequence[float]) -> float:
    """How far the mean of so many values lies from its own by chance."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
