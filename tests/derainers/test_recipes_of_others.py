"""The recipes of docs/others.md, on stubs that are built, called and saved as the networks are."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets import Dataset
from derainers.derainer import Derainer
from harness.machine.device import placement
from harness.plan.derainers import derainer_plan
from harness.spec import RunSpec, UsageError

PAGE = (Path(__file__).parents[2] / "docs" / "others.md").read_text()
RECIPES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
STUB = """
import torch
from torch import nn


class {name}(nn.Module):
    def __init__(self, inp_channels=3, out_channels=3, dim=48, {options},
                 ffn_expansion_factor=2.66, bias=False, LayerNorm_type="WithBias"{more}):
        super().__init__()
        self.embed = nn.Conv2d(inp_channels, dim * sum(num_blocks), 3, padding=1, bias=bias)
        self.output = nn.Conv2d(dim * sum(num_blocks), out_channels, 1, bias=bias)
        self.expansion = nn.Parameter(torch.full((int(1000 * ffn_expansion_factor),), 1.0))
        {extra}

    def forward(self, image):
        assert image.shape[2] % {multiple} == image.shape[3] % {multiple} == 0
        y = image + self.output(self.embed(image)) * self.expansion.mean()
        return {result}
"""
HEADS = "num_blocks=[4, 6, 6, 8], heads=[1, 2, 4, 8]"
STUBS: dict[str, tuple[str, dict[str, Any]]] = {
    "nerd_rain.py": (
        "NeRD-Rain/model.py",
        {
            "name": "MultiscaleNet",
            "options": "num_blocks=[2, 3, 3], heads=[1, 2, 4]",
            "multiple": 16,
            "result": "[y, y[:, :, ::2, ::2], y[:, :, ::4, ::4], y[:, :, ::2, ::2]]",
        },
    ),
    "drsformer.py": (
        "DRSformer/basicsr/models/archs/DRSformer_arch.py",
        {"name": "DRSformer", "options": HEADS},
    ),
    "histoformer.py": (
        "Histoformer/basicsr/models/archs/histoformer_arch.py",
        {
            "name": "Histoformer",
            "options": f"num_refinement_blocks=4, {HEADS}",
            "more": ", dual_pixel_task=False",
        },
    ),
    "promptir.py": (
        "PromptIR/net/model.py",
        {
            "name": "PromptIR",
            "options": f"num_refinement_blocks=4, {HEADS}",
            "more": ", decoder=False",
            "extra": "self.prompt1 = nn.Conv2d(64, 5, 1) if decoder else None",
        },
    ),
}
"""Where each network lies in its clone, and how its constructor and its answer are."""
WIDTHS = {"nerd_rain.py": 48 * 8, "histoformer.py": 36 * 22}
"""Channels of the stubs as the recipes build them; of the others 48 times 24."""


def saved(name: str, state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """A checkpoint as each training writes it."""
    if name == "nerd_rain.py":
        lines = {f"module.{k}": v for k, v in state.items()}
        return {"epoch": 600, "state_dict": lines, "optimizer": {"state": {}, "param_groups": []}}
    if name == "promptir.py":
        lines = {f"net.{k}": v for k, v in state.items()}
        return {"epoch": 1, "pytorch-lightning_version": "2.0.1", "state_dict": lines}
    return {"params": state}


@pytest.fixture(params=STUBS)
def clone(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe beside a stub of its clone, whose modules no other test has imported."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for name in ("model", "net", "basicsr"):
        for known in [each for each in sys.modules if each.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, known)
    file, words = STUBS[request.param]
    words = {"more": "", "extra": "pass", "multiple": 8, "result": "y", **words}
    place = tmp_path / file
    place.parent.mkdir(parents=True)
    place.write_text(STUB.format(**words))
    recipe: Path = tmp_path / request.param
    recipe.write_text(RECIPES[request.param])
    return recipe


def weights_of(recipe: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A checkpoint of a stub, and what it holds."""
    width = WIDTHS.get(recipe.name, 48 * 24)
    factor = 2667 if recipe.name == "histoformer.py" else 2660
    state = {
        "embed.weight": torch.full((width, 3, 3, 3), 0.01),
        "output.weight": torch.full((3, width, 1, 1), -0.1 / width),
        "expansion": torch.ones(factor),
    }
    if recipe.name == "promptir.py":
        state |= {"prompt1.weight": torch.zeros(5, 64, 1, 1), "prompt1.bias": torch.zeros(5)}
    file = recipe.with_suffix(".ckpt")
    torch.save(saved(recipe.name, state), file)
    return file, state


def test_a_recipe_runs_with_its_authors_weights(clone: Path) -> None:
    file, state = weights_of(clone)
    plan = derainer_plan(f"{clone}:build@{file}", {}, Dataset("folder", "all", []))
    derainer = plan.load(placement(RunSpec()))
    assert isinstance(derainer, Derainer)
    image = np.full((37, 53, 3), 200, np.uint8)
    restored = derainer.restore(image, "a")
    assert restored.shape == image.shape
    grey = 200 / 255
    width = state["embed.weight"].shape[0]
    assert restored[18, 26] == pytest.approx(
        grey - width * 27 * 0.01 * grey * 0.1 / width, abs=1e-5
    )


def test_a_recipe_refuses_other_weights(clone: Path) -> None:
    file, state = weights_of(clone)
    state.pop("output.weight")
    torch.save(saved(clone.name, state), file)
    with pytest.raises((UsageError, ValueError), match=r"output\.weight"):
        derainer_plan(f"{clone}:build@{file}", {}, Dataset("folder", "all", []))


def test_every_recipe_is_tried_and_short() -> None:
    assert set(RECIPES) == set(STUBS)
    for text in RECIPES.values():
        assert len([line for line in text.splitlines() if line.strip()]) <= 10
