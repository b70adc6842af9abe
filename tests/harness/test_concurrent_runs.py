"""Two processes on one workspace, and disks that take no more."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from command import Process, finish, start

from harness.cli.main import run_command_line
from harness.ledger.images import ImageCache
from harness.ledger.leases import BEAT_S, LEASE_S, Claims, is_alive, owner_of
from harness.ledger.ledger import Ledger
from harness.ledger.runs import load_results
from harness.machine.disk import storage_error

PATIENCE_S = 120.0
"""For what takes a second; a busy machine is no hang."""


def quality_run(coco_root: Path, workspace: Path, derainer: str) -> list[str]:
    return [
        *("run", "--dataset", "coco", "--data-root", str(coco_root), "--derainer", derainer),
        *("--task", "none", "--workspace", str(workspace), "--workers", "2"),
    ]


def together(log: Path) -> None:
    """In each of two processes: no image before the other process has begun one too."""
    from derainers.restorer import Filter

    restore = Filter.restore

    def counted(self: Filter, image: Any, sample_id: str) -> Any:
        if self._function.__name__ == "median":
            with log.open("a") as file:
                file.write(f"{os.getpid()} {sample_id}\n")
            wait_for(lambda: len({process for process, _ in begun(log)}) == 2)
        return restore(self, image, sample_id)

    setattr(Filter, "restore", counted)  # noqa: B010


def test_two_processes_do_no_image_twice(coco_root: Path, tmp_path: Path) -> None:
    command = quality_run(coco_root, tmp_path / "runs", "median")
    counted = functools.partial(together, tmp_path / "log")
    both = [start(*command, "--out", str(tmp_path / name), before=counted) for name in ("a", "b")]
    assert [(status, err) for status, _, err in map(finish, both)] == [(0, ""), (0, "")]
    assert Counter(name for _, name in begun(tmp_path / "log")) == Counter(map(str, range(1, 9)))
    texts = [(tmp_path / name / "results.csv").read_text() for name in ("a", "b")]
    assert texts[0] == texts[1]


def test_claims_last_as_long_as_their_process(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    mine = Claims(ledger)
    assert mine.take(["a", "b"]) == {"a", "b"}
    assert mine.take(["a"]) == {"a"}
    alive, gone = owner_of(os.getppid()), owner_of(os.getpid()).replace(" ", " 9", 1)
    elsewhere = f"{os.getpid()} 1.00 another-machine"
    assert is_alive(alive)
    assert not is_alive(gone)
    assert not is_alive(f"{2**22 + 1} 1.00 {alive.split(' ', 2)[2]}")
    with ledger.transaction():
        ledger.put("claims", {"c": alive, "d": gone, "e": elsewhere})
    assert mine.take(["c", "d", "e", "f"]) == {"d", "f"}
    mine.release(["a"])
    assert set(ledger.get("claims", "abcdef")) == set("bcdef")
    mine.release_all()
    assert set(ledger.get("claims", "abcdef")) == {"c", "e"}
    ledger.close()


def test_a_claim_of_another_machine_ends_without_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("harness.ledger.leases.time.monotonic", lambda: now)
    ledger, owner = Ledger(tmp_path), "7 123 another-machine"
    mine = Claims(ledger)
    with ledger.transaction():
        ledger.put("claims", {"a": owner, "b": owner})
        ledger.put("beats", {owner: 41})
    assert mine.take("a") == set()
    assert mine.others == {owner: LEASE_S}
    now += LEASE_S - 1
    assert mine.take("ac") == {"c"}
    assert mine.others == {owner: 1.0}
    with ledger.transaction():
        ledger.remove("beats", [owner])
        ledger.put("beats", {owner: 42})
    assert mine.take("a") == set()
    assert mine.others == {owner: LEASE_S}
    now += LEASE_S
    # Whatever the time of day is set to meanwhile.
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert mine.take("a") == {"a"}
    assert mine.others == {}
    assert ledger.get("claims", "ab")["b"] == owner
    other = Claims(ledger)
    assert other.take("b") == set(), "who has just come knows nothing of the time before"
    other.release_all()
    mine.release_all()
    assert ledger.get("claims", "abc") == {"b": owner}
    ledger.close()


def test_a_clock_that_is_set_back_ends_no_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = owner_of(os.getppid())
    start = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: start(self) - 3600)
    monkeypatch.setattr("time.time", lambda: 0.0)
    if sys.platform == "linux":
        assert is_alive(parent)


@dataclass
class Waiting:
    """In place of the module ``time`` in a process that waits for another's images."""

    poll: Callable[[float], float]
    """Waits, for as long as a poll is to be; returns by how many seconds the clock goes on."""
    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += self.poll(seconds)


def on_another_host(
    name: str, log: Path, hold: Callable[[], None], poll: Callable[[float], float] | None
) -> None:
    """In a process: its machine's name, what comes before each image, and a clock that it sets."""
    import platform

    from derainers.restorer import Filter
    from harness.ledger import leases
    from harness.runs import engine

    setattr(platform, "node", lambda: name)  # noqa: B010
    clock: Any = time if poll is None else Waiting(poll)
    setattr(leases, "time", clock)  # noqa: B010
    setattr(engine, "time", clock)  # noqa: B010
    leases.BEAT_S = 0.02
    restore = Filter.restore

    def held(self: Filter, image: Any, sample_id: str) -> Any:
        with log.open("a") as file:
            file.write(f"{name} {sample_id} {clock.monotonic()}\n")
        hold()
        return restore(self, image, sample_id)

    setattr(Filter, "restore", held)  # noqa: B010


def at_once() -> None:
    pass


def wait_for(is_there: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_there():
        assert time.monotonic() < until, "what was waited for never came"
        time.sleep(0.01)


def quick_poll(seconds: float) -> float:
    time.sleep(0.01)
    return seconds


def with_the_beat(ledger: Path, heard: Path, seconds: float) -> float:
    """A poll that lasts until the other host beats again; after so many it may go on."""
    if not heard.exists():
        before = beats(ledger)
        wait_for(lambda: beats(ledger) > before)
        with heard.with_suffix(".log").open("a") as file:
            file.write("beat\n")
        if len(heard.with_suffix(".log").read_text().split()) > 2 * LEASE_S / BEAT_S:
            heard.touch()
        return BEAT_S
    time.sleep(0.01)
    return seconds


def beats(ledger: Path) -> int:
    """Of the host that waits for nobody, ``alpha``."""
    with contextlib.closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute("SELECT beat FROM beats WHERE key LIKE '%alpha'").fetchone()
    return int(found[0])


def begun(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def begin(process: Process, log: Path, images: int) -> None:
    """Wait until a process has begun so many images."""
    while len(begun(log)) < images:
        assert process.poll() is None, finish(process)
        time.sleep(0.02)


def test_a_second_host_goes_on_where_the_first_died(coco_root: Path, tmp_path: Path) -> None:
    log, command = tmp_path / "log", quality_run(coco_root, tmp_path / "runs", "median")
    never = functools.partial(wait_for, (tmp_path / "never").exists)
    first = start(*command, before=functools.partial(on_another_host, "alpha", log, never, None))
    begin(first, log, 2)
    first.kill()
    first.communicate()
    beta = functools.partial(on_another_host, "beta", log, at_once, quick_poll)
    status, out, err = finish(start(*command, before=beta))
    assert (status, "failed" in out) == (0, False)
    when_s = {image: float(now_s) for host, image, now_s in begun(log) if host == "beta"}
    lost = {image for host, image, _ in begun(log) if host == "alpha"}
    assert len(lost) == 2
    assert all(when_s[image] >= LEASE_S for image in lost), "taken over too early"
    (line,) = err.splitlines()
    assert line.startswith("waiting for images that process ")
    assert " of alpha has in work: they are taken over at " in line
    assert run_command_line([*command[:-4], "--workspace", str(tmp_path / "w"), *command[-2:]]) == 0
    now, alone = (load_results(tmp_path / name, None) for name in ("runs", "w"))
    assert now.records == alone.records


def test_a_slow_host_that_lives_keeps_its_images(coco_root: Path, tmp_path: Path) -> None:
    log, command = tmp_path / "log", quality_run(coco_root, tmp_path / "runs", "median")
    heard = tmp_path / "heard"
    slowly = functools.partial(wait_for, heard.exists)
    alpha = start(*command, before=functools.partial(on_another_host, "alpha", log, slowly, None))
    begin(alpha, log, 2)
    poll = functools.partial(with_the_beat, tmp_path / "runs" / "ledger.sqlite", heard)
    beta = start(*command, before=functools.partial(on_another_host, "beta", log, at_once, poll))
    assert [status for status, _, _ in map(finish, (beta, alpha))] == [0, 0]
    assert heard.exists()
    assert Counter(image for _, image, _ in begun(log)) == Counter(map(str, range(1, 9)))


def test_a_full_disk_is_no_images_fault(
    coco_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = quality_run(coco_root, tmp_path / "runs", "median")
    with monkeypatch.context() as patch:
        patch.setattr(ImageCache, "write", full)
        assert run_command_line(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "no room left on the disk of /data/1.png: free some" in err
    assert run_command_line(command) == 0
    assert "failed" not in capsys.readouterr().out


def full(cache: ImageCache, key: str, data: bytes) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/data/1.png")


def test_databases_that_cannot_be_written_are_told_from_others(tmp_path: Path) -> None:
    small = sqlite3.connect(tmp_path / "small.sqlite")
    small.execute("PRAGMA max_page_count=4")
    small.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as caught:
        small.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert "no room left" in (storage_error(caught.value) or "")
    copied = OSError(errno.ENOSPC, "No space left on device", "/tmp/x", None, "/data/net.pt")
    assert "on the disk of /data/net.pt: " in (storage_error(copied) or "")
    small.close()
    locked = sqlite3.connect(f"file:{tmp_path}/small.sqlite?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as caught:
        locked.execute("CREATE TABLE u (x)")
    assert "cannot be written" in (storage_error(caught.value) or "")
    with pytest.raises(sqlite3.OperationalError) as caught:
        locked.execute("SELECT * FROM absent")
    assert storage_error(caught.value) is None
    locked.close()
    assert storage_error(PermissionError(errno.EACCES, "denied")) is None
    assert "cannot be written" in (storage_error(OSError(errno.EROFS, "", "/mnt")) or "")
