"""Weights in several files: Hugging Face's numbered ones, TensorFlow's, those beside an ONNX graph.

Needs no torch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from datasets.installed import installing
from datasets.marked import shown
from derainers.errors import DerainerError

_NAME = re.compile(r"(?P<name>.+)-\d{5}-of-(?P<count>\d{5})")
CONFIG = "config.json"
"""In a folder of weights: the arguments of the network's class, as Hugging Face writes them."""
BUNDLE = ".index"
"""The ending of a TensorFlow checkpoint's index, whose data lie beside it."""
_USUAL = ("model", "diffusion_pytorch_model")


def shards(file: Path) -> list[Path]:
    """All files of some weights, in order, by one of them or by their folder; most have but one.

    Raises:
        DerainerError: If a folder holds no safetensors, or those of several networks; see
            `onnx_files`.
    """
    if file.is_dir():
        file = _in_folder(file)
    if file.suffix == ".onnx":
        return onnx_files(file)
    if file.suffix == BUNDLE:
        return [file, file.with_name(f"{file.stem}.data-00000-of-00001")]
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return [file]
    name, count = match["name"], match["count"]
    return [
        file.with_name(f"{name}-{number:05}-of-{count}{file.suffix}")
        for number in range(1, int(count) + 1)
    ]


def onnx_files(file: Path) -> list[Path]:
    """The file of an ONNX model and those beside it that hold its weights.

    Raises:
        DerainerError: If onnx is missing, it is no such file, or weights lie elsewhere.
        FileNotFoundError: If there is no such file.
    """
    from datasets.inert.graphs import files_beside  # whose package needs torch

    try:
        import onnx
    except ImportError as error:
        raise DerainerError(
            f"{file.name}: onnx is not installed: {installing('derain-harness[onnx]')}"
        ) from error
    try:
        model = onnx.load_from_string(file.read_bytes())
    except FileNotFoundError:
        raise
    except Exception as error:
        raise DerainerError(f"{file.name}: not an ONNX file, or damaged") from error
    names = files_beside(model)
    if any(Path(name).name != name for name in names):
        raise DerainerError(f"{file.name}: its weights lie elsewhere: put them beside the model")
    return [file, *(file.parent / name for name in names)]


def _in_folder(folder: Path) -> Path:
    """One file of the weights that lie in a folder."""
    kinds: dict[str, Path] = {}
    for file in shown(folder.glob("*.safetensors"), folder):
        match = _NAME.fullmatch(file.stem)
        kinds.setdefault(match["name"] if match else file.stem, file)
    usual = [name for name in _USUAL if name in kinds]
    names = usual[:1] or list(kinds)
    if len(names) != 1:
        found = f"several ({', '.join(names)})" if names else "none"
        raise DerainerError(
            f"folder {folder} holds {found} of the .safetensors that one network has: "
            "give the path of a weight file"
        )
    return kinds[names[0]]


def config(file: Path) -> Path | None:
    """The config beside the weights in a folder that stands for them; None where there is none."""
    found = file / CONFIG
    return found if file.is_dir() and found.is_file() else None


def with_name(file: Path) -> Path:
    """The same path with a name at its end, which ``.`` and ``..`` have not."""
    return file if file.name not in ("", "..") else file.resolve()


def card_file(file: Path) -> Path:
    """Where the card of some weights lies: beside them, without a number; a folder's beside it."""
    if file.is_dir():
        folder = with_name(file)
        return folder.with_name(f"{folder.name}.json")
    match = _NAME.fullmatch(file.stem)
    return file.with_name(f"{match['name'] if match else file.stem}.json")


def weights_sha256(file: Path) -> str:
    """Digest of a weight file's bytes; of all digests, a line each, where there are several."""
    digests = []
    for part in shards(file):
        with part.open("rb") as content:
            digests.append(hashlib.file_digest(content, "sha256").hexdigest())
    return combined(digests)


def combined(digests: Sequence[str]) -> str:
    """The digest of weights by those of their `shards`, as `weights_sha256`."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
