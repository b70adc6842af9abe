"""A run's spec that stands in a file: it is data, and neither runs code nor says where to write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from datasets.rows import DATASETS
from harness.plan import keys
from harness.plan.derainers import sources_of
from harness.plan.networks import source_of
from harness.spec import RunSpec, UsageError, checked, known

TYPED = ("workspace", "out", "address")
"""Fields that say where this machine writes and what it connects to."""


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
    derainers, networks = fields.get("derainer"), fields.get("model")
    words = [derainers] if isinstance(derainers, str) else derainers or ()
    asked = [(w, "derainer", sources_of(w)) for w in words if isinstance(w, str)]
    of_tasks = networks.values() if isinstance(networks, dict) else ()
    named = [w for ws in of_tasks for w in (ws if isinstance(ws, list | tuple) else [ws])]
    asked += [(w, "model", source_of(w)) for w in named if isinstance(w, str)]
    for word, flag, sources in asked:
        if sources and word not in allowed:
            digests = ", ".join(_digest(source) for source in sources)
            raise UsageError(
                f"{name} asks to run code, {word} ({digests}): type it with --{flag}, or add "
                f"--allow-code {word}, if you trust it"
            )


def _digest(source: str) -> str:
    """What a file is, or a module's, which is found without importing it or what is around it."""
    file = Path(source)
    if not source.endswith(".py") and not file.is_file():
        places: list[str] | None = None
        for part in source.split("."):
            spec = PathFinder.find_spec(part, places)
            if spec is None:
                return "not here"
            places = list(spec.submodule_search_locations or ())
            file = Path(spec.origin or "")
    return f"sha256 {keys.file_sha256(file)}" if file.is_file() else "not here"
