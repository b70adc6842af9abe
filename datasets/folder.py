"""Any folder of images, without labels: for image quality and for looking."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from datasets.fields import Problems
from datasets.marked import MARKER, SUFFIXES, is_copy, is_hidden, is_marked, shown
from datasets.names import text_of
from datasets.sample import Dataset, DatasetError, Sample


def open_folder(root: Path, split: str | None, problems: Problems | None = None) -> Dataset:
    """Open every image below ``root``, or below ``root/split``, named by its path there.

    Results, workspaces, copies and hidden files there are left out. Nothing is wrong with single
    entries of a plain folder: ``problems`` stays as it is.

    Raises:
        DatasetError: If the folder holds no image, or is one that the harness wrote.
    """
    folder = root / split if split else root
    require_data(folder)
    samples = []
    for file in sorted(image_files(folder)):
        name = text_of(file.relative_to(folder).as_posix())
        samples.append(Sample(name, file, group=name))
    if not samples:
        raise DatasetError(f"{folder}: no image there ({' '.join(sorted(SUFFIXES))})")
    return Dataset("folder", split or "all", samples)


def require_data(folder: Path) -> None:
    """Refuse a folder that the harness wrote.

    Raises:
        DatasetError: In one line.
    """
    if is_marked(folder):
        raise DatasetError(
            f"{folder}: the harness wrote into this folder, so it is no data: name another, or "
            f"move its results away and remove {MARKER}"
        )


def image_files(folder: Path) -> list[Path]:
    """Image files of a folder and all below it; see `files_below`."""
    return files_below(folder, SUFFIXES)


def files_below(folder: Path, endings: Collection[str]) -> list[Path]:
    """Files of a folder and all below it by their endings, through links too, each folder once.

    Hidden ones and what the harness wrote are left out; its copies of data sets are where there are
    other files. A link that leads nowhere is a file, of which who reads it is told.

    Args:
        folder: Where to look.
        endings: As ``.png``; files may have them in capitals.

    Raises:
        OSError: If a folder cannot be read.
    """
    own: list[Path] = []
    copied: list[Path] = []
    seen: set[Path] = set()
    copies: set[Path] = set()
    # Path.rglob passes linked folders by without a word.
    for word, below, names in os.walk(folder, followlinks=True, onerror=_raise):
        here = Path(word)
        real = here.resolve()
        if real in seen or MARKER in names:
            below.clear()
            continue
        seen.add(real)
        below[:] = (name for name in below if not is_hidden(name))
        if here.parent in copies or (here != folder and is_copy(here)):
            copies.add(here)
        files = (here / name for name in names if not is_hidden(name))
        found = copied if here in copies else own
        found += (f for f in files if f.suffix.lower() in endings)
    return own or copied


def _raise(error: OSError) -> None:
    """Pass a folder over that is not there, or none; no other."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def by_stem(folder: Path) -> dict[str, Path]:
    """Image files by stem as text, sorted, without hidden ones.

    Raises:
        DatasetError: If there is none, two have one stem, or the harness wrote the folder.
    """
    require_data(folder)
    return _named(folder, (f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES))


def by_name(folder: Path, is_like: Callable[[str], bool] | None = None) -> dict[str, Path]:
    """Image files by their path below a folder as text, without ending, sorted.

    Of a folder that holds images itself these alone; else those of all folders below; or all whose
    name is like something, of which there may be none.

    Raises:
        DatasetError: If there is none, two have one name, or the harness wrote the folder.
    """
    require_data(folder)
    if is_like is not None:
        like = [f for f in image_files(folder) if is_like(_name(f, folder))]
        return _named(folder, like) if like else {}
    own = shown(folder.iterdir(), folder)
    own = [f for f in own if f.suffix.lower() in SUFFIXES and not f.is_dir()]
    return _named(folder, own or image_files(folder))


def passed_by(folder: Path, other: Path) -> list[str]:
    """A note of images that `by_name` leaves out, as they lie below a folder of images.

    Args:
        folder: That folder.
        other: One that may lie below it, whose images are no matter.
    """
    found = image_files(folder)
    inside = other != folder and other.is_relative_to(folder)
    deeper = [f for f in found if f.parent != folder and not (inside and f.is_relative_to(other))]
    if not deeper or all(f.parent != folder for f in found):
        return []
    return [f"{len(deeper)} images in folders below {folder.name} are left out: it holds images"]


def _name(file: Path, folder: Path) -> str:
    return text_of(file.relative_to(folder).with_suffix("").as_posix())


def _named(folder: Path, found: Iterable[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in shown(found, folder):
        name = _name(file, folder)
        if name in files:
            raise DatasetError(f"{folder}: {files[name].name} and {file.name} have one stem")
        files[name] = file
    if not files:
        raise DatasetError(f"{folder}: no image there")
    return files
