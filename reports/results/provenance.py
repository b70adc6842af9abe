"""What made a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reports.results.training import Training


@dataclass(frozen=True)
class Provenance:
    """All that depends on clock and host, and the digests that name the inputs."""

    finished: str | None = None
    """Time of day, ISO 8601, UTC."""
    elapsed_s: float | None = None
    commit: str | None = None
    """Commit of the checkout; None outside of one."""
    dirty: bool | None = None
    """Whether the checkout held changes."""
    python: str | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)
    """Versions of packages, None where one is not installed, and a digest of our own sources."""
    system: str | None = None
    processor: str | None = None
    device: str | None = None
    """``cpu`` or ``cuda``."""
    accelerator: str | None = None
    """Model of the graphics card; None without one."""
    workers: int | None = None
    """Images at a time."""
    data_fingerprint: str | None = None
    """Digest of the images: runs of the same ones are compared draw by draw."""
    network_s_per_image: Mapping[str, float] | None = None
    """Median seconds of an image of each task network, by `Results.called`'s name of its task and
    its own; None where they are not known."""
    objects: Mapping[str, int] | None = None
    """Labelled objects by class, of tasks that find objects; None where they are not known."""
    size_px: str | None = None
    """Size of the images, ``640 × 480``, of several the most frequent one; None where not known."""
    labels: Mapping[str, str] | None = None
    """Digests of the labels by task; None where they are not known."""
    data_notes: tuple[str, ...] = ()
    """What a reader must know of the data set."""
    weights: tuple[str, ...] = ()
    """Which weights ran, and for what they stand in, in words."""
    code: Mapping[str, str] | None = None
    """Digests of all that decides what a derainer does, its code and its weights, by its name with
    its stage; None where they are not known."""
    models: Mapping[str, str] | None = None
    """sha256 of the task networks by task, several joined by ``+``; None where not known."""
    trainings: Mapping[str, Mapping[str, Training]] = field(default_factory=dict)
    """How task networks were trained, by task and name, where cards that ``train`` wrote tell."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """The derainer behind a gate, by the gate's name, where both are in the run."""
    rains: Mapping[str, str] | None = None
    """Digests of the rains by name; None where they are not known."""
    metric_versions: Mapping[str, int] | None = None
    """Versions of metrics, evidence and resamples; None where they are not known."""
    protocols: Mapping[str, str] = field(default_factory=dict)
    """What the protocols of image quality are, by protocol or metric."""
    doubts: tuple[str, ...] = ()
    """Slips that derainers from elsewhere may hold, in words."""
    groups: int | None = None
    """Groups that were resampled: images, drives or scenes; None: each image."""
    blocks: bool = False
    """Of results of before alone: whether the groups are blocks of consecutive images."""
