"""Files named by address and sha256, ``hf://OWNER/REPO/FILE@SHA256``: fetched once, then here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from derainers.shards import with_name
from derainers.words import is_remote
from harness.machine.environment import FETCHED
from harness.machine.sources import Source
from harness.spec import UsageError

FORM = "hf://OWNER/REPO/FILE@SHA256 or https://HOST/FILE@SHA256"
_REMOTE = re.compile(r"(?P<address>(hf|https?)://[^\s]+)@(?P<sha256>[0-9a-f]{64})", re.IGNORECASE)
_HUB = re.compile(r"hf://(?P<owner>[\w.-]+)/(?P<repo>[\w.-]+)/(?P<file>.+)")


def remote_source(word: str) -> Source:
    """What an address and a digest name.

    A file of Hugging Face is the one of its main branch, whose digest must be the one named; the
    host is ``$HF_ENDPOINT`` where that is set, as for its own tools.

    Raises:
        UsageError: If it is no address with a sha256.
    """
    match = _REMOTE.fullmatch(word)
    if match is None:
        raise UsageError(f"{word}: expected {FORM}, 64 hexadecimal digits behind the @")
    url, sha256 = match["address"], match["sha256"].lower()
    hub = _HUB.fullmatch(url)
    if hub is not None:
        host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        url = f"{host}/{hub['owner']}/{hub['repo']}/resolve/main/{quote(hub['file'])}"
    elif url.lower().startswith("hf:"):
        raise UsageError(f"{word}: expected hf://OWNER/REPO/FILE@SHA256")
    try:
        name = Path(unquote(urlsplit(url).path)).name
    except ValueError as error:
        raise UsageError(f"{word}: no address ({error})") from error
    if not name or name in (".", "..") or "\0" in name or "\\" in name:
        raise UsageError(f"{word}: names no file")
    return Source(url, sha256, f"by-sha256/{sha256}/{name}", "not known here", "NAME@{}")


def remote_file(word: str) -> Path:
    """Where the file of an address lies once it was fetched."""
    return FETCHED / remote_source(word).file


def local_file(word: str) -> Path:
    """The file that a word names: a path, or what was fetched from an address.

    Raises:
        UsageError: If it was not fetched yet; nothing but ``fetch`` opens a connection.
    """
    if not is_remote(word):
        return with_name(Path(word))
    file = remote_file(word)
    if not file.is_file():
        raise UsageError(f"{word} is not here yet: python -m harness fetch {word}")
    return file
