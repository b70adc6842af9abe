"""What a derainer's card says of its photographs, against what a run shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets import Dataset
from harness.derainer_plan import _splits, derainer_plan
from harness.plan import _trained_on


@pytest.mark.parametrize(
    ("trained", "split", "wanted"),
    [
        ({"datasets": ["bsds500"], "split": "train+val"}, "train", True),
        ({"datasets": ["bsds500"], "split": "train+val"}, "test", False),
        ({"datasets": ["bsds500"], "split": "train+val"}, "all", True),
        ({"datasets": ["bsds500"], "split": "train:800+extra:20"}, "train:5", True),
        ({"datasets": ["bsds500"], "split": "all"}, "test", True),
        ({"datasets": ["bsds500"]}, "test", True),
        ({"datasets": ["others"], "split": "test"}, "test", False),
        ({"datasets": ["others"]}, "all", False),
    ],
)
def test_a_split_that_was_not_trained_on_is_not_marked(
    trained: dict[str, object], split: str, wanted: bool
) -> None:
    images = _splits(trained)
    assert images is not None
    assert _trained_on(images, "bsds500", split) is wanted


def test_a_card_without_data_sets_is_unknown() -> None:
    assert _splits({"split": "train"}) is None


def test_which_weights_a_derainer_runs_on_is_said() -> None:
    plan = derainer_plan("granet", {}, Dataset("folder", "all", []))
    assert plan.weights_sha256 is not None
    assert plan.said == f"granet: granet.safetensors, sha256 {plan.weights_sha256[:8]}"
    given = Path(__file__).parents[2] / "derainers" / "weights" / "granet.safetensors"
    assert derainer_plan(f"granet@{given}", {}, Dataset("folder", "all", [])).said is None
