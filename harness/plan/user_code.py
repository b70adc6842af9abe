"""Derainers that a caller hands over in Python, and what names them in the ledger."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.spec import UsageError

if TYPE_CHECKING:
    from torch import nn

    from derainers.derainer import Restorer

OWN = "own_"
"""Begins the names of modules made of a user's files."""


def own_derainer(name: str, value: Any) -> tuple[Restorer, dict[str, Any], str | None]:
    """A module, a `Derainer` or an object with ``restore`` as something the engine can run.

    A module is copied, so that the caller's stays as it is. Its key holds its weights, the source
    of its classes and its attributes; where one of these cannot be named for certain, results are
    computed again rather than taken from an earlier run. An object with ``restore`` is always
    computed again, unless it has an attribute ``digest`` (text) that names all it depends on.

    Returns:
        The derainer, its key, and the digest of its weights (None without weights).

    Raises:
        UsageError: If it is none of the three.
    """
    import copy

    import torch

    from derainers.derainer import Derainer

    if isinstance(value, torch.nn.Module):
        value = Derainer(value)
    if isinstance(value, Derainer):
        weights = _weights_sha256(value.module)
        key = {"own": _module_sha256(value.module), "convention": value.convention()}
        return copy.deepcopy(value), {**key, "weights": weights}, weights
    if not callable(getattr(value, "restore", None)):
        raise UsageError(
            f"derainer {name}: expected a torch.nn.Module, a Derainer or an object with "
            f"restore(image, sample_id), got {type(value).__name__}"
        )
    digest = getattr(value, "digest", None)
    if not isinstance(digest, str):
        digest = uuid.uuid4().hex
    return value, {"own": digest}, None


def built_by(source: str, name: str, weights: Path | None) -> tuple[Any, str]:
    """Call a factory that the user names on the command line.

    The factory gets the weight file (or None) if its first parameter is called ``weights`` or has
    no default; else it is called with nothing and the weights are loaded into what it returns.

    Args:
        source: ``path/to/file.py`` or the name of a module.
        name: Function or class in it.
        weights: Weight file, or None.

    Returns:
        What the factory returned, and the sha256 of the file that defines it.

    Raises:
        UsageError: If it cannot be imported, has no such name, or raises.
        DerainerError: If the weights do not fit.
    """
    module = _imported(source)
    factory = getattr(module, name, None)
    if not callable(factory):
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise UsageError(f"{source} has no function {name}: it has {', '.join(names) or 'none'}")
    try:
        takes = _takes_weights(factory)
        value = factory(weights) if takes else factory()
    except Exception as error:
        raise UsageError(f"{source}:{name} raised {type(error).__name__}: {error}") from error
    if weights is not None and not takes:
        _load(value, weights, f"{source}:{name}")
    file = inspect.getsourcefile(module)
    return value, hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()


def modules_of_files() -> list[ModuleType]:
    """Modules that were made of a user's files, which no import finds by their names."""
    return [module for name, module in sys.modules.items() if name.startswith(OWN)]


def _takes_weights(factory: Callable[..., Any]) -> bool:
    """Whether a factory's first parameter is for the weight file."""
    first = next(iter(inspect.signature(factory).parameters.values()), None)
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        return False
    return first.name == "weights" or first.default is first.empty


def _load(value: Any, weights: Path, name: str) -> None:
    """Put weights into what a factory returned."""
    import torch

    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer

    module = value.module if isinstance(value, Derainer) else value
    if not isinstance(module, torch.nn.Module):
        raise UsageError(
            f"{name} returned {type(value).__name__}, expected a torch.nn.Module or a Derainer"
        )
    load_weights(module, weights)


def _imported(source: str) -> ModuleType:
    """A module by its name or its file."""
    try:
        if not source.endswith(".py"):
            return importlib.import_module(source)
        file = Path(source).resolve()
        if not file.is_file():
            raise UsageError(f"{source} not found: give FILE.py:FACTORY")
        # The file's neighbours may be imported by it, but never instead of ours.
        if str(file.parent) not in sys.path:
            sys.path.append(str(file.parent))
        spec = importlib.util.spec_from_file_location(f"{OWN}{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # inspect looks for the source of its classes there
        spec.loader.exec_module(module)
        return module
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{source} cannot be imported: {type(error).__name__}: {error}") from error


def _weights_sha256(module: nn.Module) -> str:
    """Digest of a module's weights and buffers."""
    h = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        h.update(f"{name} {_tensor_sha256(value)}\n".encode())
    return h.hexdigest()


def _module_sha256(module: nn.Module) -> str:
    """Digest of the classes, their source and the attributes of a module and all inside it."""
    import torch

    lines, classes = [], set()
    for name, part in module.named_modules():
        classes.add(type(part))
        for attribute, value in sorted(vars(part).items()):
            if attribute.startswith("_") or attribute == "training":
                continue
            # What has no telling repr has an address in it, and so is never taken for another's.
            is_tensor = isinstance(value, torch.Tensor)
            lines.append(
                f"{name}.{attribute}={_tensor_sha256(value) if is_tensor else repr(value)}"
            )
        lines.append(f"{name}: {type(part).__module__}.{type(part).__qualname__}")
    for kind in sorted(classes, key=lambda c: f"{c.__module__}.{c.__qualname__}"):
        try:
            lines.append(inspect.getsource(kind))
        except (OSError, TypeError):
            lines.append(repr(kind) + uuid.uuid4().hex)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _tensor_sha256(value: Any) -> str:
    """Digest of a tensor's type, shape and bytes."""
    import torch

    plain = value.detach().cpu().contiguous()
    data = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{plain.dtype} {tuple(plain.shape)}".encode() + data).hexdigest()
