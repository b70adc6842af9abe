"""Names of files as text, whatever bytes they are."""

from __future__ import annotations

import unicodedata


def text_of(name: str) -> str:
    r"""A name that can be written as UTF-8: bytes that are none stand as ``\xff``."""
    try:
        written = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no bytes of a file system, but half a character of JSON
        written = name.encode("utf-8", "surrogatepass")
    return written.decode("utf-8", "backslashreplace")


def composed(name: str) -> str:
    """A name whose accented letters are one character each: archives of macOS have two or more."""
    return unicodedata.normalize("NFC", name)
