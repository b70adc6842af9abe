"""What a user's code imports and opens while it is built and called, told by Python itself."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from harness.plan.origins import is_own_file, is_own_module, namesake

imported_by: dict[str, set[str]] = {}
"""What own modules imported while they ran, however they named it; by file, as names repeat."""
opened_by: dict[str, list[str]] = {}
"""Files that own modules read while they were imported, which happens once in a process."""
_loaded: dict[str, tuple[ModuleType, str]] = {}
"""Own modules that were imported here by their files, with the digests of what was run."""
_local = threading.local()


class OwnLoader(SourceFileLoader):
    """Runs the bytes that stand in the file now, never those of an older compiled file."""

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, compiled from its source."""
        data = self.get_data(self.path)
        self._digest = hashlib.sha256(data).hexdigest()
        code: CodeType = self.source_to_code(data, self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, and note which bytes were run."""
        opened_by.pop(self.path, None)
        super().exec_module(module)
        _loaded[self.path] = module, self._digest


class _Finder:
    """Stands before Python's finders while own code is built."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of an own module with a source; None leaves it to the others.

        Unlike an event of Python's, this is told of `importlib.import_module` too.
        """
        if not hasattr(_local, "files"):
            return None
        _note_import(name)
        for finder in sys.meta_path:
            spec = None if finder is _Finder else finder.find_spec(name, path, target)
            if spec is not None:
                plain = type(spec.loader) is SourceFileLoader
                if plain and spec.origin and is_own_file(spec.origin):
                    spec.loader = OwnLoader(name, spec.origin)
                return spec
        return None


def run_sha256(file: str) -> str | None:
    """Digest of the bytes of a file that were run; None where it was imported before."""
    return _loaded[file][1] if file in _loaded else None


@contextlib.contextmanager
def recording() -> Iterator[list[str]]:
    """Note what this thread imports and opens; gives the files that calls read, in order."""
    _listen()
    outer: list[str] | None = getattr(_local, "files", None)
    files: list[str] = []
    _local.files = files
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    try:
        yield files
    finally:
        del _local.files
        if outer is not None:
            _local.files = outer
            outer += files


@cache
def _listen() -> None:
    """Ask Python to tell of its events; it cannot be asked to stop."""
    sys.addaudithook(_hook)


def forget_changed() -> None:
    """Forget the own modules that were imported, once a file of one has changed: run them anew."""
    if all(_on_disk(file) == digest for file, (_, digest) in _loaded.items()):
        return
    for module, _ in _loaded.values():
        _forget(module)
    _loaded.clear()
    opened_by.clear()
    imported_by.clear()
    importlib.invalidate_caches()


def forget_namesakes(folder: Path | None) -> None:
    """Forget the own modules that were imported where a folder has others of their names.

    Python tells of no import of what is imported already, by a name that code puts together.

    Args:
        folder: Of a user's file; None = of no file.
    """
    for file, (module, _) in _loaded.items():
        if folder is not None and namesake(module.__name__, file, folder):
            _forget(module)


def _forget(module: ModuleType) -> None:
    """Take a module out of Python's list, and out of the folder that it is an attribute of."""
    parent, _, name = module.__name__.rpartition(".")
    if vars(sys.modules.get(parent, module)).get(name) is module:
        delattr(sys.modules[parent], name)
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


def _on_disk(file: str) -> str | None:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    """Python calls this on every event of the process, so it answers all others at once."""
    if event != "open" or not hasattr(_local, "files"):
        return
    if getattr(_local, "busy", False):
        return
    _local.busy = True
    try:
        _note_open(args)
    finally:
        _local.busy = False


def _note_import(asked: str) -> None:
    """Note an import under the own module that asked for it, through whatever library."""
    for frame in _frames():
        if _is_own(frame):
            imported_by.setdefault(_place(frame), set()).add(asked)
            return


def _note_open(args: tuple[Any, ...]) -> None:
    """Note a file that own code reads, itself or by calling a library."""
    path, mode, flags = args
    writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
    if not isinstance(path, str | bytes | os.PathLike) or writes or set(str(mode)) & set("wax+"):
        return
    full = str(Path(os.fsdecode(path)).absolute())
    found = False
    for place, frame in enumerate(_frames()):
        name = frame.f_globals.get("__name__", "")
        at_import = frame.f_code.co_name == "<module>"
        if place == 0 and (name.startswith("importlib._") or name in ("linecache", "tokenize")):
            return
        if name.startswith(("torch._inductor.", "torch._dynamo.", "triton.")):
            return  # what a compiler keeps of earlier runs
        found = found or _is_own(frame)
        if at_import and not found:  # a library reads its own while it is imported
            return
        if at_import and _is_own(frame):
            opened_by.setdefault(_place(frame), []).append(full)
            return
    if found:
        _local.files.append(full)


def _place(frame: FrameType) -> str:
    """The file of a frame's module; the name of one that has none."""
    return str(frame.f_globals.get("__file__") or frame.f_globals.get("__name__", ""))


def _is_own(frame: FrameType) -> bool:
    return is_own_module(frame.f_globals.get("__name__", ""), frame.f_globals.get("__file__"))


def _frames() -> Iterator[FrameType]:
    """The frames that led to an event, innermost first, up to the harness that called own code."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name != __name__:
            if name.startswith("harness."):
                return
            yield frame
        frame = frame.f_back
