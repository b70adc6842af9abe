"""What an object of a user's is, by its contents: values, code, and all that code reaches."""

from __future__ import annotations

import contextvars
import enum
import functools
import logging
import os
import random
import re
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import numpy as np

from harness.plan.origins import is_own_module
from harness.plan.own_networks import hashed, of_libraries

_OF_CLASSES = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__annotations__",
        "__abstractmethods__",
        "_abc_impl",
        "__firstlineno__",
        "__static_attributes__",
        "__dataclass_fields__",
        "__dataclass_params__",
        "__orig_bases__",
        "__parameters__",
        "__qualname__",
        "__slots__",
        "__match_args__",
    ]
)
"""Attributes of a class that say nothing about what it does, beside its code."""
_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.local)
"""What holds nothing that a result depends on."""
_PLAIN = frozenset(
    [bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented)]
)


SHORT = 64
"""Bytes up to which a plain value stands for itself."""


class Walk:
    """Names values by their contents; each object once."""

    def __init__(self) -> None:
        """Begin with nothing named."""
        self.cannot: list[str] = []
        """What could not be named, by its place."""
        self.modules: dict[str, types.ModuleType] = {}
        """The own modules whose code or values were met."""
        self.tensors: dict[int, str] = {}
        """Digests of tensors by the ids of these."""
        self._known: dict[int, bytes] = {}
        self._open: list[int] = []
        self._kept: list[Any] = []
        self._place: list[str] = []

    def digest(self, value: Any, place: str = "") -> bytes:
        """A digest of a value and all that it holds; values that are equal have the same.

        Args:
            value: Anything.
            place: Where it stands in what holds it, for `cannot`.
        """
        kind = type(value)
        if kind in _PLAIN or (kind is tuple and _PLAIN.issuperset(map(type, value))):
            plain = f"{kind.__name__} {value!r}".encode("utf-8", "surrogatepass")
            return plain if len(plain) < SHORT else hashed(plain)
        known = self._known.get(id(value))
        if known is not None:
            return known
        if id(value) in self._open:
            return hashed("again", len(self._open) - self._open.index(id(value)))
        self._open.append(id(value))
        self._place.append(place)
        try:
            made = self._of(value)
        except RecursionError:
            raise
        except Exception:
            made = self._nameless(value)
        finally:
            self._open.pop()
            self._place.pop()
        self._known[id(value)] = made
        self._kept.append(value)  # no other object may get its id
        return made

    def _nameless(self, value: Any) -> bytes:
        kind = type(value)
        place = ".".join(part for part in self._place if part) or "itself"
        said = f"{place} ({kind.__module__}.{kind.__qualname__})"
        if said not in self.cannot:
            self.cannot.append(said)
        return hashed("nameless", said)

    def _of(self, value: Any) -> bytes:
        """The digest of what is no plain value."""
        kind: Any = type(value)
        name = _namer(kind)
        if name is not None:
            return name(self, value)
        heavy = of_libraries(self, value)
        return self._object(value) if heavy is None else heavy

    def pairs(self, held: Mapping[Any, Any]) -> bytes:
        """Keys and values in their order, which may matter."""
        parts = []
        for key, value in list(held.items()):
            parts += [self.digest(key), self.digest(value, str(key))]
        return hashed("pairs", *parts)

    def _items(self, value: Iterable[Any]) -> bytes:
        items = [self.digest(item, f"[{i}]") for i, item in enumerate(list(value))]
        return hashed("items", self.digest(type(value)), *items, self._attributes(value))

    def _mapping(self, value: Mapping[Any, Any]) -> bytes:
        made = self.digest(getattr(value, "default_factory", None))
        return hashed(self.digest(type(value)), self.pairs(value), made, self._attributes(value))

    def _attributes(self, value: Any) -> bytes:
        """What a user's subclass of a container holds beside its items."""
        held = getattr(value, "__dict__", None)
        return self.pairs({k: held[k] for k in sorted(held)}) if held else b""

    def _set(self, value: Iterable[Any]) -> bytes:
        return hashed(type(value).__name__, *sorted(self.digest(item) for item in value))

    def _array(self, value: Any) -> bytes:
        if value.dtype.hasobject:
            return hashed("array", repr(value.shape), self.digest(value.tolist()))
        plain = np.ascontiguousarray(value)
        return hashed("array", repr((plain.dtype.descr, value.shape)), plain.tobytes())

    def _random(self, value: Any) -> bytes:
        state = value.bit_generator.state if hasattr(value, "bit_generator") else None
        getter = getattr(value, "get_state", None) or getattr(value, "getstate", None)
        return hashed("random", self.digest(state if state is not None else getter()))  # type: ignore[misc]

    def _code(self, code: types.CodeType) -> bytes:
        """What code does, not where it stands."""
        consts = [self.digest(const) for const in code.co_consts]
        names = repr((code.co_names, code.co_freevars, code.co_cellvars, code.co_varnames))
        arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        shape = repr((arguments, code.co_flags, getattr(code, "co_exceptiontable", b"")))
        return hashed("code", code.co_name, code.co_code, names, shape, *consts)

    def _function(self, value: types.FunctionType) -> bytes:
        """Code, defaults, closure, attributes, and the globals that the code names."""
        original = getattr(value, "_torchdynamo_orig_callable", None)
        if original is not None:
            return hashed("compiled", self.digest(original))
        own = self._note(value.__globals__)
        code = self._code(value.__code__) if own else hashed(value.__code__.co_qualname)
        parts = [hashed("function", value.__globals__.get("__name__", "")), code]
        parts += [self.digest(value.__defaults__, "default")]
        parts += [self.digest(value.__kwdefaults__, "default")]
        parts += [self.digest(cell, "closure") for cell in value.__closure__ or ()]
        held = {k: v for k, v in vars(value).items() if k != "__wrapped__" or own}
        parts += [self.pairs({k: held[k] for k in sorted(held)})] if held else []
        parts += [self._globals(value), *_variables(value.__code__)] if own else []
        return hashed(*parts)

    def _globals(self, function: types.FunctionType) -> bytes:
        """The values of the module's names that code uses, through modules too: ``blocks.gain``."""
        names = _names(function.__code__)
        found: list[bytes] = []
        todo: list[Mapping[str, Any]] = [function.__globals__]
        seen = {id(function.__globals__)}
        while todo:
            space = todo.pop(0)
            for name in sorted(names & space.keys()):
                value = space[name]
                if isinstance(value, types.ModuleType) and self._note(vars(value)):
                    if id(vars(value)) not in seen:
                        seen.add(id(vars(value)))
                        todo.append(vars(value))
                    found.append(hashed(name, value.__name__))
                elif not name.startswith("__"):
                    found.append(hashed(name, self.digest(value, name)))
        return hashed("globals", *found)

    def _note(self, space: Mapping[str, Any]) -> bool:
        """Whether a module, by its names, is the user's own; it is noted then."""
        name, file = str(space.get("__name__", "")), space.get("__file__")
        if not is_own_module(name, file):
            return False
        module = sys.modules.get(name)
        if module is None or vars(module) is not space:
            module = types.ModuleType(name)
            module.__file__, module.__package__ = file, space.get("__package__")
        self.modules.setdefault(f"{name} {file}", module)
        return True

    def _class(self, value: type) -> bytes:
        """The name of a class of a library; of an own one its bases and all that its body holds."""
        label = hashed("class", value.__module__, value.__qualname__)
        module = sys.modules.get(value.__module__)
        space = vars(module) if module is not None else {"__name__": value.__module__}
        if not self._note(space):
            return label
        held = {k: v for k, v in vars(value).items() if k not in _OF_CLASSES}
        bases = [self.digest(base) for base in (*value.__bases__, type(value)) if base is not type]
        return hashed(label, *bases, self.pairs({k: held[k] for k in sorted(held)}))

    def _object(self, value: Any) -> bytes:
        """The class and the attributes of any other object, or what would be pickled of it."""
        kind = type(value)
        parts = [hashed("object"), self.digest(kind)]
        slots = [s for c in kind.__mro__ for s in _slots(c) if hasattr(value, s)]
        held = {**{s: getattr(value, s) for s in slots}, **getattr(value, "__dict__", {})}
        if held or (hasattr(value, "__dict__") and kind.__module__ != "builtins"):
            return hashed(*parts, self.pairs({k: held[k] for k in sorted(held, key=str)}))
        made = value.__reduce_ex__(4)
        if isinstance(made, str):
            return hashed(*parts, made)
        items = [self.digest(each, "state") for each in made[:3]]
        items += [self._items(list(each)) for each in made[3:5] if each is not None]
        return hashed(*parts, *items)


@lru_cache(maxsize=4096)
def _namer(kind: type) -> Callable[[Walk, Any], bytes] | None:
    """What names values of a type of Python's or NumPy's."""
    return next((name for kinds, name in _NAMERS if issubclass(kind, kinds)), None)


def _names(code: types.CodeType) -> set[str]:
    """Names that code and all code inside it uses."""
    found = set(code.co_names)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found |= _names(const)
    return found


def _variables(code: types.CodeType) -> list[bytes]:
    """The environment variables that code may read, whose names stand in it, with their values."""
    if not {"environ", "getenv"} & _names(code):
        return []
    held = dict(os.environ)  # which any text may be looked up in
    named = sorted(_strings(code) & held.keys())
    return [hashed("variable", word, held[word]) for word in named]


def _strings(value: Any) -> set[str]:
    """The texts that stand in code and in all code inside it."""
    inside = value.co_consts if isinstance(value, types.CodeType) else value
    if isinstance(inside, tuple | frozenset):
        return {text for each in inside for text in _strings(each)}
    return {inside} if isinstance(inside, str) else set()


def _slots(kind: type) -> list[str]:
    slots = vars(kind).get("__slots__", ())
    found = [slots] if isinstance(slots, str) else list(slots)
    return [slot for slot in found if slot not in ("__dict__", "__weakref__")]


def _builtin(walk: Walk, value: Any) -> bytes:
    owner = getattr(value, "__self__", None)
    name = getattr(value, "__qualname__", repr(value))
    if owner is None or isinstance(owner, types.ModuleType):
        return hashed("builtin", getattr(value, "__module__", ""), name)
    return hashed("builtin", name, walk.digest(owner, "self"))


def _cell(walk: Walk, value: types.CellType) -> bytes:
    try:
        return hashed("cell", walk.digest(value.cell_contents))
    except ValueError:
        return hashed("empty cell")


def _module(walk: Walk, value: types.ModuleType) -> bytes:
    walk._note(vars(value))
    return hashed("module", value.__name__)


def _path(walk: Walk, value: PurePath) -> bytes:
    """A path; below the folder of own code only what stands below it, as on any machine."""
    for module in walk.modules.values():
        folder = PurePath(module.__file__ or "").parent
        if module.__file__ and value.is_relative_to(folder):
            return hashed("path here", value.relative_to(folder).as_posix())
    return hashed("path", str(value))


def _parts(*names: str) -> Callable[[Walk, Any], bytes]:
    """Names a value by some of its attributes."""
    return lambda walk, value: hashed(
        type(value).__qualname__, *(walk.digest(getattr(value, n, None), n) for n in names)
    )


_NAMERS: tuple[tuple[Any, Callable[[Walk, Any], bytes]], ...] = (
    (enum.Enum, lambda w, v: hashed("enum", w.digest(type(v)), v.name)),
    (type, Walk._class),
    (types.ModuleType, _module),
    (types.FunctionType, Walk._function),
    (types.MethodType, _parts("__func__", "__self__")),
    (
        functools.partial,
        lambda w, v: hashed(_parts("func", "args", "keywords")(w, v), w._attributes(v)),
    ),
    (types.CodeType, Walk._code),
    (types.CellType, _cell),
    (functools._lru_cache_wrapper, _parts("__wrapped__")),
    ((staticmethod, classmethod), _parts("__func__")),
    (property, _parts("fget", "fset")),
    (functools.cached_property, _parts("func")),
    ((types.BuiltinFunctionType, types.MethodWrapperType), _builtin),
    (
        (types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType),
        lambda w, v: hashed("descriptor", w.digest(v.__objclass__), v.__name__),
    ),
    (types.MemberDescriptorType, lambda w, v: hashed("slot", v.__name__)),
    (types.ClassMethodDescriptorType, lambda w, v: hashed("descriptor", v.__qualname__)),
    ((types.GenericAlias, types.UnionType), lambda w, v: hashed("alias", repr(v))),
    (_LOCKS, lambda w, v: hashed(type(v).__qualname__)),
    (contextvars.ContextVar, lambda w, v: hashed("context", v.name)),
    (weakref.ref, lambda w, v: hashed("reference", w.digest(v()))),
    (logging.Logger, lambda w, v: hashed("logger", v.name)),
    (re.Pattern, lambda w, v: hashed("pattern", v.pattern, v.flags)),
    (PurePath, _path),
    ((range, slice), lambda w, v: hashed(repr(v))),
    ((bytearray, memoryview), lambda w, v: hashed(type(v).__name__, bytes(v))),
    (np.ndarray, Walk._array),
    (np.generic, lambda w, v: hashed("number", v.dtype.str, v.tobytes())),
    (np.dtype, lambda w, v: hashed("dtype", repr(v))),
    (np.ufunc, lambda w, v: hashed("ufunc", v.__name__)),
    ((np.random.Generator, np.random.RandomState), Walk._random),
    (random.Random, Walk._random),
    ((list, tuple, deque), Walk._items),
    ((dict, types.MappingProxyType), Walk._mapping),
    ((set, frozenset), Walk._set),
    (bool, lambda w, v: hashed(repr(v))),
    (
        (int, float, complex, str, bytes),
        lambda w, v: hashed(w.digest(type(v)), repr(v), w._attributes(v)),
    ),
)
