"""The verb `train`: a derainer or a task network."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from harness.cli.flags import Verbs, add_field, fields_of
from harness.cli.terminal import line, shown, training_bar
from harness.spec import RunSpec, UsageError, checked
from harness.training.launched import is_first
from harness.training.wish import KINDS, LOSSES, Wish


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "train",
        help="train a derainer or a task network; what was broken off goes on",
        description="A derainer of list derainers: on the photographs of any data set, with rain "
        "made as it goes, or on pairs. refinenet: the light-weight RefineNet, on the label maps of "
        "a data set; yolo: a small network for boxes and masks; both on clean images or under "
        "--rain. The folder gets checkpoint, curve, "
        "weights and their card. Splits may be joined: train+val.",
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a derainer, FILE.py:FUNCTION that builds one of yours, refinenet or yolo",
    )
    for name in (
        *("dataset", "data_root", "split", "annotations", "attributes", "where"),
        *("depth", "limit"),
    ):
        add_field(parser, name)
    add_field(parser, "dtype", "number format of the training")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--from",
        dest="begin",
        type=Path,
        metavar="FILE",
        help="begin with these weights of the same network (default: at random), a bundled task "
        "network's by its name, for yolo ultralytics' -seg.pt too, or go on from this "
        "checkpoint.pt of the same training, wherever it was made",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="default: the recipe's, whose learning rate falls where it does all the same",
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="the largest, of a task network (default: its recipe's) or of your derainer (5e-4)",
    )
    parser.add_argument(
        "--max-minutes", type=float, metavar="X", help="end then, with weights and their card"
    )
    add_field(parser, "seed", "seed of first weights, crops and rain")
    parser.add_argument(
        "--rain",
        action="append",
        metavar="NAME[,NAME…]",
        default=argparse.SUPPRESS,
        help="none = it stays clean. Of a derainer one is drawn for each crop (default: "
        "photoshop-light to -heavy, rain100l, rain100h and outdoor-rain; of pairs their own); of a "
        "task network they take turns at each image (default: none)",
    )
    networks = parser.add_argument_group("of task networks alone")
    networks.add_argument(
        "--derained",
        metavar="DERAINER",
        help="images pass this derainer, as run has them, before the network sees them",
    )
    for name in ("workspace", "cache_gb"):
        add_field(networks, name)
    derainers = parser.add_argument_group("of derainers alone")
    for name in ("pair", "device", "workers"):
        add_field(derainers, name)
    derainers.add_argument(
        "--recipe",
        choices=KINDS,
        help="the paper's schedule (default; of your own network short), its authors' code's, 12 "
        "epochs of 1000 steps of four crops (short-gpu: of sixteen), or the protocol that all rows "
        "of the benchmark share: the same photographs, rains and crops (--data-root BSDS500)",
    )
    derainers.add_argument(
        "--steps", type=int, metavar="N", help="the recipe's schedule on these images in N steps"
    )
    derainers.add_argument(
        "--crops",
        type=int,
        metavar="N",
        help="end once N were seen, by the schedule of the whole training; without it the same "
        "command goes on",
    )
    derainers.add_argument(
        "--loss",
        metavar="WORD",
        help=f"of your own network: {', '.join(LOSSES)} (default: l1), or FILE.py:FUNCTION of "
        "(restored, clean)",
    )
    derainers.add_argument(
        "--exclude",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="photographs that also stand there, flipped or turned, are not trained on",
    )
    derainers.add_argument(
        "--for",
        dest="for_task",
        metavar="TASK=NETWORK",
        help="how far what this frozen network sees in restored images is from what it sees in "
        "clean ones joins the loss: detection=yolo-streetsim",
    )
    derainers.add_argument(
        "--vgg", type=Path, metavar="FILE", help="VGG16's weights, for perceptual terms"
    )
    parser.set_defaults(action=_train, goes_on=True)


def _train(arguments: argparse.Namespace) -> int:
    from harness.machine.memory import keep_large_blocks
    from harness.training.network import NETWORKS, NetworkOptions, train_network

    fields = fields_of(arguments, without=("out",))
    for flag in ("epochs", "steps", "crops"):
        count = getattr(arguments, flag)
        if count is not None and count < 1:
            raise UsageError(f"--{flag} {count}: at least 1")
    if arguments.epochs and arguments.steps:
        raise UsageError("--steps and --epochs both say how long: give one of them")
    minutes, rate = arguments.max_minutes, arguments.learning_rate
    if minutes is not None and not minutes >= 0:
        raise UsageError(f"--max-minutes {minutes}: at least 0")
    if rate is not None and not 0 < rate < 1:
        raise UsageError(f"--learning-rate {rate}: above 0, below 1")
    begin = _begin(arguments.begin)
    if arguments.name not in NETWORKS:
        if arguments.derained is not None:
            raise UsageError(f"--derained belongs to task networks: {', '.join(NETWORKS)}")
        _require_derained(fields)
        return _train_derainer(arguments, checked(**fields))
    foreign: list[str] = [k for k in ("pair", "device", "workers") if k in fields]
    foreign += [
        k for k in ("exclude", "vgg", "steps", "crops", "recipe", "loss") if getattr(arguments, k)
    ]
    foreign += ["for"] if arguments.for_task else []
    if foreign:
        raise UsageError(f"--{foreign[0]} belongs to derainers, {arguments.name} is none")
    if arguments.derained is None:
        _require_derained(fields)
    keep_large_blocks()
    with training_bar() as progress:
        file = train_network(
            arguments.name,
            checked(**fields),
            arguments.out,
            NetworkOptions(
                epochs=arguments.epochs,
                learning_rate=arguments.learning_rate,
                max_minutes=arguments.max_minutes,
                begin=begin,
                derained=arguments.derained,
            ),
            progress,
            line,
        )
    line(shown(file))
    return 0


def _require_derained(fields: Mapping[str, object]) -> None:
    """Refuse a workspace that nothing would be kept in."""
    for name in ("workspace", "cache_gb"):
        if name in fields:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is for images of --derained: leave it out")


def _begin(said: Path | None) -> Path | None:
    """The weights of ``--from``: a file, or those of a task network that comes with the package.

    Raises:
        UsageError: If there is no such file.
    """
    from tasks.models import BUNDLED, WEIGHTS

    if said is None or said.is_file():
        return said
    if str(said) in {name for _, name in BUNDLED}:
        return WEIGHTS / f"{said}.safetensors"
    raise UsageError(f"--from {said}: no such file")


def _train_derainer(arguments: argparse.Namespace, spec: RunSpec) -> int:
    import importlib.util

    from datasets.installed import installing
    from harness.machine.memory import keep_large_blocks
    from harness.training.derainer import Options, train_derainer
    from harness.training.network import NETWORKS
    from harness.training.trainee import trainee

    if importlib.util.find_spec("lightning_fabric") is None:
        raise UsageError(f"training derainers needs: {installing('derain-harness[train]')}")
    wish = Wish(arguments.recipe, arguments.loss, arguments.learning_rate)
    trainee(arguments.name, wish, tuple(NETWORKS))  # before anything is read
    options = Options(
        wish=wish,
        epochs=arguments.epochs,
        steps=arguments.steps,
        max_minutes=arguments.max_minutes,
        crops=arguments.crops,
        exclude=tuple(arguments.exclude),
        vgg=arguments.vgg,
        for_task=arguments.for_task,
        begin=arguments.begin,
    )
    for folder in options.exclude:
        if not folder.is_dir():
            raise UsageError(f"--exclude {folder}: no such folder")
    keep_large_blocks()
    with training_bar() as progress:
        file = train_derainer(arguments.name, spec, arguments.out, options, progress, line)
    if is_first():
        line(shown(file))
    return 0
