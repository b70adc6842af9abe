"""``--recipe benchmark``: a training that stands beside others on equal footing."""

from __future__ import annotations

from collections.abc import Mapping

from derainers.training.benchmark import BENCHMARK
from harness.plan import keys
from harness.spec import RunSpec, UsageError
from harness.training.photographs import Held

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


def require_photographs(digests: Mapping[str, str]) -> None:
    """Make sure that the photographs are those of the protocol.

    Args:
        digests: Of what is learned from and validated with, by id.

    Raises:
        UsageError: If they are others.
    """
    found = keys.key("photographs", images=dict(digests))
    if found != BENCHMARK.photographs:
        raise UsageError(
            f"--recipe benchmark: these {len(digests)} photographs are not the protocol's: it "
            f"takes BSDS500's train and val as --data-root without {BENCHMARK.excluded} "
            "(--exclude DIR, once for each of their folders); others are trained on by --recipe "
            "short"
        )
