"""Fields of a RunSpec as flags, and flags as fields."""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, get_args

from harness.spec import RunSpec, UsageError, known

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a verb adds its parser."""

REPEATED = ("where", "rain", "derainer", "intermediate", "task", "quality", "protocol", "save")
"""Fields that take several words: the flag repeated, or commas between names."""

OF_DATA = ("data_root", "annotations", "attributes", "depth", "model", "model_dir", "derainer")
"""Fields that say where data and networks lie on this machine."""
WRITTEN = {"out": "--out", "to": "--to", "into": "--workspace", "workspace": "--workspace"}
"""Folders that a command writes into: names of its arguments, and their flags."""
WRITTEN_FILES = {"junit": "--junit", "json": "--json", "sheet": "--sheet"}
LAYOUTS = ("table6", "remedies")
"""Those of `reports.layouts.layouts`, which imports too much for ``--help``."""
WHOLE = ("model", "attributes")
"""Fields whose flag is repeated for each word, since commas may be inside."""
METAVARS = {
    "data_root": "DIR",
    "annotations": "FILE",
    "pair": "RAINY:CLEAN",
    "where": "KEY=VALUE[/VALUE…]",
    "attributes": "FILE.csv|REGEX",
    "depth": "DIR[:per_m=N]",
    "rain": "RAIN[,RAIN…]",
    "derainer": "DERAINER[,DERAINER…]",
    "intermediate": "STAGE[,STAGE…]",
    "task": "TASK[,TASK…]",
    "model": "TASK=NETWORK",
    "model_dir": "DIR",
    "quality": "METRIC[,METRIC…]",
    "protocol": "PROTOCOL[,PROTOCOL…]",
    "shard": "I/N",
    "tile_px": "PX",
    "address": "HOST:PORT",
    "workspace": "DIR",
    "cache_gb": "GB",
    "out": "DIR",
    "save": "WHAT[,WHAT…]",
    "max_errors": "N|SHARE",
}
"""What stands behind a flag, where it is neither a number nor a NAME."""


def add_field(verb: argparse._ActionsContainer, name: str, about: str = "") -> None:
    """A flag for a field of RunSpec, `about` in this verb's words if it has its own.

    Where it is not given, the field's default holds.
    """
    field = RunSpec.model_fields[name]
    flag = "--" + name.replace("_", "-")
    default = field.get_default(call_default_factory=True)
    shown = ",".join(default) if isinstance(default, tuple) else default
    text = (about or field.description or "") + (
        f" (default: {shown})" if shown not in (None, "") else ""
    )
    kinds = get_args(field.annotation) or (field.annotation,)
    options: dict[str, Any] = {"help": text, "default": argparse.SUPPRESS}
    if name in WHOLE:
        options.update(action="append", help=about or field.description)
    elif name in REPEATED:
        options.update(action="append")
    elif bool in kinds:
        options.update(action=argparse.BooleanOptionalAction)
    elif int in kinds:
        options.update(type=int)
    elif float in kinds:
        options.update(type=float)
    elif str not in kinds:
        options.update(choices=kinds)
    if bool not in kinds and "choices" not in options:
        options.update(metavar=METAVARS.get(name, "N" if int in kinds else "NAME"))
    verb.add_argument(flag, **options)


def status_of(spec: RunSpec, failed: int, tried: int) -> int:
    """The exit status: 1 where more of the images that were tried failed than may."""
    share = tried if spec.max_errors < 1 else 1
    return 1 if failed > spec.max_errors * share else 0


def add_jpeg(verb: argparse.ArgumentParser) -> None:
    """The flag that writes images as JPEG."""
    verb.add_argument(
        "--jpeg", type=int, metavar="QUALITY", help="write JPEG, 1 to 100; default: PNG, lossless"
    )


def jpeg_quality(arguments: argparse.Namespace) -> int | None:
    """What ``--jpeg`` asks for; None writes PNG.

    Raises:
        UsageError: If it is no quality.
    """
    quality: int | None = arguments.jpeg
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"--jpeg {quality}: a quality from 1 to 100")
    return quality


def allow_code(verb: argparse._ActionsContainer) -> None:
    """The flag that lets words run code which were found, not typed."""
    verb.add_argument(
        "--allow-code",
        action="append",
        default=[],
        metavar="WORD",
        help="run this FILE.py:FACTORY or MODULE:FACTORY though a file asks for it, not you",
    )


def require_places(arguments: argparse.Namespace) -> None:
    """Refuse places that cannot be written, before anything is computed for them.

    A workspace is opened first of all, and needs no test.

    Raises:
        UsageError: That names flag and place.
    """
    from harness.machine.disk import require_writable, require_writable_file

    for name, flag in WRITTEN.items():
        folder = getattr(arguments, name, None)
        if name != "workspace" and isinstance(folder, str | Path):
            require_writable(Path(folder), flag)
    for name, flag in WRITTEN_FILES.items():
        file = getattr(arguments, name, None)
        if isinstance(file, Path):
            require_writable_file(file, flag)


def written(arguments: argparse.Namespace) -> list[Path]:
    """The folders that a command writes into."""
    from harness.machine.environment import FETCHED

    places = [getattr(arguments, name, None) for name in WRITTEN]
    places += [file and file.parent for file in (_file(arguments, n) for n in WRITTEN_FILES)]
    found = [Path(place) for place in places if isinstance(place, str | Path)]
    found += [Path(RunSpec.model_fields["workspace"].default), FETCHED]
    return [*found, Path(tempfile.gettempdir())]


def _file(arguments: argparse.Namespace, name: str) -> Path | None:
    file = getattr(arguments, name, None)
    return file if isinstance(file, Path) else None


def fields_of(arguments: argparse.Namespace, without: Collection[str] = ()) -> dict[str, Any]:
    """Fields of a RunSpec that were given as flags, less those that mean something else here."""
    names = RunSpec.model_fields.keys() - set(without)
    fields = {k: v for k, v in vars(arguments).items() if k in names}
    for name in REPEATED:
        if name in fields:
            split = derainer_words if name == "derainer" else split_words
            fields[name] = split(fields[name])
    if "model" in fields:
        pairs = [word.partition("=") for word in fields["model"]]
        wrong = next((task for task, _, file in pairs if not file), None)
        if wrong is not None:
            raise UsageError(f"--model {wrong}: expected TASK=FILE, e.g. detection=yolov8n.pt")
        networks: dict[str, list[str]] = {}
        for task, _, word in pairs:
            networks.setdefault(task, []).append(word)
        fields["model"] = {task: tuple(dict.fromkeys(words)) for task, words in networks.items()}
        _require_asked(networks, fields.get("task", ()))
    return fields


def _require_asked(networks: Mapping[str, Sequence[str]], tasks: Sequence[str]) -> None:
    """Refuse networks that were typed where another task's default would be asked instead.

    Raises:
        UsageError: With the word of one.
    """
    if not tasks or any(task in networks for task in tasks):
        return
    from tasks.models import DEFAULTS
    from tasks.rows import TASKS

    for task in networks:
        known(task, TASKS, "task in --model")
    if not any(task in DEFAULTS for task in tasks):
        return
    idle = next(iter(networks))
    raise UsageError(
        f"--model {idle}={networks[idle][0]}: --task {','.join(tasks)} leaves it idle: add {idle} "
        "there, or leave the network out"
    )


def split_words(flags: Sequence[str]) -> tuple[str, ...]:
    """Words of a repeated flag, without the blanks around them."""
    split = (word.strip() for words in flags for word in words.split(","))
    return tuple(word for word in split if word)


def derainer_words(flags: Sequence[str]) -> tuple[str, ...]:
    """Words of ``--derainer``, which may have parameters behind commas: ``x.onnx,channels=bgr``.

    ``granet@{a,b,c}`` stands for three trainings, as the shells have it.
    """
    from derainers.words import joined

    return tuple(joined(split_words([word for flag in flags for word in spread(flag)])))


def spread(flag: str) -> list[str]:
    """A flag's words with each choice in braces written out; braces without a comma are a name."""
    words = re.split(r",(?![^{}]*\})", flag)
    found = [re.fullmatch(r"(.*)\{([^{}]*,[^{}]*)\}(.*)", word) for word in words]
    return [
        each
        for word, match in zip(words, found, strict=True)
        for each in (
            [word]
            if match is None
            else [f"{match[1]}{choice}{match[3]}" for choice in match[2].split(",")]
        )
    ]
