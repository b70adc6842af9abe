"""What ultralytics' files say of a network: taken where it names known layers and plain numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets.inert import InertError, read
from tasks.models.options import ULTRALYTICS_PX
from tasks.task import TaskError

LAYERS = frozenset(
    {
        *("Conv", "Conv2", "ConvTranspose", "DWConv", "DWConvTranspose2d", "Focus", "Concat"),
        *("Bottleneck", "BottleneckCSP", "C1", "C2", "C2f", "C2fCIB", "C2PSA", "C2fPSA", "PSA"),
        *("C3", "C3Ghost", "C3TR", "C3k2", "C3x", "A2C2f", "SPP", "SPPF", "SPPELAN", "SCDown"),
        *("GhostBottleneck", "GhostConv", "RepC3", "RepConv", "RepNCSPELAN4", "ELAN1"),
        *("ADown", "AConv", "CBFuse", "CBLinear", "AIFI", "HGBlock", "HGStem", "ResNetLayer"),
        *("Detect", "v10Detect", "Segment", "Segment26", "SemanticSegment", "RTDETRDecoder"),
        *("nn.BatchNorm2d", "nn.Conv2d", "nn.ConvTranspose2d", "nn.Identity", "nn.MaxPool2d"),
        *("nn.Upsample", "nn.ZeroPad2d"),
    }
)
"""Layers that may be named: of `ultralytics.nn.modules`, without those that fetch or open files."""
WORDS = frozenset({"nc", "None", "True", "False", "nearest", "bilinear", "bicubic"})
"""Words that may stand among the numbers of a layer."""
ACTIVATION = re.compile(
    r"(torch\.)?nn\.((SiLU|ReLU|ReLU6|GELU|ELU|Mish|Hardswish|Identity|Sigmoid)\(\)|"
    r"(LeakyReLU|PReLU|CELU)\((\d{1,3}(\.\d{1,6})?)?\))"
)
"""What may stand for the activation, which ultralytics evaluates."""
MOST_ROWS = 512
MOST_REPEATS = 256
LARGEST = 65_536
"""Size of a number of a layer."""
LARGEST_IMAGE_PX = 8192
OPTIONS = {
    "depth_multiple": float,
    "width_multiple": float,
    "reg_max": int,
    "end2end": bool,
    "inplace": bool,
}
"""Other keys that decide the network, with their types; those left out do not."""


def checked(told: Any) -> dict[str, Any]:
    """The description of a network with nothing in it but known layers and plain numbers.

    Args:
        told: The attribute ``yaml`` of a network of ultralytics.

    Raises:
        TaskError: If it holds anything else; the message names no file.
    """
    if not isinstance(told, dict):
        raise TaskError("it describes no architecture")
    made: dict[str, Any] = {"nc": _number(told.get("nc"), 1)}
    for key, kind in OPTIONS.items():
        if told.get(key) is not None:
            value = told[key]
            made[key] = value if kind is bool and type(value) is bool else _number(value, 0)
    if told.get("activation") is not None:
        if not isinstance(told["activation"], str) or not ACTIVATION.fullmatch(told["activation"]):
            raise _unknown("activation", told["activation"])
        made["activation"] = told["activation"]
    if isinstance(told.get("scales"), Mapping) and told["scales"]:
        made |= _scaled(told["scales"], told.get("scale"))
    if _number(told.get("channels", told.get("ch", 3)), 1) != 3:
        raise TaskError("it takes images of other than 3 channels")
    for part in ("backbone", "head"):
        rows = told.get(part)
        if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
            raise _unknown(part, rows)
        made[part] = [_row(row) for row in rows]
    return made


def class_names_in(told: Any, count: int) -> list[str]:
    """Names of a network's classes, in its own order.

    Raises:
        TaskError: If there is not one for each; the message names no file.
    """
    listed = told if isinstance(told, list | tuple) else ()
    names = told if isinstance(told, dict) else dict(enumerate(listed))
    if not all(type(number) is int for number in names) or set(names) != set(range(count)):
        raise TaskError(f"it has {count} classes, {len(names)} names stand in it for them")
    if not all(isinstance(name, str) or _is_short(name) for name in names.values()):
        raise TaskError("a name of its classes is no text")
    return [str(names[number]) for number in range(count)]


def image_px_in(told: Any) -> tuple[int, int]:
    """Height and width in pixels of the pictures that a network was trained on.

    Args:
        told: What its file says of its training, ``train_args``; where nothing, `ULTRALYTICS_PX`.

    Raises:
        TaskError: If it is no size; the message names no file.
    """
    size = told.get("imgsz", ULTRALYTICS_PX) if isinstance(told, Mapping) else ULTRALYTICS_PX
    sides = list(size) if isinstance(size, list | tuple) and len(size) in (1, 2) else [size] * 2
    if not all(type(side) is int and 1 <= side <= LARGEST_IMAGE_PX for side in sides):
        raise TaskError(
            f"its imgsz is {shown(size)}, expected 1 to {LARGEST_IMAGE_PX} px: "
            "give ,imgsz=N behind its word"
        )
    return sides[0], sides[-1]


def unusual_px(file: Path) -> str | None:
    """The size that a checkpoint's training had, in words, where it is not `ULTRALYTICS_PX`.

    Nothing, too, where the file cannot be read: what loads it tells why.
    """
    try:
        content = read(file)
        height, width = image_px_in(content.get("train_args") if isinstance(content, dict) else {})
    except (InertError, TaskError, OSError):
        return None
    if height != width:
        return f"{height}x{width}"
    return None if width == ULTRALYTICS_PX else str(width)


def multiples(size_px: Sequence[int], stride_px: int) -> tuple[int, int]:
    """Height and width raised to multiples of a stride, as ultralytics' ``check_imgsz`` does."""
    height, width = (math.ceil(side / stride_px) * stride_px for side in size_px)
    return height, width


def _scaled(scales: Mapping[Any, Any], scale: Any) -> dict[str, Any]:
    """The one size of a family that the network has: depth, width, most channels."""
    # Where none is named, ultralytics takes the first, and warns.
    name = next(iter(scales)) if scale in (None, "") else scale
    if not isinstance(name, str) or not isinstance(scales.get(name), list | tuple):
        raise _unknown("scale", name)
    numbers = [_number(value, 0) for value in scales[name]]
    if len(numbers) != 3:
        raise _unknown("scale", numbers)
    return {"scales": {name: numbers}, "scale": name}


def _row(row: Any) -> list[Any]:
    """One layer: where its input comes from, how often it stands, its name, its numbers."""
    if not isinstance(row, list | tuple) or len(row) != 4:
        raise _unknown("layer", row)
    sources, repeats, name, arguments = row
    places = sources if isinstance(sources, list | tuple) else [sources]
    if not all(type(place) is int and abs(place) <= 2 * MOST_ROWS for place in places):
        raise _unknown("layer", row)
    if type(repeats) is not int or not 1 <= repeats <= MOST_REPEATS:
        raise _unknown("layer", row)
    if not isinstance(name, str) or name not in LAYERS:
        raise _unknown("layer", name)
    if not isinstance(arguments, list | tuple):
        raise _unknown("layer", row)
    where = list(places) if isinstance(sources, list | tuple) else sources
    return [where, repeats, name, [_argument(value) for value in arguments]]


def _argument(value: Any) -> Any:
    """A number, a known word, or a list of numbers."""
    if isinstance(value, list | tuple) and len(value) <= MOST_ROWS:
        return [_number(each, -LARGEST) for each in value]
    if value is None or type(value) is bool or (isinstance(value, str) and value in WORDS):
        return value
    return _number(value, -LARGEST)


def _number(value: Any, least: int) -> Any:
    if type(value) not in (int, float) or not least <= value <= LARGEST:
        raise _unknown("number", value)
    return value


def _unknown(what: str, value: Any) -> TaskError:
    return TaskError(f"its architecture names an unknown {what}: {shown(value)}")


def shown(value: Any) -> str:
    """A value of a file in a few plain characters: lists in it may hold themselves."""
    parts = value if isinstance(value, list | tuple) else (value,)
    if len(parts) > 8 or not all(map(_is_short, parts)):
        return f"a {type(value).__name__}"
    return ascii(list(parts))[1:-1]


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 80
    return value is None or type(value) in (bool, float) or (type(value) is int and value < 2**64)
