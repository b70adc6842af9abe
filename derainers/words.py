"""What a derainer's word says: ``[NAME=][gate:][half:]PART[+PART…]``, parts with ``,KEY=VALUE``.

That says how a network is fed; what is another network stands before its weights, see
`derainers.variants`. Needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derainers.errors import DerainerError

if TYPE_CHECKING:
    from derainers.derainer import Derainer

GATE_OPENS = 1.5
"""Standard deviations above dry images from which on a gate opens, where its word says none."""
FORMS = (
    "FILE.py:FACTORY, MODULE:FACTORY, FILE.onnx, spandrel:FILE, torchscript:FILE, dir:FOLDER, "
    "half:A, A+B, gate:A, NAME=WORD"
)
PREFIXES = ("dir", "gate", "half", "spandrel", "torchscript")
TAKEN = (*PREFIXES, "clean", "rainy", "none", "given", "hf", "http", "https")
"""What no row can be called, since it means something else in words or tables."""
FACTORY = re.compile(r"(?P<source>[^@]+):(?P<name>[A-Za-z_]\w*)(@(?P<weights>.+))?")
_FILE_FACTORY = re.compile(r"(?P<source>.+?\.py):(?P<name>[A-Za-z_]\w*)(@(?P<weights>.+))?")
"""The same of a file that is there, in whose name may be an ``@``."""
_NAMED = re.compile(r"(?P<name>[^=:@+,/\\]+)=(?P<word>.+)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_RANGE = re.compile(r"(?P<black>-?\d+(\.\d+)?)\.\.(?P<white>-?\d+(\.\d+)?)")
_OPERATIONS = re.compile(r"(?<=:operations=)[a-z]+\+(?=[a-z])")
"""A sum inside a part, which is no chain: ``hrrsr:operations=add+mul``."""
_GATE = re.compile(r"gate(@(?P<above>-?\d+(\.\d+)?))?:(?P<word>.+)", re.DOTALL)
_MOST_SCALE = 8
_MOST_PLUSES = 16
"""In the name of a file or folder that a word names."""


@dataclass(frozen=True)
class Parameters:
    """How a network is fed and read, where its word says so; None = as it is without."""

    range: tuple[float, float] | None = None
    """Values of black and white, ``range=-1..1``."""
    channels: str | None = None
    """``rgb`` or ``bgr``."""
    multiple_of: int | None = None
    scale: int | None = None
    """How many times the output is as large as the input."""
    output: str | None = None
    """Place or key of the restored image in what the network returns."""
    key: str | None = None
    """Under which key of the weight file its weights stand."""

    @property
    def said(self) -> str:
        """As a word has them, in the order of the fields: ``,range=-1..1,channels=bgr``."""
        values = self.as_json()
        if self.range is not None:
            values["range"] = "{:g}..{:g}".format(*self.range)
        return "".join(f",{name}={value}" for name, value in values.items())

    def as_json(self) -> dict[str, Any]:
        """Those that are set, for keys."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def put_on(self, derainer: Derainer) -> None:
        """Let a derainer be fed and read so; what weights it has was its builder's affair."""
        for name in ("range", "channels", "scale", "output"):
            value = getattr(self, name)
            if value is not None:
                setattr(derainer, name, value)
        if self.multiple_of is not None:
            derainer.multiple_of, derainer.is_fitted = self.multiple_of, True


NO_PARAMETERS = Parameters()
PARAMETERS = tuple(field.name for field in fields(Parameters))
_PARAMETER = re.compile(f",({'|'.join(PARAMETERS)})=")


@dataclass(frozen=True)
class Part:
    """One derainer of a word."""

    text: str
    """Without its parameters."""
    parameters: Parameters = NO_PARAMETERS
    is_half: bool = False
    """Whether it is a chain of its own inside a chain: ``median+half:granet``."""

    @property
    def prefix(self) -> str:
        """``spandrel``, ``torchscript``, ``dir``, or nothing."""
        prefix, colon, _ = self.text.partition(":")
        return prefix if colon and prefix in PREFIXES else ""

    @property
    def factory(self) -> re.Match[str] | None:
        """The function that it names, with its source and weights."""
        if self.prefix:
            return None
        match = _FILE_FACTORY.fullmatch(self.text)
        return match if match and _exists(match["source"]) else FACTORY.fullmatch(self.text)

    @property
    def is_onnx(self) -> bool:
        """Whether it names an ONNX file."""
        file = self.text.rpartition("@")[0] if is_remote(self.text) else self.text
        if self.prefix or not file.endswith(".onnx"):
            return False
        return is_remote(self.text) or self.factory is None or Path(file).is_file()


@dataclass(frozen=True)
class Word:
    """What was typed."""

    name: str | None
    """What to call it; None = what it is called by its content."""
    is_half: bool
    parts: tuple[Part, ...]
    gate: float | None = None
    """From which rain on it derains at all, see `derainers.gate`; None = always."""


def is_remote(text: str) -> bool:
    """Whether a text begins as a file that lies elsewhere does."""
    return text.startswith(("hf://", "https://", "http://"))


def read(word: str, rows: Iterable[str] = ()) -> Word:
    """A word, taken apart.

    Args:
        word: As typed.
        rows: Names that are taken.

    Raises:
        DerainerError: For a name that cannot be, or a parameter that is unknown or impossible.
    """
    name = None
    match = None if _is_there(word) else _NAMED.fullmatch(word)
    if match is not None:
        name, word = match["name"], match["word"]
        if not _NAME.fullmatch(name):
            raise DerainerError(f"{name}={word}: a name has letters, digits, '.', '_' and '-'")
        if name in (*rows, *TAKEN, *PARAMETERS):
            raise DerainerError(f"{name}={word}: the name {name} is taken: choose another")
    gate, word = _gate(word)
    is_half = word.startswith("half:")
    texts = _OPERATIONS.sub(lambda sum_: sum_[0].replace("+", "\0"), word.removeprefix("half:"))
    parts = tuple(_part(text.replace("\0", "+")) for text in _chained(texts))
    return Word(name, is_half, parts, gate)


def _chained(text: str) -> list[str]:
    """The parts of a chain; a plus in the name of what is there stands between none."""
    pieces, parts = text.split("+"), []
    while pieces:
        counts = range(min(len(pieces), _MOST_PLUSES + 1), 1, -1)
        count = next((n for n in counts if _is_one("+".join(pieces[:n]))), 1)
        parts.append("+".join(pieces[:count]))
        del pieces[:count]
    return parts


def _is_one(text: str) -> bool:
    """Whether each plus of a text is in the name of a file or folder that is there."""
    text = text.removeprefix("half:")
    head = _PARAMETER.split(text, maxsplit=1)[0]
    if "+" in text[len(head) :]:
        return False
    prefix, colon, place = head.partition(":")
    if colon and prefix in PREFIXES:
        return _exists(place)
    if head.endswith(".onnx") and _exists(head):
        return True
    cuts = [len(head), *(i for i, sign in enumerate(head) if sign == "@")]
    return any(_is_code(head[:i]) and _is_file(head[i + 1 :]) for i in cuts)


def _is_code(text: str) -> bool:
    """Whether each plus of what stands before weights is in the name of a file of code."""
    source, _, name = text.rpartition(":")
    return "+" not in text or ("+" not in name and _exists(source))


def _is_file(text: str) -> bool:
    return "+" not in text or _exists(text)


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).exists()
    except OSError:  # as of a name that is too long
        return False


def _gate(word: str) -> tuple[float | None, str]:
    """From which rain on a word derains, and what stands behind that."""
    match = _GATE.fullmatch(word)
    if match is None:
        if word.startswith(("gate:", "gate@")):
            raise DerainerError(f"{word}: expected gate:DERAINER or gate@DEVIATIONS:DERAINER")
        return None, word
    return float(match["above"] or GATE_OPENS), match["word"]


def require_function(name: str) -> None:
    """Refuse a file of code without a function of it, or with more than that.

    Args:
        name: What no table knows, before its weights.

    Raises:
        DerainerError: If it begins with a file of code.
    """
    file = name.partition(":")[0]
    if file.endswith(".py"):
        raise DerainerError(
            f"{name}: of a file one function is named, {file}:FACTORY or {file}:FACTORY@WEIGHTS; "
            "arguments go into one of its own: def build(): return MyNet(dim=32)"
        )


def joined(words: Iterable[str]) -> list[str]:
    """Words that were cut at commas, with the parameters among them put back behind theirs."""
    found: list[str] = []
    for word in words:
        if found and word.partition("=")[0] in PARAMETERS and "=" in word:
            found[-1] += f",{word}"
        else:
            found.append(word)
    return found


def _is_there(word: str) -> bool:
    """Whether what stands before a factory or weights is a file, whatever is in its name."""
    stem = word.partition("@")[0]
    return _exists(stem) or _exists(stem.rpartition(":")[0])


def _part(text: str) -> Part:
    if text.startswith("half:"):
        return replace(_part(text.removeprefix("half:")), is_half=True)
    if _exists(text):
        return Part(text)
    if text.startswith(("gate:", "gate@")):
        raise DerainerError(f"{text}: gate: stands before the whole word, as gate:A+B")
    head, *tail = text.split(",")
    while tail and tail[0].partition("=")[0] not in PARAMETERS:
        if "=" in tail[0] and not {"/", "@", ":"} & set(tail[0]):
            raise DerainerError(
                f"{text}: unknown parameter '{tail[0]}': known are {', '.join(PARAMETERS)}"
            )
        head += f",{tail.pop(0)}"  # a comma of a file's name
    values: dict[str, Any] = {}
    for each in tail:
        name, _, value = each.partition("=")
        if name not in PARAMETERS:
            raise DerainerError(
                f"{text}: unknown parameter '{each}': known are {', '.join(PARAMETERS)}"
            )
        if name in values:
            raise DerainerError(f"{text}: {name} stands there twice")
        values[name] = _value(text, name, value)
    return Part(head, Parameters(**values))


def _value(text: str, name: str, value: str) -> Any:
    """The value of a parameter."""
    if name == "range":
        match = _RANGE.fullmatch(value)
        if match is None or float(match["black"]) >= float(match["white"]):
            raise DerainerError(f"{text}: expected range=BLACK..WHITE, as 0..1, -1..1 or 0..255")
        return float(match["black"]), float(match["white"])
    if name == "channels":
        if value not in ("rgb", "bgr"):
            raise DerainerError(f"{text}: expected channels=rgb or channels=bgr")
        return value
    if name in ("multiple_of", "scale"):
        most = _MOST_SCALE if name == "scale" else 1024
        if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= most):
            hint = (
                ", how many times the output is as large as the input; values from 0 to 255 are "
                "range=0..255"
            )
            raise DerainerError(
                f"{text}: expected {name}=N, 1 to {most}{hint if name == 'scale' else ''}"
            )
        return int(value)
    if not value:
        raise DerainerError(f"{text}: expected {name}=NAME")
    return value
