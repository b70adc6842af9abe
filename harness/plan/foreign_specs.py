"""A run's spec that stands in a file: it is data, and neither runs code nor says where to write."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from datasets.rows import DATASETS
from derainers import words
from harness.plan import keys
from harness.plan.derainers import sources_of
from harness.plan.networks import source_of
from harness.spec import RunSpec, UsageError, bare, checked, known

TYPED = ("workspace", "out", "address")
"""Fields that say where this machine writes and what it connects to."""
ABSENT = "not here"


def spec_again(
    name: str, found: Mapping[Any, Any], changes: Mapping[str, Any], allowed: Collection[str] = ()
) -> RunSpec:
    """A found spec with what was typed here.

    Args:
        name: Where it was found.
        found: Its fields, as JSON.
        changes: Fields that were typed, which take the place of those; networks task by task.
        allowed: Words that may run code though they were not typed.

    Raises:
        UsageError: For an unknown key or an impossible value, and where it would run code or
            write where nobody asked it to.
    """
    said: dict[str, Any] = {k: v for k, v in found.items() if v is not None}
    kept = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items() if k not in changes}
    if isinstance(networks := said.get("model"), dict):
        typed = changes.get("model", {})
        others = {task: word for task, word in networks.items() if task not in typed}
        kept["model"] = others
        changes = {**changes, "model": {**others, **typed}}
    _require_no_place(name, kept)
    _require_no_code(name, kept, allowed)
    try:
        for key in found:
            known(str(key), RunSpec.model_fields, "key")
        return checked(**{**kept, **changes})
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error


def spec_here(
    name: str, found: Mapping[Any, Any], changes: Mapping[str, Any], allowed: Collection[str] = ()
) -> RunSpec:
    """As `spec_again`, of a run that stays what it was: what was typed says where its files lie.

    A derainer then takes the place of the row alone that has its name, or is the same word but for
    folders, and so does a task's network; others stay. Where as many are typed as stand there, and
    one is none of them, those that were typed are all.

    Raises:
        UsageError: As of `spec_again`, and where fewer are typed, so that nobody can tell which.
    """
    networks = found.get("model")
    left: dict[str, Any] = {"model": {**networks} if isinstance(networks, dict) else {}}
    whole: dict[str, Any] = {"model": {}}
    rest = {**changes, "model": dict(changes.get("model", {}))}
    if "derainer" in rest:
        rows, typed = _words(found.get("derainer")), _words(rest.pop("derainer"))
        typed = [_as_row(word, rows) for word in typed]
        left["derainer"], whole["derainer"] = _placed(f"{name}: --derainer", rows, typed, _row)
        if not left["derainer"]:
            rest["derainer"] = whole["derainer"]
    for task, given in [*rest["model"].items()]:
        rows, flag = _words(left["model"].get(task)), f"{name}: --model {task}"
        others, everything = _placed(flag, rows, _words(given), bare)
        rest["model"][task] = everything
        if others:
            left["model"][task], whole["model"][task] = others, rest["model"].pop(task)
    spec = spec_again(name, {**found, **left}, rest, allowed)
    return spec.model_copy(update={**whole, "model": {**spec.model, **whole["model"]}})


def _placed(
    flag: str, rows: Sequence[str], typed: Sequence[str], called: Callable[[str], str]
) -> tuple[list[str], tuple[str, ...]]:
    """The rows in whose place nothing was typed, and all in their order with what was."""
    place = {called(word): word for word in typed}
    strange = place.keys() - set(map(called, rows))
    if strange and len(place) < len(rows):
        word = place[min(strange)]
        raise UsageError(
            f"{flag} {word}: {', '.join(rows)} stand there: type which of them it is, as it stands "
            "there but for folders"
        )
    if strange:
        return [], tuple(typed)
    left = [row for row in rows if called(row) not in place]
    return left, tuple(place.get(called(row), row) for row in rows)


def _as_row(word: str, rows: Sequence[str]) -> str:
    """A derainer that was typed without its name, with that of the row that is the same word."""
    named = {bare(row).removeprefix(f"{n}="): n for row in rows if (n := words.read(row).name)}
    is_row = words.read(word).name is not None or bare(word) in map(_row, rows)
    return word if is_row or bare(word) not in named else f"{named[bare(word)]}={word}"


def _row(word: str) -> str:
    """What a derainer is called, or its word without folders."""
    return words.read(word).name or bare(word)


def _words(value: Any) -> list[str]:
    """Words alone of what a file or a command lists."""
    return [word for word in _listed(value) if isinstance(word, str)]


def _listed(value: Any) -> list[Any]:
    """Words where one alone may stand too."""
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _require_no_place(name: str, fields: Mapping[str, Any]) -> None:
    """Refuse to write or connect where the file says; scenes are rendered into their data root."""
    row = DATASETS.get(str(fields.get("dataset")))
    renders = row is not None and row.is_rendered
    for key in (*TYPED, *(["data_root"] if renders else [])):
        default = RunSpec.model_fields[key].default
        if fields.get(key, default) != default:
            raise UsageError(
                f"{name} sets {key}, which only you may: leave it out and type "
                f"--{key.replace('_', '-')}"
            )


def _require_no_code(name: str, fields: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Refuse words that run code, unless they are allowed by name."""
    rows, networks = _listed(fields.get("derainer")), fields.get("model")
    rows = [row for row in rows if isinstance(row, str)]
    asked = [(f"--derainer {shlex.quote(','.join(rows))}", {row: sources_of(row) for row in rows})]
    for task, named in networks.items() if isinstance(networks, dict) else ():
        for word in _listed(named):
            if isinstance(word, str):
                asked.append((f"--model {shlex.quote(f'{task}={word}')}", {word: source_of(word)}))
    for typed, sources in asked:
        code = {w: [*map(_digest, s)] for w, s in sources.items() if s and w not in allowed}
        if code:
            told = " and ".join(f"{word} ({', '.join(found)})" for word, found in code.items())
            are_here = all(ABSENT not in found and _has_weights(w) for w, found in code.items())
            flags = " ".join(f"--allow-code {shlex.quote(word)}" for word in code)
            raise UsageError(
                f"{name} asks to run code, {told}: type it with the folders of its files, {typed}"
                f"{f', or add {flags}' if are_here else ''}, if you trust it"
            )


def _has_weights(word: str) -> bool:
    """Whether the weights of a user's functions are here, in a word of a derainer or a network."""
    parts = words.read(word.partition(",imgsz=")[0]).parts
    files = [part.factory["weights"] for part in parts if part.factory is not None]
    return all(words.is_remote(file) or Path(file).exists() for file in files if file)


def _digest(source: str) -> str:
    """What a file is, or a module's, which is found without importing it or what is around it."""
    file = Path(source)
    if not source.endswith(".py") and not file.is_file():
        places: list[str] | None = None
        for part in source.split("."):
            spec = PathFinder.find_spec(part, places)
            if spec is None:
                return ABSENT
            places = list(spec.submodule_search_locations or ())
            file = Path(spec.origin or "")
    return f"sha256 {keys.file_sha256(file)}" if file.is_file() else ABSENT
