"""A sheet of pictures in a file of its own, which says that it is one."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from datasets.image import NDArrayByte, encode_png
from harness.spec import UsageError

_HEADER = 33
"""Bytes of a PNG before its second chunk."""
_KIND, _TEXT = b"tEXt", b"Software\0derain-harness: a sheet of pictures"
_MARK = struct.pack(">I", len(_TEXT)) + _KIND + _TEXT + struct.pack(">I", zlib.crc32(_KIND + _TEXT))
"""The chunk that says it."""


def require_sheet(file: Path) -> None:
    """Refuse a place that lacks its folder, or holds a file that is no earlier sheet.

    Raises:
        UsageError: With the remedy.
    """
    if not file.parent.is_dir():
        raise UsageError(f"--sheet {file}: no folder {file.parent}")
    if file.is_file():
        with file.open("rb") as content:
            if content.read(_HEADER + len(_MARK))[_HEADER:] != _MARK:
                raise UsageError(f"--sheet {file} is there, and is no sheet: name a new file")


def write_sheet(file: Path, sheet: NDArrayByte) -> None:
    """Write a sheet, ``uint8 (H, W, 3) RGB``, as PNG; `require_sheet` is asked before."""
    data = encode_png(sheet)
    file.write_bytes(data[:_HEADER] + _MARK + data[_HEADER:])
