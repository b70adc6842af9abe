"""Which clean image each rainy one belongs to, by their names alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from datasets.names import composed
from datasets.sample import DatasetError

Key = tuple[str, ...]
"""What a rule leaves of a stem; images of one key belong together."""
REMEDY = "say with --pair how they belong together, e.g. --pair 'rain-*:norain-*'"


@dataclass(frozen=True)
class Rule:
    """What tells a rainy stem from a clean one, and what is left of each."""

    rainy: re.Pattern[str]
    clean: re.Pattern[str]
    source: str
    """Sets whose files have such names."""

    @staticmethod
    def of(rainy: str, clean: str, source: str) -> Rule:
        """A rule of two expressions, whose groups make the key."""
        flags = re.IGNORECASE | re.DOTALL
        return Rule(re.compile(rainy, flags), re.compile(clean, flags), source)


_RAINY = r"(?:rain|rainy|dr|in|input|lq)"
_CLEAN = r"(?:no[-_]?rain|rain[-_]?free|clean|gt|hq|target|label|ground[-_]?truth)"
_AFTER, _BEFORE = r"(?:[-_ ]|(?=\d))", r"(?:[-_ ]|(?<=\d))"
"""Between a mark and the rest: a sign, or nothing where the rest is a number."""
PLAIN = Rule.of(r"(.+)", r"(.+)", "the same name, or the clean one's name and more")
RULES = (
    Rule.of(rf"{_RAINY}{_AFTER}(.+)", rf"{_CLEAN}{_AFTER}(.+)", "Rain100L/H, RainTrainL, Rain800"),
    Rule.of(rf"(.+?){_BEFORE}{_RAINY}", rf"(.+?){_BEFORE}{_CLEAN}", "RainDrop, Rain12, N_DR, N_GT"),
    Rule.of(r"(.+)-R-(\d+)", r"(.+)-C-(\d+)", "GT-RAIN"),
    Rule.of(r"(?:no)?rain-(\d+)x\d", r"norain-(\d+)", "Rain200L/H"),
    Rule.of(r"(\d+)-\d+_(\d+_\d+)", r"(\d+)_(\d+_\d+)", "SPA-Data, training"),
    Rule.of(r"(.+)", rf"(.+?)[-_ ]?{_CLEAN}", "SPA-Data, test"),
)
"""Tried where plain names do not pair; docs/datasets.md says where each set's names come from."""


class Paired(NamedTuple):
    """Rainy names with their clean ones."""

    clean: dict[str, str]
    """Clean name by rainy name."""
    groups: dict[str, str]
    """By rainy name, what is not to be separated from it: its scene, or else its clean image."""
    of_scene: frozenset[str] = frozenset()
    """Rainy names that took the only clean image of their scene, of another name."""


def partners(rainy: Iterable[str], clean: Iterable[str]) -> Paired:
    """Pair two folders' images.

    Plain names come first; where some have no partner by these, that one of `RULES` which gives all
    of them one is taken, else the one that leaves the fewest alone.

    Args:
        rainy: Paths below the folder of rainy images, without ending.
        clean: Those of the clean ones.

    Raises:
        DatasetError: If an image could belong to two, or two rules say different things.
    """
    rainy, clean = list(rainy), list(clean)
    plain = _by_rule(PLAIN, rainy, clean)
    if len(plain.clean) == len(rainy):
        return plain
    found = _tried((rule, rainy, clean) for rule in RULES)
    whole = [(rule, pairs) for rule, pairs in found if len(pairs.clean) == len(rainy)]
    if whole:
        return _agreed(whole)
    return max([plain, *(pairs for _, pairs in found)], key=lambda pairs: len(pairs.clean))


def halves(names: Iterable[str]) -> Paired:
    """Tell rainy from clean in one folder, and pair them.

    Args:
        names: Paths below the folder, without ending.

    Returns:
        Pairs; images that are neither are left out.

    Raises:
        DatasetError: If no rule of `RULES` gives every rainy image a clean one, or two rules say
            different things.
    """
    names = list(names)
    told: list[tuple[Rule, list[str], list[str]]] = []
    for rule in RULES:
        clean = [name for name in names if rule.clean.fullmatch(_stem(name))]
        rest = names if not clean else sorted(set(names) - set(clean))
        rainy = [name for name in rest if rule.rainy.fullmatch(_stem(name))]
        if rainy and clean:
            told.append((rule, rainy, clean))
    rainy_of = {rule: rainy for rule, rainy, _ in told}
    whole = [(r, pairs) for r, pairs in _tried(told) if len(pairs.clean) == len(rainy_of[r])]
    if not whole:
        raise DatasetError(f"no rule of names tells rainy images from clean ones: {REMEDY}")
    return _agreed(whole)


def _tried(
    asked: Iterable[tuple[Rule, Iterable[str], Iterable[str]]],
) -> list[tuple[Rule, Paired]]:
    """What rules say of rainy and clean names.

    Raises:
        DatasetError: If all that say something find an image that could belong to two.
    """
    found, unclear = [], None
    for rule, rainy, clean in asked:
        try:
            found.append((rule, _by_rule(rule, rainy, clean)))
        except DatasetError as error:
            unclear = unclear or error
    if unclear is not None and not any(pairs.clean for _, pairs in found):
        raise unclear
    return found


def matched(rainy: Mapping[str, Key], clean: Mapping[str, Key]) -> Paired:
    """Pair images by keys, within the folder that a rainy one's clean images lie in.

    The folder is the rainy image's own, else the nearest above that holds clean images. There its
    partner has the same key, or else the longest that begins its own before a ``_`` or ``-``, or
    the name of its scene's folder, or is the only one of its scene.

    Args:
        rainy: Key by name.
        clean: Key by name.

    Raises:
        DatasetError: If an image could belong to two.
    """
    scenes: dict[str, dict[Key, str]] = {}
    for name, key in clean.items():
        scene = scenes.setdefault(_folder(name), {})
        if key in scene:
            raise DatasetError(f"{scene[key]} and {name} are both clean: {REMEDY}")
        scene[key] = name
    pairs: dict[str, str] = {}
    groups: dict[str, str] = {}
    of_scene: set[str] = set()
    for name, key in rainy.items():
        home = next((f for f in _lineage(_folder(name)) if f in scenes), None)
        if home is None:
            continue
        scene = scenes[home]
        partner = _named(scene, key)
        below = _below(name, home)
        if below is not None and (above := scene.get((below,))) not in (None, partner):
            if partner is not None:
                raise DatasetError(f"{name} could belong to {partner} and {above}: {REMEDY}")
            partner = above
        if partner is None and below is None:
            partner = _only(scene, key, home)
            of_scene |= {name} if partner is not None else set()
        if partner is not None:
            pairs[name] = partner
            groups[name] = home or "/".join(key[:-1]) or partner
    return Paired(pairs, groups, frozenset(of_scene))


def _by_rule(rule: Rule, rainy: Iterable[str], clean: Iterable[str]) -> Paired:
    """Pairs by one rule; clean images that it does not know are in nobody's way."""
    return matched(_keys(rule.rainy, rainy), _keys(rule.clean, clean))


def _keys(expression: re.Pattern[str], names: Iterable[str]) -> dict[str, Key]:
    found = ((name, expression.fullmatch(composed(_stem(name)))) for name in names)
    return {name: match.groups() for name, match in found if match is not None}


def _agreed(whole: list[tuple[Rule, Paired]]) -> Paired:
    """What all rules say.

    Raises:
        DatasetError: If two say different things.
    """
    (first, pairs), *others = whole
    for other, found in others:
        for name in sorted(pairs.clean.keys() | found.clean.keys()):
            one, two = pairs.clean.get(name), found.clean.get(name)
            if one != two:
                raise DatasetError(
                    f"{name} belongs to {one or 'none'} by names as in {first.source}, to "
                    f"{two or 'none'} as in {other.source}: {REMEDY}"
                )
    return pairs


def _named(scene: Mapping[Key, str], key: Key) -> str | None:
    """The image of a key, or else of the longest that begins its last part."""
    if key in scene:
        return scene[key]
    *first, last = key
    cuts = [i for i, sign in enumerate(last) if sign in "_-"]
    begins = ((*first, last[:i]) for i in reversed(cuts))
    return next((scene[begin] for begin in begins if begin in scene), None)


def _only(scene: Mapping[Key, str], key: Key, folder: str) -> str | None:
    """The only clean image of a scene: of a folder, or of the first part of a key in two."""
    if not folder and len(key) == 1:
        return None
    same = [name for other, name in scene.items() if other[:-1] == key[:-1]]
    return same[0] if len(same) == 1 else None


def _below(name: str, folder: str) -> str | None:
    """The folder directly below another that a name leads through; None where it lies in it."""
    inside = PurePosixPath(name).relative_to(folder).parts
    return inside[0] if len(inside) > 1 else None


def _lineage(folder: str) -> list[str]:
    """A folder and those above it, the nearest first."""
    own = PurePosixPath(folder)
    return ["" if str(each) == "." else str(each) for each in (own, *own.parents)]


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _stem(name: str) -> str:
    return name.rpartition("/")[2]
