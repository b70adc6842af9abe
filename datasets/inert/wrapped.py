"""Keys and beginnings of names under which training codes put weights."""

from __future__ import annotations

AVERAGES = (
    *("params_ema", "params-ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model"),
    *("net_g_ema", "g_ema", "ema", "shadow", "averaged_model"),
)
"""Keys of averages over the steps of a training, the likeliest first."""
LAST = (
    *("params", "model_state_dict", "state_dict", "model", "net", "network", "net_g", "netG"),
    *("generator", "generator_state_dict", "G", "G_state_dict", "weight", "weights", "module"),
    *("state", "model_state", "model_weights", "best_state_dict", "derainer", "restorer"),
)
"""Keys of the weights as the last step left them, the likeliest first."""
WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts of names that torch's wrappers add: of data parallel, compiled and sharded networks."""


def unwrapped(name: str) -> str:
    """A tensor's name without the parts of wrappers.

    Inside a name a part ``module`` may be the network's own.
    """
    parts = [part for part in name.split(".") if part not in WRAPPERS[1:]]
    while len(parts) > 1 and parts[0] == WRAPPERS[0]:
        parts = parts[1:]
    return ".".join(parts)
