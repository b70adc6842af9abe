"""What is told of a derainer's training: what it saw, what it gained, whether it was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from derainers.training.state import Leg, Row

STILL_RISING_DB = 0.1
"""Who gains more than this in the last quarter of the crops seen was not done learning."""


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


def footing(
    rows: Sequence[Row], legs: Sequence[Leg], step: int, steps: int, crops: int
) -> dict[str, Any]:
    """What the card says of how long a network learned, and where.

    Args:
        rows: Of the curve.
        legs: What it ran on, one after the other.
        step: Steps done.
        steps: Steps of this training.
        crops: Crops that these see.
    """
    rose_db = last_quarter_db(rows)
    return {
        "steps_done": step,
        "steps": steps,
        "crops_seen": sum(leg.crops for leg in legs),
        "crops": crops,
        "last_quarter_db": None if rose_db is None else round(rose_db, 3),
        "converged": rose_db is not None and step == steps and rose_db <= STILL_RISING_DB,
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


def verdict(
    name: str, photographs: int, rainy: Mapping[str, float], best: Mapping[str, float] | None
) -> str:
    """One sentence: what the weights are worth on photographs that were held out.

    Args:
        name: The network's.
        photographs: How many were held out.
        rainy: Their scores as they are.
        best: Their scores when restored by the weights that were chosen; None = never measured.
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
    if gain_db <= 0:
        return f"{name}: these weights make rainy images worse by {-gain_db:.2f} dB {where}"
    return f"{name}: {gain_db:+.2f} dB {where}"
