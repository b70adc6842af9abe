"""TensorFlow's checkpoints of version 2, read without TensorFlow.

A checkpoint is NAME.index, a sorted string table as LevelDB writes them, whose entries say where in
NAME.data-00000-of-00001 each variable lies. Sources: tensorflow/core/util/tensor_bundle,
tensorflow/core/lib/io/table_format.txt, tensorflow/core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.inert.records import InertError

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
"""Behind each block: its compression and a checksum."""
_FLOAT = 1
"""DT_FLOAT."""
_MOST_BYTES = 1 << 26
"""Of an index; that of a large network has some hundred thousand."""


def read_bundle(index: Path) -> dict[str, Tensor]:
    """The variables of a checkpoint that are 32-bit floats, by name, as TensorFlow lays them out.

    Args:
        index: ``NAME.index``; the data lie beside it.

    Raises:
        InertError: If a file is damaged, of several parts, compressed, or no checkpoint.
        OSError: If one cannot be read.
    """
    if index.stat().st_size > _MOST_BYTES:
        raise InertError("no index of a checkpoint: too large")
    table = index.read_bytes()
    entries = dict(_entries(table))
    header = _fields(entries.pop(b"", b""))
    if header.get(1) != [1] or header.get(2, [0]) != [0]:
        raise InertError("expected a little-endian checkpoint in one part")
    values = index.with_name(f"{index.stem}.data-00000-of-00001")
    if not values.stat().st_size:
        raise InertError(f"{values.name} is empty")
    data = np.memmap(values, np.uint8, "r")
    found: dict[str, Tensor] = {}
    held = 0
    for key, value in entries.items():
        name, entry = key.decode(errors="replace"), _fields(value)
        if entry.get(1) != [_FLOAT]:
            continue
        held += _number(entry.get(5, [0]))
        if held > data.size:
            raise InertError("its variables are more bytes than its data, so they overlap")
        found[name] = _tensor(name, entry, data)
    return found


def _tensor(name: str, entry: dict[int, list[int | bytes]], data: np.memmap) -> Tensor:
    """One variable of a BundleEntryProto."""
    shape = _fields(_text(entry.get(2, [b""])[-1]))
    sizes = [_number(_fields(_text(dim)).get(1, [0])) for dim in shape.get(2, [])]
    start, length = _number(entry.get(4, [0])), _number(entry.get(5, [0]))
    if any(size < 0 for size in sizes) or 4 * math.prod(sizes) != length:
        raise InertError(f"{name}: {length} bytes are no float32 of shape {tuple(sizes)}")
    if start < 0 or start + length > data.size or entry.get(3, [0]) != [0]:
        raise InertError(f"{name}: lies beyond its file, which was cut")
    values = np.frombuffer(data[start : start + length].tobytes(), "<f4").reshape(sizes)
    return torch.from_numpy(values.copy())


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a sorted string table."""
    if len(table) < _FOOTER_BYTES or not table.endswith(_MAGIC):
        raise InertError("no index of a TensorFlow checkpoint of version 2, or cut")
    footer = table[-_FOOTER_BYTES:]
    at = 0
    for _ in range(2):  # the handle of the meta index, which is not needed
        _, at = _varint(footer, at)
    for _, handle in _block(table, *_handle(footer, at)):
        yield from _block(table, *_handle(handle, 0))


def _handle(data: bytes, at: int) -> tuple[int, int]:
    """Where a block lies, and its length."""
    start, at = _varint(data, at)
    length, _ = _varint(data, at)
    return start, length


def _block(table: bytes, start: int, length: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block; a key has the beginning of the one before it in common."""
    if start + length + _TRAILER_BYTES > len(table) or length < 4:
        raise InertError("the index is cut or damaged")
    if table[start + length] != 0:
        raise InertError("the index is compressed, as TensorFlow does not write it")
    block = table[start : start + length]
    restarts = int.from_bytes(block[-4:], "little")
    end = length - 4 - 4 * restarts
    if end < 0:
        raise InertError("the index is damaged")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        size, at = _varint(block, at)
        if shared > len(key) or at + own + size > end:
            raise InertError("the index is damaged")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the low ones first, and where the next one begins."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise InertError("the index is cut or damaged")


def _fields(data: bytes) -> dict[int, list[int | bytes]]:
    """The fields of a protocol buffer by number: whole numbers, and bytes."""
    found: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                length, at = _varint(data, at)
            if length is None or at + length > len(data):
                raise InertError("the index is damaged")
            value, at = data[at : at + length], at + length
        found.setdefault(field, []).append(value)
    return found


def _number(values: list[int | bytes]) -> int:
    """The last of a field's values, which must be a number."""
    if not isinstance(values[-1], int):
        raise InertError("the index is damaged")
    return values[-1]


def _text(value: int | bytes) -> bytes:
    """A value that must be bytes."""
    if not isinstance(value, bytes):
        raise InertError("the index is damaged")
    return value
