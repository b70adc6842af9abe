"""A results folder is whole or absent: ``results.json`` comes last and names all other files.

The marker file lists what was put into the folder, so that files of an earlier run can be removed
even after a kill, and no others are. A file of one's own is never written over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from datasets.marked import LINE, MARKER, mark, why_not

RESULTS = "results.json"
ALWAYS = (
    *(RESULTS, "results.csv", "results.md", "results.tex", "cite.bib", "images.csv"),
    *("draws.npz", "report.html"),
)
"""Files of every results folder."""
STAGED = f"{MARKER}.tmp"
"""Folder of the files that are not in their places yet."""
PAGES = f"{MARKER}.pages"
"""Lists the pages of several runs in a folder, which is not marked by them."""


class FolderError(ValueError):
    """A folder that must not be written into, in a line that names it."""


def require_free(directory: Path, names: Iterable[str] = ALWAYS) -> None:
    """Refuse a folder that holds a file of one of these names which no run put there.

    Raises:
        FolderError: Naming the first such file, or an image that would be no data any more.
    """
    if run_of(directory) is None and (said := why_not(directory)):
        raise FolderError(said)
    known = _known(directory)
    if known is not None:
        _require_none(directory, set(names) - known)


def run_of(directory: Path) -> str | None:
    """The digest of the run that a folder is of; None where its ``results.json`` names none."""
    try:
        run = json.loads((directory / RESULTS).read_bytes())["run"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return run if isinstance(run, str) else None


def staging(directory: Path) -> Path:
    """Make an empty folder for files that `put` will move into their places below ``directory``.

    Raises:
        FolderError: As of `require_free`.
    """
    require_free(directory)
    staged = directory / STAGED
    directory.mkdir(parents=True, exist_ok=True)
    if staged.exists():
        shutil.rmtree(staged)
    staged.mkdir()
    mark(staged)
    return staged


def put(
    directory: Path, text: Callable[[Mapping[str, str]], str], kept: Collection[str] = ()
) -> None:
    """Move all that was staged into its place, and ``results.json`` last.

    A kill at any point leaves the folder as it was, or without ``results.json``, or whole. What
    earlier calls put there and this one does not is removed, unless it was changed since.

    Args:
        directory: Its `staging` holds the files.
        text: Makes ``results.json`` of the sha256 of every other file, by name.
        kept: Folders below whose files of earlier calls stay, and are named.

    Raises:
        FolderError: If a file of one's own has the name of one that is put there.
    """
    staged = directory / STAGED
    names = sorted(f.relative_to(staged).as_posix() for f in staged.rglob("*") if f.is_file())
    names.remove(MARKER)
    require_free(directory, names)
    before = _of_earlier(directory)
    files = {name: digest for name, digest in before if PurePosixPath(name).parts[0] in kept}
    files |= {name: sha256(staged / name) for name in names}
    (staged / RESULTS).write_text(text(files), encoding="utf-8")
    _list(directory, before | set(files.items()))
    (directory / RESULTS).unlink(missing_ok=True)
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).replace(directory / name)
    for name in sorted({name for name, _ in before} - files.keys(), reverse=True):
        (directory / name).unlink()
        _remove_empty(directory, (directory / name).parent)
    (staged / RESULTS).replace(directory / RESULTS)
    shutil.rmtree(staged)


def put_pages(directory: Path, files: Mapping[str, str | None]) -> None:
    """Write pages of several runs, by name, into a folder that may hold a user's own files too.

    All are written before the first takes its place. None in the place of a text: there is no such
    page now, and that of an earlier call goes, lest it stand beside those of other runs.

    Raises:
        FolderError: If a file has the name of one, and is none that an earlier call wrote;
            nothing is written then.
    """
    known, texts = _pages(directory), {n: text for n, text in files.items() if text is not None}
    _require_none(directory, texts.keys() - known)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{PAGES}.", dir=directory) as folder:
        staged = Path(folder)
        for name, text in texts.items():
            (staged / name).write_text(text, encoding="utf-8")
        listing = "\n".join([*sorted(known | texts.keys()), ""])
        (staged / PAGES).write_text(listing, encoding="utf-8")
        for name in (PAGES, *texts):
            (staged / name).replace(directory / name)
    for name in (files.keys() - texts.keys()) & known:
        (directory / name).unlink(missing_ok=True)


def named(results: bytes) -> dict[str, str] | None:
    """The sha256 of each other file of a folder, by name, as its ``results.json`` holds them.

    Returns:
        None where it holds none, as those of version 0.1.

    Raises:
        ValueError: If it is no such text.
    """
    try:
        files = json.loads(results).get("files")
    except (AttributeError, RecursionError) as error:
        raise ValueError("no results") from error
    if files is None:
        return None
    if not isinstance(files, dict) or not all(
        _is_below(name) and isinstance(digest, str) for name, digest in files.items()
    ):
        raise ValueError("files: expected names below the folder")
    return files


def listed(directory: Path) -> list[tuple[str, str]]:
    """Name and sha256 of what was put into a folder, by its marker; names below it alone."""
    try:
        text = (directory / MARKER).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    lines = (line.partition("  ") for line in text.split("\n")[1:])
    pairs = [(name, digest) for digest, _, name in lines]
    return [(name, digest) for name, digest in pairs if _is_below(name)]


def sha256(file: Path) -> str:
    """Digest of a file's bytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _known(directory: Path) -> set[str] | None:
    """Names of what runs put into a folder; None where one of version 0.1 did, and named none."""
    known = {name for name, _ in listed(directory)} | _pages(directory)
    is_run = run_of(directory) is not None
    if known or is_run:
        known.add(RESULTS)
    try:
        files = named((directory / RESULTS).read_bytes())
    except (OSError, ValueError):
        return known
    if files is None:
        return None if is_run else known
    return known | files.keys()


def _pages(directory: Path) -> set[str]:
    """Names of what `put_pages` put into a folder."""
    try:
        return set((directory / PAGES).read_text(encoding="utf-8").split("\n")) - {""}
    except (OSError, ValueError):
        return set()


def _require_none(directory: Path, names: Iterable[str]) -> None:
    """Refuse a folder that holds a file by one of some names, or where a folder must be."""
    for name in sorted(names):
        folders = [directory / part for part in PurePosixPath(name).parents]
        for file in (directory / name, *(f for f in folders if not f.is_dir())):
            if file.exists() or file.is_symlink():
                raise FolderError(
                    f"{file} is there, and not of this command: move it away, or name another "
                    "folder"
                )


def _of_earlier(directory: Path) -> set[tuple[str, str]]:
    """Name and digest of the files that earlier calls put there, and that are still the same."""
    known = set(listed(directory))
    with contextlib.suppress(OSError, ValueError):
        known |= set((named((directory / RESULTS).read_bytes()) or {}).items())
    return {(name, digest) for name, digest in known if _held(directory, name) == digest}


def _held(directory: Path, name: str) -> str | None:
    """Digest of a file below a folder; None where there is none, or a link leads out of it."""
    file = directory / name
    try:
        inside = file.resolve().is_relative_to(directory.resolve())
        return sha256(file) if inside and file.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _list(directory: Path, files: Iterable[tuple[str, str]]) -> None:
    """Mark a folder with what it holds, or will hold, of ours."""
    lines = [LINE, *(f"{digest}  {name}" for name, digest in sorted(files) if "\n" not in name)]
    temporary = directory / STAGED / MARKER
    text = "\n".join(lines) + "\n"
    temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
    temporary.replace(directory / MARKER)


def _is_below(name: str) -> bool:
    """Whether a name is one of a file in the folder or below it, other than ours alone."""
    path = PurePosixPath(name)
    strange = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name
    return bool(path.parts) and not strange and name not in (MARKER, RESULTS)


def _remove_empty(directory: Path, folder: Path) -> None:
    """Remove a folder below another, and those between, as far as they are empty."""
    while folder != directory and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
