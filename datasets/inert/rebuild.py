"""The functions that a file may call, all of which put tensors and arrays together."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.inert.records import InertError, Named, Record

SMALL_NUMEL = 2**20
"""A tensor may have more elements than are stored for it, as `expand` makes them, up to so many."""


@dataclass(eq=False)
class Storage:
    """Elements that tensors share."""

    flat: Tensor


def made(maker: Any, arguments: Any) -> Any:
    """What a call gives: a tensor or array, or a record of the call."""
    if not isinstance(arguments, tuple):
        raise InertError("damaged: it calls what cannot be called: copy it again")
    if isinstance(maker, Named):
        rebuild = REBUILDS.get(maker.name)
        return Record(maker.name, arguments) if rebuild is None else rebuild(*arguments)
    return Record(f"a call of {type(maker).__name__}", arguments)


def _tensor(storage: Storage, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    """``_rebuild_tensor`` and ``_rebuild_tensor_v2``: a view of a storage."""
    flat = storage.flat
    if not isinstance(size, tuple | list) or not isinstance(stride, tuple | list):
        raise InertError("damaged: a tensor has no size: copy it again")
    if math.prod(size) > max(flat.numel(), SMALL_NUMEL):
        raise InertError("damaged: a tensor is larger than what is stored of it: copy it again")
    return torch.as_strided(flat, tuple(size), tuple(stride), offset)


def _tensor_of_dtype(
    storage: Storage,
    offset: int,
    size: Any,
    stride: Any,
    grad: Any,
    hooks: Any,
    dtype: Any,
    *_: Any,
) -> Tensor:
    """``_rebuild_tensor_v3``: a view of bytes."""
    return _tensor(Storage(storage.flat.view(dtype)), offset, size, stride)


def _parameter(data: Tensor, *_: Any) -> Tensor:
    """``_rebuild_parameter``: what it holds."""
    return data


def _typed(maker: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """``_rebuild_from_type_v2``: a tensor with attributes of its own, which are left out."""
    return made(maker, arguments)


def _ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict((plain_key(key), value) for key, value in _listed(pairs))


def _set(elements: Any = ()) -> set[Any]:
    return {plain_key(each) for each in _listed(elements)}


def _size(sizes: Any = ()) -> tuple[Any, ...]:
    return tuple(_listed(sizes))


def _listed(values: Any) -> Any:
    """What is a list or tuple; a tensor would give an object for every number."""
    if not isinstance(values, list | tuple):
        raise InertError("damaged: it lists what is no list: copy it again")
    return values


def plain_key(key: Any) -> Any:
    """A key of a dict or set that is quick to hash: tuples in tuples may be one many times over.

    Raises:
        InertError: If it is another.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if not all(part is None or isinstance(part, _KEYS) for part in parts):
        raise InertError(f"it names a value by {type(key).__name__}, as no weight file does")
    return key


_KEYS = (str, bytes, int, float, Named, Record, torch.dtype)


def _encoded(text: str, encoding: str) -> bytes:
    """``_codecs.encode``, which is how old pickles spell bytes."""
    if encoding != "latin1" or not isinstance(text, str):
        raise InertError("damaged: its bytes are spelt in an unknown way: copy it again")
    return text.encode("latin1")


class Dtype:
    """The element type of an array: a number of some size."""

    def __init__(self, word: str, *_: Any) -> None:
        if not re.fullmatch("b1|[iu][1248]|f[248]|c8|c16", word):
            raise InertError(f"it holds an array of {word[:20]!r}, which are no numbers")
        self._word, self._order = word, "<"

    def take(self, state: Any) -> None:
        """The order of bytes."""
        self._order = ">" if state[1] == ">" else "<"

    def dtype(self) -> np.dtype[Any]:
        """As NumPy has it."""
        return np.dtype(self._order + self._word)


def _empty(kind: Any, shape: Any, word: Any) -> NDArray[Any]:
    """``_reconstruct``: an array that `fill` fills."""
    return np.zeros(0)


def fill(array: NDArray[Any], state: Any) -> None:
    """An array's shape, element type and bytes."""
    _, shape, kind, is_fortran, data = state
    data, dtype = _raw(data), kind.dtype()
    if not isinstance(shape, tuple):
        raise InertError("damaged: an array has no shape: copy it again")
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise InertError("damaged: an array has not the bytes that it needs: copy it again")
    state = 1, shape, dtype, bool(is_fortran), data
    array.__setstate__(state)


def _raw(data: Any) -> bytes:
    """Bytes, which old pickles of Python 2 spell as text."""
    if isinstance(data, str):
        return data.encode("latin1")
    if not isinstance(data, bytes | bytearray):
        raise InertError("damaged: an array has no bytes: copy it again")
    return bytes(data)


def _array(data: Any, kind: Dtype, shape: Any, order: str) -> NDArray[Any]:
    """``_frombuffer``, of protocol 5."""
    array: NDArray[Any] = np.zeros(0)
    fill(array, (1, shape, kind, order == "F", data))
    return array


def _scalar(kind: Dtype, data: Any) -> Any:
    return np.frombuffer(_raw(data), kind.dtype())[0]


REBUILDS: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _typed,
    "torch.Size": _size,
    "collections.OrderedDict": _ordered,
    "builtins.set": _set,
    "__builtin__.set": _set,
    "_codecs.encode": _encoded,
    "numpy.dtype": Dtype,
    "numpy.core.multiarray._reconstruct": _empty,
    "numpy._core.multiarray._reconstruct": _empty,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _array,
    "numpy._core.numeric._frombuffer": _array,
}
"""All that a file may call, by full name, and what is done then: literally."""
