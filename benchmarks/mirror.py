"""The mirror of wet ground beside the one that StreetSim renders from below the ground.

    python benchmarks/mirror.py --scenes 24

Each scene of ``val`` is drawn a second time by a camera as far below the ground as it stood above,
and turned upside down: what a smooth sheet of water would show. ``datasets/rain/wet.py`` has only
the picture and its distances, and so lacks what the camera does not see.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from datasets.image import NDArrayByte
from datasets.rain.wet import ground_of, mirrored
from datasets.streetsim import scene
from datasets.streetsim.buildings import (
    draw_backdrop,
    draw_buildings,
    plan_buildings,
    shade_street,
)
from datasets.streetsim.canvas import SCALE, Canvas
from datasets.streetsim.classes import SKY
from datasets.streetsim.ground import Paint, draw_ground
from datasets.streetsim.layout import draw_camera, draw_things
from datasets.streetsim.light import draw_light
from datasets.streetsim.noise import Chance
from datasets.streetsim.photo import depth_m
from datasets.streetsim.roadside import draw_roadside, plan_roadside
from datasets.streetsim.shadows import cast
from datasets.streetsim.sky import draw_sky
from datasets.streetsim.street import draw_street

SIZE_PX = 640, 480
LEVELS = 12
"""Greatest difference of a channel that counts as the same."""


def picture(canvas: Canvas) -> NDArrayByte:
    """The lower right sub-pixel of each pixel, whose distance is known too."""
    colour = canvas.colour[1::SCALE, 1::SCALE]
    return np.stack([(colour >> np.uint32(8 * i)) & 255 for i in range(3)], -1).astype(np.uint8)


def from_below(index: int) -> NDArrayByte:
    """What a mirror in the ground's place shows of a scene."""
    chance = Chance("val", index)
    street, light = draw_street(chance), draw_light(chance)
    camera = draw_camera(chance, street, SIZE_PX)
    things = draw_things(chance, street, camera)
    roadside = plan_roadside(chance, street)
    scene._lamps(light, camera, things, roadside)
    horizon = camera.height_px - camera.horizon_px
    below = replace(camera, height_m=-camera.height_m, horizon_px=horizon)
    canvas, unseen = (Canvas(camera.width_px, camera.height_px, scene.FARTHEST_M) for _ in range(2))
    canvas.owner[:] = SKY
    # In the order of `scene.build`, so that chance draws the same.
    draw_sky(canvas, below, light, chance)
    paint = Paint(unseen, camera)
    plots = plan_buildings(street, light, chance)
    shade_street(plots, light, paint)
    cast(paint, light, things, roadside)
    paint.settle()
    draw_ground(unseen, camera, street, light, paint, chance)
    draw_buildings(canvas, below, plots, light, chance)
    draw_backdrop(canvas, below, street, light, chance)
    draw_roadside(canvas, below, light, roadside, chance)
    scene._draw_things(canvas, below, light, paint, things)
    return picture(canvas)[::-1]


def main() -> None:
    """Print how near the two are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=24)
    rows, planes = [], []
    for index in range(parser.parse_args().scenes):
        stage = scene.build("val", index, SIZE_PX)
        nearness = 1 / depth_m(stage.canvas).astype(np.float64)
        ground = ground_of(nearness)
        if ground is None:
            continue
        found = mirrored(picture(stage.canvas), nearness, ground)
        off = np.abs(found.astype(int) - from_below(index)).max(axis=2)[ground.mask]
        rows.append((np.mean(off <= LEVELS), np.median(off)))
        true = stage.camera.focal_px / SCALE * stage.camera.height_m
        planes.append(abs(1 / ground.slope / true - 1))
    same, median = np.mean(rows, axis=0)
    print(f"{len(rows)} scenes: focal length times height off by at most {max(planes):.1e}")
    print(
        f"{100 * same:.0f} % of the mirror within {LEVELS} levels, median difference {median:.1f}"
    )


if __name__ == "__main__":
    main()
