"""Derainers that a caller hands over in Python, and what names them in the ledger."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from derainers.shards import config
from derainers.words import NO_PARAMETERS, Parameters
from harness.machine.generators import seeded
from harness.plan import origins
from harness.plan.own_code import Identity, may_vary, named, require_own_modules, values_of
from harness.plan.own_networks import tensor_sha256
from harness.plan.recorder import OwnLoader, forget_changed, forget_namesakes, recording
from harness.spec import UsageError

if TYPE_CHECKING:
    from torch import nn

    from derainers.derainer import Derainer
    from derainers.restorer import Restorer


VARIES = "what its function makes, another each time: seed it, or take the clock out"


@dataclass(frozen=True)
class Built:
    """What a user's factory returned, or a function itself."""

    value: Any
    module: ModuleType
    """Where it stands."""
    files: list[str]
    """What it read."""
    varies: bool = False
    """Whether it makes something else each time, see `built_to_run`."""


@dataclass(frozen=True)
class Brought:
    """A derainer of the user's, as it was before its first call."""

    restorer: Restorer
    identity: Identity
    weights: str | None
    """Digest of its weights and buffers; None of what is no network."""

    def fresh(self) -> Restorer:
        """A copy, if there can be one."""
        from derainers.restorer import per_thread

        return per_thread(self.restorer)


def own_derainer(
    name: str,
    value: Any,
    root: ModuleType | None = None,
    files: Sequence[str] = (),
    parameters: Parameters = NO_PARAMETERS,
) -> Brought:
    """A module, a `Derainer` or an object with ``restore`` as something the engine can run.

    A module is copied, so that the caller's stays as it is. Its name is that of all it holds and
    runs; where one of these cannot be named, results are computed anew, and the run says so. An
    object with ``restore`` may have an attribute ``digest`` (text) that stands for all of it.

    Args:
        name: What to call it.
        value: The derainer.
        root: The module whose function made it, if one did.
        files: What that function read.
        parameters: How a network is to be fed, which comes before what it declares.

    Raises:
        UsageError: If it is none of the three.
    """
    import copy

    import torch

    from derainers.derainer import Derainer
    from derainers.restorer import OneAtATime

    if isinstance(value, torch.nn.Module):
        value = Derainer(value)
    if isinstance(value, Derainer):
        value = completed(name, value)
        parameters.put_on(value)
        # Named before anything is called: some networks keep state in a forward.
        said, value.said = value.said, ()  # of the names of files, which decide nothing
        identity = named(name, value, root, files)
        value.said = said
        weights = _weights_sha256(value.module, identity.tensors)
        identity.tensors.clear()
        return Brought(value, identity, weights)
    if parameters.said:
        raise UsageError(f"derainer {name}{parameters.said}: these are for networks alone")
    if isinstance(value, type) or not callable(getattr(value, "restore", None)):
        got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise UsageError(
            f"derainer {name}: expected a torch.nn.Module, a Derainer or an object with "
            f"restore(image, sample_id), got {got}"
        )
    digest = getattr(value, "digest", None)
    is_said = isinstance(digest, str)
    identity = named(name, digest if is_said else value, root, files)
    identity.is_said = is_said
    try:
        is_copied = copy.deepcopy(value) is not value
    except Exception:
        is_copied = False
        if not is_said:
            # What cannot be tried may depend on anything.
            identity.renew(name, "what cannot be copied")
    return Brought(value if is_copied else OneAtATime(value), identity, None)


def completed(name: str, derainer: Derainer, *chance: int) -> Derainer:
    """A derainer whose lazy modules have made their tensors, by a forward of a small image.

    Its copy, where there are such: the caller's stays as it is.

    Args:
        name: What to call it.
        derainer: Any.
        chance: What decides the weights that are drawn, beside the network.

    Raises:
        UsageError: If the forward fails.
    """
    import copy

    import torch
    from torch.nn.modules.lazy import LazyModuleMixin

    other = copy.copy(derainer)
    if not any(isinstance(m, LazyModuleMixin) for m in derainer.module.modules()):
        return other
    other.module = copy.deepcopy(derainer.module).eval()
    with seeded("lazy", *chance), torch.no_grad():
        try:
            other.module(torch.rand(1, 3, 128, 128))
        except Exception as error:
            raise UsageError(
                f"derainer {name}: a forward of 128x128 px, for its lazy modules, raised "
                f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
            ) from error
    return other


def built_by(
    source: str, name: str, weights: Path | None, key: str | None = None, *chance: int
) -> Built:
    """Call a factory that the user names on the command line.

    The factory gets the weight file (or None) if its first parameter is called ``weights`` or has
    no default; else it is called with nothing and the weights are loaded into what it returns.
    What it draws at random is the same each time.

    Args:
        source: ``path/to/file.py`` or the name of a module.
        name: Function or class in it.
        weights: Weight file, or None; a folder's ``config.json`` gives the factory the arguments
            that both of them name.
        key: Under which key of the file the weights stand, where the harness loads them.
        chance: What decides what it draws; nothing where it is to run, a seed where it is to learn.

    Raises:
        UsageError: If it cannot be imported, has no such name, or raises.
        DerainerError: If the weights do not fit.
    """
    import torch  # before anything is noted: its own files are none of the user's

    forget_changed()
    # Code may go to a folder of its own; the run's words are relative to this one.
    with recording() as files, seeded("build", *chance), contextlib.chdir("."):
        module = _imported(source, name)
        factory = getattr(module, name, None)
        if not callable(factory):
            names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            raise UsageError(
                f"{source} has no function {name}: it has {', '.join(names) or 'none'}"
            )
        if isinstance(factory, torch.nn.Module):
            raise UsageError(
                f"{source}:{name} is a network, and a function that returns one is named: "
                f"def build(): return {name}"
            )
        try:
            takes = _takes_weights(factory)
            value = factory(weights) if takes else factory(**_configured(factory, weights))
        except (Exception, SystemExit) as error:
            hint = _hidden(source, error) or _of_an_image(factory, name, weights)
            raise UsageError(
                f"{source}:{name} raised {type(error).__name__}: {error}{hint}"
            ) from error
    if weights is not None and not takes:
        value = _loaded(value, weights, f"{source}:{name}", key)
    elif key is not None:
        raise UsageError(f"{source}:{name},key={key}: the function itself loads what it takes")
    return Built(value, module, files)


def built_to_run(source: str, name: str, weights: Path | None, key: str | None = None) -> Built:
    """As `built_by`, and whether the factory makes something else each time.

    It is called again only where its code names a clock or chance of its own: what is large would
    be loaded twice. A factory that cannot be called twice is not known to vary.

    Raises:
        UsageError, DerainerError: As of `built_by`.
    """
    first = built_by(source, name, weights, key)
    if not may_vary(first.module):
        return first
    try:
        again = built_by(source, name, weights, key)
    except ValueError:
        return first
    return replace(again, varies=values_of(again.value) != values_of(first.value))


def function_of(source: str, name: str) -> Built:
    """A function that the user names on the command line.

    Args:
        source: ``path/to/file.py`` or the name of a module.
        name: The function in it.

    Raises:
        UsageError: If it cannot be imported or has no such function.
    """
    forget_changed()
    with recording() as files, contextlib.chdir("."):
        module = _imported(source, name)
    found = getattr(module, name, None)
    if not callable(found):
        raise UsageError(f"{source} has no function {name}")
    return Built(found, module, files)


def modules_of_files() -> list[ModuleType]:
    """Modules that were made of a user's files, which no import finds by their names."""
    return [module for name, module in sys.modules.items() if name.startswith(origins.OWN)]


def _takes_weights(factory: Callable[..., Any]) -> bool:
    """Whether a factory's first parameter is for the weight file."""
    first = next(iter(inspect.signature(factory).parameters.values()), None)
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        return False
    return first.name == "weights" or first.default is first.empty


def _of_an_image(factory: Callable[..., Any], name: str, weights: Path | None) -> str:
    """The remedy where what was named may be the function of an image itself."""
    try:
        first = next(iter(inspect.signature(factory).parameters), "weights")
    except (TypeError, ValueError):
        return ""
    if weights is not None or first == "weights":
        return ""
    return (
        f"; it was called with {first}=None, to return what is then called with each image: where "
        f"{name} is that itself, name a function that returns it, def build(): return {name}"
    )


def _configured(factory: Callable[..., Any], weights: Path | None) -> dict[str, Any]:
    """The arguments of a factory that the config beside its weights names."""
    file = config(weights) if weights is not None else None
    if file is None:
        return {}
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not a JSON file ({error})") from error
    names = inspect.signature(factory).parameters if isinstance(said, dict) else ()
    return {name: said[name] for name in names if name in said}


def _loaded(value: Any, weights: Path, name: str, key: str | None) -> Any:
    """What a factory returned, with weights in it."""
    import torch

    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer

    module = value.module if isinstance(value, Derainer) else value
    if not isinstance(module, torch.nn.Module):
        raise UsageError(
            f"{name} returned {type(value).__name__}, expected a torch.nn.Module or a Derainer"
        )
    said = load_weights(module, weights, key=key)
    derainer = value if isinstance(value, Derainer) else Derainer(value)
    derainer.said = (*derainer.said, *said)
    return derainer


def _imported(source: str, wanted: str) -> ModuleType:
    """A module by its name or its file, for a function of it."""
    try:
        if not source.endswith(".py"):
            return importlib.import_module(source)
        file = Path(source).resolve()
        if not file.is_file():
            raise UsageError(f"{source} not found: give FILE.py:FACTORY")
        origins.bring(file)
        forget_namesakes(file.parent)
        name = f"{origins.OWN}{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file, loader=OwnLoader(name, str(file)))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # inspect looks for the source of its classes there
        spec.loader.exec_module(module)
        require_own_modules(module)
        return module
    except UsageError:
        raise
    except SystemExit as error:
        raise UsageError(
            f"{source} ends the program while it is imported (SystemExit: {error}): put what runs "
            'it, and what reads the words of a command line, below if __name__ == "__main__":'
        ) from error
    except Exception as error:
        raise UsageError(
            f"{source} cannot be imported: {type(error).__name__}: {error}{_hidden(source, error)}"
            f"{_of_package(source, wanted, error)}"
        ) from error


def _of_package(source: str, wanted: str, error: Exception) -> str:
    """What to add where a file imports from the package that it lies in, which it is named without.

    Its name is that from the folder above all packages, told by their ``__init__.py``.
    """
    if not isinstance(error, ImportError) or "no known parent package" not in str(error):
        return ""
    file, here = Path(source).resolve(), Path.cwd().resolve()
    top = file.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    if top == file.parent:  # a package without that file
        top = here if here in top.parents else top.parent
    module = ".".join(file.relative_to(top).with_suffix("").parts)
    where = "" if top == here else f", with {top} in $PYTHONPATH"
    return f": it lies in a package: name it {module}:{wanted}{where}"


def _hidden(source: str, error: BaseException) -> str:
    """What to add where code failed since a package of ours came instead of the user's own."""
    name = error.name if isinstance(error, ImportError) else None
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name = error.obj.__name__
    file = str(Path(source).resolve()) if source.endswith(".py") else None
    return origins.hidden(name or "", origins.path_of(file))


def _weights_sha256(module: nn.Module, known: Mapping[int, str]) -> str:
    """Digest of a module's weights and buffers, of which some digests may be known."""
    h = hashlib.sha256()
    for name, value in sorted(module.state_dict(keep_vars=True).items()):
        h.update(f"{name} {known.get(id(value)) or tensor_sha256(value)}\n".encode())
    return h.hexdigest()
