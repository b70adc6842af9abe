"""Whether a module is the user's own, Python's, ours, or of an installed package; and which.

A file of the user's gets its own modules from beside it, and never from beside another.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

from harness.spec import UsageError

ROOMS = ("datasets", "derainers", "harness", "reports", "tasks")
_ROOT = os.path.realpath(Path(__file__).parents[2])
_STDLIB = tuple(
    {os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")}
)
_SITES = ("site-packages", "dist-packages")
_SYSTEM = (
    *("/proc/", "/sys/", "/etc/", "/lib/", "/lib64/"),
    *(f"/usr/{name}/" for name in ("include", "lib", "lib64", "libexec", "share")),
    *(f"/usr/local/{name}/" for name in ("include", "lib", "share")),
)
"""Where a system keeps its own; below ``/usr`` a user may keep code and data, too."""
OWN = "own_"
"""Begins the names of modules made of a user's files."""
_brought: set[str] = set()
"""Folders that files were found in, and that stood on Python's path for no other reason."""


def is_own_module(name: str, file: str | None) -> bool:
    """Whether a module lies in no installed package, is not Python's and none of ours.

    A module without a file (a notebook's, or one made by ``exec``) is the user's too, unless its
    name is one of Python's.
    """
    if file:
        return is_own_file(file)
    top = name.partition(".")[0]
    return top not in sys.stdlib_module_names and top not in sys.builtin_module_names


@lru_cache(maxsize=65536)
def is_own_file(file: str) -> bool:
    """Whether a file lies in no installed package, not in Python's library, and is none of ours.

    Packages installed as editable, and folders named in ``.pth`` files, are own ones.
    """
    if file.startswith("<"):
        return not file.startswith("<frozen")
    full = os.path.realpath(file)
    if full.startswith(tuple(f"{_ROOT}{os.sep}{room}{os.sep}" for room in ROOMS)):
        return False
    site = _site_of(full)
    if site is not None:
        return top_of(full[len(site) + 1 :]) not in _distributions(site)
    return not full.startswith(_STDLIB)


def is_data(file: str) -> bool:
    """Whether a file that was read is data a user can change, not a part of the system."""
    return is_own_file(file) and not file.startswith(_SYSTEM) and Path(file).is_file()


def package_versions(top: str) -> list[str]:
    """Name and version of the installed packages that a top-level module belongs to."""
    return sorted({said for site in _sites() for said in _distributions(site).get(top, ())})


def top_of(relative: str) -> str:
    """The top-level module of a path below a folder of packages."""
    return relative.split(os.sep, 1)[0].split(".", 1)[0]


def _site_of(full: str) -> str | None:
    """The folder of installed packages that a file lies in; the innermost one."""
    found = [site for site in _sites() if full.startswith(site + os.sep)]
    return max(found, key=len, default=None)


def _sites() -> tuple[str, ...]:
    return _sites_of(tuple(sys.path))


@lru_cache(maxsize=32)
def _sites_of(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Folders on Python's path that hold installed packages."""
    return tuple({full for path in paths if _holds_packages(full := os.path.realpath(path))})


@cache
def _holds_packages(folder: str) -> bool:
    if Path(folder).name in _SITES:
        return Path(folder).is_dir()
    try:
        return any(entry.suffix == ".dist-info" for entry in Path(folder).iterdir())
    except OSError:
        return False


@cache
def _distributions(site: str) -> dict[str, list[str]]:
    """What each top-level module in a folder of installed packages was installed by."""
    found: dict[str, list[str]] = {}
    for entry in sorted(Path(site).glob("*.*-info")):
        name, _, version = entry.name.removesuffix(entry.suffix).partition("-")
        for top in _tops(entry):
            found.setdefault(top, []).append(f"{name} {version.split('-py', 1)[0]}")
    return found


def _tops(entry: Path) -> set[str]:
    """Top-level modules of an installed package, by what its installer wrote down."""
    for listed in ("top_level.txt", "RECORD"):
        try:
            data = (entry / listed).read_bytes()
        except OSError:
            continue
        # Lists of files are long: a file's folder is cut off before anything is decoded.
        lines = {line.split(b"/", 1)[0] for line in data.splitlines()}
        tops = {line.split(b",", 1)[0].split(b".", 1)[0] for line in lines}
        return {top.decode(errors="replace").strip() for top in tops} - {""}
    return set()


def bring(file: Path) -> None:
    """Let a file import what lies beside it, before what lies beside others, never instead of ours.

    The current directory gives way where it stands last, as the command line puts it.
    """
    folder = str(file.parent)
    if folder in _brought and folder in sys.path:
        sys.path.remove(folder)
    if folder not in sys.path:
        last = len(sys.path) - (sys.path[-1:] == [str(Path.cwd())])
        sys.path.insert(next((i for i, p in enumerate(sys.path) if p in _brought), last), folder)
        _brought.add(folder)


def path_of(file: str | None) -> tuple[str, ...]:
    """The folders in which modules are to be looked for, in order.

    Args:
        file: Whose neighbours come first; None = of a module by its name.
    """
    own = [] if file is None else [str(Path(file).parent)]
    return (*own, *(each or str(Path.cwd()) for each in sys.path if each not in _brought))


def require_own(name: str, file: str, by: tuple[str, str], path: tuple[str, ...]) -> None:
    """Refuse an own module that is another than what its importer gets where it is used alone.

    Args:
        name: Of the module.
        file: That it was made of, or would be.
        by: Name and file of what imports it, whose neighbours come before all others.
        path: Where it is to be looked for then.

    Raises:
        UsageError: If another has its name, or it lies beside another's file alone.
    """
    importer = Path(by[1])
    folders = _folders(by, path)
    wanted, got = _found(name, folders), Path(file)
    if wanted is not None and not _is_one(wanted, got):
        raise UsageError(
            f"{_shown(importer)} imports {name}: {_shown(wanted)}, but {_shown(got)} has the same "
            "name and came instead: rename one of them, or run each in a process of its own"
        )
    if wanted is None and got == _found(name, _brought - {*folders}):
        raise UsageError(
            f"{_shown(importer)} imports {name}, which lies beside another file alone "
            f"({_shown(got)}): put it beside this one too, or on PYTHONPATH"
        )


def require_unhidden(name: str, by: tuple[str, str], path: tuple[str, ...]) -> None:
    """Refuse a module for which one of ours comes instead.

    Args:
        name: Of the module.
        by: Name and file of what imports it, whose neighbours come before all others.
        path: Where it is to be looked for then.

    Raises:
        UsageError: If the user has one of this name, and so have we.
    """
    folders = _folders(by, path)
    found = _found(name, folders) if "." in name and name.partition(".")[0] in ROOMS else None
    if found is not None and not str(found.resolve()).startswith(_ROOT + os.sep):
        raise UsageError(f"{_shown(Path(by[1]))} imports {name}{hidden(name, folders)}")


def hidden(name: str, folders: Iterable[str]) -> str:
    """What to add to a line about an import of a name that one of our packages has.

    Args:
        name: What is imported.
        folders: Where the user's own is looked for.

    Returns:
        The remedy; ``""`` where it is no name of ours, or the user has nothing of that name.
    """
    room = name.partition(".")[0]
    ours, sites = Path(_ROOT, room), _sites()
    for folder in folders if room in ROOMS else ():
        for own in (Path(folder, room), Path(folder, f"{room}.py")):
            if own.exists() and not own.samefile(ours) and os.path.realpath(folder) not in sites:
                return (
                    f": the harness has a package {room} too, which comes before {_shown(own)}: "
                    "rename yours"
                )
    return ""


def namesake(name: str, file: str, folder: Path) -> bool:
    """Whether another file in a folder is what a module of this name is to be made of there."""
    other = _found(name, [str(folder)])
    return other is not None and not _is_one(other, Path(file))


def _folders(by: tuple[str, str], path: tuple[str, ...]) -> tuple[str, ...]:
    """Where a module's imports are looked for: beside it, or its package, and then in a path."""
    file = Path(by[1])
    above = 0 if by[0].startswith(OWN) else by[0].count(".") + (file.stem == "__init__")
    return (*map(str, file.parents[above : above + 1]), *path)


def _found(name: str, folders: Iterable[str]) -> Path | None:
    """The file of a module in the first of some folders that has one."""
    place = name.replace(".", "/")
    forms = f"{place}/__init__.py", f"{place}.py"
    found = (Path(folder, form) for folder in folders for form in forms)
    return next((file for file in found if file.is_file()), None)


def _is_one(file: Path, other: Path) -> bool:
    return other.is_file() and file.samefile(other)


def _shown(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
