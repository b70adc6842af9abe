"""Rainy and clean crops for training; the number of a crop decides all that is random in it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from datasets.image import NDArrayByte, NDArrayFloat, to_tensor
from datasets.rain import Rain, needs_depth
from datasets.rain.rain import falling_on
from derainers.training.recipes import LONGEST_PX, Recipe


class Photograph(Protocol):
    """What is asked of an image to train on; `datasets.sample.Sample` has it."""

    @property
    def id(self) -> str:
        """Stable name."""
        ...

    def image(self) -> NDArrayByte:
        """The clean image, ``uint8 (H, W, 3) RGB``."""
        ...

    def given_rain(self) -> NDArrayByte:
        """The rainy image that the set brings."""
        ...

    @property
    def has_depth(self) -> bool:
        """Whether distances are known."""
        ...

    def depth_m(self) -> NDArrayFloat | None:
        """Distance of every pixel, ``float32 (H, W)``, or None."""
        ...


Group = tuple[Tensor, Tensor]
"""Rainy and clean crops of one size, each ``float32 (B, 3, H, W) RGB`` in [0, 1]."""


Pair = tuple[NDArrayByte, NDArrayByte]
"""A rainy and a clean crop, ``uint8 (H, W, 3) RGB``."""


@dataclass(frozen=True)
class Crops(Dataset[list[Pair]]):
    """Crops by the number of the rainy photograph that they are cut from."""

    photographs: Sequence[Photograph]
    rains: Sequence[Rain | None]
    """One of them is drawn for each photograph, which None leaves clean, of those that need
    distances only where there are some; empty = the set's own."""
    recipe: Recipe
    steps: int
    """Number of steps of the whole training."""
    multiple_of: int
    """Crops and whole images are cut to multiples of this, of which they hold one at least."""
    minimum_px: int = 1
    """Their sides are no shorter."""
    fixed_px: tuple[int, int] | None = None
    """The one height and width that the network takes: there are no larger crops then."""

    def __len__(self) -> int:
        """Rainy photographs of the whole training."""
        return self.renders(self.steps).start

    @property
    def renders_per_step(self) -> int:
        """Rainy photographs that the crops of a step are cut from."""
        return self.recipe.batch // self.recipe.crops_per_render

    def __getitem__(self, number: int) -> list[Pair]:
        """Rain on a photograph, crops of both, each perhaps mirrored; of large ones only one."""
        rng = np.random.default_rng((self.recipe.seed, number))
        images = len(self.photographs)
        order = np.random.default_rng((self.recipe.seed, 1, number // images)).permutation(images)
        photograph = self.photographs[int(order[number % images])]
        clean = photograph.image()
        if self.rains:
            rains = [r for r in self.rains if photograph.has_depth or not (r and needs_depth(r))]
            rain = rains[int(rng.integers(len(rains)))]
            rainy = clean
            if rain:
                with falling_on(photograph.id):
                    fallen = rain.render(clean, rng, photograph.depth_m())
                rainy, clean = fallen.image, fallen.truth(clean)
        else:
            rainy = photograph.given_rain()
        cycle = self._renders_between_large + 1
        is_large = self._has_large and number % cycle == cycle - 1
        height, width = self._size(is_large, clean)
        pairs = []
        for _ in range(1 if is_large else self.recipe.crops_per_render):
            top = int(rng.integers(clean.shape[0] - height + 1))
            left = int(rng.integers(clean.shape[1] - width + 1))
            way = int(rng.choice([-1, 1]))
            window = np.s_[top : top + height, left : left + width]
            pairs.append((rainy[window][:, ::way], clean[window][:, ::way]))
        return pairs

    def renders(self, step: int) -> range:
        """The numbers of the rainy photographs of a step: of one where it sees a large crop."""
        large, each = self._large_steps(step), self.renders_per_step
        first = (step - large) * each + large
        return range(first, first + (1 if self._large_steps(step + 1) > large else each))

    def seen(self, steps: int) -> int:
        """Crops seen in so many steps; a large one counts as the small ones that it is large as."""
        recipe, large = self.recipe, self._large_steps(steps)
        small = (steps - large) * recipe.batch
        if not large or recipe.large_px is None or recipe.patch_px is None:
            return small
        return small + round(large * (recipe.large_px / recipe.patch_px) ** 2)

    @property
    def _has_large(self) -> bool:
        return self.recipe.large_px is not None and self.fixed_px is None

    @property
    def _renders_between_large(self) -> int:
        return (self.recipe.large_every_steps - 1) * self.renders_per_step

    def _large_steps(self, steps: int) -> int:
        """How many of the first steps see a large crop."""
        return steps // self.recipe.large_every_steps if self._has_large else 0

    def _size(self, is_large: bool, image: NDArrayByte) -> tuple[int, int]:
        if self.fixed_px is not None:
            return self.fixed_px
        side_px = self.recipe.large_px if is_large else self.recipe.patch_px
        longest_px = LONGEST_PX if side_px is None else side_px
        height, width = (self._side_px(min(size, longest_px)) for size in image.shape[:2])
        return height, width

    def _side_px(self, wanted_px: int) -> int:
        """The longest side that the network takes up to some length, or else the shortest."""
        m = self.multiple_of
        return max(wanted_px // m, -(-self.minimum_px // m), 1) * m

    @property
    def sizes_px(self) -> list[tuple[int, int]]:
        """Height and width of small crops, and of large ones where there are such.

        Of whole images the shortest stand first.
        """
        if self.fixed_px is not None:
            return [self.fixed_px]
        sides = [self.recipe.patch_px or 0, *([self.recipe.large_px] if self._has_large else [])]
        return [(side, side) for side in (self._side_px(wanted or 0) for wanted in sides)]


class _Steps(Sampler[list[int]]):
    """The numbers of each step's renders from some step on, this process's share of them.

    Where there are several processes, their number must divide that of the renders.
    """

    def __init__(self, crops: Crops, begin: int, rank: int, processes: int) -> None:
        self._crops, self._begin = crops, begin
        self._rank, self._processes = rank, processes

    def __len__(self) -> int:
        return self._crops.steps - self._begin

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self._begin, self._crops.steps):
            renders = self._crops.renders(step)
            # What cannot be shared all of them see, so that each step stays the same.
            mine = renders if len(renders) == 1 else renders[self._rank :: self._processes]
            yield list(mine)


class _Told(Dataset[list[Pair] | Exception]):
    """Crops, or what is wrong with a photograph: a worker that raised it would lose its words."""

    def __init__(self, crops: Crops) -> None:
        self._crops = crops

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, number: int) -> list[Pair] | Exception:
        try:
            return self._crops[number]
        except (ValueError, OSError, MemoryError) as error:
            return error


def _collated(
    make: Callable[[list[list[Pair]]], list[Group]], renders: list[list[Pair] | Exception]
) -> list[Group] | Exception:
    """The groups of a step, or the first thing that is wrong with one of its photographs."""
    wrong = next((r for r in renders if isinstance(r, Exception)), None)
    return wrong or make([r for r in renders if not isinstance(r, Exception)])


def _groups(renders: list[list[Pair]]) -> list[Group]:
    """Crops of one size together, in the order of their sizes' first appearance."""
    by_size: dict[tuple[int, ...], list[Pair]] = {}
    for pair in chain.from_iterable(renders):
        by_size.setdefault(pair[0].shape, []).append(pair)
    return [
        (to_tensor([rainy for rainy, _ in same]), to_tensor([clean for _, clean in same]))
        for same in by_size.values()
    ]


def _one_by_one(renders: list[list[Pair]]) -> list[Group]:
    """Every pair a group of its own."""
    return [group for pair in chain.from_iterable(renders) for group in _groups([[pair]])]


def loader(
    crops: Crops, begin: int, workers: int, rank: int = 0, processes: int = 1
) -> DataLoader[Any]:
    """Every step's crops as lists of `Group`, from step ``begin`` on, made by ``workers``.

    In the place of a step whose photographs cannot be read stands the error.
    """
    if workers:
        import cv2

        # Before the fork: a worker that ended OpenCV's threads would wait for ones it has not.
        cv2.setNumThreads(1)
    return DataLoader(
        _Told(crops),
        batch_sampler=_Steps(crops, begin, rank, processes),
        collate_fn=partial(_collated, _one_by_one if crops.recipe.patch_px is None else _groups),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=partial(_begin_worker, os.getpid()),
        pin_memory=torch.cuda.is_available(),
    )


def _begin_worker(parent: int, _: int) -> None:
    """Workers share the cores with the network, and leave a SIGTERM of all to the training."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent is gone: nobody else would tell it."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
