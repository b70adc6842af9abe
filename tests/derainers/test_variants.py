"""Ablations by word: what they build, how they are trained, what is refused."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from derainers import DERAINERS, DerainerError
from derainers.networks.dcsfn import DCSFN
from derainers.networks.granet import GraNet
from derainers.networks.hrrsr import HRRSR
from derainers.networks.mscg import MSCG
from derainers.networks.mspfn import MSPFN
from derainers.networks.nledn import NLEDN
from derainers.variants import SWITCHES, variant_of
from derainers.words import read
from harness.cli.main import run_command_line
from harness.plan.rows import every_row
from harness.training.trainee import trainee
from harness.training.wish import Wish
from reports.papers.reading import read_claims


def values(word: str) -> int:
    """How many values the network of a word has."""
    variant = variant_of(word)
    with torch.device("meta"):
        built: Any = DERAINERS[variant.row].build(None, **variant.settings)
    return sum(p.numel() for p in built.module.parameters())


def test_each_key_and_value_is_an_argument_of_its_network_or_a_loss() -> None:
    arguments = {
        "mspfn": MSPFN,
        "granet": GraNet,
        "dcsfn": DCSFN,
        "hrrsr": HRRSR,
        "mscg": MSCG,
        "nledn": NLEDN,
    }
    assert set(arguments) == set(SWITCHES)
    for name, switches in SWITCHES.items():
        known = set(inspect.signature(arguments[name]).parameters)
        for key, changes in switches.items():
            for value in changes:
                variant = variant_of(f"{name}:{key}={value}")
                assert set(variant.settings) <= known
                assert bool(variant.settings) != (variant.loss is not None)


def test_keys_stand_in_one_order() -> None:
    assert variant_of("mspfn:n=2:m=13").word == "mspfn:m=13:n=2"
    assert values("mspfn:n=2:m=13") == 13_394_976
    assert variant_of("dcsfn-paper:unit=lstm").row == "dcsfn-paper"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("mspfn:k=3", "unknown key 'k': mspfn has m, n, layers, eloss"),
        ("mspfn:m=31", "expected m= one of 0, 1, 2"),
        ("mspfn:m", "expected m= one of 0"),
        ("mspfn:m=1:m=2", "m stands there twice"),
        ("granet:context=no:fine=no", "context and fine exclude each other"),
        ("prenet:unit=gru", "unknown key 'unit': prenet has none"),
    ],
)
def test_what_cannot_be_is_one_line(word: str, said: str) -> None:
    with pytest.raises(DerainerError, match=said):
        variant_of(word)


def test_odd_sides_take_the_weights_of_their_row() -> None:
    assert variant_of("nledn:sides=odd").learner == "nledn"
    assert variant_of("mspfn:m=13:n=2").learner == "mspfn:m=13:n=2"
    torch.manual_seed(0)
    plain, odd = NLEDN(16, 8), NLEDN(16, 8, sides="odd")
    torch.nn.init.normal_(plain.up_1.region_non_local.non_local_block.W.weight)
    odd.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 32, 48)
    larger = torch.nn.functional.pad(image, (0, 1, 0, 1), mode="replicate")
    with torch.inference_mode():
        assert torch.equal(odd(image), plain(larger)[..., :32, :48])
        assert not torch.equal(odd(image), plain(image))
        assert torch.equal(odd(larger), plain(larger))


def test_a_sum_of_operations_is_no_chain() -> None:
    assert [p.text for p in read("hrrsr:operations=ats+mul@w.pth+median").parts] == [
        "hrrsr:operations=ats+mul@w.pth",
        "median",
    ]
    assert read("mine=mspfn:m=13:n=2@w.pth").name == "mine"


def test_every_ablation_of_print_is_a_word_that_can_be_trained() -> None:
    words = {c.derainer for c in read_claims(every_row()) if c.derainer and ":" in c.derainer}
    words.remove("nledn:sides=odd")  # no ablation: how its authors' images are
    assert len(words) == 25
    for word in words:
        variant = variant_of(word)
        network, row = trainee(word, Wish()), trainee(variant.row, Wish())
        assert variant.word == word
        assert network.recipe.loss == ("charbonnier" if "eloss" in word else row.recipe.loss)
        assert not network.is_own
        assert not set(network.name) & set(":=+/")


def test_an_ablation_has_no_weights_but_those_that_are_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["run", "--dry-run", "--derainer", "granet:context=no"]) == 2
    said = capsys.readouterr().err
    assert "derainer granet:context=no comes without weights" in said
    assert "python -m harness train granet:context=no" in said
