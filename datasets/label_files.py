"""Label files that travel with a copy of a data set."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from datasets.sample import DatasetError


def place_of(file: Path, root: Path) -> Path | None:
    """A file's path below a folder; None where it lies elsewhere, whatever ``..`` its name has."""
    inner = Path(os.path.relpath(file, root))
    return None if inner.parts[:1] == ("..",) else inner


def copy_files(
    files: Mapping[str, Sequence[Path]], root: Path, out: Path, places: Mapping[str, PurePosixPath]
) -> None:
    """Copy the files of those samples that a copy holds, to the same place.

    Args:
        files: Files by sample id.
        root: Folder of the data set.
        out: Folder of the copy.
        places: The copy's images, by sample id.

    Raises:
        DatasetError: If another file lies there, of another set or the user's own, or a file is not
            below ``root``.
    """
    for sample_id in places:
        for file in files.get(sample_id, ()):
            place = place_of(file, root)
            if place is None:
                raise DatasetError(
                    f"{file} lies outside of {root}, so a copy has no place for it: give the "
                    "folder that holds all with --data-root"
                )
            copy = out / place
            if copy.is_file() and not filecmp.cmp(file, copy, shallow=False):
                raise DatasetError(f"{copy} is not {file}: name a new folder, or remove it")
            if not copy.is_file():
                begun = _begun(copy)
                shutil.copyfile(file, begun)
                begun.replace(copy)


def write_lines(copy: Path, lines: Sequence[str]) -> None:
    """Write a list of a copy; of no line there is none."""
    if lines:
        begun = _begun(copy)
        begun.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        begun.replace(copy)


def _begun(copy: Path) -> Path:
    """Where a file is written first, so that a kill leaves no half of it; its folder is made."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    return copy.with_name(f"{copy.name}.tmp")
