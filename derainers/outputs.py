"""Which of a network's outputs is the restored image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from derainers.errors import DerainerError

Output = Callable[[object], Tensor] | int | str | None
"""A function of what the network returns; a place or key in it, ``0``, ``image``, ``0.image``; or
None = what it returns, or the one image of the input's size in that."""
MOST = 1000
"""Elements of an answer that are looked at."""


class SizeError(DerainerError):
    """A network's image is of another size than asked for."""


def image_of(result: object, output: Output, wanted: tuple[int, ...]) -> tuple[Tensor, str | None]:
    """The restored image among what a network returned, and its key where there are several.

    Args:
        result: A tensor, or lists, tuples and dicts of tensors.
        output: Which it is.
        wanted: The shape that the image should have.

    Raises:
        SizeError: If images have another size than that.
        DerainerError: If none or several could be meant.
    """
    if callable(output):
        return _tensor(output(result)), None
    if isinstance(result, Tensor):
        if output is not None:
            raise DerainerError(f"the network returns one tensor: leave output={output} out")
        return result, None
    found = dict(_tensors(result))
    if output is not None:
        if str(output) not in found:
            raise DerainerError(f"the network has no output={output}: it returns {_listed(found)}")
        return found[str(output)], str(output)
    if not found:
        _tensor(result)
    fits = [key for key, value in found.items() if tuple(value.shape) == wanted]
    if not fits:
        of_images = (value for value in found.values() if value.ndim == 4)
        is_of_size = any(value.shape[:2] == wanted[:2] for value in of_images)
        raise (SizeError if is_of_size else DerainerError)(
            f"the network returned none of shape {wanted}, but {_listed(found)}: "
            "say which is the image with output=N or output=KEY"
        )
    if len(fits) > 1:
        raise DerainerError(
            f"the network returns {len(fits)} images of the input's size ({', '.join(fits)}): "
            f"say which with output={fits[0]} or another of them"
        )
    return found[fits[0]], fits[0]


def _tensor(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise DerainerError(
            f"the network returned {type(value).__name__}, not a tensor: "
            "name the restored image with Derainer(..., output=lambda result: ...)"
        )
    return value


def _tensors(result: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors in lists, tuples and dicts, by the keys that lead to them."""
    waiting = [("", result)]
    for _ in range(MOST):
        if not waiting:
            return
        name, value = waiting.pop(0)
        if isinstance(value, Tensor):
            yield name, value
        inner: list[tuple[object, object]] = []
        if isinstance(value, Mapping):
            inner = list(value.items())
        elif isinstance(value, list | tuple):
            inner = list(enumerate(value))
        waiting += [(f"{name}.{key}" if name else str(key), each) for key, each in inner]


def _listed(found: Mapping[str, Tensor]) -> str:
    shown = [f"{key} {tuple(value.shape)}" for key, value in list(found.items())[:8]]
    return ", ".join(shown) + (" …" if len(found) > len(shown) else "")
