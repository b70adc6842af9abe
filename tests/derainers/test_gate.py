"""How much rain is in an image, and gates that open by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut, coffee

import harness
from datasets import Dataset
from datasets.image import NDArrayByte, encode_png, round_to_bytes
from datasets.rain import generator, parse
from derainers import DERAINERS, DerainerError
from derainers.amount import rain_amount
from derainers.gate import Gate
from derainers.words import GATE_OPENS, read
from harness.machine.device import Placement
from harness.plan.derainers import derainer_plan
from harness.spec import RunSpec, UsageError
from reports.tables.gates import table

CUP: NDArrayByte = coffee()[:256, :320]


def under(word: str, clean: NDArrayByte) -> NDArrayByte:
    ((_, rain),) = parse(word)
    return rain.render(clean, generator(0, rain, "x")).image


@pytest.mark.parametrize("clean", [CUP, astronaut()[:300, :300]])
def test_more_rain_is_measured_as_more(clean: NDArrayByte) -> None:
    dry = rain_amount(clean)
    light, heavy = (rain_amount(under(w, clean)) for w in ("rain100l", "rain100h"))
    assert dry.streaks < light.streaks < heavy.streaks
    assert heavy.deviations > GATE_OPENS
    assert dry.deviations < GATE_OPENS
    assert rain_amount(under("outdoor-rain", clean)).veil > dry.veil + 0.2


def test_lines_across_are_no_rain() -> None:
    rainy = under("rain100h", CUP)
    upright, lying = (rain_amount(image).streaks for image in (rainy, np.rot90(rainy).copy()))
    assert upright > 2 * lying


@pytest.mark.parametrize(("shape", "level"), [((8, 8, 3), 0), ((5, 40, 3), 255), ((1, 1, 3), 9)])
def test_images_of_any_size_and_light_have_an_amount(
    shape: tuple[int, int, int], level: int
) -> None:
    image = np.full(shape, level, np.uint8)
    assert np.isfinite(rain_amount(image).deviations)
    assert rain_amount(image).streaks == 0


def test_a_gate_gives_dry_bytes_back_and_derains_rain() -> None:
    behind = DERAINERS["median"].build(None)
    gate = derainer_plan("gate:median", {}, Dataset("folder", "all", [])).load(Placement("cpu"))
    assert isinstance(gate, Gate)
    assert np.array_equal(round_to_bytes(gate.restore(CUP, "x")), CUP)
    rainy = under("rain100h", CUP)
    assert np.array_equal(gate.restore(rainy, "x"), behind.restore(rainy, "x"))


def test_words_of_gates() -> None:
    assert read("gate:granet").gate == GATE_OPENS
    word = read("mine=gate@2.5:half:median+granet")
    assert (word.name, word.gate, word.is_half, len(word.parts)) == ("mine", 2.5, True, 2)
    nothing = Dataset("folder", "all", [])
    plans = [derainer_plan(w, {}, nothing) for w in ("gate:median", "gate@1:median", "median")]
    assert [p.name for p in plans] == ["gate:median", "gate@1:median", "median"]
    assert len({str(p.key) for p in plans}) == 3
    for wrong in ("gate:", "gate@x:median", "gate@:median"):
        with pytest.raises(DerainerError, match="expected gate:DERAINER"):
            read(wrong)
    with pytest.raises(UsageError, match="leaves every image alone"):
        derainer_plan("gate:identity", {}, nothing)


def test_a_run_sets_a_gate_between_its_bounds(tmp_path: Path) -> None:
    for name, image in (("cup", CUP), ("spoon", coffee()[100:350, 250:550])):
        (tmp_path / f"{name}.png").write_bytes(encode_png(image))
    results = harness.run(
        RunSpec(
            dataset="folder",
            data_root=str(tmp_path),
            rain=("rain100h", "none"),
            derainer=("gate:median", "soft=median", "gate@9:median"),
            task=("none",),
            quality=("psnr",),
            workspace=str(tmp_path / "runs"),
            images=False,
        )
    )
    assert results.provenance.gates == {"gate:median": "soft", "gate@9:median": "soft"}
    _, rows, _ = table(results)
    opened = {tuple(row[:2]): row[4] for row in rows}
    assert opened == {("rain100h", "gate:median"): "100%", ("rain100h", "gate@9:median"): "0%"}
    by_gate = {row[1]: row[5:8] for row in rows}
    never, gated, always = by_gate["gate:median"]
    assert gated == always != never
    never, gated, always = by_gate["gate@9:median"]
    assert gated == never != always
    dry = {c: p for c, p in results.by_image.pixels.items() if c.is_dry}
    given = next(p for c, p in dry.items() if c.is_input)
    assert [p == given for c, p in dry.items() if c.name.startswith("gate")] == [True, True]
