"""What a card says of the images that weights were trained on, against what a run shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets import Dataset
from harness.plan.derainers import derainer_plan
from harness.plan.trained_on import holds, images, rain_families
from harness.spec import UsageError


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
        ({"dataset": "bsds500", "split": "train"}, "train", True),
        (
            {"dataset": "others", "split": "train", "before": {"datasets": ["bsds500"]}},
            "train",
            True,
        ),
    ],
)
def test_a_split_that_was_not_trained_on_is_not_marked(
    trained: dict[str, object], split: str, wanted: bool
) -> None:
    seen = images(trained)
    assert seen is not None
    assert holds(seen, "bsds500", split) is wanted


@pytest.mark.parametrize("begun_with", [{}, None, {"datasets": "bsds500"}])
def test_what_no_card_tells_is_unknown(begun_with: object) -> None:
    assert images({"split": "train"}) is None
    known = {"datasets": ["a"], "rain_families": ["additive"]}
    assert rain_families(known) == frozenset(["additive"])
    assert images({**known, "before": begun_with}) is None
    assert rain_families({**known, "before": begun_with}) is None


def test_which_weights_a_derainer_runs_on_is_said() -> None:
    plan = derainer_plan("granet", {}, Dataset("folder", "all", []))
    assert plan.weights_sha256 is not None
    assert plan.said == f"granet: granet.safetensors, sha256 {plan.weights_sha256[:8]}"
    given = Path(__file__).parents[2] / "derainers" / "weights" / "granet.safetensors"
    assert derainer_plan(f"granet@{given}", {}, Dataset("folder", "all", [])).said is None


def test_the_light_form_stands_in_where_there_are_no_weights() -> None:
    lights = {"mspfn": "mspfn-light", "dcsfn": "dcsfn-light", "hrrsr": "hrrsr-x1"}
    for name, light in lights.items():
        plan = derainer_plan(name, {}, Dataset("folder", "all", []))
        assert plan.name == light
        assert plan.said is not None
        assert plan.said.endswith(f"{name} has no weights of its own yet, {light} stands in")
    with pytest.raises(UsageError, match=r"prn comes without weights: .* harness train prn"):
        derainer_plan("prn", {}, Dataset("folder", "all", []))
