"""What a card says of the images that weights were trained on, against what a run shows them."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from datasets import Dataset
from derainers import WEIGHTS
from derainers.published import PUBLISHED
from derainers.shards import weights_sha256
from harness.machine.sources import SOURCES
from harness.plan.derainers import derainer_plan
from harness.plan.networks import network_of
from harness.plan.plan import make_plan
from harness.plan.trained_on import Learned, Some, holds, images, rain_families, together
from harness.scores.seen import seen
from harness.spec import RunSpec, UsageError
from reports.results.training import Training


@pytest.mark.parametrize(
    ("trained", "split", "wanted"),
    [
        ({"datasets": ["bsds500"], "split": "train+val"}, "train", True),
        ({"datasets": ["bsds500"], "split": "train+val"}, "test", False),
        ({"datasets": ["bsds500"], "split": "train+val"}, "all", True),
        ({"datasets": ["bsds500"], "split": "train:800+extra:20"}, "train:5", True),
        ({"datasets": ["bsds500"], "split": "all"}, "test", True),
        ({"datasets": ["bsds500"]}, "test", True),
        ({"datasets": ["BSDS500"]}, "test", True),
        ({"datasets": ["BSDS500/train"]}, "train", True),
        ({"datasets": ["BSDS500/train"]}, "test", False),
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
    for found, own in (
        (images({**known, "before": begun_with}), frozenset("a")),
        (rain_families({**known, "before": begun_with}), frozenset(["additive"])),
        (
            rain_families({**known, "before": begun_with}, untold=frozenset()),
            frozenset(["additive"]),
        ),
    ):
        assert found == own
        # A set that a card names without a list is as unknown to a task network as no card.
        assert isinstance(found, Some) or begun_with == {"datasets": "bsds500"}
    assert isinstance(images({**known, "before": begun_with}), Some)
    twice = {"datasets": ["b"], "before": {**known, "before": begun_with}}
    assert images(twice) == frozenset("ab")
    assert isinstance(images(twice), Some)


def test_what_is_known_of_several_is_known_of_all_together() -> None:
    a, b, empty = frozenset("a"), frozenset("b"), frozenset[str]()
    assert together([a, b]) == frozenset("ab")
    assert not isinstance(together([a, b]), Some)
    for several in ([a, None], [None, Some("a")], [a, Some()], [empty, a, None]):
        assert together(several) == a
        assert isinstance(together(several), Some)
    assert together([None, None]) is None


@pytest.mark.parametrize("word", ["w.safetensors", "w.safetensors+granet"])
@pytest.mark.parametrize(
    ("before", "name", "wanted"),
    [
        ({}, "tr", ("images", "rain")),
        ({}, "other", None),
        ({"datasets": ["more"], "rain_families": []}, "other", None),
        ({"datasets": ["more"], "rain_families": []}, "tr", ("images", "rain")),
        ({"datasets": ["more"], "rain_families": []}, "more", ("images", "rain")),
    ],
)
def test_what_a_training_saw_is_marked_whatever_it_began_with(
    before: dict[str, Any], name: str, wanted: tuple[str, ...] | None, word: str, tmp_path: Path
) -> None:
    given = Path(__file__).parents[2] / "derainers" / "weights" / "prenet.safetensors"
    shutil.copy(given, tmp_path / "w.safetensors")
    trained = {"datasets": ["tr"], "rain_families": ["given"], "before": before}
    (tmp_path / "w.json").write_text(json.dumps({"trained_on": trained}))
    for half in ("input", "target"):
        (tmp_path / name / half).mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(tmp_path / name / half / "1.png")
    plan = make_plan(
        RunSpec(
            dataset="pairs",
            data_root=str(tmp_path / name),
            derainer=(f"prenet@{tmp_path}/{word}",),
            task=("none",),
        ),
        {},
    )
    condition = next(c for c in plan.conditions if not c.derainer.is_identity)
    assert seen(plan, condition, None) == wanted
    learned = Learned(Training("0" * 64), images(trained), rain_families(trained, frozenset()))
    task: Any = SimpleNamespace(learned=learned)
    found = seen(plan, plan.conditions[1], task)
    assert found == (wanted and tuple(f"task-{mark}" for mark in wanted))


@pytest.mark.parametrize(
    ("sha256", "is_known"), [("f" * 64, False), (None, True), ("its own", True)]
)
def test_a_card_of_other_weights_tells_nothing_of_a_task_network(
    tmp_path: Path, sha256: str | None, is_known: bool
) -> None:
    file = tmp_path / "net.safetensors"
    file.write_bytes(b"weights")
    own = hashlib.sha256(b"weights").hexdigest()
    card = {
        "sha256": own if sha256 == "its own" else sha256,
        "trained_on": {"datasets": ["camvid"]},
    }
    said = {k: v for k, v in card.items() if v is not None}
    file.with_name("net.safetensors.json").write_text(json.dumps(said))
    word, spec = f"refinenet@{file}", RunSpec(dataset="camvid", data_root=str(tmp_path))
    if is_known:
        assert network_of("semantic", word, spec).sha256 == own
    else:
        with pytest.raises(UsageError, match=f"is the card of other weights: .*{own}, if"):
            network_of("semantic", word, spec)


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `fetch` put the weights of PReNet on Rain100L; here it is another network's file."""
    given = Path(__file__).parents[2] / "derainers" / "weights" / "prenet.safetensors"
    sha256 = hashlib.sha256(given.read_bytes()).hexdigest()
    source = replace(SOURCES["prenet-rain100l"], sha256=sha256)
    published = replace(PUBLISHED["prenet-rain100l"], sha256=sha256)
    monkeypatch.setitem(SOURCES, "prenet-rain100l", source)
    monkeypatch.setitem(PUBLISHED, "prenet-rain100l", published)
    monkeypatch.setattr("harness.plan.derainers.FETCHED", tmp_path)
    file = tmp_path / source.file
    file.parent.mkdir()
    shutil.copy(given, file)
    return file


def test_fetched_weights_are_known_by_their_name(fetched: Path) -> None:
    named = derainer_plan("prenet-rain100l", {}, Dataset("folder", "all", []))
    given = derainer_plan(f"prenet@{fetched}", {}, Dataset("folder", "all", []))
    assert named.name == "prenet-rain100l"
    assert given.name == f"prenet@{named.weights_sha256 or '':.8}"
    assert named.key == given.key
    assert given.is_foreign
    assert not named.is_foreign
    for plan in (named, given):
        assert plan.rain_families == frozenset(["additive", "given"])
        assert plan.images == frozenset(["rain100l/train"])


def test_published_weights_that_are_absent_or_changed_are_refused(fetched: Path) -> None:
    remedy = "python -m harness fetch prenet-rain100l, or give them as prenet@FILE"
    fetched.write_bytes(b"damaged")
    with pytest.raises(UsageError, match=f"is not what its authors publish: {remedy}"):
        derainer_plan("prenet-rain100l", {}, Dataset("folder", "all", []))
    fetched.unlink()
    with pytest.raises(UsageError, match=f"not found: {remedy}"):
        derainer_plan("prenet-rain100l", {}, Dataset("folder", "all", []))
    with pytest.raises(UsageError, match="names weights already: leave '@a"):
        derainer_plan("prenet-rain100l@a.pth", {}, Dataset("folder", "all", []))


def test_the_rain_of_a_data_set_that_was_trained_on_is_marked(
    fetched: Path, tmp_path: Path
) -> None:
    """Its test images were not trained on; whose rain another set brings is not known."""
    for name in ("rain100l", "wet"):
        for half in ("input", "target"):
            folder = tmp_path / name / half
            folder.mkdir(parents=True)
            Image.new("RGB", (16, 16)).save(folder / "1.png")
    seen_of = {}
    for name in ("rain100l", "wet"):
        words: dict[str, Any] = {"derainer": ("prenet-rain100l",), "task": ("none",)}
        plan = make_plan(RunSpec(dataset="pairs", data_root=str(tmp_path / name), **words), {})
        condition = next(c for c in plan.conditions if not c.derainer.is_identity)
        seen_of[name] = seen(plan, condition, None)
    assert seen_of == {"rain100l": ("rain",), "wet": None}


def test_which_weights_a_derainer_runs_on_is_said() -> None:
    plan = derainer_plan("granet", {}, Dataset("folder", "all", []))
    assert plan.weights_sha256 is not None
    assert plan.said == f"granet: granet.safetensors, sha256 {plan.weights_sha256[:8]}"
    odd = derainer_plan("nledn:sides=odd", {}, Dataset("folder", "all", []))
    assert odd.name == "nledn:sides=odd"  # nothing in it is learned otherwise
    assert odd.weights_sha256 == weights_sha256(WEIGHTS / "nledn.safetensors")
    given = WEIGHTS / "granet.safetensors"
    assert derainer_plan(f"granet@{given}", {}, Dataset("folder", "all", [])).said is None


def test_no_other_form_stands_in_where_there_are_no_weights() -> None:
    with pytest.raises(UsageError, match="dcsfn-paper comes without weights: none are public"):
        derainer_plan("dcsfn-paper", {}, Dataset("folder", "all", []))
    with pytest.raises(UsageError, match=r"prn comes without weights: .* harness train prn"):
        derainer_plan("prn", {}, Dataset("folder", "all", []))


COCO_JSON = "annotations/instances_val2017.json"


@pytest.mark.parametrize(
    ("trained", "file", "names", "wanted"),
    [
        ("coco/val2017", COCO_JSON, "", True),
        ("coco/val2017", "labels.json", "images/val2017/", True),
        ("coco/train2017", COCO_JSON, "", False),
        ("coco/train2017", "labels.json", "", None),
        ("coco", "labels.json", "", True),
        ("camvid/val2017", COCO_JSON, "", False),
        ("coco/train2017", "labels.json", "mine-", False),
        ("coco/mine", "labels.json", "mine-", None),
    ],
)
def test_a_label_file_does_not_hide_that_images_are_coco_s(
    coco_of: Any, trained: str, file: str, names: str, wanted: bool | None
) -> None:
    """By the names of its files, as of 12 digits, and of folders; what they leave open is told."""
    root = coco_of(2)
    content = json.loads((root / COCO_JSON).read_text())
    flat = root / "coco"
    below, _, prefix = names.rpartition("/")
    (flat / below).mkdir(parents=True)
    for image in content["images"]:
        old = root / "images" / "val2017" / image["file_name"]
        image["file_name"] = f"{prefix}{old.name}"
        shutil.copy(old, flat / below / image["file_name"])
    (root / file).write_text(json.dumps(content))
    spec = RunSpec(
        dataset="coco", annotations=str(root / file), data_root=str(flat), task=("none",)
    )
    plan = make_plan(spec, {})
    learned = Learned(Training("0" * 64), frozenset([trained]), frozenset())
    task: Any = SimpleNamespace(learned=learned)
    found = seen(plan, plan.conditions[0], task)
    assert found == (None if wanted is None else ("task-images",) if wanted else ())
