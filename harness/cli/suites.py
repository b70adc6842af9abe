"""Specs that `run` finds in files: a suite of them, a frozen benchmark, or an earlier run's."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.plain_yaml import PlainError, plain_yaml
from harness.cli.flags import fields_of
from harness.machine.files import read_bounded
from harness.plan.foreign_specs import spec_again
from harness.spec import RunSpec, UsageError, checked

if TYPE_CHECKING:
    from harness.ledger.frozen import Frozen

SUITE_BYTES = 2**18
SPEC_BYTES = 2**28
"""A results.json of tens of thousands of records is that large."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{4,64}")
OF_A_ROW = (
    *("derainer", "dtype", "data_root", "device", "workers", "engine", "address", "workspace"),
    *("cache_gb", "out", "save", "images"),
)
"""What may be typed beside a frozen benchmark: the row that is new, and where and how it runs."""


def specs_of(arguments: argparse.Namespace) -> dict[str, RunSpec]:
    """What a command line of ``run`` asks for, by the place where it stands; ``""`` if typed.

    Raises:
        UsageError: One line that names file, place and key.
    """
    typed, suite, again = fields_of(arguments), arguments.suite, arguments.again
    if suite is not None and again is not None:
        raise UsageError("--suite and --from: give one of the two")
    if suite is not None and (benchmark := frozen_of(arguments)) is not None:
        return {benchmark.name: _row_of(benchmark, typed)}
    if suite is not None:
        return _suite(suite, typed, arguments.allow_code)
    if again is not None:
        return {"": _earlier(again, typed, arguments.allow_code)}
    return {"": checked(**typed)}


def seeded(specs: Mapping[str, RunSpec], times: int) -> dict[str, RunSpec]:
    """Every run under several seeds of the rain, each in a folder of its own, ``seed-N``.

    Raises:
        UsageError: Where there is no folder for them alone, or no second seed.
    """
    if times < 2:
        raise UsageError(f"--seeds {times}: give 2 or more; --seed N names one")
    found = {}
    for place, spec in specs.items():
        if spec.out is None:
            raise UsageError("--seeds compares runs: give --out, a folder for them")
        if (Path(spec.out) / "results.json").exists():
            raise UsageError(f"--out {spec.out} holds a run: give --seeds a folder of its own")
        for seed in range(spec.seed, spec.seed + times):
            out = str(Path(spec.out) / f"seed-{seed}")
            name = f"{place}: seed {seed}" if place else f"seed {seed}"
            found[name] = spec.model_copy(update={"seed": seed, "out": out})
    return found


def frozen_of(arguments: argparse.Namespace) -> Frozen | None:
    """The frozen benchmark that ``--suite`` names; None where it names a file, or is not there.

    Raises:
        UsageError: If this package holds none of that name, or what is typed would change it.
    """
    from harness.ledger.frozen import WORD, frozen

    suite = arguments.suite
    if suite is None or not WORD.fullmatch(str(suite)):
        return None
    benchmark = frozen(str(suite))
    changes = [name for name in fields_of(arguments) if name not in OF_A_ROW]
    changes += [name for name in ("seeds", "layout") if getattr(arguments, name) is not None]
    if changes:
        allowed = ", ".join(f"--{name.replace('_', '-')}" for name in OF_A_ROW)
        raise UsageError(
            f"{benchmark.name} is frozen: --{changes[0].replace('_', '-')} would make another of "
            f"it; beside it may stand {allowed}; to try something, name data in place of --suite, "
            "as --dataset streetsim --split val --limit 8"
        )
    return benchmark


def _row_of(benchmark: Frozen, typed: Mapping[str, Any]) -> RunSpec:
    """The benchmark's own spec with the typed derainers, below ``--out``."""
    from derainers import words
    from harness.ledger.frozen import made_otherwise

    if "derainer" not in typed or "out" not in typed:
        raise UsageError(
            f"{benchmark.name} takes a row of yours: give --derainer, and --out, a folder for the "
            "submission and the board"
        )
    other = made_otherwise(benchmark)
    if other is not None:
        version = benchmark.results.provenance.versions.get("derain-harness")
        raise UsageError(
            f"{benchmark.name}: {other} is of another version here: a row takes the package that "
            f"froze it, derain-harness {version}"
        )
    for word in typed["derainer"]:
        name = words.read(word).name or word
        if name in benchmark.rows:
            raise UsageError(
                f"--derainer {word}: {benchmark.name} has a row {name}: call yours something else, "
                f"as --derainer mine={word.removeprefix(f'{name}=')}"
            )
    out = str(Path(typed["out"]) / benchmark.name)
    return _earlier(str(benchmark.folder), {**typed, "out": out}, [])


def _suite(file: Path, typed: Mapping[str, Any], allowed: list[str]) -> dict[str, RunSpec]:
    """The entries of a suite, each with a folder of its own below ``--out``."""
    entries = _read_yaml(file)
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{file.name}: expected a list of runs, each '- dataset: coco' and so on")
    specs, folders = {}, set()
    for number, entry in enumerate(entries, 1):
        place = f"{file.name}: entry {number}"
        if not isinstance(entry, dict):
            raise UsageError(f"{place}: expected keys and values, got {type(entry).__name__}")
        name = entry.pop("name", str(number))
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(f"{place}: name: expected letters, digits, '.', '_', '-': {name!r}")
        if name.casefold() in folders:
            raise UsageError(f"{place}: name: {name} is taken by an entry before it")
        folders.add(name.casefold())
        out = {"out": str(Path(typed["out"]) / name)} if "out" in typed else {}
        place += f" ({name})" if name != str(number) else ""
        specs[place] = spec_again(place, entry, {**typed, **out}, allowed)
    return specs


def _read_yaml(file: Path) -> Any:
    """Plain values of a small, flat YAML file."""
    try:
        return plain_yaml(_read(file, SUITE_BYTES).decode(), file.name)
    except UnicodeDecodeError as error:
        raise UsageError(f"{file.name}: {error}") from error
    except PlainError as error:
        raise UsageError(str(error)) from error


def _earlier(word: str, typed: Mapping[str, Any], allowed: list[str]) -> RunSpec:
    """The spec of a results folder, its ``results.json``, a spec as JSON, or a ledger's run."""
    path = Path(word)
    if path.exists():
        file = path / "results.json" if path.is_dir() else path
        name, found = str(file), _read_json(file)
        if isinstance(found.get("spec"), dict):
            found, with_paths = found["spec"], False
        else:
            with_paths = True
    elif _DIGEST.fullmatch(word):
        from harness.ledger.runs import load_results

        workspace = Path(typed.get("workspace", RunSpec.model_fields["workspace"].default))
        run = load_results(workspace, word)
        name, found, with_paths = f"run {run.run[:12]}", run.spec, False
    else:
        raise UsageError(
            f"--from {word}: no such folder or file, and no digest: give a run's --out folder, a "
            "spec as JSON, or the first digits of a run of --workspace"
        )
    for key in ("data_root", "annotations", "depth"):
        last = found.get(key)
        if last is not None and not with_paths and key not in typed:
            flag, kind = f"--{key.replace('_', '-')}", "file" if key == "annotations" else "folder"
            raise UsageError(f"{name} holds no paths: type {flag}, the {kind} called {last}")
    return spec_again(name, found, typed, allowed)


def _read_json(file: Path) -> dict[str, Any]:
    """An object in a JSON file."""
    try:
        found = json.loads(_read(file, SPEC_BYTES))
        if isinstance(found, dict):
            return found
    except (ValueError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{file}: not a JSON file, or nested too deeply") from error
    raise UsageError(f"{file}: expected a run's results.json or a spec as JSON")


def _read(file: Path, most: int) -> bytes:
    """The bytes of a file that must be one."""
    if not file.is_file():
        raise UsageError(f"{file}: no such file")
    return read_bounded(file, most)
