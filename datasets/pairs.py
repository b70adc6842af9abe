"""Rainy images with their clean ones: the benchmarks of the deraining papers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

from datasets import fields
from datasets.expressions import compiled, starred
from datasets.fields import Problems
from datasets.folder import by_name, by_stem, passed_by
from datasets.label_files import copy_files
from datasets.marked import SUFFIXES, shown
from datasets.names import text_of
from datasets.partners import Paired, halves, matched, partners
from datasets.sample import Dataset, DatasetError, Half, Sample

LAYOUTS = (
    ("input", "target"),
    ("input", "gt"),
    ("rainy", "norain"),
    ("rainy", "clean"),
    ("rain", "norain"),
    ("rain", "gt"),
    ("rain", "clean"),
    ("rainy_image", "ground_truth"),
    ("real_world", "real_world_gt"),
    ("inputcrop", "cleancrop"),
    ("in", "gt"),
    ("data", "gt"),
    ("LQ", "GT"),
    ("lq", "gt"),
)
"""Folders of rainy and clean images that are found by themselves; docs/datasets.md says whose."""
RAINY_BELOW_CLEAN = ("rainy", ".")
"""Rain100L/H as PReNet's authors lay them out; looked for last, since any picture may lie about."""
SIDE_BY_SIDE: dict[str, Half] = {"clean-left": "left", "clean-right": "right"}
EXPECTED = (
    "expected RAINY:CLEAN or RAINY:CLEAN:REGEX, names of two folders or patterns with *, "
    "or clean-left|right"
)


@dataclass(frozen=True)
class Side:
    """The rainy or the clean images of a set of pairs, as a word names them."""

    folder: Path
    pattern: str | None = None
    """What a file's stem must be like, ``rain-*``; None = anything."""
    scenes: str | None = None
    """What the folders below that hold images must be like, ``*/rain``; None = anything."""

    @staticmethod
    def of(home: Path, word: str) -> Side:
        """What ``FOLDER``, ``PATTERN`` or ``FOLDER/PATTERN`` means.

        A ``*`` at the end is of files, or of folders where no file is like that.
        """
        parts = Path(word).parts
        first = next((i for i, part in enumerate(parts) if "*" in part), len(parts))
        folder, (*above, last) = home.joinpath(*parts[:first]), parts[first:] or ("",)
        scenes = Side(folder, scenes="/".join([*above, last]) or None)
        if "*" not in last or not folder.is_dir():
            return scenes
        files = Side(folder, last, "/".join(above) or None)
        return scenes if not files.like() and scenes.like() else files

    def files(self) -> dict[str, Path]:
        """Image files by their path below the folder, without ending.

        Raises:
            DatasetError: If there is none.
        """
        if not self.folder.is_dir():
            raise DatasetError(f"--pair: {self.folder}: no such folder")
        if like := self.like():
            return like
        raise DatasetError(f"--pair: no image in {self.folder} is like {self.word}")

    def like(self) -> dict[str, Path]:
        """Those of `files`, perhaps none."""
        is_like = None if self.scenes is None else lambda name: self.place(name) is not None
        files = by_name(self.folder, is_like)
        if self.pattern is None:
            return files
        return {name: file for name, file in files.items() if self.key(name) is not None}

    @property
    def word(self) -> str:
        """Folders and pattern, as they are typed; ``""`` where both may be anything."""
        return "/".join(each for each in (self.scenes, self.pattern) if each)

    @cached_property
    def _within(self) -> Any:
        """The folders as an expression, each star a group, and what follows them another."""
        try:
            return starred(self.scenes or "", "[^/]+?", "/(.+)")
        except ValueError as error:
            raise DatasetError(f"--pair: {self.scenes} is no pattern: {error}") from error

    def place(self, name: str) -> str | None:
        """A name with what the stars of its folders stand for alone; None if these are others."""
        if self.scenes is None:
            return name
        found = self._within.fullmatch(name)
        return found and "/".join(found.groups())

    def places(self, names: Iterable[str]) -> dict[str, str]:
        """Names by their `place`."""
        return {place: name for name in names if (place := self.place(name)) is not None}

    def key(self, name: str) -> tuple[str, ...] | None:
        """What the stars of the pattern stand for in a name; None where it is not like that."""
        found = self._like.fullmatch(name.rpartition("/")[2])
        return None if found is None else tuple(found.groups())

    @cached_property
    def _like(self) -> Any:
        """The pattern as an expression, each star a group."""
        try:
            return starred(self.pattern or "*")
        except ValueError as error:
            raise DatasetError(f"--pair: {self.pattern} is no pattern: {error}") from error

    def keys(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Those of the names that are like the pattern, with what its stars stand for."""
        found = ((name, self.key(name)) for name in names)
        return {name: key for name, key in found if key is not None}


def open_pairs(
    root: Path, split: str | None, pair: str | None = None, problems: Problems | None = None
) -> Dataset:
    r"""Open rainy images with their clean ones.

    Args:
        root: Folder of both folders; ``root/split`` if a split is given.
        split: Part of the data set, or None.
        pair: ``rainy:clean``, names of the two folders, or of one that holds both; None finds those
            of `LAYOUTS`, or names in one folder that tell rainy from clean. Images belong together
            by `datasets.partners`. In place of a folder may stand a pattern, ``rain-*:norain-*``:
            images belong together where its stars stand for the same. In ``*/rain:*/gt`` they stand
            for scenes, each with a pair of folders.
            ``rainy:clean:regex`` pairs names in which the expression finds the same: its first
            group, or all that it matches (``\d+`` pairs ``norain-7`` with ``rain-7x2``). It is
            RE2's, whose time is linear in the name whatever a suite asks for.
            ``clean-left`` and ``clean-right`` take each file for two images side by side.
        problems: Takes rainy images that have no clean one, which are then left out.

    Returns:
        Samples named by the rainy file's path in its folder, without ending, and grouped by their
        scene (the clean image's folder, or the part of the name that says it), or else by the clean
        image.

    Raises:
        DatasetError: If a folder is missing, a rainy image has no clean one, or could have two.
    """
    home = root / split if split else root
    name = text_of(split or root.resolve().name)
    if pair in SIDE_BY_SIDE:
        samples = _side_by_side(home, SIDE_BY_SIDE[pair])
        return Dataset("pairs", name, samples, export_labels=_refuse_copy)
    rainy, clean, expression = _sides(home, pair)
    found = pairs_of(rainy, clean, expression)
    samples = []
    for each, path in found.rainy.items():
        partner = found.paired.clean.get(each)
        with fields.told(problems):
            if partner is None:
                raise DatasetError(
                    f"{path.relative_to(rainy.folder)} in {rainy.folder.name} has no clean image "
                    f"in {clean.folder.name}: remove it, or say with --pair how they belong "
                    "together"
                )
            group = found.paired.groups[each]
            samples.append(Sample(each, found.clean[partner], group=group, rainy_path=path))
    export = partial(copy_files, {sample.id: [sample.path] for sample in samples}, root)
    deeper = passed_by(rainy.folder, clean.folder) if rainy.scenes is None else ()
    notes = (*found.notes(), *deeper)
    return Dataset("pairs", name, samples, export_labels=export, notes=notes)


@dataclass(frozen=True)
class Pairs:
    """Rainy and clean files by name, and which belong together."""

    rainy: dict[str, Path]
    clean: dict[str, Path]
    paired: Paired
    left_out: int = 0
    """Images that are neither."""

    def notes(self) -> tuple[str, ...]:
        """What a reader of results must know of how the pairs were found."""
        scenes = Counter(self.paired.clean[name] for name in self.paired.of_scene)
        return (
            *([f"{self.left_out} images are neither rainy nor clean"] if self.left_out else []),
            *(
                [
                    f"{scenes.total()} rainy images have the only clean image of their scene, of "
                    f"another name ({len(scenes)} scenes)"
                ]
                if scenes
                else []
            ),
        )


def pairs_of(rainy: Side, clean: Side, expression: str | None) -> Pairs:
    """Which images belong together.

    Args:
        rainy: Images.
        clean: Images that they should have been; perhaps in the same folder.
        expression: Finds the same in names that belong together; None: names say it.

    Raises:
        DatasetError: If the folders are one and nothing tells the halves apart, or an image could
            belong to two.
    """
    if rainy.word == clean.word == "" and _is_same(rainy.folder, clean.folder):
        return _in_one(rainy, expression)
    wet, dry = _without(rainy, clean.folder), _without(clean, rainy.folder)
    if _is_same(rainy.folder, clean.folder):
        # Of two patterns that a name is like, the longer one says what it is.
        if len(rainy.word) > len(clean.word):
            dry = {name: file for name, file in dry.items() if name not in wet}
        else:
            wet = {name: file for name, file in wet.items() if name not in dry}
    if expression is not None:
        if rainy.scenes or clean.scenes:
            raise DatasetError(
                f"--pair: {rainy.word}:{clean.word} pairs within folders: leave {expression} out"
            )
        return Pairs(wet, dry, _by_expression(wet, dry, expression, clean.folder))
    stars = [
        [(word or "*").count("*") for word in (side.scenes, side.pattern)]
        for side in (rainy, clean)
    ]
    if stars[0] != stars[1]:
        raise DatasetError(
            f"--pair: {rainy.word or '*'} and {clean.word or '*'} have not as many * each"
        )
    names, others = rainy.places(wet), clean.places(dry)
    if rainy.pattern is None and clean.pattern is None:
        found = partners(names, others)
    else:
        found = matched(rainy.keys(names), clean.keys(others))
    paired = Paired(
        {names[name]: others[other] for name, other in found.clean.items()},
        {names[name]: group for name, group in found.groups.items()},
        frozenset(names[name] for name in found.of_scene),
    )
    return Pairs(wet, dry, paired)


def _in_one(side: Side, expression: str | None) -> Pairs:
    """Pairs of one folder, whose halves names alone tell apart."""
    files = side.files()
    try:
        paired = halves(files)
    except DatasetError as error:
        raise DatasetError(f"--pair: {side.folder.name} holds both, and {error}") from error
    rainy, clean = paired.clean.keys(), set(paired.clean.values())
    wet, dry = ({n: f for n, f in files.items() if n in half} for half in (rainy, clean))
    if expression is not None:
        paired = _by_expression(wet, dry, expression, side.folder)
    return Pairs(wet, dry, paired, len(files) - len(wet) - len(dry))


def _without(side: Side, other: Path) -> dict[str, Path]:
    """A side's files, less those of the other side's folder where that lies below."""
    files = side.files()
    if other == side.folder or not other.is_relative_to(side.folder):
        return files
    return {name: file for name, file in files.items() if not file.is_relative_to(other)}


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _side_by_side(folder: Path, clean_half: Half) -> list[Sample]:
    """Files that hold two images each."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    return [
        Sample(stem, path, group=stem, rainy_path=path, clean_half=clean_half)
        for stem, path in by_stem(folder).items()
    ]


def _refuse_copy(out: Path, places: Mapping[str, PurePosixPath]) -> None:
    raise DatasetError(
        f"{out}: a copy of images that lie side by side would lose the clean ones: "
        "split them into two folders first"
    )


def _sides(home: Path, pair: str | None) -> tuple[Side, Side, str | None]:
    """The rainy and the clean images, and the expression that pairs them."""
    rainy, _, rest = (pair or ":").partition(":")
    clean, _, expression = rest.partition(":")
    if rainy and clean:
        sides = Side.of(home, rainy), Side.of(home, clean)
        missing = next((side for side in sides if not side.folder.is_dir()), None)
        if missing is not None:
            raise DatasetError(
                f"{home}: no folders {rainy}/{clean} there: name them with --pair RAINY:CLEAN"
            )
        return *sides, expression or None
    if pair is not None and not (pair.startswith("::") and expression):
        raise DatasetError(f"--pair {pair}: {EXPECTED}")
    return *_found(home), expression or None


def _found(home: Path) -> tuple[Side, Side]:
    """The folders that are there, or the one that holds both.

    Raises:
        DatasetError: If two pairs of folders are there, or none and names tell nothing either.
    """
    if not home.is_dir():
        raise DatasetError(f"{home}: no such folder")
    there = [names for names in LAYOUTS if _holds(home, names)]
    # Where a file system takes LQ for lq, two layouts are one.
    if len({(home / r).resolve() for r, _ in there} | {(home / c).resolve() for _, c in there}) > 2:
        said = " and ".join("/".join(names) for names in there)
        raise DatasetError(f"{home}: {said} are there: name one with --pair RAINY:CLEAN")
    if there:
        rainy, clean = there[0]
        return Side(home / rainy), Side(home / clean)
    rainy, clean = RAINY_BELOW_CLEAN
    entries = shown(home.iterdir(), home)
    if (home / rainy).is_dir() and any(f.suffix.lower() in SUFFIXES for f in entries):
        return Side(home / rainy), Side(home / clean)
    folders = [folder for folder in entries if folder.is_dir()]
    below = {f.name: r for f in folders for r in LAYOUTS if _holds(f, r)}
    if below:
        one = {f"--pair '*/{rainy}:*/{clean}'" for rainy, clean in below.values()}
        together = f", or all as {one.pop()}" if len(one) == 1 else ""
        raise DatasetError(
            f"{home}: the pairs lie in {', '.join(below)}: give one as --split{together}"
        )
    try:
        halves(by_name(home))
    except DatasetError as error:
        looked = ", ".join("/".join(layout) for layout in LAYOUTS)
        raise DatasetError(
            f"{home}: no folders {looked} there: name them with --pair RAINY:CLEAN; and as one "
            f"folder of both: {error}"
        ) from error
    return Side(home), Side(home)


def _holds(home: Path, names: tuple[str, str]) -> bool:
    return all((home / name).is_dir() for name in names)


def _by_expression(
    rainy: Mapping[str, Path], clean: Mapping[str, Path], expression: str, folder: Path
) -> Paired:
    """Names in which the expression finds the same."""
    try:
        regex = compiled(expression)
    except ValueError as error:
        raise DatasetError(f"--pair: {expression} is no regex: {error}") from error
    by_key = _by_key(clean, regex, folder)
    found = ((name, by_key.get(_key(name, regex))) for name in rainy)
    pairs = {name: partner for name, partner in found if partner is not None}
    return Paired(pairs, {name: p.rpartition("/")[0] or p for name, p in pairs.items()})


def _key(name: str, regex: Any) -> str:
    """What the expression finds in a name; empty where it finds nothing."""
    found = regex.search(name)
    return (found and found[min(1, regex.groups)]) or ""


def _by_key(clean: Mapping[str, Path], regex: Any, folder: Path) -> dict[str, str]:
    """Clean stems by what the expression finds in them."""
    stems: dict[str, str] = {}
    for stem in clean:
        key = _key(stem, regex)
        if not key:
            continue
        if key in stems:
            raise DatasetError(
                f"--pair: in {folder.name}, {regex.pattern} finds {key} in {stems[key]} and {stem}"
            )
        stems[key] = stem
    return stems
