"""YAML that others wrote, as plain values whose size is that of the text."""

from __future__ import annotations

from collections import Counter
from typing import Any

DEEPEST = 8


def plain_yaml(text: str, name: str) -> Any:
    """The values of a flat YAML text without anchors and tags, in which no key stands twice.

    Args:
        text: The file's.
        name: What to call it.

    Raises:
        ValueError: One line with the name, the place and the remedy.
    """
    import yaml

    try:
        _require_plain(text, name)
        loader = yaml.SafeLoader(text)
        whole = loader.get_single_node()
        nodes = [] if whole is None else [whole]
        for node in nodes:
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            counts = Counter(key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode))
            for key, _ in pairs:
                if isinstance(key, yaml.ScalarNode) and counts[key.value] > 1:
                    line = key.start_mark.line + 1
                    raise PlainError(f"{name}: line {line}: key {key.value} stands twice")
            nodes += [value for _, value in pairs]
            nodes += node.value if isinstance(node, yaml.SequenceNode) else []
        return None if whole is None else loader.construct_document(whole)
    except PlainError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PlainError(f"{name}:{line} {problem}") from error


class PlainError(ValueError):
    """YAML that is not plain, or none, in a line that says where."""


def _require_plain(text: str, name: str) -> None:
    """Refuse anchors, tags and depth, before anything is made of the text."""
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        where = f"{name}: line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PlainError(f"{where}: anchors and aliases are not read: write it out")
        if getattr(event, "tag", None):
            raise PlainError(f"{where}: the tag {event.tag} is not read: leave it out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise PlainError(f"{where}: nested more than {DEEPEST} deep")
