"""What is told of a derainer's training: what it saw, what it gained, whether it was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from derainers.card import STILL_RISING_DB
from harness.machine.about import processor

if TYPE_CHECKING:
    from derainers.training.data import Crops
    from derainers.training.recipes import Recipe
    from derainers.training.state import Row, State


def cut_short(name: str, recipe: Recipe, epochs: int) -> str | None:
    """What another number of epochs does not do to a learning rate that falls at some of them.

    Args:
        name: The network's.
        recipe: As its source has it.
        epochs: How many are trained.

    Returns:
        None where nothing is to be said.
    """
    from derainers.training.recipes import Inverse, Milestones, Stairs

    if epochs == recipe.epochs or not isinstance(recipe.decay, Milestones | Stairs | Inverse):
        return None
    return (
        f"{name}: --epochs {epochs} moves no fall of the learning rate, which are those of "
        f"{recipe.epochs} epochs; --steps N puts all of them into N steps"
    )


def best_of(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The validation's scores in the row that was chosen; None before any."""
    if not rows:
        return None
    best = max(rows, key=lambda row: row.scores["psnr_y_db"])
    return {"step": best.step, "crops": best.crops, **best.scores}


def last_quarter_db(rows: Sequence[Row]) -> float | None:
    """How far the best PSNR-Y rose while the last quarter of the crops was seen.

    Returns:
        None where there was no validation before that quarter.
    """
    if not rows:
        return None
    from_crops = rows[-1].crops * 3 / 4
    before = [row.scores["psnr_y_db"] for row in rows if row.crops <= from_crops]
    if not before:
        return None
    return max(row.scores["psnr_y_db"] for row in rows) - max(before)


def footing(state: State, crops: Crops, recipe_steps: int) -> dict[str, Any]:
    """What the card says of how long a network learned, and where.

    Args:
        state: Where the training stands.
        crops: What it sees from the first step to the last.
        recipe_steps: Steps that the recipe has where the command line does not say another number.
    """
    rose_db, legs = last_quarter_db(state.rows), state.legs
    return {
        "steps_done": state.step,
        "steps": crops.steps,
        "recipe_steps": recipe_steps,
        "crops_seen": crops.seen(state.step),
        "crops": crops.seen(crops.steps),
        "last_quarter_db": None if rose_db is None else round(rose_db, 3),
        "converged": state.step == crops.steps
        and bool(state.rows)
        and state.rows[-1].step == state.step
        and rose_db is not None
        and rose_db <= STILL_RISING_DB,
        "hours": round(sum(leg.seconds for leg in legs) / 3600, 2),
        "hardware": "; ".join(dict.fromkeys(leg.hardware for leg in legs)),
        "legs": [
            {
                "hardware": leg.hardware,
                "dtype": leg.dtype,
                "steps": leg.steps,
                "crops": leg.crops,
                "minutes": round(leg.seconds / 60, 1),
            }
            for leg in legs
        ],
    }


def hardware(device: str) -> str:
    """What computes here, in words."""
    import torch

    if device == "cuda":
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    threads = torch.get_num_threads()
    return f"{threads} CPU thread{'s' * (threads != 1)}, {processor()}"


def verdict(
    name: str,
    photographs: int,
    rainy: Mapping[str, float],
    best: Mapping[str, float] | None,
    lacks_scores: bool = False,
) -> str:
    """What the weights are worth on photographs that were held out, on one line.

    Args:
        name: The network's.
        photographs: How many were held out.
        rainy: Their scores as they are.
        best: Their scores when restored by the weights that were chosen; None = never measured.
        lacks_scores: Whether the last validation was broken off.
    """
    if best is None:
        return (
            f"{name}: not validated, the time was over before: whether these weights help is not "
            "known; the same command goes on, with more --max-minutes"
        )
    gain_db = best["psnr_y_db"] - rainy["psnr_y_db"]
    where = (
        f"PSNR-Y on {photographs} held-out photograph{'s' * (photographs != 1)} "
        f"({rainy['psnr_y_db']:.2f} dB rainy, {best['psnr_y_db']:.2f} dB restored)"
    )
    if lacks_scores:
        where += "; the last validation was broken off, the same command makes it up"
    if f"{abs(gain_db):.2f}" == "0.00":
        return f"{name}: these weights neither gain nor lose {where}"
    if gain_db <= 0:
        return f"{name}: these weights make rainy images worse by {-gain_db:.2f} dB {where}"
    return f"{name}: {gain_db:+.2f} dB {where}"
