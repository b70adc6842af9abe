"""What the engine costs beside the work: ms an image, and seconds of a run that finds all done.

    python benchmarks/engine.py --data-root coco128

The model of 40 ms is a stack of convolutions as deep as that takes here; the dummy returns its
input. One worker; what is done to the pixels is timed apart: the wrapper's conversions, decoding,
rain, rounding and encoding, writing, digests, metrics. Times of the processor tell the engine's
part on a busy machine too; the wall clock's stand beside them. The row of limits says what each
part takes at least: its bytes at the speed of a copy, the forward's operations at that of a product
of matrices in single precision, each on one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

from datasets import image as image_io
from datasets.rain.photoshop import PhotoshopRain
from datasets.sample import Sample
from derainers.derainer import Derainer
from harness import RunSpec, run
from harness.ledger.images import ImageCache
from harness.machine.memory import keep_large_blocks
from harness.plan import keys
from harness.runs import engine
from harness.work import scene, unit
from tasks import quality

TARGET_S = 0.040
BYTES_A_PIXEL = {
    "wrapper": 39,  # bytes in, floats out; floats of the network in, floats out
    "decode": 3,
    "rain": 6,
    "encode": 18,  # floats in, bytes out and in again
    "write": 3,
    "digest": 3,
    "metrics": 6,
}
"""Read and written at least; files count as what they hold."""
CHANNELS = 24
IMAGES = 256
PARTS = ("forward", "wrapper", "decode", "rain", "encode", "write", "digest", "metrics")
REPEATS = 3
CACHED = """
import sys
from harness.cli.main import run_command_line
status = run_command_line(sys.argv[1:])
print("torch was imported" if "torch" in sys.modules else "torch was not imported")
sys.exit(status)
"""


class Clock:
    """Seconds of parts of the work, by name: the processor's and the wall clock's."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}
        self.wall_s: dict[str, float] = {}

    @contextlib.contextmanager
    def timing(self, owner: Any, name: str, label: str, own_thread: bool = True) -> Iterator[None]:
        """Time each call of a function as long as this lasts."""
        before = getattr(owner, name)
        cpu = time.thread_time if own_thread else time.process_time

        def timed(*args: Any, **kwargs: Any) -> Any:
            begun, wall = cpu(), time.perf_counter()
            try:
                return before(*args, **kwargs)
            finally:
                self.cpu_s[label] = self.cpu_s.get(label, 0) + cpu() - begun
                self.wall_s[label] = self.wall_s.get(label, 0) + time.perf_counter() - wall

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, before)


class Dummy:
    """A derainer that costs nothing."""

    digest = "dummy"

    def restore(self, image: Any, sample_id: str) -> Any:
        """The image, as floats that are made once for each size."""
        return FLOATS.setdefault(image.shape, np.full(image.shape, 0.5, np.float32))


FLOATS: dict[Any, Any] = {}


def stack(depth: int) -> torch.nn.Module:
    """A network of so many layers."""
    layers: list[torch.nn.Module] = [torch.nn.Conv2d(3, CHANNELS, 3, padding=1)]
    for _ in range(depth):
        layers += [torch.nn.ReLU(), torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)]
    return torch.nn.Sequential(*layers, torch.nn.Conv2d(CHANNELS, 3, 3, padding=1)).eval()


def calibrated(size: tuple[int, int]) -> torch.nn.Module:
    """As deep as one forward of 40 ms allows."""
    image = torch.rand(1, 3, *size).contiguous(memory_format=torch.channels_last)
    depth = 1
    while depth < 200:
        module = stack(depth).to(memory_format=torch.channels_last)  # as the wrapper does
        with torch.inference_mode():
            module(image)
            begun = time.thread_time()
            for _ in range(5):
                module(image)
        if (time.thread_time() - begun) / 5 >= TARGET_S:
            return module
        depth = max(depth + 1, int(depth * 1.1))
    raise RuntimeError("this machine is too quick for the stack: raise CHANNELS")


def limits(size: tuple[int, int], module: Any) -> dict[str, float]:
    """Milliseconds that one thread takes at least for each part."""
    source, target = np.ones(2**23), np.empty(2**23)
    side = torch.ones(1024, 1024)
    copy_ms = min(milliseconds(lambda: np.copyto(target, source)) for _ in range(5))
    product_ms = min(milliseconds(lambda: side @ side) for _ in range(5))
    pixels = size[0] * size[1]
    a_byte_ms = copy_ms / (2 * source.nbytes)
    weights = sum(p.numel() for p in module.parameters() if p.dim() == 4)
    return {
        "forward": weights * pixels * product_ms / 1024**3,
        **{part: each * pixels * a_byte_ms for part, each in BYTES_A_PIXEL.items()},
    }


def milliseconds(call: Callable[[], Any]) -> float:
    """The processor's, of one call."""
    begun = time.thread_time()
    call()
    return 1000 * (time.thread_time() - begun)


def photographs(folder: Path, images: int, size: tuple[int, int]) -> None:
    """Smooth noise, as JPEG files."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(images):
        small = rng.integers(0, 255, (size[0] // 16, size[1] // 16, 3)).astype(np.uint8)
        large = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
        picture = np.asarray(large, np.uint8)
        (folder / f"{i:03d}.jpg").write_bytes(image_io.encode_jpeg(picture, 90))


def measured(folder: Path, name: str, module: Any) -> Clock:
    """The parts of a run of one derainer whose clean and rainy images are done already."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as workspace, contextlib.ExitStack() as stack_:
        spec = RunSpec(
            dataset="folder",
            data_root=str(folder),
            rain=("photoshop-heavy",),
            derainer=("identity",),
            task=("none",),
            images=False,
            workers=1,
            workspace=workspace,
        )
        run(spec)
        for owner, function, label in (
            (Sample, "image", "decode"),
            (scene, "generator", "rain"),
            (PhotoshopRain, "render", "rain"),
            (type(module), "restore" if isinstance(module, Dummy) else "forward", "forward"),
            (Derainer, "measured", "wrapper"),
            (image_io, "round_to_bytes", "encode"),
            (unit, "encode_png", "encode"),
            (ImageCache, "write", "write"),
            (keys, "pixels_sha256", "digest"),
            (quality, "evidence", "metrics"),
            (engine, "_commit", "commit"),
        ):
            stack_.enter_context(clock.timing(owner, function, label))
        stack_.enter_context(clock.timing(engine, "_complete", "all", own_thread=False))
        # It sends a photograph of its own through the network.
        stack_.enter_context(mock.patch.object(engine, "check"))
        run(spec, derainers={name: module})
    for seconds in (clock.cpu_s, clock.wall_s):
        seconds["wrapper"] = seconds["wrapper"] - seconds["forward"] if "wrapper" in seconds else 0
    return clock


def cost(clock: Clock, kind: Callable[[Clock], dict[str, float]]) -> float:
    """Seconds of the engine: all but the parts of the work."""
    seconds = kind(clock)
    return seconds["all"] - sum(seconds[part] for part in PARTS)


def show_cost(folder: Path, size: tuple[int, int]) -> None:
    """Rows for the model of 40 ms and the dummy."""
    print(f"| model | clock | {' | '.join(PARTS)} | engine | of it commits | share |")
    print("|" + " --- |" * (len(PARTS) + 5))
    for name, make in (("40 ms", lambda: calibrated(size)), ("dummy", Dummy)):
        module = make()
        clocks = [measured(folder, name, module) for _ in range(REPEATS)]
        for label, kind in (("processor", _cpu), ("wall", _wall)):
            ms = {
                part: 1000 * statistics.median(kind(c)[part] for c in clocks) / IMAGES
                for part in PARTS
            }
            engine_ms = 1000 * statistics.median(cost(c, kind) for c in clocks) / IMAGES
            share = f"{engine_ms / ms['forward']:.1%}" if name != "dummy" else "–"
            commit_ms = 1000 * statistics.median(kind(c)["commit"] for c in clocks) / IMAGES
            cells = " | ".join(f"{v:.2f}" for v in ms.values())
            print(f"| {name} | {label} | {cells} | {engine_ms:.2f} | {commit_ms:.2f} | {share} |")
        if not isinstance(module, Dummy):
            least = limits(size, module)
            print(
                f"| {name} | limit | {' | '.join(f'{least[p]:.3f}' for p in PARTS)} | – | – | – |"
            )


def _cpu(clock: Clock) -> dict[str, float]:
    return clock.cpu_s


def _wall(clock: Clock) -> dict[str, float]:
    return clock.wall_s


def show_cached(data_root: str, words: list[str]) -> None:
    """A run, and the same run again, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CACHED, "run", "--dataset", "coco", "--data-root"]
        command += [data_root, "--workspace", f"{folder}/w", "--out", f"{folder}/out", *words]
        seconds, said = [], ""
        for _ in range(2 + REPEATS):
            begun = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds.append(time.perf_counter() - begun)
            said = done.stdout.splitlines()[-1]
    again = statistics.median(seconds[2:])
    print(f"first {seconds[0]:.1f} s, again {again:.2f} s: {seconds[0] / again:.0f} x; {said}")


def main() -> None:
    """Print the table and the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", help="of a small COCO, for the run that finds all done")
    parser.add_argument("--size", default="240x320", help="height x width of the photographs")
    parser.add_argument(
        "words", nargs="*", help="more words of that run (default: --derainer granet --task none)"
    )
    arguments = parser.parse_args()
    keep_large_blocks()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    height, width = map(int, arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        photographs(Path(folder) / "photographs", IMAGES, (height, width))
        show_cost(Path(folder) / "photographs", (height, width))
    if arguments.data_root:
        words = arguments.words or ["--derainer", "granet", "--task", "none"]
        show_cached(arguments.data_root, words)


if __name__ == "__main__":
    main()
