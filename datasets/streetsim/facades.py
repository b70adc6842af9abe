"""Fronts of buildings, painted as seen from straight ahead: masonry, windows, doors, shops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from datasets.image import NDArrayByte
from datasets.streetsim import paint
from datasets.streetsim.camera import Points
from datasets.streetsim.canvas import Colour, packed, three
from datasets.streetsim.noise import SIDE, Chance, fractal, grain

GLOW = 3
"""Channel of a picture that holds 255 where it shines by itself, whatever light falls on it."""


@dataclass(frozen=True)
class Style:
    """How one building looks on all its sides."""

    material: str
    """brick, plaster, concrete, glass."""
    colour: Colour
    frame: Colour
    trim: Colour
    floors: int
    floor_m: float
    bay_m: float
    window_m: tuple[float, float]
    """Width and height of a window."""
    panes: int
    has_shops: bool
    has_ledges: bool
    has_roof: bool
    """Whether it has a pitched roof, else a flat one."""
    lit: float
    """Share of windows with light behind them."""

    @property
    def height_m(self) -> float:
        """Height of the eaves over the ground."""
        return self.floors * self.floor_m + 0.6


MASONRY: dict[str, tuple[Colour, ...]] = {
    "brick": ((142, 84, 66), (126, 92, 76), (158, 118, 92), (112, 76, 66)),
    "plaster": (
        (214, 202, 178),
        (196, 184, 168),
        (188, 168, 134),
        (206, 178, 152),
        (178, 190, 186),
    ),
    "concrete": ((148, 146, 142), (166, 160, 150), (128, 130, 134)),
    "glass": ((92, 108, 120), (78, 92, 102), (108, 118, 122)),
}
SIGNS: tuple[Colour, ...] = (
    (150, 40, 36),
    (34, 74, 112),
    (44, 92, 60),
    (208, 160, 52),
    (52, 50, 54),
    (200, 196, 188),
    (116, 50, 92),
)
"""Colours of the boards over shops."""


def draw_style(chance: Chance, is_city: bool, lit: float) -> Style:
    """A building's style by chance."""
    material = chance.one(("brick", "plaster", "plaster", "concrete", "glass", "brick"))
    if not is_city:
        material = chance.one(("brick", "plaster", "plaster"))
    wide = chance.between(0.9, 1.5)
    window = wide, chance.between(1.3, 1.9)
    bay = wide + chance.between(0.7, 1.6)
    if material == "glass":
        bay = chance.between(1.2, 1.8)
        window = bay - 0.12, 2.7
    white = chance.whole(190, 235)
    frame = chance.one(((white, white, white - 4), (74, 70, 66), (96, 72, 54), (52, 66, 62)))
    colour = chance.near(chance.one(MASONRY[material]), 16)
    trim = three(min(255, c + chance.whole(8, 34)) for c in colour)
    return Style(
        material=material,
        colour=colour,
        frame=(92, 98, 102) if material == "glass" else frame,
        trim=trim,
        floors=chance.whole(3, 9) if is_city else chance.whole(1, 2),
        floor_m=chance.between(2.9, 3.6),
        bay_m=bay,
        window_m=window,
        panes=chance.whole(1, 3),
        has_shops=is_city and chance.happens(0.6),
        has_ledges=chance.happens(0.6),
        has_roof=not is_city,
        lit=lit,
    )


def paint_front(
    style: Style, length_m: float, shown_m: float, per_m: int, chance: Chance
) -> NDArrayByte:
    """The front, ``uint8 (height, length, 4)`` RGB and glow, its last row the ground.

    Args:
        style: The building's style.
        length_m: Length of the wall.
        shown_m: Height up to which it is needed, at most the wall's.
        per_m: Rows and columns of a metre.
        chance: Decides about each window.
    """
    rows, columns = max(2, int(shown_m * per_m)), max(2, int(length_m * per_m))
    front = _masonry(style, rows, columns, per_m)
    bays = max(1, int((length_m - 0.6) / style.bay_m))
    margin = (length_m - bays * style.bay_m) / 2
    wide, tall = (max(2, int(v * per_m)) for v in style.window_m)
    dark = [_window(style, tall, wide, per_m, chance, lit=False) for _ in range(3)]
    bright = [
        _window(style, tall, wide, per_m, chance, lit=True) for _ in range(2 if style.lit else 0)
    ]
    first = 1 if style.has_shops else 0
    for floor in range(first, style.floors):
        base = rows - int((floor * style.floor_m) * per_m)
        if base < 0:
            break
        sill = base - int(0.85 * per_m) if style.material != "glass" else base - int(0.2 * per_m)
        if style.has_ledges:
            thick = max(1, int(0.14 * per_m))
            paint.band(front, base - thick, base, style.trim)
            paint.shade(front, base, base + thick, 200)
        for bay in range(bays):
            left = int((margin + bay * style.bay_m + (style.bay_m - style.window_m[0]) / 2) * per_m)
            if floor == 0 and bay == bays // 2:
                _door(front, left, rows, per_m, style, chance)
                continue
            picture = chance.one(bright if style.lit and chance.happens(style.lit) else dark)
            paint.paste(front, picture, sill - tall, left)
            if style.material != "glass":
                edge = max(1, per_m // 12)
                reach = max(1, per_m // 10)
                paint.paste_colour(
                    front, sill, sill + edge, left - reach, left + wide + reach, style.trim
                )
                paint.darken(front, sill + edge, sill + 2 * edge, left, left + wide, 190)
    if style.has_shops:
        _shops(front, length_m, per_m, style, chance)
    if shown_m >= style.height_m:
        cornice = max(1, int(0.35 * per_m))
        paint.band(front, 0, cornice, style.trim)
        paint.shade(front, cornice, cornice + max(1, cornice // 2), 170)
    dirt = max(1, int(0.7 * per_m))
    paint.shade(front, rows - dirt, rows, 215)
    return front


def _masonry(style: Style, rows: int, columns: int, per_m: int) -> NDArrayByte:
    """The bare wall."""
    v, u = np.arange(rows)[::-1], np.arange(columns)
    at = ((v * 20 // per_m) & (SIDE - 1))[:, None] * SIDE + ((u * 12 // per_m) & (SIDE - 1))
    level = (fractal(4, 128).ravel().take(at) >> 3).astype(np.int16) + np.int16(112)
    if style.material == "brick" and per_m >= 12:
        course = v * 13 // per_m
        brick = (u * 4 + (course[:, None] & 1) * (2 * per_m)) // per_m
        at = (course[:, None] & (SIDE - 1)) * SIDE + (brick & (SIDE - 1))
        level += (grain().ravel().take(at) // 6).astype(np.int16) - np.int16(21)
        if per_m >= 24:
            level[np.diff(course, prepend=-1) != 0] += np.int16(13)
    elif style.material == "concrete":
        seam = max(1, per_m // 24)
        level[(v % max(2, int(style.floor_m * per_m))) < seam] -= np.int16(22)
        level[:, (u % max(2, int(2 * style.bay_m * per_m))) < seam] -= np.int16(22)
    elif per_m >= 16:
        at = (v & (SIDE - 1))[:, None] * SIDE + (u & (SIDE - 1))
        level += (grain(1).ravel().take(at) >> 5).astype(np.int16) - np.int16(4)
    steps = np.arange(256)[:, None] / 128
    table = np.minimum(np.rint(steps * np.array(style.colour)), 255).astype(np.uint8)
    wall = packed(table).take(np.clip(level, 0, 255))
    return np.asarray(wall.view(np.uint8).reshape(rows, columns, 4))


def _window(
    style: Style, tall: int, wide: int, per_m: int, chance: Chance, lit: bool
) -> NDArrayByte:
    """One window with its frame."""
    edge = max(1, per_m // 14)
    picture = np.zeros((tall, wide, 4), np.uint8)
    picture[:, :, :3] = style.frame
    inner = picture[edge : tall - edge, edge : wide - edge]
    height = inner.shape[0]
    if not inner.size:
        return picture
    if lit:
        warm = chance.one(((255, 214, 140), (255, 230, 178), (236, 226, 196), (250, 190, 110)))
        fall = np.linspace(230, 165, height).astype(np.int64)[:, None]
        inner[:, :, :3] = (fall[:, :, None] * np.array(warm) >> 8).astype(np.uint8)
        inner[:, :, GLOW] = 255
        if chance.happens(0.6):
            curtain = max(1, inner.shape[1] // 4)
            inner[:, :curtain, :3] = inner[:, :curtain, :3] // 4 * 3
            inner[:, -curtain:, :3] = inner[:, -curtain:, :3] // 4 * 3
    else:
        top = (
            chance.near((96, 116, 134), 26)
            if style.material == "glass"
            else chance.near((70, 80, 90), 22)
        )
        fall = np.linspace(256, 120, height).astype(np.int64)[:, None, None]
        inner[:, :, :3] = (fall * np.array(top) >> 8).astype(np.uint8)
        kind = chance.whole(0, 3)
        if kind == 0 and style.material != "glass":
            blind = chance.whole(height // 5, height // 2)
            inner[:blind, :, :3] = (176, 170, 158)
        elif kind == 1 and style.material != "glass":
            curtain = max(1, inner.shape[1] // 4)
            inner[:, :curtain, :3] = (150, 146, 140)
            inner[:, -curtain:, :3] = (142, 138, 132)
        inner[: max(1, per_m // 10), :, :3] //= 2
    bar = max(1, per_m // 20)
    for pane in range(1, style.panes):
        at = wide * pane // style.panes
        picture[:, at : at + bar, :3] = style.frame
        picture[:, at : at + bar, GLOW] = 0
    if style.panes == 2 and style.material != "glass":
        picture[tall // 3 : tall // 3 + bar, :, :3] = style.frame
        picture[tall // 3 : tall // 3 + bar, :, GLOW] = 0
    return picture


def _door(
    front: NDArrayByte, left: int, rows: int, per_m: int, style: Style, chance: Chance
) -> None:
    wide, tall = int(1.1 * per_m), int(2.2 * per_m)
    colour = chance.near(chance.one(((92, 54, 38), (48, 70, 62), (66, 68, 78), (120, 40, 38))), 12)
    edge = max(1, per_m // 10)
    paint.paste_colour(front, rows - tall - edge, rows, left - edge, left + wide + edge, style.trim)
    paint.paste_colour(front, rows - tall, rows, left, left + wide, colour)
    light = max(1, tall // 5)
    paint.paste_colour(
        front,
        rows - tall + edge,
        rows - tall + light,
        left + edge,
        left + wide - edge,
        (64, 74, 84),
    )


class _Shop(NamedTuple):
    """Where a shop lies in the front: columns, and rows of its sign and its windows."""

    left: int
    right: int
    sign: int
    """First row of the sign."""
    glass: int
    """First row of the windows, below the sign."""
    sill: int
    """First row below the windows."""


def _shops(front: NDArrayByte, length_m: float, per_m: int, style: Style, chance: Chance) -> None:
    """Shop windows, signs and awnings on the ground floor."""
    rows = front.shape[0]
    count = max(1, int(length_m / chance.between(4.5, 8)))
    each = length_m / count
    for i in range(count):
        shop = _Shop(
            left=int((i * each + 0.3) * per_m),
            right=int(((i + 1) * each - 0.3) * per_m),
            sign=rows - int(3.3 * per_m),
            glass=rows - int(2.65 * per_m),
            sill=rows - per_m // 2,
        )
        colour = chance.near(chance.one(SIGNS), 18)
        _sign(front, shop, colour, per_m, chance)
        _shop_window(front, shop, per_m, style, chance)
        _goods(front, shop, per_m, chance)
        _bars_and_door(front, shop, per_m, style, chance)
        if chance.happens(0.45):
            _awning(front, shop, chance.near(colour, 20), per_m)


def _sign(front: NDArrayByte, shop: _Shop, colour: Colour, per_m: int, chance: Chance) -> None:
    """A board with strokes for letters."""
    paint.paste_colour(front, shop.sign, shop.glass, shop.left, shop.right, colour)
    ink = (238, 234, 226) if sum(colour) < 380 else (50, 46, 44)
    stroke, x = max(1, per_m // 8), shop.left + per_m // 2
    while x < shop.right - per_m // 2 and x < shop.left + 4 * per_m:
        tall = chance.whole(2, 4)
        middle = (shop.sign + shop.glass) // 2
        paint.paste_colour(front, middle - tall * stroke // 2, middle + stroke, x, x + stroke, ink)
        x += stroke * chance.whole(2, 3)


def _shop_window(front: NDArrayByte, shop: _Shop, per_m: int, style: Style, chance: Chance) -> None:
    """The pane: lit and darker towards the ground, or dark in the shadow of the sign."""
    left, right, top = shop.left, shop.right, shop.glass + per_m // 8
    glow = 255 if style.lit > 0 and chance.happens(0.65) else 0
    pane = (246, 222, 176) if glow else chance.near((62, 68, 74), 14)
    paint.paste_colour(front, top, shop.sill, left, right, pane, glow)
    if glow:
        fade = (shop.sill - shop.glass) // 4
        for step in range(1, 4):
            paint.shade_area(front, shop.glass + step * fade, shop.sill, left, right, 226)
    else:
        paint.shade_area(front, top, shop.glass + per_m, left, right, 170)


def _goods(front: NDArrayByte, shop: _Shop, per_m: int, chance: Chance) -> None:
    """What stands in the window."""
    for _ in range(chance.whole(2, 5)):
        x, wide = chance.whole(shop.left, shop.right), max(1, chance.whole(per_m // 3, per_m))
        tall = chance.whole(per_m // 2, max(per_m // 2, int(1.5 * per_m)))
        tone = chance.near((120, 100, 90), 50)
        paint.paste_colour(front, shop.sill - tall, shop.sill, x, min(x + wide, shop.right), tone)


def _bars_and_door(
    front: NDArrayByte, shop: _Shop, per_m: int, style: Style, chance: Chance
) -> None:
    """Bars between the panes, and a glass door somewhere among them."""
    rows, bar = front.shape[0], max(1, per_m // 12)
    for x in range(shop.left, shop.right + 1, max(1, int(1.6 * per_m))):
        paint.paste_colour(front, shop.glass, shop.sill, x, x + bar, style.frame)
    door = chance.whole(shop.left, max(shop.left, shop.right - per_m))
    paint.paste_colour(front, shop.glass + per_m // 3, rows, door, door + per_m, (48, 46, 46))
    paint.paste_colour(
        front,
        shop.glass + per_m // 2,
        rows - per_m // 4,
        door + bar * 2,
        door + per_m - bar * 2,
        (84, 90, 92),
    )


def _awning(front: NDArrayByte, shop: _Shop, colour: Colour, per_m: int) -> None:
    """Stripes over the window, and their shadow."""
    deep, stripe = int(0.75 * per_m), max(1, per_m // 3)
    low = shop.glass + deep
    for x in range(shop.left, shop.right, stripe):
        tone = colour if (x - shop.left) // stripe % 2 else (222, 218, 208)
        paint.paste_colour(front, shop.glass, low, x, min(x + stripe, shop.right), tone)
    paint.shade_area(front, low, low + deep, shop.left, shop.right, 130)


def lighted(picture: NDArrayByte, brightness: Points) -> NDArrayByte:
    """A picture under light; what glows stays as it is.

    Args:
        picture: ``uint8 (h, w, 4)``.
        brightness: 1 shows colours as they are; of a shape that spreads to ``(h, w, 3)``.
    """
    out = picture.copy()
    glow = picture[:, :, GLOW] > 0
    for i in range(3):
        # In 1/128 and at most 255 of them, so that products fit 16 bits.
        scale = np.minimum(np.rint(brightness[..., i] * 128), 255).astype(np.uint16)
        level = np.minimum((picture[:, :, i] * scale) >> np.uint16(7), 255)
        np.copyto(out[:, :, i], level.astype(np.uint8), where=~glow)
    return out
