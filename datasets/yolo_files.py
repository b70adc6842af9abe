"""Where a YOLO data set's images and label files lie, and what a copy of it takes along."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from datasets import fields
from datasets.below import Below
from datasets.folder import image_files
from datasets.label_files import copy_files, write_lines
from datasets.marked import SUFFIXES, shown
from datasets.names import composed
from datasets.sample import DatasetError

SPLITS = {"val": ("val", "valid"), "valid": ("val", "valid")}
"""Words for one split."""
PARTS = ("train", "val", "valid", "validation", "test")
"""Folders of a split."""
_LABEL = re.compile(rb"\s*\d+(\s+\d*\.\d+([eE]-?\d+)?){4}\s")
"""How a label file begins: no list of classes or images does."""
_LOOKED_AT_BYTES = 200
Said = tuple[str, str]
"""What ``data.yaml`` calls ``path``, and one folder or list of a split."""


def folder_of(root: Path, split: str) -> Path | None:
    """The images of a split where no file says."""
    places = (root / "images" / split, root / split / "images", root / split)
    return next((place for place in places if place.is_dir()), None)


def places_of(root: Path, splits: Mapping[str, Sequence[Said]], split: str) -> list[Path]:
    """The folders and lists that hold the images of a split.

    Args:
        root: Where the set lies.
        splits: What ``data.yaml`` says of each split.
        split: One of them, a folder, or ``all``.

    Raises:
        DatasetError: If there is none.
    """
    if split == "all":
        folder = root / "images"
        return [folder if folder.is_dir() else root]
    key = next((w for w in SPLITS.get(split, (split,)) if w in splits), None)
    if key is None:
        home = folder_of(root, split)
        if home is None:
            known = ", ".join(splits) or "none"
            raise DatasetError(f"{root}: no split {split}: known are {known}")
        return [home]
    others = [entry for k, said in splits.items() if k != key for _, entry in said]
    places = []
    for path, entry in splits[key]:
        least = max(1, _to_split(_parts(entry)), *(_apart(entry, other) for other in others))
        places.append(_place(root, path, entry, least))
    return places


def images_of(place: Path, root: Path) -> Iterator[Path]:
    """The images of a folder or of a list; an image is itself."""
    if place.is_dir():
        yield from sorted(image_files(place))
    elif place.suffix.lower() in SUFFIXES:
        yield place
    else:
        yield from (path for _, path in _listed(place, root))


def _parts(word: str) -> list[str]:
    """The folders that a word names, without those that lead up."""
    return [p for p in PurePosixPath(word.replace("\\", "/")).parts if p not in ("..", "/", "//")]


def _to_split(parts: Sequence[str]) -> int:
    """How many of the last parts there are from a split's folder on; 0 where none is one.

    Of ``mine/valid/images`` two, of ``mine/images/val`` one.
    """
    return next((n for n in (1, 2) if len(parts) >= n and parts[-n].lower() in PARTS), 0)


def _apart(entry: str, other: str) -> int:
    """How many of an entry's last parts tell it from another split's; 0 where nothing does."""
    one, two = _parts(entry)[::-1], _parts(other)[::-1]
    if one == two:
        return 0
    same = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), len(two))
    return min(same + 1, len(one))


def _place(root: Path, path: str, entry: str, least: int) -> Path:
    """A folder or list below the root that an entry names.

    Other machines' folders, and ``..`` where a tool wrote it, are left out from its beginning, but
    none of the ``least`` last, which are the split's own, unless the root itself is called so.
    """
    for word in (f"{path}/{entry}", entry):
        parts = _parts(word)
        if fields.is_too_long(PurePosixPath(*parts)):
            break
        own = max(len(parts) - least, 0)
        for start in range(len(parts)):
            dropped = tuple(parts[own:start])
            if dropped and root.resolve().parts[-len(dropped) :] != dropped:
                break
            place = root.joinpath(*parts[start:])
            if ":" not in parts[start] and "\0" not in parts[start] and place.exists():
                return place
    own_part = "/".join(_parts(entry)[-least:])
    raise DatasetError(
        f"{root}: nothing there that is called {entry[:80]}, as data.yaml says: looked for "
        f"{own_part[:80]} there"
    )


def _listed(file: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """The lines of a list with their images."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: expected a list of images") from error
    for line in (line.strip() for line in lines):
        if line:
            path = _place(root, "", line, 1 + _to_split(_parts(line)[:-1]))
            if not path.is_file():
                raise DatasetError(f"{file.name}: {line} is no image")
            yield line, path


def export(
    files: Mapping[str, Sequence[Path]],
    lists: Sequence[Path],
    ids: Mapping[Path, str],
    root: Path,
    out: Path,
    places: Mapping[str, PurePosixPath],
) -> None:
    """Copy the label files of a copy's images, and the lists that name them, by their new names."""
    copy_files(files, root, out, places)
    for file in lists:
        if file.suffix.lower() in SUFFIXES:
            raise DatasetError(
                f"{out}: data.yaml names the image {file.name}, which has another name in a copy: "
                "name its folder or a list there"
            )
        lines = [
            line.removesuffix(path.suffix) + places[ids[path]].suffix
            for line, path in _listed(file, root)
            if ids[path] in places
        ]
        write_lines(out / file.relative_to(root), lines)


def label_file(image: Path, below: Below) -> Path | None:
    """The file with an image's objects; None where there is none.

    Args:
        image: Its file.
        below: The folder of the set.
    """
    inner = image.relative_to(below.root)
    places = [inner.with_suffix(".txt"), Path("labels", f"{image.stem}.txt")]
    for i in reversed([i for i, part in enumerate(inner.parts[:-1]) if part == "images"]):
        swapped = Path(*inner.parts[:i], "labels", *inner.parts[i + 1 :])
        places.insert(0, swapped.with_suffix(".txt"))
    return next(filter(None, (below.file(place.as_posix()) for place in places)), None)


def without_image(images: Sequence[Path], labels: Sequence[Path]) -> list[Path]:
    """Label files beside a split's that no image there has the stem of."""
    stems = {
        composed(file.stem)
        for folder in dict.fromkeys(path.parent for path in images)
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES
    }
    return [
        file
        for folder in dict.fromkeys(path.parent for path in labels)
        for file in shown(folder.iterdir(), folder)
        if file.suffix.lower() == ".txt" and composed(file.stem) not in stems
        if _LABEL.match(file.read_bytes()[:_LOOKED_AT_BYTES])
    ]
