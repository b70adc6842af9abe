"""Attacks every slot that takes a file, and kills every verb that writes; counts what was tried.

    python benchmarks/attack.py mutations --seconds 1200
    python benchmarks/attack.py kills --seconds 1200

Mutations: files that others made, damaged or hostile, each handed to a command in a process that
watches it (`tests/harness/fuzz.py`, `mutations.py`). Every command must end with a status and one
line: no traceback, no signal, no hang, nothing written beside workspace and ``--out``, no foreign
code. Kills: a command is ended by SIGKILL at a random moment and typed again, which must then end
as one that nobody killed, with the same numbers and files, and the user's own files as they were.

Pieces add up: each goes on where the last one of the same seeds stopped, and is noted in
``attack.json`` beside this file; the sums stand in SECURITY.md between two marks.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HOME), str(HOME / "tests" / "harness")]

import numpy as np  # noqa: E402
from command import finish, start  # noqa: E402
from fuzz import outcomes  # noqa: E402
from mutations import corpus, make_frames, make_template  # noqa: E402

from tests.miniatures import miniature, tiny_detector  # noqa: E402

KEPT = Path(__file__).with_name("attack.json")
PAGE = HOME / "SECURITY.md"
BEGIN, END = "<!-- attack.py -->\n", "<!-- end of attack.py -->"
"""What stands between them in `PAGE` is `table`."""
AT_ONCE = 200
"""Mutations between two looks at the clock."""
FETCHED = b"weights" * 200_000


def mutations(seed: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Mutated files for some seconds, from where the tally stopped; as a piece of the tally."""
    until = time.monotonic() + seconds
    template, frames = _template(folder), make_frames(folder / "frames")
    canary, tried = folder / "canary", Counter[str]()
    wrong: dict[str, list[str]] = {}
    place = _next(seed)
    first = [*place]
    while time.monotonic() < until:
        cases = corpus(template, frames, canary, place[0])
        part = cases[place[1] : place[1] + AT_ONCE]
        found = outcomes(part, folder)
        tried.update(case.name.partition("#")[0] for case in part)
        new = {f"seed {place[0]}: {name}": said for name, said in found.items() if said}
        print(*(f"{name}: {said}" for name, said in new.items()), sep="\n", flush=True)
        wrong |= new
        if canary.exists():
            wrong[f"seed {place[0]}: {place[1]}"] = ["foreign code was executed"]
            canary.unlink()
        done = place[1] + len(part)
        place = [place[0] + 1, 0] if done >= len(cases) else [place[0], done]
        print(f"seed {place[0]}, case {place[1]}: {len(wrong)} wrong", flush=True)
    slots = {_slot(name): 0 for name in tried}
    for name, count in tried.items():
        slots[_slot(name)] += count
    return {"kind": "mutations", "from": first, "next": place, "tried": slots, "wrong": wrong}


def _slot(file: str) -> str:
    """A file of the template by what it is to a user."""
    known = {"w/predictions": "kept predictions", "w/images": "cached images"}
    return next((said for begins, said in known.items() if file.startswith(begins)), file)


def _template(folder: Path) -> Path:
    coco = miniature("coco", folder / "coco")
    return make_template(folder / "whole", coco, tiny_detector(folder / "net.pt"))


@dataclass(frozen=True)
class _Verb:
    """A command that may be killed."""

    words: tuple[str, ...]
    """``{here}`` stands for a fresh copy of the template."""
    gives: Callable[[Path], Any]
    """What must come out, from that copy."""
    weight: int
    """How often it is killed, beside the others."""
    before: Callable[[], None] | None = None


def kills(seed: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Kills for some seconds; as a piece of the tally."""
    until = time.monotonic() + seconds
    template = _to_be_killed(folder)
    place = _next(seed, "kills")
    rng = np.random.default_rng(place)
    tried, wrong = Counter[str](), {}
    with _server() as url:
        verbs = _verbs(url)
        unbroken = {
            name: _unbroken(verb, template, folder / "unbroken") for name, verb in verbs.items()
        }
        while time.monotonic() < until:
            weights = np.array([verb.weight for verb in verbs.values()], float)
            name = str(rng.choice(list(verbs), p=weights / weights.sum()))
            wanted, took_s = unbroken[name]
            at_s = float(rng.random() * took_s)
            said = _kill(verbs[name], template, folder / "here", at_s, wanted)
            tried[name] += 1
            if said:
                wrong[f"seed {place}: {name} after {at_s:.3f} s"] = said
            print(
                f"{sum(tried.values())} kills, {name} after {at_s:.2f} s: {said or 'same'}",
                flush=True,
            )
    return {
        "kind": "kills",
        "from": place,
        "next": [place[0], place[1] + 1],
        "tried": tried,
        "wrong": wrong,
    }


def _kill(verb: _Verb, template: Path, here: Path, at_s: float, wanted: Any) -> list[str]:
    """Kill a command and type it again; says what is then not as it should be."""
    _copy(template, here)
    before = _digests(here)
    words = [word.format(here=here) for word in verb.words]
    process = start(*words, cwd=here, before=verb.before)
    time.sleep(at_s)
    process.kill()
    process.communicate()
    status, _, err = finish(start(*words, cwd=here, before=verb.before))
    wrong = [f"status {status}: {err[-600:]}"] if status or "Traceback" in err else []
    if not wrong and verb.gives(here) != wanted:
        wrong.append("another outcome than that of an unbroken command")
    now = _digests(here)
    lost = [name for name, digest in before.items() if now.get(name) != digest]
    # A ledger that is written into is another file afterwards, and holds what it held.
    lost = [name for name in lost if not name.startswith("into/")]
    return wrong + [f"a file of the user's changed: {name}" for name in lost]


def _unbroken(verb: _Verb, template: Path, here: Path) -> tuple[Any, float]:
    """What a command gives that nobody kills, and its seconds."""
    began = time.monotonic()
    for _ in range(2):  # the first one starts what the later ones are forked from
        _copy(template, here)
        began = time.monotonic()
        words = [word.format(here=here) for word in verb.words]
        status, _, err = finish(start(*words, cwd=here, before=verb.before))
        if status != 0:
            raise SystemExit(f"{words}: {err}")
    return verb.gives(here), time.monotonic() - began


def _to_be_killed(folder: Path) -> Path:
    """Data, networks, a finished run, two workspaces to gather, images to train on."""
    from datasets.image import encode_png
    from datasets.label_png import encode_labels
    from harness.cli.main import run_command_line

    root = _template(folder)
    data = ("--dataset", "coco", "--data-root", str(root / "coco"), "--derainer", "median")
    for part in ("0/2", "1/2"):
        words = ["run", *data, "--task", "none", "--shard", part]
        assert run_command_line([*words, "--workspace", str(root / f"part{part[0]}")]) == 0
    for split, count in (("train", 4), ("val", 1)):
        for kind in (split, f"{split}annot"):
            (root / "camvid" / kind).mkdir(parents=True)
        for i in range(count):
            labels = np.zeros((32, 40), np.uint8)
            labels[16 + i % 4 :] = 3
            image = np.repeat(labels[:, :, None] * 40, 3, 2)
            (root / "camvid" / split / f"0001TP_{i}.png").write_bytes(encode_png(image))
            shown = encode_labels(labels)
            (root / "camvid" / f"{split}annot" / f"0001TP_{i}.png").write_bytes(shown)
    shutil.rmtree(root / "tmp")
    return root


def _verbs(url: str) -> dict[str, _Verb]:
    """All that are killed, literally."""
    coco = ("--dataset", "coco", "--data-root", "{here}/coco")
    judged = ("--derainer", "median", "--model", "detection={here}/net.pt", "--limit", "3")
    folders = ("--restored", "{here}/photographs", "--reference", "{here}/coco/images/val2017")
    camvid = ("--dataset", "camvid", "--data-root", "{here}/camvid", "--epochs", "2")
    return {
        "run": _Verb(
            ("run", *coco, *judged, "--workspace", "{here}/new", "--out", "{here}/out"),
            _records,
            60,
        ),
        "score": _Verb(("score", *folders, "--out", "{here}/out"), _records, 40),
        "train": _Verb(
            ("train", "refinenet", *camvid, "--out", "{here}/trained"),
            lambda here: _sha256(here / "trained" / "refinenet-camvid.safetensors"),
            20,
        ),
        "synth": _Verb(
            ("synth", *coco, "--layers", "--out", "{here}/rainy"),
            lambda here: _digests(here / "rainy"),
            60,
        ),
        "gather": _Verb(
            ("gather", "{here}/part0", "{here}/part1", "--workspace", "{here}/into"), _rows, 40
        ),
        "report": _Verb(("report", "{here}/w", "--out", "{here}/out"), _records, 30),
        "fetch": _Verb(
            ("fetch", "attacked", "--to", "{here}/fetched"),
            lambda here: _digests(here / "fetched"),
            30,
            functools.partial(_one_source, url),
        ),
        "regress": _Verb(
            ("regress", "{here}/results", "{here}/results", "--junit", "{here}/junit.xml"),
            lambda here: _sha256(here / "junit.xml"),
            20,
        ),
    }


def _records(here: Path) -> Any:
    """The numbers of a results folder that is whole."""
    from harness.ledger.folder import load

    results = load(here / "out")
    return results.errors, results.records


def _rows(here: Path) -> Any:
    """What a gathered ledger holds."""
    from harness.ledger.ledger import STORED

    with closing(sqlite3.connect(here / "into" / "ledger.sqlite")) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}")) for table in STORED}


@contextmanager
def _server() -> Iterator[str]:
    """Gives `FETCHED`, slowly."""

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(FETCHED)))
            self.end_headers()
            try:
                for begin in range(0, len(FETCHED), 1 << 17):
                    self.wfile.write(FETCHED[begin : begin + (1 << 17)])
                    time.sleep(0.02)
            except OSError:
                pass  # the other end was killed

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/x"
    server.shutdown()


def _one_source(url: str) -> None:
    """In a process: what can be fetched is what the server here gives."""
    from harness.machine.sources import SOURCES, Source

    sha256 = hashlib.sha256(FETCHED).hexdigest()
    SOURCES["attacked"] = Source(url, sha256, "weights/attacked.pth", "none", "{}")


def _copy(template: Path, here: Path) -> None:
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(template, here)


def _digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file of a folder but SQLite's own beside a database, by name."""
    files = (f for f in sorted(folder.rglob("*")) if f.is_file())
    return {
        f.relative_to(folder).as_posix(): _sha256(f)
        for f in files
        if not f.name.endswith(("-shm", "-wal"))
    }


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _pieces() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.is_file() else []
    return found


def _next(seed: int, kind: str = "mutations") -> list[int]:
    """Seed and case to go on with."""
    ends = [piece["next"] for piece in _pieces() if piece["kind"] == kind]
    return max([end for end in ends if end[0] >= seed], default=[seed, 0])


def table(pieces: list[dict[str, Any]]) -> str:
    """The sums of all pieces in Markdown, as SECURITY.md holds them."""
    lines = []
    for kind, what in (("mutations", "mutated file"), ("kills", "killed verb")):
        mine = [piece for piece in pieces if piece["kind"] == kind]
        tried: Counter[str] = Counter()
        for piece in mine:
            tried.update(piece["tried"])
        wrong = sum(len(piece["wrong"]) for piece in mine)
        seeds = ", ".join(_seeds(piece) for piece in mine)
        lines += [f"| {what} | tried |", "| --- | ---: |"]
        lines += [f"| `{name}` | {tried[name]:,} |" for name in sorted(tried)]
        lines += [f"| all; {wrong} did not end as they should | {tried.total():,} |", ""]
        lines += [f"Seeds (seed:case): {seeds or 'none yet'}.", ""]
    return "\n".join(lines)


def _seeds(piece: dict[str, Any]) -> str:
    """From where to where a piece went."""
    begin, end = (":".join(map(str, piece[key])) for key in ("from", "next"))
    return f"{begin} to {end}"


def filled(page: str, shown: str) -> str:
    """A page with a table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{shown}{END}{after}"


def main() -> None:
    """One piece, or the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("mutations", "kills", "table"))
    parser.add_argument("--seconds", type=float, default=3600.0, help="default: an hour")
    parser.add_argument("--seed", type=int, default=1, help="of the first piece; later ones go on")
    arguments = parser.parse_args()
    if arguments.kind != "table":
        # What is found without being named shall be nothing of this machine's.
        os.environ.pop("DERAIN_HARNESS_DATA", None)
        with tempfile.TemporaryDirectory() as folder:
            attack = {"mutations": mutations, "kills": kills}[arguments.kind]
            piece = attack(arguments.seed, arguments.seconds, Path(folder))
        KEPT.write_text(json.dumps([*_pieces(), piece], indent=1) + "\n")
        count = sum(piece["tried"].values())
        print(f"{arguments.kind}, seeds {_seeds(piece)}: {count}, {len(piece['wrong'])} wrong")
    PAGE.write_text(filled(PAGE.read_text(), table(_pieces())))
    print(table(_pieces()))


if __name__ == "__main__":
    main()
