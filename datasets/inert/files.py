"""Weight files, opened here, so that no library learns their names."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from datasets.inert.rebuild import Storage
from datasets.inert.records import InertError
from datasets.inert.unpickler import Unpickler
from datasets.torchscript import has_code, top_of

MOST_BYTES = 2**33
"""No weight file is larger."""
MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of PyTorch's files before 1.6."""
PROTOCOL = 1001
"""Their second."""
_ZIP = b"PK\x03\x04"
_PACKED = "it is packed ({}): unpack it and give the weights inside"
FOREIGN = (
    (
        b"version https://git-lfs",
        "it is Git LFS's pointer to the file: run git lfs pull there",
    ),
    (b"<", "it is a web page, not the file: download the file itself"),
    (b"\x1f\x8b", _PACKED.format("gzip")),
    (b"BZh", _PACKED.format("bzip2")),
    (b"\xfd7zXZ\x00", _PACKED.format("xz")),
    (b"7z\xbc\xaf", _PACKED.format("7z")),
    (b"Rar!", _PACKED.format("rar")),
    (b"\x28\xb5\x2f\xfd", _PACKED.format("zstd")),
    (b"\x89HDF", "it is HDF5, as Keras writes it: save the weights as safetensors"),
)
"""What begins so is no weight file, and the remedy."""


def read(file: Path) -> Any:
    """What lies in a file: plain values, tensors on the CPU, arrays, and `Record` for all else.

    Args:
        file: Safetensors, a file of ``torch.save`` in either format, or a pickle, as its bytes say,
            whatever it is called.

    Raises:
        InertError: If it is damaged, too large, `FOREIGN`, or a TorchScript archive, which is code.
        OSError: If it cannot be opened.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        if size > MOST_BYTES:
            raise InertError(f"{size:,} bytes are more than any weight file has")
        head = stream.read(64)
        stream.seek(0)
        is_safe = head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8
        foreign = (said for begin, said in FOREIGN if head.lstrip().startswith(begin))
        if not is_safe and (said := next(foreign, None)):  # a length may be any bytes
            raise InertError(said)
        try:
            if head.startswith(_ZIP):
                return _Archive(stream, size).content()
            is_named_so = file.suffix == ".safetensors" and not head.startswith(pickle.PROTO)
            if is_safe or is_named_so:
                return _safetensors(stream)
            return _Legacy(stream, size).content()
        except InertError:
            raise
        except (Exception, RecursionError) as error:
            # Damage ends in a dozen kinds of exception, all with one remedy.
            why = " ".join(str(error).split())[:120]
            raise InertError(
                f"cannot be read ({type(error).__name__}{': ' * bool(why)}{why}): copy it again"
            ) from error


def _safetensors(stream: BinaryIO) -> dict[str, Tensor]:
    from safetensors.torch import load

    return dict(sorted(load(stream.read()).items()))  # it has an order of its own each time


class _Budget:
    """Bytes that a file may still ask for: it cannot hold more than it has."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, count: int, dtype: torch.dtype) -> int:
        """The bytes of so many elements.

        Raises:
            InertError: If the file has fewer.
        """
        if type(count) is not int or count < 0:
            raise InertError("damaged: it counts its numbers wrongly: copy it again")
        size = count * dtype.itemsize
        self._left -= size
        if self._left < 0:
            raise InertError("damaged: it names more numbers than it holds: copy it again")
        return size


class _Archive:
    """A zip file, as `torch.save` writes it since PyTorch 1.6."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._zip = zipfile.ZipFile(stream)
        self._budget, self._size = _Budget(size), size
        self._storages: dict[tuple[str, torch.dtype], Storage] = {}
        names = self._zip.namelist()
        self._top = top_of(names)
        if has_code(names):
            raise InertError(
                "it is a TorchScript archive, which is code: the word torchscript:FILE asks to run "
                "it; weights are what its state_dict() gives, saved"
            )
        if f"{self._top}data.pkl" not in names:
            raise InertError("it is a zip file, but none of torch.save: give the weights inside")
        if f"{self._top}byteorder" in names and self._bytes("byteorder") != b"little":
            raise InertError("it was written on a big-endian machine: save it again on another")

    def content(self) -> Any:
        """What the file holds."""
        return Unpickler(io.BytesIO(self._bytes("data.pkl")), self._storage).load()

    def _bytes(self, name: str, size: int | None = None) -> bytes:
        """An entry, which must be of this size if one is given: several may lie in one place."""
        entry = self._zip.getinfo(self._top + name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > self._size:
            raise InertError("it is packed, as torch.save never does: save it again")
        if size is not None and entry.file_size != size:
            raise InertError("damaged: a part of it is missing: copy it again")
        return self._zip.read(entry)

    def _storage(self, kind: torch.dtype, key: str, numel: int, view: Any) -> Storage:
        if (key, kind) not in self._storages:
            size = self._budget.take(numel, kind)
            data = bytearray(self._bytes(f"data/{key}", size))
            flat = torch.frombuffer(data, dtype=kind, count=numel) if numel else None
            self._storages[key, kind] = Storage(
                torch.empty(0, dtype=kind) if flat is None else flat
            )
        return self._storages[key, kind]


class _Legacy:
    """Pickles one after another and then the storages, as before PyTorch 1.6; or a pickle alone."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._budget = stream, _Budget(size)
        self._storages: dict[str, Storage] = {}

    def content(self) -> Any:
        """What the file holds."""
        first = self._next()
        if first != MAGIC:
            return first
        if self._next() != PROTOCOL:
            raise InertError("it is of a version of torch.save that is not known")
        self._next()  # about the machine that wrote it
        content = self._next()
        for key in self._next():
            flat = self._storages[key].flat
            (numel,) = struct.unpack("<q", self._stream.read(8))
            data = self._stream.read(flat.numel() * flat.dtype.itemsize)
            if numel != flat.numel() or len(data) < flat.numel() * flat.dtype.itemsize:
                raise InertError("damaged: a part of it is missing: copy it again")
            if numel:
                flat.copy_(torch.frombuffer(bytearray(data), dtype=flat.dtype))
        return content

    def _next(self) -> Any:
        return Unpickler(self._stream, self._storage).load()

    def _storage(self, kind: torch.dtype, key: str, numel: int, view: Any) -> Storage:
        if key not in self._storages:
            self._budget.take(numel, kind)
            self._storages[key] = Storage(torch.zeros(numel, dtype=kind))
        whole = self._storages[key]
        if view is None:
            return whole
        _, start, count = view
        return Storage(whole.flat.narrow(0, start, count))
