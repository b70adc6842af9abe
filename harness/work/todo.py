"""What the ledger still lacks of a condition, and which part of it this process computes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.ledger.images import ImageCache
from harness.ledger.leases import Claims
from harness.ledger.ledger import Ledger
from harness.ledger.predictions import Predictions
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry, Keyring, UnitKeys, cell

Chunk = list[Entry]
"""Images that a task network sees in one batch."""
CLAIMED_S = 0.1
"""So much work may be claimed beforehand, and so be waited for by another process."""


class Lacking:
    """The images of one condition of which something is unknown."""

    def __init__(
        self,
        plan: Plan,
        condition: ConditionPlan,
        pictured: frozenset[str],
        ledger: Ledger,
        claims: Claims,
    ) -> None:
        """Look after one condition; images in ``pictured`` need their pictures for the page too."""
        self.elsewhere: list[Chunk] = []
        """Chunks that another process had in work when `claimed` came to them."""
        self.others: dict[str, float] = {}
        """Those processes, and in how many seconds their claims end without a sign of life."""
        self._plan, self._condition, self._pictured = plan, condition, pictured
        self._ledger, self._claims = ledger, claims
        self._ring = Keyring(plan, condition)
        self._version = ledger.version_of_others()
        self._held: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._have: frozenset[str] = frozenset()

    def of(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Those of the chunks in which something is unknown by what the ledger holds now."""
        entries = [e for chunk in chunks for e in chunk]
        self._version = self._ledger.version_of_others()
        shown, have, done = known_units(
            self._plan, self._condition, entries, self._pictured, self._ledger
        )
        self._shown, self._have = self._shown | shown, self._have | have
        return [chunk for chunk in chunks if not all(e.sample.id in done for e in chunk)]

    def claimed(
        self, chunks: Sequence[Chunk], at_once: int
    ) -> Iterator[tuple[Chunk, dict[str, str], frozenset[str]]]:
        """Calls of `harness.work.unit.Worker.run` for the chunks that nobody else has in work.

        Args:
            chunks: As `of` gave them.
            at_once: Chunks that are claimed together, when the first of them is asked for; more
                where those are done in less than `CLAIMED_S`.
        """
        self.elsewhere, self.others = [], {}
        start, size = 0, at_once
        while start < len(chunks):
            begun = time.monotonic()
            part = chunks[start : start + size]
            start += size
            units = {e.sample.id: self._unit(e) for chunk in part for e in chunk}
            taken = self._claims.take(units.values())
            self.others |= self._claims.others
            self._held |= {name: unit for name, unit in units.items() if unit in taken}
            mine = [c for c in part if all(e.sample.id in self._held for e in c)]
            self.elsewhere += [c for c in part if c not in mine]
            if self._ledger.version_of_others() != self._version:
                mine = self.of(mine)
            wanted = {e.sample.id for c in mine for e in c}
            if unwanted := self._held.keys() & units.keys() - wanted:
                with self._ledger.transaction():
                    self.release(unwanted)
            for chunk in mine:
                yield chunk, self._shown, self._have
            is_quick = time.monotonic() - begun < CLAIMED_S
            size = 2 * size if is_quick else max(size // 2, at_once)

    def release(self, samples: Iterable[str]) -> None:
        """Give up the claims on some images, by id, within a transaction of the caller's."""
        self._claims.release([self._held.pop(name) for name in samples])

    def _unit(self, entry: Entry) -> str:
        return self._ring.of(entry).restored


def known_units(
    plan: Plan,
    condition: ConditionPlan,
    entries: Sequence[Entry],
    pictured: frozenset[str],
    ledger: Ledger,
) -> tuple[dict[str, str], frozenset[str], set[str]]:
    """What the ledger has: digests of images shown, evidence keys, and ids that lack nothing."""
    ring = Keyring(plan, condition)
    units = [ring.of(e) for e in entries]
    shown = ledger.get("images", [u.restored for u in units])
    wanted: dict[str, list[str]] = {}
    for u in units:
        digest = shown.get(u.restored)
        if digest is not None:
            tasks = [u.evidence(t, digest) for t in plan.tasks if condition.is_shown]
            wanted[u.entry.sample.id] = [*u.quality().values(), *tasks]
    have = frozenset(ledger.has("evidence", [k for ks in wanted.values() for k in ks]))
    saved = _saved(plan, condition, units, shown, ledger)
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
    plan: Plan,
    condition: ConditionPlan,
    units: Sequence[UnitKeys],
    shown: Mapping[str, str],
    ledger: Ledger,
) -> set[str]:
    """Ids of images of which all is kept that will be written to files."""
    saved = list(units)
    if "images" in plan.spec.save and not condition.derainer.is_identity:
        cache = ImageCache(ledger.workspace)
        saved = [u for u in saved if cache.path(u.restored).is_file()]
    if "predictions" in plan.spec.save and condition.is_shown:
        with contextlib.closing(Predictions(ledger.workspace, cell(plan, condition))) as store:
            saved = [
                u
                for u in saved
                if u.restored in shown
                and all(store.has(u.prediction(task, shown[u.restored])) for task in plan.tasks)
            ]
    return {u.entry.sample.id for u in saved}
