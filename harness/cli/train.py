"""What `train` does with its flags."""

from __future__ import annotations

import argparse

from harness.cli.flags import split_words
from harness.cli.terminal import line, progress_bars
from harness.spec import RunSpec, UsageError, checked


def train(arguments: argparse.Namespace) -> int:
    """Train the derainer or task network that was named."""
    from derainers.training.recipes import PAPER
    from harness.machine.memory import keep_large_blocks
    from harness.spec import known
    from harness.training.network import NETWORKS, train_network

    known(arguments.name, {**NETWORKS, **PAPER}, "network to train")
    fields = {k: v for k, v in vars(arguments).items() if k in RunSpec.model_fields and k != "out"}
    fields |= {k: split_words(fields[k]) for k in ("where", "rain") if k in fields}
    if arguments.epochs is not None and arguments.epochs < 1:
        raise UsageError(f"--epochs {arguments.epochs}: at least 1")
    if arguments.begin is not None and not arguments.begin.is_file():
        raise UsageError(f"--from {arguments.begin}: no such file")
    if arguments.name in PAPER:
        return _train_derainer(arguments, checked(**fields))
    foreign: list[str] = [k for k in ("pair", "seed", "device", "workers", "rain") if k in fields]
    foreign += [k for k in ("exclude", "vgg") if getattr(arguments, k)]
    foreign += ["recipe"] if arguments.recipe != "paper" else []
    if foreign:
        raise UsageError(f"--{foreign[0]} belongs to derainers, {arguments.name} is none")
    keep_large_blocks()
    with progress_bars() as progress:
        file = train_network(
            arguments.name,
            checked(**fields),
            arguments.out,
            arguments.epochs,
            arguments.max_minutes,
            progress,
            arguments.begin,
        )
    line(str(file))
    return 0


def _train_derainer(arguments: argparse.Namespace, spec: RunSpec) -> int:
    import importlib.util

    from harness.machine.memory import keep_large_blocks
    from harness.training.derainer import Options, train_derainer

    if importlib.util.find_spec("lightning_fabric") is None:
        raise UsageError("training derainers needs: pip install 'derain-harness[train]'")
    options = Options(
        recipe=arguments.recipe,
        epochs=arguments.epochs,
        max_minutes=arguments.max_minutes,
        exclude=tuple(arguments.exclude),
        vgg=arguments.vgg,
        begin=arguments.begin,
    )
    for folder in options.exclude:
        if not folder.is_dir():
            raise UsageError(f"--exclude {folder}: no such folder")
    keep_large_blocks()
    with progress_bars() as progress:
        file = train_derainer(arguments.name, spec, arguments.out, options, progress, line)
    line(str(file))
    return 0
