"""What a weight file holds, without running any of it.

Its pickles call nothing but the functions of `rebuild.REBUILDS`, which put tensors and arrays
together; every other class or function becomes a `Record`, which only remembers its name and what
it was given.
"""

from datasets.inert.bundles import read_bundle
from datasets.inert.files import read
from datasets.inert.modules import States, is_nameless, modules_of, state_of, states_of, tensors_of
from datasets.inert.records import InertError, Named, Record
from datasets.inert.wrapped import AVERAGES, LAST, WRAPPERS

__all__ = [
    "AVERAGES",
    "LAST",
    "WRAPPERS",
    "InertError",
    "Named",
    "Record",
    "States",
    "is_nameless",
    "modules_of",
    "read",
    "read_bundle",
    "state_of",
    "states_of",
    "tensors_of",
]
