"""PASCAL VOC: an XML file of boxes for each photograph (Everingham et al. 2010).

RID, RIS and DAWN come in this form, and most tools export it.

Reference:
    M. Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 88, 2010, and its
    development kit: pixels are counted from 1, the last column and row belong to a box, and an
    object marked difficult is neither missed nor a false alarm.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.parsers import expat

from datasets import fields
from datasets.below import Below
from datasets.fields import Problems
from datasets.folder import files_below, image_files, require_data
from datasets.ids import ids_of
from datasets.label_files import copy_files, write_lines
from datasets.marked import shown
from datasets.masks import FAR
from datasets.names import composed
from datasets.sample import Annotations, Dataset, DatasetError, LabelledObject, Sample

# fmt: off
NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)
# fmt: on
"""VOC's own classes, 1 to 20; other sets have theirs in alphabetical order."""
MAX_STEM = 200
MAX_BYTES = 2**24
"""Largest XML file that is read."""
MARK = "counted-from-0"
"""An empty file of this name at the top of a set says so, where no box of it begins at 0."""
AT_ZERO = re.compile(rb"<[xy]min>\s*(?:0(?:\.\d*)?|-[^<]*)\s*</")
"""A side of a box that no set which counts from 1 has."""


@dataclass(frozen=True)
class _Box:
    """One object as it stands in the file."""

    name: str
    sides: tuple[float, float, float, float]
    """xmin, ymin, xmax, ymax."""
    is_difficult: bool
    where: str


@dataclass(frozen=True)
class _Entry:
    """One XML file."""

    file: Path
    filename: str
    size_px: tuple[int, int] | None
    """Height and width."""
    boxes: list[_Box]


def open_voc(root: Path, split: str | None, problems: Problems | None = None) -> Dataset:
    """Open photographs with their XML files.

    Args:
        root: The development kit's folder, with ``Annotations/``, ``JPEGImages/`` and
            ``ImageSets/Main/<split>.txt``, or one above it; or any folder with XML files and images
            of the same stems, at whatever depth.
        split: A list of ``ImageSets/Main``, ``VOC2007/test`` from above; in another folder the
            folder below it to open. None takes all XML files.
        problems: Takes what is wrong with single files and objects, which are then left out.

    Returns:
        Samples named by the XML file's stem, or by its path where two have one stem. Objects marked
        difficult are ignored as the development kit does.

    Raises:
        DatasetError: If something is missing or wrong; the message names file, field and remedy.
    """
    require_data(root)
    home, files = _files(root, split)
    with ThreadPoolExecutor() as pool:
        read = list(pool.map(partial(_read, problems=problems), files))
    entries = [entry for entry in read if entry is not None]
    names = {box.name for entry in entries for box in entry.boxes}
    ordered = NAMES if names <= {*NAMES} else sorted(names)
    known = {name: i for i, name in enumerate(ordered, start=1)}
    from_zero = _begins_at_zero(entries) or _rest_begins_at_zero(root, home, {*files})
    images, ids = _Images(home), ids_of(files, home)
    samples, of_samples = [], {}
    for entry in entries:
        name = ids[entry.file]
        with fields.told(problems):
            path = images.of(entry)
            objects = Annotations.of([_object(b, known, entry, not from_zero) for b in entry.boxes])
            samples.append(Sample(name, path, group=name, labels=objects, size_px=entry.size_px))
            of_samples[name] = entry.file
    if not samples:
        raise fields.nothing_read(problems, f"{home}: no XML file of VOC with its image there")
    counted = (
        f"boxes counted from 0, as {from_zero}"
        if from_zero
        else "boxes counted from 1, as VOC's are"
    )
    return Dataset(
        "voc",
        split or "all",
        samples,
        {i: name for name, i in known.items()},
        export_labels=partial(_export, of_samples, home, root, bool(from_zero)),
        notes=(counted,),
    )


def _export(
    files: Mapping[str, Path],
    home: Path,
    root: Path,
    is_from_zero: bool,
    out: Path,
    places: Mapping[str, PurePosixPath],
) -> None:
    """Copy the XML files of a copy's images, and the lists of ``ImageSets/Main`` cut to them.

    What shows that a set counts from 0 may not be among them.
    """
    if is_from_zero:
        top = out / home.relative_to(root)
        top.mkdir(parents=True, exist_ok=True)
        (top / MARK).touch()
    copy_files({name: [file] for name, file in files.items()}, root, out, places)
    stems = {composed(files[name].stem) for name in places}
    for listed in shown((home / "ImageSets" / "Main").glob("*.txt"), home):
        lines = composed(listed.read_text("utf-8-sig", errors="replace")).splitlines()
        kept = [line for line in lines if line.strip() and _stem_of(line, stems) in stems]
        write_lines(out / listed.relative_to(root), kept)


def _files(root: Path, split: str | None) -> tuple[Path, list[Path]]:
    """The folder of the set, and the XML files of the split."""
    year, _, part = (split or "").rpartition("/")
    homes = [root / year] if year else [root, root / "VOCdevkit", *sorted(root.glob("VOC*"))]
    homes += sorted((root / "VOCdevkit").glob("VOC*"))
    home = next((h for h in homes if (h / "Annotations").is_dir()), None)
    if home is None or (part and not (home / "ImageSets" / "Main").is_dir()):
        folder = root / split if split else root
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder, and no ImageSets/Main there")
        files = _xml_files(folder)
        if not files:
            raise DatasetError(f"{folder}: no XML file of VOC there, e.g. in Annotations/")
        return folder, files
    if not part:
        return home, _xml_files(home / "Annotations")
    listed = home / "ImageSets" / "Main" / f"{part}.txt"
    if not listed.is_file():
        known = [f.stem for f in shown(listed.parent.glob("*.txt"), home) if "_" not in f.stem]
        raise DatasetError(f"{listed} not found: --split is one of {', '.join(known) or 'none'}")
    kit = home / "Annotations"
    there = {composed(file.stem) for file in kit.iterdir() if file.suffix.lower() == ".xml"}
    lines = composed(listed.read_text("utf-8-sig")).splitlines()
    stems = [_stem_of(line, there) for line in lines if line.strip()]
    if any("/" in stem or "\\" in stem or len(stem) > MAX_STEM for stem in stems):
        raise DatasetError(f"{listed}: expected short names without folders")
    below, names = Below(kit), [f"{stem}.xml" for stem in dict.fromkeys(stems)]
    return home, [below.file(name) or kit / name for name in names]


def _stem_of(line: str, known: Collection[str]) -> str:
    """The name in a line of a list, behind which 1, 0 or -1 may say whether a class is there.

    Names may hold spaces: the longest that is known.
    """
    whole = line.strip()
    names = (whole, whole.rsplit(maxsplit=1)[0], whole.split()[0])
    return next((name for name in names if name in known), names[-1])


def _xml_files(folder: Path) -> list[Path]:
    """XML files of a folder and all below it, sorted."""
    return sorted(files_below(folder, {".xml"}))


def _read(file: Path, problems: Problems | None) -> _Entry | None:
    """One XML file; None where it is wrong and problems are collected, or where it is of others."""
    with fields.told(problems):
        if not file.is_file():
            raise DatasetError(f"{file} not found: add it, or remove it from the list")
        if file.stat().st_size > MAX_BYTES:
            raise DatasetError(
                f"{file}: more than {MAX_BYTES >> 20} MB: no file of VOC is so large"
            )
        tree = _tree(file.read_bytes(), file.name)
        if tree.tag != "annotation":
            raise DatasetError(f"{file.name}: expected <annotation>, got <{tree.tag[:60]}>")
        return _Entry(
            file,
            (tree.findtext("filename") or "").strip(),
            _size_px(tree),
            list(_boxes(tree, file.name, problems)),
        )
    return None


def _tree(data: bytes, name: str) -> ElementTree.Element:
    """The elements of an XML file, whatever its encoding; what a ``DOCTYPE`` names is not read.

    Raises:
        DatasetError: If it is no XML, or declares what its text could then stand for.
    """

    def start_of_type(_type: str, _system: str | None, _public: str | None, declares: int) -> None:
        # Entities and default values may amount to more than any memory holds.
        if declares:
            raise DatasetError(
                f"{name}: its <!DOCTYPE …[…]> declares entities or the like, which no label "
                "needs: remove it"
            )

    def unknown(entity: str, _is_parameter: bool) -> None:
        raise DatasetError(f"{name}: &{entity}; stands for nothing that is known: write it out")

    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.SkippedEntityHandler = start_of_type, unknown
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{name}: no XML ({error}): export it again") from error
    return builder.close()


def _begins_at_zero(entries: Sequence[_Entry]) -> str | None:
    """A box that begins at 0, as none of a set does that counts from 1; None where none does."""
    boxes = (b for e in entries for b in e.boxes if min(b.sides[:2]) < 1)
    return next((f"{b.where} begins there" for b in boxes), None)


def _rest_begins_at_zero(root: Path, home: Path, opened: Collection[Path]) -> str | None:
    """What says so outside of the split, as one set counts in one way; None if nothing does."""
    if (home / MARK).is_file() or (root / MARK).is_file():
        return f"the file {MARK} says"
    kit = home / "Annotations"
    for file in _xml_files(kit if kit.is_dir() else root):
        if file in opened or not file.is_file() or not 0 < file.stat().st_size <= MAX_BYTES:
            continue
        if AT_ZERO.search(file.read_bytes()):
            entry = _read(file, [])
            if found := _begins_at_zero([entry] if entry else []):
                return found
    return None


def _size_px(tree: ElementTree.Element) -> tuple[int, int] | None:
    """Height and width that the file says; None where it says none."""
    sides = [(tree.findtext(f"size/{side}") or "").strip() for side in ("height", "width")]
    if not all(side.isdecimal() and 0 < int(side) < 2**15 for side in sides if len(side) < 9):
        return None
    if not all(sides):
        return None
    return int(sides[0]), int(sides[1])


def _boxes(tree: ElementTree.Element, name: str, problems: Problems | None) -> Iterator[_Box]:
    """The objects of a file."""
    for i, entry in enumerate(tree.findall("object")):
        where = f"{name}: object {i}"
        with fields.told(problems):
            label = (entry.findtext("name") or "").strip()
            if not label:
                raise DatasetError(f"{where}: has no <name>")
            left, top, right, bottom = (
                _side(entry, side, where) for side in ("xmin", "ymin", "xmax", "ymax")
            )
            if right < left or bottom < top:
                raise DatasetError(f"{where}: <bndbox> has a negative size")
            said = (entry.findtext("difficult") or "0").strip().lower()
            if said not in ("0", "1", "true", "false"):
                raise DatasetError(f"{where}: <difficult> must be 0 or 1, got {said[:20]!r}")
            yield _Box(label, (left, top, right, bottom), said in ("1", "true"), where)


def _side(entry: ElementTree.Element, side: str, where: str) -> float:
    """One side of a box."""
    text = (entry.findtext(f"bndbox/{side}") or "").strip()
    try:
        return fields.real({side: float(text)}, side, where)
    except ValueError as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{where}: <{side}> must be a number, got {text[:20]!r}") from error


def _object(
    box: _Box, known: Mapping[str, int], entry: _Entry, is_from_one: bool
) -> LabelledObject:
    """An object in the coordinates of all sets, which begin at 0 with the first pixel's edge."""
    left, top, right, bottom = box.sides
    if entry.size_px is not None:
        height_px, width_px = entry.size_px
        if min(left, top) < -FAR * max(entry.size_px) or (
            right > FAR * width_px or bottom > FAR * height_px
        ):
            raise DatasetError(f"{box.where}: <bndbox> lies far outside the image")
    first = 1 if is_from_one else 0
    sides = (left - first, top - first, right, bottom)
    area = (sides[2] - sides[0]) * (sides[3] - sides[1])
    hard = box.is_difficult
    return LabelledObject(sides, known[box.name], area, is_crowd=hard, is_difficult=hard)


class _Images:
    """The photographs of a set, by name."""

    def __init__(self, home: Path) -> None:
        """Look below the folder."""
        self._home = home
        self._taken: dict[Path, Path] = {}
        """XML files by their image."""
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(image_files(home)):
            self._by_stem[composed(file.stem)].append(file)

    def of(self, entry: _Entry) -> Path:
        """The image of an XML file: of the same stem, or else of the name that stands there.

        Raises:
            DatasetError: If there is none, or several, or another file has it already.
        """
        named = Path(entry.filename.replace("\\", "/")).stem
        stems = composed(entry.file.stem), composed(named)
        files = self._by_stem.get(stems[0]) or self._by_stem.get(stems[1], [])
        if len(files) > 1:
            files = self._nearest(entry, files)
        if not files:
            raise DatasetError(
                f"{entry.file.name}: no image {entry.file.stem} below {self._home}: add it or "
                "remove the XML file"
            )
        if len(files) > 1:
            one, two, *_ = (f.relative_to(self._home).as_posix() for f in files)
            raise DatasetError(f"{entry.file.name} may be of {one} or of {two}: remove one")
        other = self._taken.setdefault(files[0], entry.file)
        if other != entry.file:
            one, two = (f.relative_to(self._home).as_posix() for f in (other, entry.file))
            raise DatasetError(f"{one} and {two} are both of {files[0].name}: remove one")
        return files[0]

    def _nearest(self, entry: _Entry, files: Sequence[Path]) -> list[Path]:
        """Those in VOC's folder, or else beside the XML file, or else in the folder above."""
        above = entry.file.parent.parent
        for place in (self._home / "JPEGImages", entry.file.parent, above, above / "JPEGImages"):
            near = [file for file in files if file.parent == place]
            if near:
                return near
        return list(files)
