"""ONNX graphs: the tensors in them, and where these lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def tensors_in(message: Any) -> Iterator[Any]:
    """Every tensor of an ONNX model wherever it hides: in nodes, branches, loops and functions."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in [value] if hasattr(value, "ListFields") else value:
            if field.message_type.name == "TensorProto":
                yield part
            yield from tensors_in(part)


def files_beside(model: Any) -> list[str]:
    """Names of the files that hold weights of an ONNX model, which was loaded without them."""
    entries = (entry for tensor in tensors_in(model) for entry in tensor.external_data)
    return sorted({str(entry.value) for entry in entries if entry.key == "location"})
