"""The ledger and its neighbours."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.ledger import database
from harness.ledger.database import open_shared
from harness.ledger.gc import Freed, free
from harness.ledger.images import ImageCache
from harness.ledger.ledger import Ledger
from harness.ledger.packed import pack, unpack
from harness.ledger.predictions import Predictions
from harness.ledger.runs import load_results
from harness.plan.keys import canonical, key
from harness.scores import replicates
from harness.scores.replicates import resample_counts
from harness.spec import UsageError
from reports.results.intervals import level_interval


def test_packed_arrays_come_back() -> None:
    arrays = {
        "a": np.arange(6, dtype=np.int32).reshape(2, 3),
        "b": np.zeros((4, 0), np.bool_),
        "c": np.array(1.5),
        "d": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    }
    back = unpack(pack(arrays))
    assert list(back) == list(arrays)
    for name, value in arrays.items():
        assert back[name].dtype == value.dtype
        assert np.array_equal(back[name], value)


def test_keys_depend_on_stage_and_every_part() -> None:
    keys = {key("a", x=1), key("b", x=1), key("a", x=2), key("a", y=1), key("a", x="1")}
    assert len(keys) == 5
    assert key("a", x=1, y=2) == key("a", y=2, x=1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(sqlite3.Error), ledger.transaction():
        put_twice_and_fail(ledger)
    assert ledger.get("images", ["k"]) == {}
    with ledger.transaction():
        ledger.put("images", {"k": "v"})
        ledger.put("images", {"k": "other"})
    assert ledger.get("images", ["k", "absent"]) == {"k": "v"}
    assert ledger.has("images", ["k", "absent"]) == {"k"}
    ledger.close()


def test_rows_that_must_be_there_and_are_not_are_damage(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.transaction():
        ledger.put("images", {"k": "v"})
    assert ledger.all("images", ["k"]) == {"k": "v"}
    with pytest.raises(UsageError, match=r"the ledger of .* is damaged: use a fresh --workspace"):
        ledger.all("images", ["k", "absent"])
    ledger.save_run("d", "2026", "{}", pack({}), f'[["a", "w", "none", "identity", {2**70}]]')
    with pytest.raises(UsageError, match="is damaged"):
        load_results(tmp_path, "d")
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("UPDATE runs SET digest = x'00'")
    with pytest.raises(UsageError, match="is damaged"):
        ledger.digests()
    ledger.close()


def put_twice_and_fail(ledger: Ledger) -> None:
    ledger.put("images", {"k": "v"})
    ledger.put("no such table", {"k": "v"})


def test_a_foreign_file_and_a_newer_ledger_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "ledger.sqlite").write_text("no database, but long enough to be one" * 99)
    with pytest.raises(UsageError, match="cannot be used"):
        Ledger(tmp_path / "a")
    (tmp_path / "b").mkdir()
    with sqlite3.connect(tmp_path / "b" / "ledger.sqlite") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(UsageError, match="ledger of version 99"):
        Ledger(tmp_path / "b")
    with pytest.raises(UsageError, match="ledger of version 99"):
        load_results(tmp_path / "b", None)
    with pytest.raises(UsageError, match="no ledger there"):
        load_results(tmp_path / "nowhere", None)
    Ledger(tmp_path / "d").close()
    with pytest.raises(UsageError, match="no finished run"):
        load_results(tmp_path / "d", None)
    (tmp_path / "c").write_text("")
    with pytest.raises(UsageError, match="cannot be used"):
        Ledger(tmp_path / "c")


def test_predictions_may_be_put_twice(tmp_path: Path) -> None:
    for _ in range(2):
        predictions = Predictions(tmp_path, "cell")
        predictions.put([("a", b"1")])
        assert predictions.get("a") == b"1"
        assert predictions.get("b") is None
        predictions.close()


def test_the_oldest_images_go_first(tmp_path: Path) -> None:
    import os

    cache = ImageCache(tmp_path)
    for age, name in enumerate(("new", "middle", "old")):
        cache.write(name, bytes(1000))
        os.utime(cache.path(name), (1e9 - age, 1e9 - age))
    cache.trim(2000e-9)
    assert [cache.read(name) is None for name in ("new", "middle", "old")] == [False, False, True]


@pytest.fixture
def vanishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files called gone are there when a folder is listed, and no more when they are looked at."""
    listed = Path.rglob

    def rglob(folder: Path, pattern: str) -> Iterator[Path]:
        for file in list(listed(folder, pattern)):
            if file.stem.startswith("gone"):
                file.unlink()
            yield file

    monkeypatch.setattr(Path, "rglob", rglob)


def test_what_another_machine_writes_stays(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    cache = ImageCache(tmp_path)
    cache.write("here", bytes(1000))
    written, left = (tmp_path / "images" / "he" / f"here.{n}.tmp" for n in (1, 2))
    written.write_bytes(b"half")
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    cache.trim(1)
    assert written.exists()
    assert not left.exists()


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
        ledger._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        ledger._db.execute("PRAGMA cache_size = 1")
        rows = {str(i): bytes(4000) for i in range(100)}
        with pytest.raises(sqlite3.OperationalError, match="full"), ledger.transaction():
            ledger.put("evidence", rows)
        assert not list(ledger.rows("evidence"))


@pytest.mark.usefixtures("vanishing")
def test_what_another_process_removes_meanwhile_ends_nothing(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    cache = ImageCache(tmp_path)
    for name in ("gone", "here"):
        cache.write(name, bytes(1000))
    (tmp_path / "images" / "go" / "gone.1.tmp").write_bytes(b"")
    assert cache.trim(2000e-9) == pytest.approx(1000)
    for name in ("gone", "here"):
        cache.write(name, bytes(1000))
    assert free(tmp_path) == Freed(1, 1000, 0)


def test_a_log_that_is_taken_up_meanwhile_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, log = tmp_path / "x.sqlite", tmp_path / "x.sqlite-wal"
    writer = open_shared(file)
    writer.execute("CREATE TABLE t (x)")
    assert log.stat().st_size > 0
    copied = shutil.copyfile

    def copyfile(source: Path, target: Path) -> None:
        if source == log:
            writer.close()  # which takes the log up and removes it
        copied(source, target)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with contextlib.closing(database._on_a_disk_that_takes_nothing(file)) as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_resamples_keep_groups_together_and_depend_on_the_data_alone() -> None:
    groups = ["a", "a", "b", "c", "c", "c"]
    counts = resample_counts("data", groups, 500)
    assert np.array_equal(counts, resample_counts("data", groups, 500))
    assert not np.array_equal(counts, resample_counts("other", groups, 500))
    assert np.array_equal(counts[:, 0], counts[:, 1])
    assert np.array_equal(counts[:, 3], counts[:, 5])
    assert np.all(counts[:, [0, 2, 3]].sum(1) == 3)
    assert counts.mean() == pytest.approx(1, abs=0.05)


class _Sums:
    """A scorer that says how many sets it was given at a time."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def resample(self, evidences: Any, counts: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        assert counts.dtype == np.int64
        self.given.append(len(counts))
        return {"sum": counts @ np.array([e["value"] for e in evidences])}


def test_scorers_get_resampled_sets_in_parts_of_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = resample_counts("data", [str(i) for i in range(50)], 500)
    assert counts.dtype == np.uint8
    monkeypatch.setattr(replicates, "AT_ONCE_BYTES", 200 * 50 * 8)
    scorer: Any = _Sums()
    evidences = [{"value": np.array(n)} for n in range(50)]
    values = replicates.on_resampled(partial(scorer.resample, evidences), counts)["sum"]
    assert scorer.given == [160, 160, 160, 20]  # whole multiples of what quality takes at once
    assert np.array_equal(values, counts.astype(int) @ np.arange(50))


def test_intervals_are_given_only_where_they_hold() -> None:
    draws = np.random.default_rng(0).normal(5, 1, 2000)
    low, high = level_interval(draws, 5.0, 100) or (0, 0)
    assert low == pytest.approx(5 - 1.96, abs=0.15)
    assert high == pytest.approx(5 + 1.96, abs=0.15)
    assert level_interval(draws, 5.0, 19) is None
    assert level_interval(draws, 4.6, 100) is None
    assert level_interval(np.full(9, np.nan), 5.0, 100) is None
