"""A pickle is a program; this interpreter calls nothing but the functions of `REBUILDS`."""

from __future__ import annotations

import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from torch import Tensor

from datasets.inert.rebuild import Dtype, Storage, fill, made, plain_key
from datasets.inert.records import InertError, Named, Record

LONGEST_NAME = 120
"""Characters of a name that are kept."""
DTYPES = {
    "BFloat16": torch.bfloat16,
    "Bool": torch.bool,
    "Byte": torch.uint8,
    "Char": torch.int8,
    "ComplexDouble": torch.complex128,
    "ComplexFloat": torch.complex64,
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "Int": torch.int32,
    "Long": torch.int64,
    "Short": torch.int16,
    "Untyped": torch.uint8,
}
"""Element types by the names of their storages: ``torch.FloatStorage``."""
TYPES = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
"""Element types by their own names."""

Stored = Callable[[torch.dtype, str, int, Any], Storage]
"""Function of (element type, key, elements, view) that finds a storage."""


class Unpickler(pickle._Unpickler):
    """The interpreter in Python, of which every instruction that makes or changes objects is ours.

    That in C would take all memory for the number of a memo, and hand arguments to whatever lies
    on its stack.
    """

    stack: list[Any]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: BinaryIO, storage: Stored) -> None:
        # latin1: strings of Python 2, among them the bytes of arrays, stay what they were.
        super().__init__(stream, encoding="latin1")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """The name, and nothing of what it stands for, but for torch's element types."""
        if module in ("torch", "torch.storage"):
            if name.endswith("Storage") and name.removesuffix("Storage") in DTYPES:
                return DTYPES[name.removesuffix("Storage")]
            if name in TYPES:
                return TYPES[name]
        full = f"{module}.{name}"[:LONGEST_NAME]
        return Named(full if full.isprintable() else ascii(full))

    def persistent_load(self, pid: Any) -> Any:
        """A storage, or what stands in the place of a module's source."""
        if pid[0] == "module":
            return pid[1]
        word, kind, key, _, numel, *view = pid
        if isinstance(kind, Named) and kind.name.startswith("torch.Q"):
            raise InertError(
                f"it holds quantised numbers ({kind.name}): save the weights as floating-point ones"
            )
        if word != "storage" or not isinstance(kind, torch.dtype) or not isinstance(key, str):
            raise InertError("damaged: it refers to what is no storage: copy it again")
        return self._storage(kind, key, numel, view[0] if view else None)

    def _make(self) -> None:
        """REDUCE and NEWOBJ."""
        arguments = self.stack.pop()
        self.stack[-1] = made(self.stack[-1], arguments)

    def _make_with_keywords(self) -> None:
        """NEWOBJ_EX."""
        self.stack.pop()
        self._make()

    def _make_named(self) -> None:
        """INST."""
        module, name = (self.readline()[:-1].decode("ascii") for _ in range(2))
        arguments = tuple(self.pop_mark())
        self.append(made(self.find_class(module, name), arguments))

    def _make_marked(self) -> None:
        """OBJ."""
        maker, *arguments = self.pop_mark()
        self.append(made(maker, tuple(arguments)))

    def _build(self) -> None:
        """BUILD."""
        state = self.stack.pop()
        top = self.stack[-1]
        if isinstance(top, Record):
            top.state = state
        elif isinstance(top, Dtype):
            top.take(state)
        elif isinstance(top, np.ndarray):
            fill(top, state)
        elif not isinstance(top, OrderedDict | Tensor):
            raise InertError("damaged: it changes what cannot be changed: copy it again")

    def _put(self, items: list[Any]) -> None:
        """Keys and values by turns into what lies on top."""
        keys = map(plain_key, items[::2])
        pairs = list(zip(keys, items[1::2], strict=True))
        top = self.stack[-1]
        if isinstance(top, dict):
            top.update(pairs)
        elif isinstance(top, Record):
            top.items += pairs
        else:
            raise InertError("damaged: it puts values into what holds none: copy it again")

    def _add(self, items: list[Any]) -> None:
        """Elements into what lies on top."""
        top = self.stack[-1]
        if isinstance(top, list):
            top += items
        elif isinstance(top, set):
            top.update(map(plain_key, items))
        elif isinstance(top, Record):
            top.items += items
        else:
            raise InertError("damaged: it puts values into what holds none: copy it again")

    def _put_one(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def _bytes(self) -> None:
        """BYTEARRAY8, of no more than there is."""
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(min(size, sys.maxsize))))

    def _dict(self) -> None:
        """DICT."""
        items = self.pop_mark()
        self.append({})
        self._put(items)

    def _frozen(self) -> None:
        """FROZENSET."""
        self.append(frozenset(map(plain_key, self.pop_mark())))

    dispatch[pickle.DICT[0]] = _dict
    dispatch[pickle.FROZENSET[0]] = _frozen
    dispatch[pickle.REDUCE[0]] = dispatch[pickle.NEWOBJ[0]] = _make
    dispatch[pickle.NEWOBJ_EX[0]] = _make_with_keywords
    dispatch[pickle.INST[0]] = _make_named
    dispatch[pickle.OBJ[0]] = _make_marked
    dispatch[pickle.BUILD[0]] = _build
    dispatch[pickle.SETITEM[0]] = _put_one
    dispatch[pickle.SETITEMS[0]] = lambda self: self._put(self.pop_mark())
    dispatch[pickle.APPEND[0]] = lambda self: self._add([self.stack.pop()])
    dispatch[pickle.APPENDS[0]] = lambda self: self._add(self.pop_mark())
    dispatch[pickle.ADDITEMS[0]] = lambda self: self._add(self.pop_mark())
    dispatch[pickle.BYTEARRAY8[0]] = _bytes
    for _code in (pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER):
        del dispatch[_code[0]]  # what others registered in this process
