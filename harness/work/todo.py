"""What the ledger still lacks of a run, and which part of it this process computes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.ledger.images import ImageCache
from harness.ledger.leases import Claims
from harness.ledger.ledger import Ledger
from harness.ledger.predictions import Predictions
from harness.plan.plan import Plan
from harness.plan.unit_keys import Entry, Keyring, UnitKeys, cell
from harness.work.unit import Call

Chunk = list[Entry]
"""Images that a task network sees in one batch."""
CLAIMED_S = 0.1
"""So much work may be claimed beforehand, and so be waited for by another process."""


class Lacking:
    """The images of a run of which something is unknown, under some of its conditions."""

    def __init__(
        self, plan: Plan, pictured: frozenset[str], ledger: Ledger, claims: Claims
    ) -> None:
        """Look after one run; images in ``pictured`` need their pictures for the page too."""
        self.elsewhere: list[Chunk] = []
        """Chunks of which another process had something in work when `calls` came to them."""
        self.others: dict[str, float] = {}
        """Those processes, and in how many seconds their claims end without a sign of life."""
        self.done: list[set[str]] = [set() for _ in plan.conditions]
        """Ids of the images of which nothing is unknown, of each condition."""
        self._plan, self._pictured = plan, pictured
        self._ledger, self._claims = ledger, claims
        self._rings = [Keyring(plan, condition) for condition in plan.conditions]
        self._held: dict[tuple[int, str], str] = {}
        """Keys of units in work, by condition and image."""

    def calls(self, chunks: Sequence[Chunk], at_once: int) -> Iterator[Call]:
        """What of the chunks is unknown by what the ledger holds, and nobody else has in work.

        Args:
            chunks: Images that belong into one call.
            at_once: Chunks that are looked up and claimed together, when the first of them is asked
                for; more where those are done in less than `CLAIMED_S`.
        """
        self.elsewhere, self.others = [], {}
        start, size = 0, at_once
        while start < len(chunks):
            begun = time.monotonic()
            part = chunks[start : start + size]
            start += size
            yield from self._claimed(part)
            is_quick = time.monotonic() - begun < CLAIMED_S
            size = 2 * size if is_quick else max(size // 2, at_once)

    def release(self, place: int, samples: Iterable[str]) -> None:
        """Give up the claims on some images, by id, within a transaction of the caller's."""
        self._claims.release([self._held.pop((place, name)) for name in samples])

    def _claimed(self, chunks: Sequence[Chunk]) -> Iterator[Call]:
        """Calls for some chunks, whose units are claimed together."""
        version = self._ledger.version_of_others()
        known = self._known(chunks)
        units = {
            (place, entry.sample.id): self._rings[place].of(entry).restored
            for chunk in chunks
            for place in known.lacking(chunk)
            for entry in chunk
        }
        if not units:
            return
        taken = self._claims.take(units.values())
        self.others |= self._claims.others
        self._held |= {unit: key for unit, key in units.items() if key in taken}
        if self._ledger.version_of_others() != version:
            known = self._known(chunks)
        calls = []
        for chunk in chunks:
            names = [entry.sample.id for entry in chunk]
            lacking = known.lacking(chunk)
            mine = [p for p in lacking if all((p, name) in self._held for name in names)]
            if len(mine) < len(lacking):
                self.elsewhere.append(chunk)
            if mine:
                calls.append(Call(chunk, mine, known.shown, known.have))
        wanted = {(p, e.sample.id) for call in calls for p in call.places for e in call.entries}
        if unwanted := self._held.keys() & units.keys() - wanted:
            with self._ledger.transaction():
                self._claims.release([self._held.pop(unit) for unit in unwanted])
        yield from calls

    def _known(self, chunks: Sequence[Chunk]) -> _Known:
        """What the ledger holds now of some chunks."""
        entries = [entry for chunk in chunks for entry in chunk]
        shown: dict[str, str] = {}
        have: frozenset[str] = frozenset()
        for place, ring in enumerate(self._rings):
            found = known_units(ring, entries, self._pictured, self._ledger)
            shown |= found[0]
            have |= found[1]
            self.done[place] |= found[2]
        rains = list(dict.fromkeys(c.rain for c in self._plan.conditions))
        order = sorted(
            range(len(self.done)), key=lambda p: rains.index(self._plan.conditions[p].rain)
        )
        return _Known(shown, have, order, self.done)


@dataclass(frozen=True)
class _Known:
    """What the ledger held of some images when it was looked at."""

    shown: dict[str, str]
    have: frozenset[str]
    order: Sequence[int]
    """Places of conditions, those of one rain beside each other."""
    done: Sequence[Container[str]]

    def lacking(self, chunk: Chunk) -> list[int]:
        """Places of the conditions under which something of a chunk is unknown."""
        names = [entry.sample.id for entry in chunk]
        return [p for p in self.order if not all(name in self.done[p] for name in names)]


def known_units(
    ring: Keyring, entries: Sequence[Entry], pictured: frozenset[str], ledger: Ledger
) -> tuple[dict[str, str], frozenset[str], set[str]]:
    """What the ledger has of images under the keyring's condition.

    Returns:
        Digests of images shown by key, evidence keys, and ids that lack nothing.
    """
    plan, condition = ring.plan, ring.condition
    units = [ring.of(e) for e in entries]
    shown = ledger.get("images", [u.restored for u in units])
    wanted: dict[str, list[str]] = {}
    for u in units:
        digest = shown.get(u.restored)
        if digest is not None:
            tasks = [u.evidence(t, digest) for t in plan.tasks if condition.is_shown]
            wanted[u.entry.sample.id] = [*u.quality().values(), *tasks]
    have = frozenset(ledger.has("evidence", [k for ks in wanted.values() for k in ks]))
    saved = _saved(ring, units, shown, ledger)
    pictures = ledger.has("pictures", [u.picture() for u in units if u.entry.sample.id in pictured])
    done = {
        u.entry.sample.id
        for u in units
        if u.entry.sample.id in wanted
        and u.entry.sample.id in saved
        and have.issuperset(wanted[u.entry.sample.id])
        and (u.entry.sample.id not in pictured or u.picture() in pictures)
    }
    return shown, have, done


def _saved(
    ring: Keyring, units: Sequence[UnitKeys], shown: Mapping[str, str], ledger: Ledger
) -> set[str]:
    """Ids of images of which all is kept that will be written to files."""
    plan, condition = ring.plan, ring.condition
    saved = list(units)
    if "images" in plan.spec.save and not condition.derainer.is_identity:
        cache = ImageCache(ledger.workspace)
        saved = [u for u in saved if cache.path(u.restored).is_file()]
    if "predictions" in plan.spec.save and condition.is_shown:
        name = cell(plan, condition)
        if not Predictions.file(ledger.workspace, name).is_file():
            return set()
        with contextlib.closing(Predictions(ledger.workspace, name)) as store:
            saved = [
                u
                for u in saved
                if u.restored in shown
                and all(store.has(u.prediction(task, shown[u.restored])) for task in plan.tasks)
            ]
    return {u.entry.sample.id for u in saved}
