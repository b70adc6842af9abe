"""Named arrays as bytes, without pickle."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.spec import UsageError

LARGEST_BYTES = 2**30
"""Unpacked; a row that would be larger is damaged, and no memory is taken for it."""
LONGEST_HEAD_BYTES = 2**24


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays as compressed bytes, without pickle."""
    items = [(name, np.asarray(a, order="C")) for name, a in arrays.items()]
    head = json.dumps([[name, a.dtype.str, a.shape] for name, a in items]).encode()
    return zlib.compress(head + b"\n" + b"".join(a.tobytes() for _, a in items))


class DamagedError(UsageError):
    """A row that is not what was written."""

    def __init__(self, where: str = "the ledger") -> None:
        super().__init__(f"{where} is damaged: use a fresh --workspace")


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `pack` packed, read-only.

    Raises:
        DamagedError: If they are not.
    """
    try:
        stream = zlib.decompressobj()
        whole = stream.decompress(data, LARGEST_BYTES)
        if not stream.eof:
            raise DamagedError
        head, _, body = whole.partition(b"\n")
        if len(head) > LONGEST_HEAD_BYTES:
            raise DamagedError
        arrays, start = {}, 0
        for name, kind, shape in json.loads(head):
            dtype = np.dtype(kind)
            if min(shape, default=0) < 0:
                raise DamagedError
            count = math.prod(shape)
            arrays[name] = np.frombuffer(body, dtype, count, start).reshape(shape)
            start += count * dtype.itemsize
        return arrays
    except DamagedError:
        raise
    except (zlib.error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedError from error
