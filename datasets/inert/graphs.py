"""ONNX graphs: the tensors in them, where these lie, and what in them draws random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

DRAWING = (
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Multinomial", "Bernoulli"),
)
"""Operators that draw random numbers."""
UNSEEDED = (
    "draws random numbers ({}), which no seed repeats from image to image: export it without "
    "them, or with the noise as a constant"
)
"""What is wrong with a graph that has such operators, and the remedy."""


def parts_of(message: Any, kind: str) -> Iterator[Any]:
    """Every message of a kind in an ONNX model, in branches, loops and functions too."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in [value] if hasattr(value, "ListFields") else value:
            if field.message_type.name == kind:
                yield part
            yield from parts_of(part, kind)


def files_beside(model: Any) -> list[str]:
    """Names of the files that hold weights of an ONNX model, which was loaded without them."""
    tensors = parts_of(model, "TensorProto")
    entries = (entry for tensor in tensors for entry in tensor.external_data)
    return sorted({str(entry.value) for entry in entries if entry.key == "location"})


def drawing_in(model: Any) -> list[str]:
    """Names of the operators of an ONNX model that draw random numbers.

    Dropout is one where it is exported for training, or where a number at run time says so.
    """
    off = {t.name for t in parts_of(model, "TensorProto") if not _is_set(t)}
    found = set()
    for node in parts_of(model, "NodeProto"):
        if node.op_type == "Constant":
            values = [a.t for a in node.attribute if a.name == "value"]
            off.update(name for name in node.output if values and not _is_set(values[0]))
    for node in parts_of(model, "NodeProto"):
        is_training = node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]
        if node.op_type in DRAWING or (is_training and node.input[2] not in off):
            found.add(str(node.op_type))
    return sorted(found)


def _is_set(tensor: Any) -> bool:
    """Whether a stored truth is anything but one plain false."""
    return bool(any(tensor.raw_data) or any(tensor.int32_data) or tensor.external_data)
