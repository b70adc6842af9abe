"""A user's own code in a folder, and what the harness makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import RunSpec, run
from harness.ledger.ledger import Ledger
from harness.plan.keys import canonical
from harness.plan.plan import make_plan
from harness.work.trial import tried

MINE = """
import importlib
import json
import os
from pathlib import Path

import torch
from torch import nn

import blocks
import far.near.deep as deep
from far import near
from layers import *

HERE = Path(__file__).parent
FACTOR = 1.0
late = importlib.import_module("la" + "te")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.c = nn.Conv2d(3, 3, 1)
        self.table = json.loads((HERE / "table.json").read_text())
        self.words = {"b", "a", "c"}

    def forward(self, x, gain=1.0):
        from inside import shift
        chosen = importlib.import_module("cho" + "sen")
        level = float(os.environ.get("_".join(["OWN", "LEVEL"]), "1.0"))
        y = self.c(x) * FACTOR * gain * level + shift() + chosen.SHIFT + late.SHIFT
        return block(y) * blocks.strength() * deep.depth() * near.WIDTH * self.table["gain"]


def build():
    return Net()


def build_other():
    return Net()
"""
FILES = {
    "mine.py": MINE,
    "blocks.py": "from more import share\ndef strength():\n    return share() * 1.0\n",
    "more.py": "def share():\n    return 1.0\n",
    "layers.py": "GAIN = 0.5\ndef block(x, by=1.0):\n    return x * GAIN * by\n",
    "inside.py": "def shift():\n    return 0.01\n",
    "chosen.py": "SHIFT = 0.01\n",
    "late.py": "from pathlib import Path\n"
    "SHIFT = float((Path(__file__).parent / 'late.txt').read_text())\n",
    "late.txt": "0.01",
    "table.json": '{"gain": 1.0}',
    "far/__init__.py": "",
    "far/near/__init__.py": "WIDTH = 1.0\n",
    "far/near/deep.py": "from . import deeper\ndef depth():\n    return deeper.depth()\n",
    "far/near/deeper.py": "from ..other import DEPTH\ndef depth():\n    return DEPTH\n",
    "far/other.py": "DEPTH = 1.0\n",
}
CHANGED = {
    "the file of the factory": ("mine.py", "FACTOR = 1.0", "FACTOR = 0.5"),
    "a default argument": ("mine.py", "gain=1.0", "gain=0.5"),
    "a helper": ("blocks.py", "1.0", "0.5"),
    "a helper's helper": ("more.py", "1.0", "0.5"),
    "a global of a helper": ("layers.py", "0.5", "0.3"),
    "a default of a helper": ("layers.py", "by=1.0", "by=0.3"),
    "a helper imported in a function": ("inside.py", "0.01", "0.02"),
    "a helper found by its name": ("late.py", "read_text()", "read_text()) + float('0.1'"),
    "a helper found by its name in a call": ("chosen.py", "0.01", "0.02"),
    "a package": ("far/near/__init__.py", "1.0", "0.5"),
    "a module of a sub-package": ("far/near/deep.py", "deeper.depth()", "deeper.depth() / 2"),
    "a helper's helper in a sub-package": ("far/near/deeper.py", "return DEPTH", "return DEPTH/2"),
    "a module above a sub-package": ("far/other.py", "1.0", "0.5"),
    "a file read while building": ("table.json", "1.0", "0.5"),
    "a file read by a helper": ("late.txt", "0.01", "0.03"),
}


def spec_of(folder: Path, *words: str, **options: Any) -> RunSpec:
    return RunSpec(
        **{
            "dataset": "folder",
            "data_root": str(folder / "photos"),
            "task": ("none",),
            "rain": ("photoshop-heavy",),
            "quality": ("psnr_y_db",),
            "derainer": words,
            "workspace": str(folder / "runs"),
            **options,
        }
    )


def key_of(folder: Path, word: str, own: dict[str, Any] | None = None) -> str:
    """The key under which a derainer's images stand in the folder's workspace."""
    spec = spec_of(folder, word)
    ledger = Ledger(folder / "runs")
    try:
        plan = tried(make_plan(spec, own or {}), ledger)
    finally:
        ledger.close()
    return canonical(plan.conditions[-1].derainer.key)


def number(folder: Path, word: str, own: dict[str, Any] | None = None, **options: Any) -> float:
    results = run(spec_of(folder, word, **options), own)
    assert not results.errors
    names = {r.derainer for r in results.records} - {"identity"}
    name = word if word in names else names.pop()
    record = results.value("photoshop-heavy", name, "quality", "psnr_y_db")
    assert record.value is not None
    return record.value


def change(folder: Path, what: str) -> None:
    name, old, new = CHANGED[what]
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
