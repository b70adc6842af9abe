"""Image files below a folder, found by the names that label files give them."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from datasets import fields
from datasets.folder import image_files
from datasets.names import composed
from datasets.sample import DatasetError


class Below:
    """A folder whose files are listed once, a folder at a time.

    Asking the disk for each of 100,000 names takes longer than listing their folders.
    """

    def __init__(self, root: Path) -> None:
        """Take the folder that no name may leave."""
        self.root = root
        self._start = f"{root}/"
        self._listed: dict[str, frozenset[str]] = {}
        self._by_form: dict[str, dict[str, str | None]] = {}
        self._folders: dict[str, Path] = {}

    def file(self, name: str, folder: str = ".") -> Path | None:
        """The file of that name in a folder here; None where there is none.

        Its accents may be coded in another way, and its ending in capitals.
        """
        above, _, last = name.rpartition("/")
        place = f"{folder}/{above}" if above else folder
        path = Path(f"{self._start}{place}/{last}")
        # File systems that take "A.JPG" for "a.jpg" list one of the two.
        if last in self._names(place) or path.is_file():
            return path
        other = self._alike(place).get(_form(last))
        return None if other is None else path.with_name(other)

    def _folder(self, base: str) -> Path:
        """A folder here, made a path once: 100,000 names begin with it."""
        if base not in self._folders:
            self._folders[base] = self.root / base
        return self._folders[base]

    def _names(self, place: str) -> frozenset[str]:
        """The files in a folder here."""
        if place not in self._listed:
            try:
                with os.scandir(f"{self._start}{place}") as entries:
                    self._listed[place] = frozenset(entry.name for entry in entries)
            except OSError:
                self._listed[place] = frozenset()
        return self._listed[place]

    def _alike(self, place: str) -> dict[str, str | None]:
        """The same by their names' form; None of a form that several have."""
        if place not in self._by_form:
            names: dict[str, str | None] = {}
            for name in self._names(place):
                form = _form(name)
                names[form] = None if form in names else name
            self._by_form[place] = names
        return self._by_form[place]

    def named(self, entry: Any, key: str, where: str, bases: tuple[str, ...]) -> Path | None:
        """The file that an entry names, from the first of some places in the folder.

        Raises:
            DatasetError: If the name leaves the folder from all of them.
        """
        name, refusal = entry.get(key), None
        for base in bases:
            if name in self._names(base):  # what is listed is a name alone, which leaves nothing
                return self._folder(base) / str(name)
            try:
                inner = fields.inner_path(entry, key, where, PurePosixPath(base))
            except DatasetError as error:
                refusal = refusal or error
                continue
            found = self.file(str(inner))
            if found is not None:
                return found
        if refusal is not None:
            raise refusal
        return None

    def moved(self, entry: Any, key: str, where: str) -> Path | None:
        """The file that an entry names with other folders before it than there are here.

        These may be another machine's, an address or outside of the folder. The longest end of the
        name that is a path here, or else the only file below that is called so, for images that
        were put into one folder, or into several, after they were labelled.

        Raises:
            DatasetError: If two files have the name.
        """
        name = PurePosixPath(fields.text(entry, key, where).replace("\\", "/"))
        if "\0" in str(name) or fields.is_too_long(name):
            return None
        for start in range(1, len(name.parts)):
            end = name.parts[start:]
            found = None if ".." in end else self.file("/".join(end))
            if found is not None:
                return found
        files = self._by_name.get(composed(name.name), [])
        if len(files) > 1:
            one, two, *_ = (f.relative_to(self.root).as_posix() for f in files)
            raise DatasetError(f"{where} names {name}, which may be {one} or {two}")
        return files[0] if files else None

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """All images below, by file name."""
        files = defaultdict(list)
        for file in sorted(image_files(self.root)):
            files[composed(file.name)].append(file)
        return dict(files)


def _form(name: str) -> str:
    """A file's name however its accents are coded and its ending is written."""
    stem, dot, ending = composed(name).rpartition(".")
    return f"{stem}{dot}{ending.lower()}"
