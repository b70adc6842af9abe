"""The street itself: its lanes, its edges, its bend and its crossing."""

from __future__ import annotations

from dataclasses import dataclass

from datasets.streetsim.noise import Chance


@dataclass(frozen=True)
class Street:
    """Cross-section and course of a street; offsets count from its middle, to the right."""

    lane_m: float
    lanes: int
    """Number of lanes in each direction."""
    parking_m: float
    """Width for parked cars at each side; 0 for none."""
    pavement_m: float
    verge_m: float
    """Grass between pavement and buildings."""
    bend: float
    """The middle lies at bend · Z² metres."""
    drives_right: bool
    crossing_m: float | None
    """Where a street crosses; None for nowhere."""
    crossing_width_m: float
    zebra_m: float | None
    """Where a zebra crossing begins."""
    is_city: bool
    """City blocks, else houses with gardens."""

    @property
    def kerb_m(self) -> float:
        """Offset of the right kerb."""
        return self.lanes * self.lane_m + self.parking_m

    @property
    def wall_m(self) -> float:
        """Offset where plots begin."""
        return self.kerb_m + self.pavement_m + self.verge_m

    def middle_m(self, z_m: float) -> float:
        """X of the street's middle."""
        return self.bend * z_m * z_m

    def lane_offset_m(self, lane: int, with_us: bool) -> float:
        """Offset of a lane's middle, counted from the street's."""
        side = 1 if with_us == self.drives_right else -1
        return side * (lane + 0.5) * self.lane_m

    def crosses(self, z_m: float, margin_m: float = 0.0) -> bool:
        """Whether the crossing street lies there."""
        if self.crossing_m is None:
            return False
        return -margin_m < z_m - self.crossing_m < self.crossing_width_m + margin_m


def draw_street(chance: Chance) -> Street:
    """A street by chance."""
    is_city = chance.happens(0.65)
    crossing = chance.between(16, 60) if chance.happens(0.45) else None
    zebra = None
    if crossing is not None and chance.happens(0.7):
        zebra = crossing - 5.0
    elif chance.happens(0.2):
        zebra = chance.between(10, 40)
    return Street(
        lane_m=chance.between(2.9, 3.6),
        lanes=chance.one((1, 1, 2)) if is_city else 1,
        parking_m=chance.one((0.0, 2.2, 2.2)),
        pavement_m=chance.between(1.8, 4.5) if is_city else chance.between(1.5, 2.5),
        verge_m=0.0 if is_city else chance.between(2.0, 6.0),
        bend=chance.one((0.0, 0.0, 1.0, -1.0)) * chance.between(0.0002, 0.0009),
        drives_right=chance.happens(0.65),
        crossing_m=crossing,
        crossing_width_m=chance.between(7, 12),
        zebra_m=zebra,
        is_city=is_city,
    )
