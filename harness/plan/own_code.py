"""What a user brought, by its contents: its modules, its values, and the files it read."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import logging
import re
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from harness.plan import keys, origins, recorder
from harness.plan.own_networks import large_sha256
from harness.plan.own_walk import Walk
from harness.spec import UsageError

_log = logging.getLogger(__name__)
LAG_S = 0.1
"""By how much the clock of files may be behind."""
CHANCE = re.compile(
    rb"\b(default_rng|RandomState|SystemRandom|Random|SeedSequence|PCG64|MT19937|Philox|SFC64"
    rb"|torch\.Generator|urandom|secrets|uuid[14]|datetime|perf_counter|monotonic|getpid)\b"
    rb"|\.seed\(\)|\bimport\b[^\n]*\btime\b|\bfrom time\b"
)
"""Names by which code comes to chance that no seed of ours decides, or to a clock."""


@dataclass(frozen=True)
class Place:
    """A module by its name, file and package, imported or not."""

    name: str
    file: str | None
    package: str
    path: tuple[str, ...] = ()
    """Folders of a package."""

    @staticmethod
    def of(name: str, module: ModuleType) -> Place:
        """Where an imported module came from."""
        file = getattr(module, "__file__", None)
        package = getattr(module, "__package__", None) or ""
        return Place(name, file, package, tuple(getattr(module, "__path__", ())))


@dataclass
class Identity:
    """What names something that a user brought; complete once it was called."""

    values: str
    """Digest of the object."""
    cannot: tuple[str, ...]
    """What in it could not be named."""
    roots: tuple[Place, ...]
    """The modules that made it, and those whose code it holds."""
    files: list[str] = field(default_factory=list)
    """Files that building and calling it read."""
    tensors: dict[int, str] = field(default_factory=dict)
    """Digests of the tensors in it, by their ids."""
    path: tuple[str, ...] = ()
    """Where its modules must come from; empty where they are what the caller imported."""
    read: frozenset[str] = frozenset()
    """The files of which the key holds the contents."""
    is_said: bool = False
    """Whether a digest of the user's stands for all that it reads."""
    nonce: str = ""
    """What makes the key new each time, where something could not be named."""

    @property
    def folder(self) -> Path | None:
        """Where a user's file lies that made it; None where none did."""
        for root in self.roots[:1]:
            if root.file and root.name.startswith(origins.OWN):
                return Path(root.file).parent
        return None

    def renew(self, name: str, cannot: str) -> None:
        """Be computed anew each time, and say why."""
        if not self.nonce:
            self.nonce = uuid.uuid4().hex
            _log.warning("%s: computed anew each time: cannot name %s", name, cannot)

    def key(self) -> dict[str, Any]:
        """All that decides what it does: no path, the same on every machine."""
        own = _closure(self.roots, self.path)
        files = [f for f in dict.fromkeys(own.files + self.files) if origins.is_data(f)]
        self.read = frozenset(files)
        said: dict[str, Any] = {
            "values": self.values,
            "modules": own.modules,
            "packages": own.packages,
            "files": [[Path(file).name, keys.file_sha256(Path(file))] for file in files],
        }
        return {**said, "new": self.nonce} if self.nonce else said


def named(
    name: str, value: Any, root: ModuleType | None = None, files: Iterable[str] = ()
) -> Identity:
    """Name an object before it is first called.

    Args:
        name: What to call it.
        value: A network, a `Derainer` or any other object.
        root: The module whose function made it, if one did.
        files: What that function read.
    """
    walk, values = _walked(value)
    cannot = tuple(walk.cannot) if values else ("something nested too deeply",)
    roots = [] if root is None else [Place.of(root.__name__, root)]
    roots += [Place.of(module.__name__, module) for module in walk.modules.values()]
    path = () if root is None else _path_of(root)
    held = (list(files), walk.tensors, path)
    identity = Identity(values, cannot, tuple(dict.fromkeys(roots)), *held)
    if cannot:
        more = f" and {len(cannot) - 1} more" if len(cannot) > 1 else ""
        identity.renew(name, cannot[0] + more)
    return identity


def values_of(value: Any) -> str:
    """Digest of all that an object holds, as in `Identity`; empty where it is nested too deeply."""
    return _walked(value)[1]


def _walked(value: Any) -> tuple[Walk, str]:
    walk = Walk()
    hashed = large_sha256(value)  # kept as long as the walk: no other tensor may get their ids
    walk.tensors.update((id(tensor), digest) for tensor, digest in hashed)
    try:
        return walk, walk.digest(value).hex()
    except RecursionError:
        return walk, ""


def may_vary(root: ModuleType) -> bool:
    """Whether a user's module, or an own one that it imports, names a clock or `CHANCE` of its own.

    What installed packages do is not looked at.
    """
    own = _closure([Place.of(root.__name__, root)], _path_of(root))
    return any(CHANCE.search(source) for source in own.sources)


@contextlib.contextmanager
def nothing_unnamed(name: str, identities: Sequence[Identity]) -> Iterator[None]:
    """Refuse a call that reads a file of which no key holds the contents.

    What was written since the call began is its own. The time that a file tells may come from an
    archive, so that the disk's own is asked, too.

    Args:
        name: What is called.
        identities: What names it; nothing is refused of what is computed anew each time.

    Raises:
        UsageError: If it does.
    """
    if not identities or any(each.nonce or each.is_said for each in identities):
        yield
        return
    begun = time.time() - LAG_S
    with recorder.recording() as files:
        yield

    def is_older(file: Path) -> bool:
        about = file.stat()
        return min(about.st_mtime, about.st_ctime) < begun

    named = frozenset().union(*(each.read for each in identities))
    for file in files:
        if file not in named and origins.is_data(file) and is_older(Path(file)):
            raise UsageError(
                f"{name} reads {file} for an image, and its results would stay where that changes: "
                "read it while it is built, give an object with restore an attribute digest (a "
                "text that changes with its files), or save the images and name them dir:FOLDER"
            )


def sources_of(root: ModuleType, files: Iterable[str] = ()) -> dict[str, str]:
    """Digests of a user's module, of its own modules, and of what it read, by their names.

    Args:
        root: The module; where a file was imported by its path, the file's name stands for it.
        files: What its functions read.

    Raises:
        UsageError: If another module has the name of one that it imports.
    """
    own = _closure([Place.of(root.__name__, root)], _path_of(root))
    is_file = root.__name__.startswith(origins.OWN)
    shown = {root.__name__: Path(root.__file__ or "").name} if is_file else {}
    found = [(shown.get(name, name), digest) for name, digest in own.modules]
    read = [f for f in dict.fromkeys([*own.files, *files]) if origins.is_data(f)]
    said: dict[str, str] = {}
    for name, digest in [*found, *((Path(f).name, keys.file_sha256(Path(f))) for f in read)]:
        said[name] = f"{said[name]}+{digest}" if name in said else digest
    return said


def require_own_modules(root: ModuleType) -> None:
    """Refuse a file whose modules are not those that it gets where it is used alone.

    Raises:
        UsageError: If another module has the name of one that it imports.
    """
    _closure([Place.of(root.__name__, root)], _path_of(root))


def _path_of(root: ModuleType) -> tuple[str, ...]:
    """Where the modules of a user's file, or of a module by its name, must come from."""
    return origins.path_of(root.__file__ if root.__name__.startswith(origins.OWN) else None)


class _Closure(NamedTuple):
    """Own modules that some import, directly or not."""

    modules: list[list[str]]
    """Names and digests."""
    packages: dict[str, list[str]]
    """The installed packages that they import, with their versions."""
    files: list[str]
    """What they read while they were imported."""
    sources: list[bytes]
    """Their files' contents."""


def _closure(roots: Sequence[Place], path: tuple[str, ...]) -> _Closure:
    """Own modules that some import, directly or not.

    Args:
        roots: Those to begin with.
        path: Where the others must come from; empty = anywhere.

    Raises:
        UsageError: If one comes from elsewhere.
    """
    modules, packages, files, sources = set(), {}, [], []
    todo, seen = list(roots), set(roots)
    while todo:
        place = todo.pop(0)
        if not origins.is_own_module(place.name, place.file):
            top = place.name.partition(".")[0]
            if versions := _versions(top):
                packages[top] = versions
            continue
        if place.file is None or not Path(place.file).is_file():
            continue
        data = Path(place.file).read_bytes()
        sources.append(data)
        digest = recorder.run_sha256(place.file) or hashlib.sha256(data).hexdigest()
        modules.add((place.name, digest))
        files += [(place.name, file) for file in recorder.opened_by.get(place.file, [])]
        names = set(_imports(data, place.package) if place.file.endswith(".py") else ())
        # What a library imports when it is first called depends on what ran before.
        asked = recorder.imported_by.get(place.file, set()) - names
        for name in sorted(names | asked):
            found = _found(name)
            if name in asked and found and not origins.is_own_module(name, found.file):
                continue
            if path:
                origins.require_unhidden(name, (place.name, place.file), path)
            if path and found and found.file and origins.is_own_module(name, found.file):
                origins.require_own(name, found.file, (place.name, place.file), path)
            if found is not None and found not in seen:
                seen.add(found)
                todo.append(found)
    read = [file for _, file in sorted(files, key=lambda pair: pair[0])]
    return _Closure(sorted(map(list, modules)), packages, read, sources)


def _versions(top: str) -> list[str]:
    """Versions of what a module was installed by; none of Python's modules and of ours."""
    if top in sys.stdlib_module_names or top in origins.ROOMS:
        return []
    return origins.package_versions(top)


def _found(name: str) -> Place | None:
    """A module by its name, as an import would find it, without importing it."""
    module = sys.modules.get(name)
    if module is not None:
        return Place.of(name, module)
    if name.partition(".")[0] in sys.stdlib_module_names:
        return None
    parent, _, _ = name.rpartition(".")
    path: list[str] | None = None
    if parent:
        above = _found(parent)
        if above is None or not above.path or not origins.is_own_module(parent, above.file):
            return None
        path = list(above.path)
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find(name, path) if find is not None else None
        if spec is not None:
            folders = tuple(spec.submodule_search_locations or ())
            file = spec.origin if spec.has_location else None
            return Place(name, file, name if folders else parent, folders)
    return None


@lru_cache(maxsize=4096)
def _imports(source: bytes, package: str) -> tuple[str, ...]:
    """Full names of all that a source imports, in functions too, with the packages around it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    return tuple({part for name in _names(tree, package) for part in _with_parents(name)})


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                try:
                    base = importlib.util.resolve_name("." * node.level + base, package)
                except ImportError:
                    continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: i + 1]) for i in range(len(parts)))
