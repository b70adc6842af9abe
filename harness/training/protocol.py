"""``--recipe benchmark``: a training that stands beside others on equal footing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from datasets.sample import Sample
from derainers.training.benchmark import BENCHMARK
from harness.plan import keys
from harness.plan.data import open_dataset
from harness.spec import RunSpec, UsageError
from harness.training.photographs import Held, Photographs

BENCHMARK_HELD = Held(BENCHMARK.validation_photographs, BENCHMARK.validated_on)
OWN = ("dataset", "split", "rain", "where", "attributes", "limit", "annotations", "pair", "depth")
"""What the protocol decides; fields of a spec."""


def under_protocol(spec: RunSpec) -> RunSpec:
    """The spec of a training under the protocol, which only says where the photographs lie.

    Raises:
        UsageError: If it says anything that the protocol decides.
    """
    if spec.data_root is None:
        raise UsageError("--recipe benchmark needs --data-root, the folder of BSDS500's images")
    said = [field for field in OWN if getattr(spec, field) not in (None, ())]
    decided = {"dataset": BENCHMARK.dataset, "split": BENCHMARK.split, "rain": BENCHMARK.rains}
    others = [field for field in said if getattr(spec, field) != decided.get(field)]
    if others:
        raise UsageError(
            f"--{others[0].replace('_', '-')} is the protocol's: leave it out, or train by another "
            "--recipe; what sees anything else is another row than those of the benchmark"
        )
    return spec.model_copy(update=decided)


def with_scenes(photographs: Photographs) -> Photographs:
    """The photographs and the protocol's rendered scenes, which are made where they are absent.

    Raises:
        OSError: If they cannot be written.
    """
    dataset = open_dataset(RunSpec(dataset="streetsim", split=BENCHMARK.scenes))
    split = BENCHMARK.scenes.partition(":")[0]
    scenes = [replace(s, id=f"{dataset.name}/{split}/{s.id}") for s in dataset.samples]
    kept = len(scenes) - BENCHMARK.validation_scenes
    return replace(
        photographs,
        training=[*photographs.training, *scenes[:kept]],
        validation=[*photographs.validation, *scenes[kept:]],
        more=(f"{dataset.name}/{split}",),
    )


def require_images(samples: Sequence[Sample]) -> None:
    """Make sure that photographs and scenes are those of the protocol.

    Args:
        samples: What is learned from and validated with.

    Raises:
        UsageError: If they are others.
        OSError: If a file has gone.
    """
    with ThreadPoolExecutor() as pool:
        digests = pool.map(_content, samples)
        found = {sample.id: each for sample, each in zip(samples, digests, strict=True)}
    if keys.key("photographs", images=found) != BENCHMARK.images:
        raise UsageError(
            f"--recipe benchmark: these {len(samples)} images are not the protocol's: it takes "
            f"BSDS500's train and val as --data-root without {BENCHMARK.excluded} (--exclude DIR, "
            "once for each of their folders), and scenes as this version renders them; others are "
            "trained on by --recipe short"
        )


def _content(sample: Sample) -> str:
    """Digest of a photograph's file; of a scene, whoever packed it, of its pixels and distances."""
    depth = sample.depth_m()
    if depth is None:
        return keys.file_sha256(sample.path)
    return hashlib.sha256(sample.image().tobytes() + depth.tobytes()).hexdigest()
