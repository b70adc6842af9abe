"""How a network was trained, as the card beside its weights tells it."""

from __future__ import annotations

from dataclasses import dataclass

from reports.results.cell import NO_RAIN


@dataclass(frozen=True)
class Training:
    """One training."""

    sha256: str
    """Of the weights that came of it."""
    rains: tuple[str, ...] | None = None
    """What fell on its images in turn, `NO_RAIN` where they stayed clean; None = unknown."""
    derained_by: str | None = None
    """The derainer that they passed before the network saw them."""
    derained_weights: str | None = None
    """sha256 of its weights."""
    begun_with: str | None = None
    """sha256 of the weights it began with; None = random ones."""
    steps: int | None = None
    hours: float | None = None
    """Of this training alone, without that of the weights it began with."""
    seed: int | None = None
    footing: str | None = None
    """Digest of network, images, labels, recipe, steps and first weights, but not of the seed:
    trainings that share it differ in rain, derainer and seed alone. None where it is not known."""

    @property
    def wet(self) -> tuple[str, ...]:
        """The rains that fell."""
        return tuple(rain for rain in self.rains or () if rain != NO_RAIN)
