"""DCSFN's recurrent units: what their first step is, and what a state adds."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from derainers.networks.dcsfn import RecurrentUnit


def test_the_first_step_of_the_lstm_shows_its_cell_as_it_is() -> None:
    """As config/model.py of Ohraincu/DCSFN has it: tanh only where there was a state."""
    torch.manual_seed(0)
    unit = RecurrentUnit(4, "lstm")
    x, h, c = torch.randn(3, 1, 4, 6, 6).mul(3).unbind(0)
    first = {gate: unit.get_submodule(f"x{gate}")(x) for gate in "ifgo"}
    later = {gate: y + unit.get_submodule(f"h{gate}")(h) for gate, y in first.items()}
    with torch.inference_mode():
        cell = first["i"].sigmoid() * first["g"].tanh()
        shown, kept = unit(x)
        assert torch.allclose(kept, cell)
        assert torch.allclose(shown, F.leaky_relu(first["o"].sigmoid() * cell, 0.2))
        assert not torch.allclose(shown, F.leaky_relu(first["o"].sigmoid() * cell.tanh(), 0.2))
        cell = later["f"].sigmoid() * c + later["i"].sigmoid() * later["g"].tanh()
        shown, kept = unit(x, (h, c))
        assert torch.allclose(kept, cell)
        assert torch.allclose(shown, F.leaky_relu(later["o"].sigmoid() * cell.tanh(), 0.2))


@pytest.mark.parametrize(("kind", "maps"), [("gru", 1), ("lstm", 2), ("rnn", 1)])
def test_a_state_changes_what_follows(kind: str, maps: int) -> None:
    torch.manual_seed(0)
    unit = RecurrentUnit(4, kind)
    x = torch.randn(1, 4, 6, 6)
    with torch.inference_mode():
        state = unit(x)
        assert len(state) == maps
        assert not torch.allclose(unit(x, state)[0], state[0])
