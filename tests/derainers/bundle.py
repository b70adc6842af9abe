"""Checkpoints as TensorFlow writes them, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """A protocol buffer of whole numbers and bytes."""
    out = b""
    for field, value in fields:
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
        else:
            out += varint(field << 3 | 2) + varint(len(value)) + value
    return out


def block_of(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block of a sorted string table, keys shortened by what they share with the one before."""
    out, before = b"", b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), 0)
        out += (
            varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        )
        before = key
    return out + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def write_bundle(prefix: Path, variables: dict[str, Tensor]) -> Path:
    """A checkpoint as TensorFlow writes it: NAME.index and NAME.data-00000-of-00001."""
    data, entries = b"", []
    for name, value in sorted(variables.items()):
        raw = value.numpy().tobytes()
        entries.append((name.encode(), entry(value.shape, len(data), len(raw))))
        data += raw
    prefix.with_suffix(".data-00000-of-00001").write_bytes(data)
    return write_table(prefix.with_suffix(".index"), entries)


def entry(shape: Sequence[int], start: int, length: int) -> bytes:
    """Where a variable of 32-bit floats lies in the data."""
    sizes = b"".join(message((2, message((1, size)))) for size in shape)
    return message((1, 1), (2, sizes), (4, start), (5, length)) + b"\x35abcd"


def write_table(file: Path, entries: list[tuple[bytes, bytes]]) -> Path:
    """The index alone, of entries in the order of their names."""
    entries = [(b"", message((1, 1), (3, message((1, 1))))), *entries]
    table, index = b"", []
    for i in range(0, len(entries), 16):
        block = block_of(entries[i : i + 16])
        index.append((entries[i : i + 16][-1][0], varint(len(table)) + varint(len(block))))
        table += block + bytes(5)
    top = block_of(index)
    handles = varint(0) + varint(0) + varint(len(table)) + varint(len(top))
    table += top + bytes(5)
    table += handles.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    file.write_bytes(table)
    return file
