"""The command line's verbs and their flags; what each does stands in `harness.cli.main`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import OF_DATA, add_field, allow_code
from harness.spec import RunSpec

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def parser() -> argparse.ArgumentParser:
    """The whole command line; the parsed arguments' ``verb`` names what to do."""
    whole = argparse.ArgumentParser(
        prog="derain-harness",
        description="Does removing rain from an image help the vision system that sees it next?",
    )
    verbs = whole.add_subparsers(required=True, metavar="VERB")
    for add in (
        _run,
        _report,
        _regress,
        _verify,
        _score,
        _synth,
        _check_data,
        _bench,
        _train,
        _fetch,
        _list,
        _doctor,
        _gc,
        _gather,
    ):
        add(verbs)
    return whole


def _run(verbs: Verbs) -> None:
    run = verbs.add_parser(
        "run",
        help="rain on a data set, derain it, run tasks on it, score, report",
        description="Every flag is a field of RunSpec. A run continues where an earlier one of the "
        "same workspace stopped. Flags typed beside --suite or --from take the place of what "
        "stands there.",
    )
    files = run.add_argument_group("what stands in a file")
    files.add_argument(
        "--suite",
        type=Path,
        metavar="FILE.yaml",
        help="a list of runs, one after the other: fields of RunSpec, and name, its folder below "
        "--out (default: its number)",
    )
    files.add_argument(
        "--from",
        dest="again",
        metavar="RUN",
        help="repeat a run: an --out folder, its results.json, a spec as JSON, or the first digits "
        "of a run of --workspace",
    )
    allow_code(files)
    for name in RunSpec.model_fields:
        add_field(run, name)
    run.add_argument(
        "--dry-run", action="store_true", help="say what is there, what would be computed, and stop"
    )
    run.set_defaults(verb="run")


def _score(verbs: Verbs) -> None:
    score = verbs.add_parser(
        "score",
        help="restored images or predictions made elsewhere",
        description="Quality: two folders in, paired by stem; without --reference, metrics that "
        "need no clean image. Other tasks: predictions in, a file of COCO results or BDD100K's "
        "frames (of instances: with masks, or a folder with boxes.json and masks.json) or a folder "
        "of label maps by stem, "
        "with the data set they are of; no network is needed.",
    )
    tasks = ("quality", "detection", "instance", "semantic")
    score.add_argument("--task", choices=tasks, default="quality")
    score.add_argument("--restored", type=Path, metavar="DIR", help="quality: the images to judge")
    score.add_argument("--reference", type=Path, metavar="DIR", help="quality: the clean images")
    score.add_argument("--predictions", type=Path, metavar="PATH", help="a file or folder")
    where = ("dataset", "data_root", "split", "pair", "where", "limit")
    for name in (*where, "quality", "protocol", "workers"):
        add_field(score, name)
    score.add_argument("--out", type=Path, metavar="DIR", help="folder for results and page")
    score.set_defaults(verb="score")


def _report(verbs: Verbs) -> None:
    report = verbs.add_parser(
        "report",
        help="tables, plots and page again, from a ledger alone; many runs on one page",
        description="Several workspaces are the parts of one run, made with --shard, or, with "
        "--board and --compare, hold many runs.",
    )
    report.add_argument("workspace", type=Path, nargs="+", help="of a run, its parts, or many")
    report.add_argument("--run", metavar="DIGEST", help="by its first digits (default: latest)")
    report.add_argument("--board", action="store_true", help="board.html: all runs on one page")
    report.add_argument(
        "--compare",
        nargs=2,
        metavar="DIGEST",
        help="compare.html: what changed from the first run to the second",
    )
    report.add_argument("--out", type=Path, required=True, metavar="DIR")
    report.add_argument(
        "--layout",
        choices=("table6",),
        help="table6.md and table6.tex too, as MSPFN's Table 6 is laid out",
    )
    report.add_argument("--no-images", action="store_true", help="no pictures on the page")
    parts = report.add_argument_group("of parts, where data and networks lie on this machine")
    for name in OF_DATA:
        add_field(parts, name)
    allow_code(parts)
    report.set_defaults(verb="report")


def _regress(verbs: Verbs) -> None:
    regress = verbs.add_parser(
        "regress",
        help="measured against what papers print, or one results folder against another",
        description="papers, PAPER or PAPER:TABLE judges printed numbers, running what they need; "
        "two results folders, old and new, judge the new one. The exit status is 1 where a printed "
        "number differs without a known reason, or a number got worse.",
    )
    regress.add_argument(
        "what", nargs="+", metavar="WHAT", help="papers, PAPER[:TABLE], or OLD NEW"
    )
    regress.add_argument("--json", action="store_true", help="print every verdict as JSON")
    regress.add_argument("--junit", type=Path, metavar="FILE.xml", help="write them as JUnit XML")
    papers = regress.add_argument_group("of papers")
    papers.add_argument(
        "--data", action="append", default=[], metavar="DATASET=DIR", help="test pairs of a set"
    )
    papers.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="DERAINER:DATASET=FILE",
        help="authors' weights; those that fetch knows are found by themselves",
    )
    for name in ("limit", "workers", "device", "workspace"):
        add_field(papers, name)
    folders = regress.add_argument_group("of folders")
    folders.add_argument(
        "--tolerance",
        action="append",
        default=[],
        metavar="METRIC=X",
        help="difference that does not matter (default: 0.1 dB, 0.005 of a fraction)",
    )
    folders.add_argument(
        "--guard",
        action="append",
        default=[],
        metavar="METRIC",
        help="judge this number too: ap/person, ap_pooled/weather=rainy",
    )
    folders.add_argument(
        "--require",
        choices=("equivalent",),
        help="equivalent: exit 1 on inconclusive numbers too",
    )
    regress.set_defaults(verb="regress")


def _verify(verbs: Verbs) -> None:
    verify = verbs.add_parser(
        "verify",
        help="recompute some images of a results folder and compare",
        description="The images are drawn by the run's digest. Flags say where data and networks "
        "lie on this machine; everything else is the run's own.",
    )
    verify.add_argument("folder", type=Path, metavar="DIR", help="the --out folder of a run")
    verify.add_argument(
        "--images", dest="number", type=int, default=16, metavar="K", help="how many (default 16)"
    )
    verify.add_argument("--all", action="store_true", help="all images")
    for name in (*OF_DATA, "device", "workers"):
        add_field(verify, name)
    allow_code(verify)
    verify.set_defaults(verb="verify")


def _synth(verbs: Verbs) -> None:
    synth = verbs.add_parser(
        "synth",
        help="write a rainy copy of a data set in its own layout, with a manifest",
        description="The images are those that run shows for the same rain and seed. A second call "
        "continues where the first one stopped.",
    )
    for name in ("dataset", "data_root", "split", "pair", "where", "seed", "limit", "workers"):
        add_field(synth, name)
    synth.add_argument("--rain", default="photoshop-heavy", help="one rain")
    synth.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    synth.add_argument(
        "--jpeg", type=int, metavar="QUALITY", help="write JPEG, 1 to 100; default: PNG, lossless"
    )
    synth.add_argument("--layers", action="store_true", help="keep streaks, veil and airlight too")
    synth.set_defaults(verb="synth")


def _check_data(verbs: Verbs) -> None:
    checked = verbs.add_parser(
        "check-data",
        help="look a data set over before a long run",
        description="Every label and image is looked at; the exit status is 1 where errors remain.",
    )
    for name in ("dataset", "data_root", "split", "pair"):
        add_field(checked, name)
    checked.add_argument(
        "--against", type=Path, metavar="DIR", help="images that the set should share none with"
    )
    checked.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="write some images with their labels drawn"
    )
    checked.set_defaults(verb="check-data")


def _bench(verbs: Verbs) -> None:
    bench = verbs.add_parser(
        "bench",
        help="seconds, parameters, multiply-adds and memory of derainers",
        description="Each derainer at each size in a process of its own: one run to warm up, then "
        "the median, fastest and slowest of the timed ones, with one thread and with all.",
    )
    bench.add_argument(
        "--derainer", action="append", default=[], metavar="NAME[,NAME…]", help="default: networks"
    )
    bench.add_argument(
        "--size", action="append", default=[], metavar="WxH", help="default: the papers' three"
    )
    bench.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    bench.add_argument("--dtype", choices=("fp32", "bf16", "fp16"), default="fp32")
    bench.add_argument("--repeats", type=int, default=3, metavar="N", help="timed runs (default 3)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write every run's seconds too")
    bench.set_defaults(verb="bench")


def _train(verbs: Verbs) -> None:
    train = verbs.add_parser(
        "train",
        help="train a derainer or a task network; what was broken off goes on",
        description="A derainer of list derainers: on the photographs of any data set, with rain "
        "made as it goes, or on pairs. refinenet: the light-weight RefineNet, on the label maps of "
        "a data set; yolo: a small network for boxes and masks. The folder gets checkpoint, curve, "
        "weights and their card. Splits may be joined: train+val.",
    )
    train.add_argument("name", metavar="NAME", help="a derainer, refinenet or yolo")
    for name in ("dataset", "data_root", "split", "where", "limit", "dtype"):
        add_field(train, name)
    train.add_argument("--out", type=Path, required=True, metavar="DIR")
    train.add_argument(
        "--from",
        dest="begin",
        type=Path,
        metavar="FILE",
        help="begin with these weights of the same network (default: at random)",
    )
    train.add_argument("--epochs", type=int, metavar="N", help="default: the recipe's")
    train.add_argument(
        "--max-minutes", type=float, metavar="X", help="end then, with weights and their card"
    )
    derainers = train.add_argument_group("of derainers alone")
    for name in ("pair", "seed", "device", "workers"):
        add_field(derainers, name)
    derainers.add_argument(
        "--rain",
        action="append",
        metavar="NAME[,NAME…]",
        default=argparse.SUPPRESS,
        help="one is drawn for each crop, none = it stays clean (default: photoshop-light to "
        "-heavy, rain100l, rain100h and outdoor-rain; of pairs their own)",
    )
    derainers.add_argument(
        "--recipe",
        choices=("paper", "release", "short", "short-gpu"),
        default="paper",
        help="the paper's schedule, its authors' code's, or 12 epochs of 1000 steps of four crops "
        "(short-gpu: of sixteen)",
    )
    derainers.add_argument(
        "--exclude",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="photographs that also stand there, flipped or turned, are not trained on",
    )
    derainers.add_argument(
        "--vgg", type=Path, metavar="FILE", help="VGG16's weights, for perceptual terms"
    )
    train.set_defaults(verb="train")


def _fetch(verbs: Verbs) -> None:
    fetch = verbs.add_parser(
        "fetch",
        help="download weights and models, checked by sha256",
        description="Without a name: what can be fetched. No other verb opens a connection.",
    )
    fetch.add_argument("names", nargs="*", metavar="NAME")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="default: where run finds them")
    fetch.set_defaults(verb="fetch")


def _doctor(verbs: Verbs) -> None:
    doctor = verbs.add_parser("doctor", help="what this machine has and lacks, with the remedy")
    add_field(doctor, "workspace")
    doctor.set_defaults(verb="doctor")


def _gc(verbs: Verbs) -> None:
    gc = verbs.add_parser(
        "gc",
        help="free cached images and predictions, never evidence",
        description="The oldest go first. Records and pages stay as they are; a later run computes "
        "again what it needs of the rest.",
    )
    gc.add_argument("workspace", type=Path, help="the workspace of the runs")
    gc.add_argument(
        "--keep-gb", type=float, default=0.0, metavar="X", help="room that may stay (default 0)"
    )
    gc.add_argument(
        "--older-than", type=float, default=0.0, metavar="DAYS", help="only files older than that"
    )
    gc.set_defaults(verb="gc")


def _gather(verbs: Verbs) -> None:
    gather = verbs.add_parser(
        "gather",
        help="put what several workspaces found into one",
        description="For parts of a run, made with --shard: the same run without it, on the "
        "gathered workspace, then computes what is missing still, and reports.",
    )
    gather.add_argument("workspaces", type=Path, nargs="+", metavar="WORKSPACE")
    gather.add_argument("--workspace", type=Path, required=True, dest="into", metavar="PATH")
    gather.set_defaults(verb="gather")


def _list(verbs: Verbs) -> None:
    names = verbs.add_parser("list", help="what can be named on the command line")
    names.add_argument(
        "table",
        choices=("derainers", "datasets", "rains", "tasks", "models", "metrics", "papers"),
        help="papers: the tables whose printed numbers are held",
    )
    names.add_argument("--json", action="store_true", help="as a JSON list")
    names.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="rains: write each on one photograph, too"
    )
    names.add_argument(
        "--image", type=Path, metavar="FILE", help="that photograph (default: a street)"
    )
    names.set_defaults(verb="list")
