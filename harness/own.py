"""Derainers that a caller hands over in Python, and what names them in the ledger."""

from __future__ import annotations

import hashlib
import inspect
import uuid
from typing import TYPE_CHECKING, Any

from harness.spec import UsageError

if TYPE_CHECKING:
    from torch import nn

    from derainers.derainer import Restorer


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
            f"derainers['{name}']: expected a torch.nn.Module or an object with "
            f"restore(image, sample_id), got {type(value).__name__}"
        )
    digest = getattr(value, "digest", None)
    if not isinstance(digest, str):
        digest = uuid.uuid4().hex
    return value, {"own": digest}, None


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
