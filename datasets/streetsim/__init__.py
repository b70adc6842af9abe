"""Street scenes rendered from a seed, with exact labels and depth; no file is shipped."""

from __future__ import annotations

from datasets.streetsim.files import open_streetsim
from datasets.streetsim.scene import VERSION, Scene, render

__all__ = ["VERSION", "Scene", "open_streetsim", "render"]
