"""Runs in another Python, by its path: what it is asked on standard input, pyiqa answers.

A request is a line of JSON, and the images that it announces behind it, as bytes; an answer is a
line of JSON on what was standard output when it began. That Python has pyiqa, torch and numpy, and
nothing of ours; this file is all that it runs of us.

Nothing is fetched: whoever wants weights from a network has pyiqa fetch them before.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any, BinaryIO

_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/")
_CODE = (".py", ".pyc", ".so")


class _Watched:
    """What a metric reads while it is made; connections are refused."""

    def __init__(self) -> None:
        self.files: set[str] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo" or (
            event == "socket.connect" and isinstance(arguments[1], tuple)
        ):
            raise ConnectionRefusedError("nothing is fetched here")
        if event == "open" and self.files is not None and isinstance(arguments[0], str):
            path, mode, _ = arguments
            is_read = mode is None or not set(mode) & set("wax+")
            if is_read and not path.endswith(_CODE) and not path.startswith(_SYSTEM):
                self.files.add(os.path.realpath(path))

    def digest(self, metric: Any) -> str:
        """Of all numbers that a metric holds, and all files that it read; empty without any.

        What lies in the environment itself is named by what is installed there.
        """
        parts = [
            f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode() + _bytes(tensor)
            for name, tensor in sorted(metric.state_dict().items())
        ]
        installed = [os.path.realpath(place) + os.sep for place in (sys.prefix, sys.base_prefix)]
        files = [Path(path) for path in self.files or () if not path.startswith(tuple(installed))]
        parts += [
            file.read_bytes() for file in sorted(files, key=lambda f: f.name) if file.is_file()
        ]
        digests = [hashlib.sha256(part).hexdigest() for part in parts]
        return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""


def _bytes(tensor: Any) -> bytes:
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    data: bytes = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return data


class Worker:
    """The metrics that were asked for, each made once."""

    def __init__(self) -> None:
        self._watched = _Watched()
        import pyiqa
        import torch

        torch.set_num_threads(1)  # a value does not depend on the number of cores
        self._pyiqa = pyiqa
        self._made: dict[str, Any] = {}

    def about(self) -> dict[str, Any]:
        """Version, all that is installed beside it, and the names of its metrics."""
        from importlib import metadata

        there = sorted({f"{d.metadata['Name']} {d.version}" for d in metadata.distributions()})
        return {
            "version": metadata.version("pyiqa"),
            "environment": hashlib.sha256("\n".join(there).encode()).hexdigest(),
            "names": list(self._pyiqa.list_models()),
        }

    def make(self, name: str) -> dict[str, Any]:
        """Load a metric and try it on one image."""
        import numpy as np

        self._watched.files = set()
        try:
            metric = self._pyiqa.create_metric(name, device="cpu")
            metric.eval()
            levels = np.linspace(0, 200, 256)[:, None, None] + np.zeros((256, 256, 3))
            noise = np.random.default_rng(0).integers(0, 50, levels.shape)
            image = (levels + noise).astype(np.uint8)
            self._made[name] = metric
            is_alone = metric.metric_mode == "NR"
            self.judge(name, [image] if is_alone else [image // 2, image])
            digest = self._watched.digest(metric)
        finally:
            self._watched.files = None
        return {
            "weights": digest,
            "reference": not is_alone,
            "lower_better": bool(metric.lower_better),
            "range": str(getattr(metric, "score_range", "")),
        }

    def judge(self, name: str, images: list[Any]) -> dict[str, Any]:
        """A metric of (reference, restored) or (restored) alone, ``uint8 (H, W, 3)`` RGB."""
        import numpy as np
        import torch

        for seed in (random.seed, np.random.seed, torch.manual_seed):  # some crop at random
            seed(0)
        tensors = [torch.from_numpy(i.copy()).permute(2, 0, 1)[None].float() / 255 for i in images]
        with torch.no_grad():
            return {"value": float(self._made[name](*reversed(tensors)))}


def _images(request: dict[str, Any], stream: BinaryIO) -> list[Any]:
    """The images that a request announces."""
    import numpy as np

    height, width = request["shape"]
    size = height * width * 3
    data = [stream.read(size) for _ in range(request["images"])]
    return [np.frombuffer(each, np.uint8).reshape(height, width, 3) for each in data]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks."""
    worker: Worker | None = None
    for line in requests:
        request = json.loads(line)
        images = _images(request, requests) if "images" in request else []
        try:
            worker = worker or Worker()
            if "name" not in request:
                answer = worker.about()
            elif images:
                answer = worker.judge(request["name"], images)
            else:
                answer = worker.make(request["name"])
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            answer = {"error": f"{type(error).__name__}: {said}" if said else type(error).__name__}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    # What packages print must not stand among the answers.
    with os.fdopen(os.dup(1), "wb") as kept:
        os.dup2(2, 1)
        serve(sys.stdin.buffer, kept)
