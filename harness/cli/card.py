"""The verb `card`: what own weights were trained on, beside them, for the marks in tables."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from harness.cli.flags import Verbs, split_words
from harness.cli.terminal import shown
from harness.spec import UsageError


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "card",
        help="say what weights of yours were trained on",
        description="Writes FILE's name with .json beside it: runs then mark their numbers with "
        "what was trained on, instead of a '?'. Without --rain and --data: checks the card there.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="weights; or a folder of them")
    parser.add_argument(
        "--rain",
        action="append",
        metavar="NAME[,NAME…]",
        help="rains it was trained on, of list rains, or their families; none = without rain",
    )
    parser.add_argument(
        "--data",
        action="append",
        metavar="NAME[/SPLIT][,…]",
        help="data sets whose images it was trained on, coco/train2017; of yours the folder's name",
    )
    parser.add_argument("--licence", metavar="TEXT", help="of the weights")
    parser.add_argument("--note", metavar="TEXT", help="anything else, such as the recipe")
    parser.set_defaults(action=_card)


def _card(arguments: argparse.Namespace) -> int:
    from derainers.card import card_to_write, read_card
    from derainers.shards import card_file, with_name
    from harness.plan import trained_on

    file = with_name(arguments.file)
    sha256, card, content = _weights_sha256(file), card_file(file), card_to_write(file)
    if arguments.rain is None and arguments.data is None:
        if arguments.licence or arguments.note:
            raise UsageError(f"card {file}: give --rain and --data too")
        if not card.is_file():
            raise UsageError(
                f"card {file}: {card} is not there: write it with --rain NAME --data NAME/SPLIT"
            )
    else:
        if arguments.rain is None or arguments.data is None:
            raise UsageError(f"card {file}: give both --rain and --data (none = of none)")
        said = {"licence": arguments.licence, "note": arguments.note}
        trained = {
            "datasets": _datasets(split_words(arguments.data)),
            "rain_families": _families(split_words(arguments.rain)),
        }
        content |= {k: v for k, v in said.items() if v is not None}
        _write(card, {**content, "trained_on": trained, "sha256": sha256})
    trained = read_card(file, sha256).get("trained_on", {})
    images, families = trained_on.images(trained), trained_on.rain_families(trained)
    print(f"{shown(card)}: card of {shown(file)}, sha256 {sha256[:8]}")
    print(f"trained on images of {_listed(images)}")
    print(f"trained on rain of {_listed(families)}")
    unknown = [n for n, v in (("datasets", images), ("rain_families", families)) if v is None]
    if unknown:
        print(f"numbers stay marked with '?': trained_on lacks {' and '.join(unknown)}, as lists")
        return 1
    if isinstance(images, trained_on.Some) or isinstance(families, trained_on.Some):
        print("others stay marked with '?': nothing is known of the weights that these began with")
        return 1
    print("numbers on these images or this rain are marked, no others")
    if families:
        print(
            "but '?' stays under rain that a set brings, as pairs do: nobody knows if it is one of "
            "these families; where it was trained on, name that set in --data and given in --rain"
        )
    return 0


def _weights_sha256(file: Path) -> str:
    from derainers.shards import weights_sha256

    try:
        return weights_sha256(file)
    except FileNotFoundError as error:
        raise UsageError(f"card {file}: no such weight file: {error.filename}") from error


def _families(words: tuple[str, ...]) -> list[str]:
    """Families of rain by their names or those of rains, as `run` takes them."""
    from datasets.rain import RAINS, base_of
    from harness.plan.rains import rains_of
    from harness.spec import known

    families = {name: rain.family for name, rain in RAINS.items()}
    names = dict.fromkeys([*RAINS, *families.values()])
    if words == ("none",):
        return []
    found = set()
    for word in words:
        base = known(base_of(word), names, "rain", "given", "none")
        found.add(families.get(base, base))
        if base in RAINS or word != base:
            rains_of(word)
    return sorted(found)


def _datasets(words: tuple[str, ...]) -> list[str]:
    """Names of data sets, with or without a split."""
    wrong = next((w for w in words if w.count("/") > 1 or not all(w.split("/"))), None)
    if wrong is not None:
        raise UsageError(
            f"--data {wrong}: expected NAME or NAME/SPLIT, as tables call it: of a folder of yours "
            "its last name"
        )
    return [] if words == ("none",) else sorted(set(words))


def _write(card: Path, content: dict[str, Any]) -> None:
    """A card that is whole or absent."""
    from harness.machine.disk import require_writable_file

    require_writable_file(card, "card")
    part = card.with_name(f"{card.name}.part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(card)


def _listed(names: frozenset[str] | None) -> str:
    if names is None:
        return "unknown"
    from harness.plan.trained_on import Some

    more = ["more that is not known"] if isinstance(names, Some) else []
    return ", ".join([*sorted(names), *more]) or "none"
