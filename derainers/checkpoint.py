"""Weights in, without running code from a file."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from datasets.inert import InertError, States, is_nameless, read, states_of
from derainers.errors import DerainerError
from derainers.layouts import (
    KEYS,
    Layout,
    Misfit,
    bare,
    fit,
    is_average,
    is_quantized,
    joined,
    label,
    some,
)
from derainers.shards import BUNDLE, shards, with_name

MOST_TRIED = 20
"""State dicts that a network is given to translate."""


def load_weights(
    module: nn.Module, file: Path, part: str = "", key: str | None = None
) -> tuple[str, ...]:
    """Load a file into a network; every tensor of the network must be there, and of its shape.

    State dicts are found under whatever keys training codes put them, and tensors with whatever
    beginnings of names. Of several that fit, an average of weights (``params_ema``) is taken.

    Args:
        module: The network; floating-point weights are cast to its own type.
        file: ``.safetensors``, or a PyTorch file with a state dict or a whole network, which is not
            run; one of several `shards`, or a folder with them, stands for all.
        part: Beginning of the names of a larger network's weights that are wanted.
        key: Which of several sets of weights is wanted, ``params`` or ``state_dict.net``; None =
            whichever fits.

    Returns:
        What a reader of the numbers should know: which of several was taken, what was left out.

    Raises:
        DerainerError: If the file is absent, damaged or none of weights, belongs to another
            network or holds NaN.
    """
    file = with_name(file)
    states = read_states(file)
    if part:
        states = {path: _below(part, state) for path, state in states.items()}
    kept = module.state_dict(keep_vars=True)
    expected = {k: v for k, v in kept.items() if isinstance(v, Tensor)}
    found = [(path, fit(expected, state)) for path, state in states.items()]
    translated: States = {}
    fits = _fitting(found)
    if not fits:
        whole = joined(expected, states)
        states, together = states | whole, [(p, fit(expected, s)) for p, s in whole.items()]
        found, fits = found + together, _fitting(together)
    if not fits:
        translated = _translated(module, states)
        fits = [(path, Layout({}, "")) for path in translated]
    if not fits:
        named = [(path, each) for path, each in found if not is_nameless(states[path])]
        misfits = [(path, each) for path, each in named if isinstance(each, Misfit)]
        path, misfit = max(misfits, key=lambda pair: (pair[1].shared, -_rank(pair[0])))
        under = f" under {'.'.join(path)}" if path else ""
        raise DerainerError(
            f"{file.name} holds the weights of another network than {type(module).__name__}"
            f"{under}: {misfit.said}: {misfit.remedy}"
        )
    path, layout, said = _chosen(file, fits, key)
    state = {name: states[path][own] for name, own in layout.names.items()}
    for name, value in state.items():
        own = "" if name == layout.names[name] else f" ({layout.names[name]})"
        real = value.to(_real(value))
        is_sound = torch.isfinite(real)
        if not is_sound.all() and not is_lazy(expected[name]):
            # A mask holds infinities in the network that was built, too.
            is_sound |= real == expected[name].detach().to(real)
        if not is_sound.all():
            raise DerainerError(f"{file.name}: {name}{own} holds NaN or infinity")
    module.load_state_dict(translated.get(path, state), strict=path in translated)
    lists = (p for p in states if is_nameless(states[p]) and is_average(p[-1] if p else ""))
    return (*said, *(f"{label(p, '')} left out, an average without names" for p in lists))


def _fitting(
    found: list[tuple[tuple[str, ...], list[Layout] | Misfit]],
) -> list[tuple[tuple[str, ...], Layout]]:
    return [(path, layout) for path, each in found if isinstance(each, list) for layout in each]


def read_states(file: Path) -> States:
    """The state dicts in a file or in all its `shards`, by the keys that lead to them.

    Raises:
        DerainerError: If a file is absent or damaged, or holds anything else.
    """
    if file.suffix == BUNDLE:
        raise DerainerError(
            f"{file.name} is TensorFlow's: of such checkpoints that of MSPFN's authors alone is "
            "read, as mspfn:layers=release@FILE"
        )
    found: States = {}
    for shard in shards(file):
        if not shard.is_file():
            raise DerainerError(f"{shard} not found: give a weight file as NAME@FILE")
        try:
            states = states_of(read(shard))
        except (InertError, OSError) as error:
            raise DerainerError(f"{shard}: {error}") from error
        for path, state in states.items():
            found.setdefault(path, {}).update(state)
    return found


def likeliest(states: States, key: str | None = None) -> list[dict[str, Tensor]]:
    """State dicts without a network to hold them against, the likeliest first."""
    named = [p for p in states if not is_nameless(states[p])]
    named = [p for p in named if key is None or _is(key, label(p, ""))]
    return [states[path] for path in sorted(named, key=lambda p: (_rank(p), -len(states[p])))]


def _translated(module: nn.Module, states: States) -> States:
    """The state dicts that a network loads by hooks of its own, as torch does old weight norms.

    That is tried on a copy, all of whose numbers must have come from the file.
    """
    found: States = {}
    try:
        trial = copy.deepcopy(module)
    except Exception:
        return found
    likely = sorted(states, key=lambda p: (_rank(p), -len(states[p])))[:MOST_TRIED]
    for path, state in ((each, form) for each in likely for form in bare(states[each])):
        with contextlib.suppress(Exception), torch.no_grad():  # whatever hooks may raise
            tensors = [t for t in (*trial.parameters(), *trial.buffers()) if _is_number(t)]
            if any(v.is_complex() for v in state.values()) > any(t.is_complex() for t in tensors):
                continue  # torch would make them real
            own = dict(trial.named_parameters())
            if any(name in own and is_quantized(own[name], value) for name, value in state.items()):
                continue
            for tensor in tensors:
                tensor.fill_(torch.nan)
            trial.load_state_dict(state, strict=True)
            if all(torch.isfinite(tensor).all() for tensor in tensors):
                found.setdefault(path, state)
    return found


def _is_number(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex()


def _below(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(part): v for k, v in state.items() if k.startswith(part)}


def _chosen(
    file: Path, fits: list[tuple[tuple[str, ...], Layout]], key: str | None
) -> tuple[tuple[str, ...], Layout, list[str]]:
    """The set of weights to take, and what to say where there are several."""
    labels = [label(path, layout.prefix) for path, layout in fits]
    if key is not None:
        wanted = [i for i, each in enumerate(labels) if _is(key, each)]
        if not wanted:
            raise DerainerError(
                f"{file.name}: no weights for this network under key={key}: they are under "
                f"{', '.join(each or 'no key' for each in labels)}"
            )
        fits, labels = [fits[i] for i in wanted], [labels[i] for i in wanted]
    ranks = [
        (not is_average(each), _rank(path), len(path), bool(layout.prefix))
        for each, (path, layout) in zip(labels, fits, strict=True)
    ]
    best = ranks.index(min(ranks))
    path, layout = fits[best]
    others = [each for i, each in enumerate(labels) if i != best]
    if ranks.count(ranks[best]) > 1:
        raise DerainerError(
            f"{file.name} holds several weights for this network, under "
            f"{', '.join(labels)}: say which with ,key={labels[best]}"
        )
    said = []
    if others:
        named = ", ".join(each or "no key" for each in others)
        said.append(f"{labels[best] or 'the bare one'} was taken, not {named}")
    if layout.counters:
        said.append(f"{some(layout.counters)} left out, which only count")
    if layout.others and not others:
        said.append(f"{some(layout.others)} left out, which do not begin with {layout.prefix}")
    return path, layout, said


def _is(key: str, found: str) -> bool:
    """Whether a key as typed names a set of weights."""
    return found == key or found.endswith(f".{key}")


def _rank(path: tuple[str, ...]) -> int:
    """How likely the weights are under these keys; the least is likeliest."""
    ranks = [KEYS.index(each) for each in path if each in KEYS]
    return min(ranks, default=len(KEYS) if path else 0)


def _real(value: Tensor) -> torch.dtype:
    """A number format in which finite is finite."""
    return value.dtype if value.is_complex() else torch.float32
