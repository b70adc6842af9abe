"""What stands in the place of the objects that a file describes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class InertError(ValueError):
    """A file cannot be read; the message is one line, without the file's name."""


@dataclass(eq=False)
class Named:
    """A class or function that a file names; never looked up."""

    name: str
    """With its module: ``os.system``."""


@dataclass(eq=False)
class Record:
    """An object that a file describes, not made."""

    name: str
    """Of what would have made it: ``ultralytics.nn.tasks.DetectionModel``."""
    arguments: tuple[Any, ...] = ()
    """What that would have been called with."""
    state: Any = None
    """What its attributes would be, a dict by most classes."""
    items: list[Any] = field(default_factory=list)
    """What would be put into it: elements, or pairs of key and value."""

    @property
    def kind(self) -> str:
        """The name without its module: ``DetectionModel``."""
        return self.name.rpartition(".")[2]

    def attribute(self, name: str) -> Any:
        """An attribute; None where it has none such."""
        return self.state.get(name) if isinstance(self.state, dict) else None
