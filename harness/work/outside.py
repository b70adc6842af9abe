"""What own code keeps outside of the objects that it makes: in its modules and their classes."""

from __future__ import annotations

import copy
import sys
from collections import deque
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from harness.plan.own_code import Place


def kept_outside(places: Iterable[Place]) -> Callable[[], None]:
    """Keep what own modules and their classes hold now; gives what puts it back.

    Containers get back their items, names their values; names that are new since stay.

    Args:
        places: The modules; those that were not imported hold nothing.
    """
    spaces: list[Any] = []
    for place in places:
        module = sys.modules.get(place.name)
        if module is not None and getattr(module, "__file__", None) == place.file:
            held = list(vars(module).values())
            classes = (v for v in held if isinstance(v, type) and v.__module__ == place.name)
            spaces += [module, *classes]
    values = [(space, name, v) for space in spaces for name, v in _named(space).items()]
    inside = [(v, copy.copy(v)) for _, _, v in values if isinstance(v, dict | list | set | deque)]

    def put_back() -> None:
        for space, name, value in values:
            if vars(space).get(name) is not value:
                setattr(space, name, value)
        for container, before in inside:
            if _items(container) != _items(before):
                container.clear()
                fill = container.extend if isinstance(container, list | deque) else container.update
                fill(before)

    return put_back


def _named(space: Any) -> dict[str, Any]:
    """Names and values of a module or class, less modules and those that Python gives it."""
    return {
        name: value
        for name, value in list(vars(space).items())
        if not name.startswith("__") and not isinstance(value, ModuleType)
    }


def _items(container: Any) -> list[int]:
    """Which objects a container holds."""
    items = container.items() if isinstance(container, dict) else [container]
    return [id(each) for group in items for each in group]
