"""What torch's and onnxruntime's objects are, by their contents."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import warnings
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from harness.machine.device import cores

LARGE = 1 << 14
"""Bytes from which a tensor is hashed on a thread of its own."""
_MACHINERY = frozenset(
    [
        "training",
        "_parameters",
        "_buffers",
        "_modules",
        "_non_persistent_buffers_set",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_is_full_backward_hook",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
        "_compiled_call_impl",
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_forward_pre_hooks_with_kwargs",
        "_forward_hooks",
        "_forward_pre_hooks",
    ]
)
"""Attributes of every ``nn.Module``: looked at by themselves, or of no weight in a forward."""
_MANGLED = re.compile(rb"\.___torch_mangle_\d+")
"""Numbers in the names of scripted classes, which count the classes of a process."""
_BLOCK = re.compile(rb"^(?=class |def )", re.MULTILINE)
_FINAL = re.compile(rb"^  \w+ : Final\[.*\n?", re.MULTILINE)
"""Constants of a scripted class, which stand in another order in each process."""


class Walk(Protocol):
    """Names what these objects hold; `harness.plan.own_walk.Walk`."""

    tensors: dict[int, str]

    def digest(self, value: Any, place: str = "") -> bytes:
        """Of any value."""
        ...

    def pairs(self, held: Mapping[Any, Any]) -> bytes:
        """Keys and values."""
        ...


def hashed(*parts: Any) -> bytes:
    """A digest of parts, each kept apart from the next."""
    found = []
    for part in parts:
        data = part if type(part) is bytes else str(part).encode("utf-8", "surrogatepass")
        found += [b"%d:" % len(data), data]
    return hashlib.sha256(b"".join(found)).digest()


def tensor_sha256(value: Any) -> str:
    """Digest of a tensor's type, shape and bytes."""
    import torch

    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    made = hashlib.sha256(f"{plain.dtype} {tuple(plain.shape)}".encode())
    made.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return made.hexdigest()


def large_sha256(value: Any) -> list[tuple[Any, str]]:
    """The large tensors of a network, or of a derainer's, and their digests, made on all cores."""
    torch: Any = sys.modules.get("torch")
    network = getattr(value, "module", value)
    if torch is None or not isinstance(network, torch.nn.Module):
        return []
    held = [t for t in (*network.parameters(), *network.buffers()) if _is_large(torch, t)]
    with ThreadPoolExecutor(cores()) as pool:
        return list(zip(held, pool.map(tensor_sha256, held), strict=True))


def _is_large(torch: Any, value: Any) -> bool:
    """Whether a thread for it is worth its while, and its bytes are all that it is."""
    plain = not isinstance(value, torch.nn.parameter.UninitializedTensorMixin)
    plain = plain and value.layout is torch.strided and not value.is_quantized
    return plain and value.numel() * value.element_size() >= LARGE


def of_libraries(walk: Walk, value: Any) -> bytes | None:
    """What torch and onnxruntime bring, where they were imported; None = neither does."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        if isinstance(value, torch.Tensor):
            return _tensor(walk, torch, value)
        if isinstance(value, torch.nn.Module) and not isinstance(value, torch.jit.ScriptModule):
            return _network(walk, torch, value)
        if isinstance(value, torch.dtype | torch.device | torch.layout | torch.memory_format):
            return hashed("torch", repr(value))
        if isinstance(value, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
            return hashed("operator", str(value))
        if isinstance(value, torch.Generator):
            return hashed("generator", walk.digest(value.get_state()))
        if isinstance(value, torch.jit.ScriptModule | torch.jit.ScriptFunction):
            return _scripted(torch, value)
    if type(value).__module__.startswith("onnxruntime.") and hasattr(value, "_model_path"):
        return _session(value)
    return None


def _tensor(walk: Walk, torch: Any, value: Any) -> bytes:
    """Type, shape and bytes; of attributes only those that were set on it."""
    if isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
        return hashed("uninitialised", repr(value.dtype))
    extra = walk.pairs(vars(value)) if vars(value) else b""
    plain = value.detach()
    if plain.layout is not torch.strided:
        plain = plain.coalesce() if plain.layout is torch.sparse_coo else plain
        parts = ["indices", "values", "crow_indices", "col_indices"]
        found = [getattr(plain, part)() for part in parts if _gives(plain, part)]
        return hashed("sparse", repr(plain.shape), *map(walk.digest, found))
    if plain.is_quantized:
        scales = plain.q_scale(), plain.q_zero_point()
        return hashed("quantised", repr(scales), walk.digest(plain.int_repr()))
    made = walk.tensors.get(id(value)) or tensor_sha256(plain)
    walk.tensors[id(value)] = made
    return hashed("tensor", made, extra)


def _scripted(torch: Any, value: Any) -> bytes:
    """All that would be saved, without names that depend on what else was scripted."""
    if isinstance(value, torch.jit.ScriptFunction):
        data = value.save_to_buffer()
    else:
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch, about its own format
            torch.jit.save(value, buffer)
        data = buffer.getvalue()
    parts = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in sorted(archive.namelist()):
            inner = name.partition("/")[2]
            if "debug_pkl" in inner or inner.startswith((".", "version")):
                continue
            body = archive.read(name)
            if inner.startswith("code/"):
                # Each class that has a number stands in a file of its own.
                blocks = _BLOCK.split(_MANGLED.sub(b"", body))
                parts += [hashed(_FINAL.sub(b"", b), *sorted(_FINAL.findall(b))) for b in blocks]
            elif inner.endswith(".pkl"):
                parts.append(hashed(inner, _MANGLED.sub(b"", body)))
            else:
                parts.append(hashed(inner, body))
    return hashed("scripted", *sorted(set(parts)))


def _network(walk: Walk, torch: Any, value: Any) -> bytes:
    """Parameters, buffers, parts, hooks and attributes of a module."""
    held = vars(value)
    if type(value).__name__ == "OptimizedModule" and "_orig_mod" in held["_modules"]:
        return hashed("compiled", walk.digest(held["_modules"]["_orig_mod"]))
    machinery, kind = _MACHINERY, walk.digest(type(value))
    if isinstance(value, torch.fx.GraphModule):
        targets = [n.target for n in value.graph.nodes if n.op == "call_function"]
        machinery = machinery | {"_graph", "_tracer_cls", "_tracer_extras", "meta"}
        machinery = machinery | {"_forward_pre_hooks", "_codegen", "_guards_fn"}
        kind = hashed("graph", value.code, *(walk.digest(t, "graph") for t in targets))
    if type(value).__name__ == "GuardsFn":  # of an exported graph: it only checks shapes
        return hashed("guards")
    parts = [kind]
    for group in ("_parameters", "_buffers", "_modules"):
        if inside := held.get(group):
            parts += [group.encode(), walk.pairs(inside)]
    for group in ("_forward_hooks", "_forward_pre_hooks"):
        if hooks := held.get(group):
            parts += [group.encode(), *(walk.digest(hook, "hook") for hook in hooks.values())]
    rest = {k: held[k] for k in sorted(held) if k not in machinery}
    return hashed("network", *parts, walk.pairs(rest))


def _session(value: Any) -> bytes:
    """The ONNX model that a session runs."""
    from derainers.shards import onnx_files

    if value._model_bytes:
        return hashed("onnx", value._model_bytes)
    files = onnx_files(Path(value._model_path))
    return hashed("onnx", *(file.read_bytes() for file in files))


def _gives(value: Any, method: str) -> bool:
    try:
        getattr(value, method)()
    except RuntimeError:
        return False
    return True
