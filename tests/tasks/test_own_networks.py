"""Functions of a user's own as detectors and segmenters, and what is told of their mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from datasets import masks
from harness.plan.user_code import built_by
from harness.spec import UsageError
from tasks.models.own import own_network
from tasks.models.units import are_shares
from tasks.network import NamedDetector
from tasks.task import TaskError

PICTURE = np.zeros((40, 60, 3), np.uint8)
NAMES = ("person", "car", "dog")
WORD = "mine.py:build"


def made(folder: Path, body: str, task: str = "detection", head: str = "") -> Any:
    """The network of a file whose function has this body, its line 5."""
    file = folder / "mine.py"
    file.write_text(f"import numpy as np\n\ndef find(image):\n    h, w = image.shape[:2]\n{body}\n")
    file.write_text(file.read_text() + f"\n{head}\ndef build():\n    return find\n")
    return own_network(task, built_by(str(file), "build", None).value, WORD, NAMES, "cpu")


def test_names_and_numbers_say_the_same_classes(tmp_path: Path) -> None:
    row = '    return {"boxes": [[1, 2, 30, 20.5]], "scores": [0.9], "classes": '
    by_name = made(tmp_path, f'{row}["car"]}}').detect([PICTURE])[0]
    listed = f"find.names = {list(NAMES)}"
    by_number = made(tmp_path, f"{row}np.array([1])}}", head=listed).detect([PICTURE])[0]
    for found in (by_name, by_number):
        assert found.boxes_xyxy_px.tolist() == [[1, 2, 30, 20.5]]
        assert found.categories.tolist() == [1]
    assert by_name.boxes_xyxy_px.dtype == by_name.scores.dtype == np.float32


@pytest.mark.parametrize("one", ["1", "np.int64(1)", "torch.tensor(0)"])
def test_numbers_without_names_are_refused(one: str, tmp_path: Path) -> None:
    body = f'    return {{{BOX}, "scores": [0.9], "classes": [{one}]}}'
    says = r"the class [01], which is none of person, car, dog: .* or give it a list 'names' of all"
    with pytest.raises(TaskError, match=says):
        made(tmp_path, body, head="import torch").detect([PICTURE])


@pytest.mark.parametrize("one", ["1.0", "np.float32(1)", "torch.tensor(1.0)"])
def test_whole_floats_are_numbers_into_its_names(one: str, tmp_path: Path) -> None:
    """Rows of tensors hold classes as floats, as ultralytics' ``boxes.cls`` does."""
    body = f'    return {{{BOX}, "scores": [0.9], "classes": [{one}]}}'
    head = "import torch\nfind.names = {0: 'person', 1: 'car'}"
    assert made(tmp_path, body, head=head).detect([PICTURE])[0].categories.tolist() == [1]
    with pytest.raises(TaskError, match=r"class 1, which is none of .* or give it a list 'names'"):
        made(tmp_path, body, head="import torch").detect([PICTURE])
    half = body.replace(one, "1.5")
    with pytest.raises(
        TaskError, match=r"class 1\.5, .*: expected names of its list 'names', or n"
    ):
        made(tmp_path, half, head=head).detect([PICTURE])


def test_a_function_of_an_image_in_the_place_of_its_maker_is_told(tmp_path: Path) -> None:
    made(tmp_path, "    return None")
    says = (
        r"NoneType.*; it was called with image=None, .* that returns it, def build\(\): return find"
    )
    with pytest.raises(UsageError, match=says):
        built_by(str(tmp_path / "mine.py"), "find", None)


def test_a_confidence_of_1_that_was_rounded_is_1(tmp_path: Path) -> None:
    body = f'    return {{{BOX}, "scores": [1.0000001], "classes": ["car"]}}'
    assert made(tmp_path, body).detect([PICTURE])[0].scores.tolist() == [1]


def test_own_names_are_matched_with_the_data_sets(tmp_path: Path) -> None:
    body = '    return {"boxes": [[1, 2, 3, 4]] * 2, "scores": [1, 0.5], "classes": [0, "car"]}'
    network = made(tmp_path, body, head='find.names = ["bicycle", "car"]')
    task = NamedDetector({3: "car"}, lambda: network)
    assert task.detect([PICTURE])[0].categories.tolist() == [3]


def test_nothing_found_is_nothing(tmp_path: Path) -> None:
    empty = '    return {"boxes": [], "scores": [], "classes": [], "masks": []}'
    for task in ("detection", "instance"):
        found = made(tmp_path, empty, task).detect([PICTURE])[0]
        assert found.boxes_xyxy_px.shape == (0, 4)
        assert len(found.scores) == len(found.masks) == 0


def test_masks_are_kept(tmp_path: Path) -> None:
    body = (
        "    mask = np.zeros((1, h, w), bool); mask[0, 3:9, 5:8] = True\n"
        '    return {"boxes": [[5, 3, 8, 9]], "scores": [1], "classes": ["dog"], "masks": mask}'
    )
    (mask,) = made(tmp_path, body, "instance").detect([PICTURE])[0].masks
    assert masks.decode(mask)[3:9, 5:8].all()
    assert masks.decode(mask).sum() == 18


def test_a_module_is_called_with_a_picture() -> None:
    class Finder(torch.nn.Module):
        names = ("car",)

        def forward(self, image: Any) -> dict[str, Any]:
            assert not self.training
            classes = torch.zeros(1, dtype=torch.long)
            return {"boxes": torch.ones(1, 4), "scores": torch.ones(1), "classes": classes}

    network = own_network("detection", Finder(), WORD, NAMES, "cpu")
    with pytest.raises(TaskError, match="boxes of 0 to 1: expected pixels"):
        network.detect([PICTURE])


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e5m2", "float16"])
@pytest.mark.parametrize("form", ["{}", "list({})"])
def test_tensors_of_few_bits_are_read(dtype: str, form: str, tmp_path: Path) -> None:
    boxes, scores, mask = (
        form.format(f"torch.{made}.to(torch.{dtype}).requires_grad_()")
        for made in ("tensor([[1, 2, 32, 24]])", "tensor([0.75])", "ones(1, h, w)")
    )
    body = (
        f'    return {{"boxes": {boxes}, "scores": {scores}, "classes": ["car"], "masks": {mask}}}'
    )
    found = made(tmp_path, body, "instance", "import torch").detect([PICTURE])[0]
    assert found.boxes_xyxy_px.tolist() == [[1, 2, 32, 24]]
    assert found.scores.tolist() == [0.75]
    assert masks.decode(found.masks[0]).all()


def test_tensors_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    body = '    return {"boxes": torch.eye(4).to_sparse(), "scores": [1], "classes": ["car"]}'
    with pytest.raises(TaskError, match="returned boxes of object, expected numbers"):
        made(tmp_path, body, head="import torch").detect([PICTURE])
    body = "    return torch.ones(h, w, dtype=torch.bfloat16)"
    network = made(tmp_path, body, "semantic", 'import torch\nfind.names = ["road", "sky"]')
    with pytest.raises(TaskError, match=r"returned float32 \(40, 60\), expected whole numbers"):
        network.segment([PICTURE])


def test_a_function_of_label_maps(tmp_path: Path) -> None:
    body = "    return np.full((h, w), 2)"
    with pytest.raises(TaskError, match=r"mine\.py:build: what it returned must have a list 'nam"):
        made(tmp_path, body, "semantic")
    network = made(tmp_path, body, "semantic", head='find.names = ["road", "sky", "car"]')
    labels = network.segment([PICTURE])[0]
    assert labels.dtype == np.uint8
    assert (labels == 2).all()
    short = made(tmp_path, body, "semantic", head='find.names = ["road", "sky"]')
    with pytest.raises(
        TaskError, match=r"`return np\.full.*labels of 2 to 2, its names are 0 to 1"
    ):
        short.segment([PICTURE])


BOX = '"boxes": [[1, 2, 30, 20]]'
MISTAKES = {
    "no dict": ("    return [[1, 2, 3, 4]]", r"returned list, expected a dict of \"boxes\""),
    "a key": (f"    return {{{BOX}}}", "returned no scores, classes, but boxes: expected"),
    "boxes' shape": (
        '    return {"boxes": [1, 2, 3, 4], "scores": [1], "classes": ["car"]}',
        r"returned boxes \(4,\), expected \(N, 4\)",
    ),
    "how many": (f'    return {{{BOX}, "scores": [], "classes": []}}', "1 boxes with 0 scores"),
    "fractions": (
        '    return {"boxes": [[0.1, 0.2, 0.3, 1.0]], "scores": [1], "classes": ["car"]}',
        "boxes of 0 to 1: expected pixels of the 60x40 picture",
    ),
    "fractions that overshoot": (
        '    return {"boxes": [[0.4, 0.3, 1.003, 0.9]], "scores": [1], "classes": ["car"]}',
        "boxes of 0 to 1: expected pixels of the 60x40 picture",
    ),
    "widths": (
        '    return {"boxes": [[30, 20, 5, 5]], "scores": [1], "classes": ["car"]}',
        r"the box \[30\.0, 20\.0, 5\.0, 5\.0\], whose right or bottom",
    ),
    "another size": (
        '    return {"boxes": [[300, 200, 350, 250]], "scores": [1], "classes": ["car"]}',
        "outside of the picture of 60x40 px",
    ),
    "percent": (f'    return {{{BOX}, "scores": [97], "classes": ["car"]}}', "scores of 97 to 97"),
    "NaN": (f'    return {{{BOX}, "scores": [np.nan], "classes": ["car"]}}', "scores that are not"),
    "None": (f'    return {{{BOX}, "scores": None, "classes": ["car"]}}', "scores of object"),
    "a class": (
        f'    return {{{BOX}, "scores": [1], "classes": ["Car"]}}',
        "the class 'Car', which is none of person, car, dog: expected names of the data set's",
    ),
    "a number": (f'    return {{{BOX}, "scores": [1], "classes": [3]}}', "the class 3, which is n"),
    "a fraction of a class": (
        f'    return {{{BOX}, "scores": [1], "classes": [0.5]}}',
        "the class 0.5, which is none",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_with_the_line_that_made_it(case: str, tmp_path: Path) -> None:
    body, says = MISTAKES[case]
    with pytest.raises(TaskError, match=says) as caught:
        made(tmp_path, body).detect([PICTURE])
    assert str(caught.value).startswith(f"mine.py:5 `{body.strip()[:100]}`: {WORD} returned ")
    assert "\n" not in str(caught.value)


def test_masks_of_another_size_are_told(tmp_path: Path) -> None:
    body = f'    return {{{BOX}, "scores": [1], "classes": ["dog"], "masks": np.ones((1, 4, 4))}}'
    with pytest.raises(TaskError, match=r"masks \(1, 4, 4\), expected \(1, 40, 60\)"):
        made(tmp_path, body, "instance").detect([PICTURE])
    body = (
        f'    return {{{BOX}, "scores": [1], "classes": ["dog"], "masks": np.full((1, h, w), 0.5)}}'
    )
    with pytest.raises(TaskError, match="masks of other values than 0 and 1"):
        made(tmp_path, body, "instance").detect([PICTURE])


def test_what_it_raises_is_told_with_its_line(tmp_path: Path) -> None:
    network = made(tmp_path, "    return helper(image)", head="def helper(x):\n    return 1 / 0\n")
    says = r"mine\.py:build raised ZeroDivisionError at mine\.py:8 `return 1 / 0`: division"
    with pytest.raises(TaskError, match=says):
        network.detect([PICTURE])


def ssdlite() -> torch.nn.Module:
    torch.manual_seed(0)
    network: torch.nn.Module = ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=4
    )
    return network.eval()


def test_a_network_of_tensors_is_told_how_it_is_called() -> None:
    network = own_network("detection", ssdlite(), WORD, NAMES, "cpu")
    with pytest.raises(TaskError, match=r"raised \w+ at .*: return a function that calls it"):
        network.detect([PICTURE])


def test_the_function_of_the_page_calls_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "my-detector.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    module = ssdlite()
    torch.save(module.state_dict(), "ssdlite.pth")
    found: dict[str, Any] = {}
    exec(code, found)
    network = own_network("detection", found["build"](), WORD, ("person", "car", "dog"), "cpu")
    (boxes,) = network.detect([PICTURE])
    with torch.inference_mode():
        (plain,) = module([torch.from_numpy(PICTURE).permute(2, 0, 1) / 255])
    assert len(boxes.scores)
    assert boxes.categories.tolist() == (plain["labels"] - 1).tolist()


def test_it_cannot_change_the_picture(tmp_path: Path) -> None:
    picture = PICTURE.copy()
    body = '    image += 9\n    return {"boxes": [], "scores": [], "classes": []}'
    made(tmp_path, body).detect([picture])
    assert not picture.any()


def test_what_cannot_be_called_is_told() -> None:
    with pytest.raises(TaskError, match=r"mine\.py:build returned dict, expected what can be call"):
        own_network("detection", {}, WORD, NAMES, "cpu")
    with pytest.raises(TaskError, match="must have a list 'names'"):
        own_network("detection", print, WORD, (), "cpu")


def test_a_box_of_two_pixels_in_the_corner_is_no_share() -> None:
    assert not are_shares(np.array([[0.0, 0.0, 1.9, 1.6]]), (40, 60))
    assert are_shares(np.array([[0.0, 0.0, 1.003, 1.0]]), (40, 60))
