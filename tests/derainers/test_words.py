"""Words of derainers: names, parameters, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from derainers import DERAINERS, DerainerError
from derainers.words import NO_PARAMETERS, Parameters, joined, read
from harness.cli.flags import derainer_words
from harness.spec import bare

SHA = "0123456789abcdef" * 4


def test_a_word_is_taken_apart() -> None:
    word = read(
        "ours=half:a.onnx,range=-1..1,channels=bgr+mine.py:build@w.pth,output=0.image,key=g"
    )
    assert word.name == "ours"
    assert word.is_half
    first, second = word.parts
    assert (first.text, first.is_onnx) == ("a.onnx", True)
    assert first.parameters == Parameters(range=(-1.0, 1.0), channels="bgr")
    assert first.parameters.said == ",range=-1..1,channels=bgr"
    assert second.factory is not None
    assert second.factory["weights"] == "w.pth"
    assert second.parameters == Parameters(output="0.image", key="g")


def test_a_chain_stands_in_a_chain() -> None:
    (first, second) = read("median+half:granet").parts
    assert not first.is_half
    assert (second.text, second.is_half) == ("granet", True)


@pytest.mark.parametrize(
    "word",
    [
        "granet",
        "prenet@w.pth",
        "mine.py:build",
        "pack.mod:build",
        "dir:some/folder",
        "spandrel:a=b.pth",
        f"prenet@https://host/a=b.pth@{SHA}",
        f"hf://owner/repo/sub/model.onnx@{SHA}",
    ],
)
def test_plain_words_have_neither_name_nor_parameters(word: str) -> None:
    found = read(word)
    assert found.name is None
    assert [part.text for part in found.parts] == [word]
    assert found.parts[0].parameters == NO_PARAMETERS


def test_files_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a=b.onnx", "c,d=e.onnx"):
        Path(name).touch()
        assert [part.text for part in read(name).parts] == [name]
    Path("x=y.py").touch()
    assert read("x=y.py:build").name is None


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("dir:half_median+median", ["dir:half_median+median"]),
        ("median+dir:half_median+median+prenet", ["median", "dir:half_median+median", "prenet"]),
        ("dir:half_median+other", ["dir:half_median", "other"]),
        ("dir:a+dir:b", ["dir:a", "dir:b"]),
        ("prenet@net+ema.pth,channels=bgr", ["prenet@net+ema.pth"]),
        ("prenet@net+ema.pth+median", ["prenet@net+ema.pth", "median"]),
        ("prenet@net+emo.pth", ["prenet@net", "emo.pth"]),
        ("hrrsr:operations=add+mul@net+ema.pth", ["hrrsr:operations=add+mul@net+ema.pth"]),
        ("plus+dir/m.py:build", ["plus+dir/m.py:build"]),
        (
            "plus+dir/m.py:build@net+ema.pth+x+y.onnx",
            ["plus+dir/m.py:build@net+ema.pth", "x+y.onnx"],
        ),
        ("median+prenet", ["median", "prenet"]),
        ("median+prenet@net+ema.pth", ["median", "prenet@net+ema.pth"]),
        ("x+y.onnx,channels=bgr+median", ["x+y.onnx", "median"]),
        ("+".join(["median"] * 2000), ["median"] * 2000),
    ],
)
def test_a_plus_in_the_name_of_what_is_there_is_no_chain(
    word: str, parts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("half_median+median", "half_median", "plus+dir", "odd@dir"):
        Path(folder).mkdir()
    for file in ("net+ema.pth", "plus+dir/m.py", "x+y.onnx", "median+prenet"):
        Path(file).touch()
    assert [part.text for part in read(word).parts] == parts


def test_a_file_of_code_may_lie_behind_an_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd@dir").mkdir()
    Path("odd@dir/m.py").touch()
    for word, weights in (("odd@dir/m.py:build", None), ("odd@dir/m.py:build@w@1.pth", "w@1.pth")):
        (part,) = read(word).parts
        assert part.factory is not None
        assert (part.factory["source"], part.factory["weights"]) == ("odd@dir/m.py", weights)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("prenet+gate:median", "gate:median: gate: stands before the whole word, as gate:A"),
        ("half:gate@2:median", "gate@2:median: gate: stands before the whole word"),
        ("granet=mine.py:build", "the name granet is taken"),
        ("rainy=mine.py:build", "the name rainy is taken"),
        ("output=mine.py:build", "the name output is taken"),
        ("my row=mine.py:build", "a name has letters"),
        ("-x=mine.py:build", "a name has letters"),
        ("a.onnx,chanels=bgr", "unknown parameter 'chanels=bgr': known are range, channels"),
        ("a.onnx,channels=gbr", "channels=rgb or channels=bgr"),
        ("a.onnx,range=0-255", "range=BLACK..WHITE"),
        ("a.onnx,range=1..0", "range=BLACK..WHITE"),
        ("a.onnx,scale=255", r"1 to 8, how many times .* values from 0 to 255 are range=0\.\.255"),
        ("a.onnx,multiple_of=0", "multiple_of=N, 1 to 1024"),
        ("a.onnx,output=", "output=NAME"),
        ("a.onnx,channels=bgr,channels=rgb", "channels stands there twice"),
    ],
)
def test_what_cannot_be_is_told(word: str, text: str) -> None:
    with pytest.raises(DerainerError, match=text):
        read(word, DERAINERS)


def test_flags_put_parameters_back_behind_their_words() -> None:
    flags = ["a.onnx,channels=bgr,range=0..255,median", "x=b.py:f,output=1"]
    expected = ("a.onnx,channels=bgr,range=0..255", "median", "x=b.py:f,output=1")
    assert derainer_words(flags) == expected
    assert derainer_words(["a.onnx, channels=bgr, median"]) == ("a.onnx,channels=bgr", "median")
    assert joined(["range=0..1"]) == ["range=0..1"]


def test_braces_name_several_trainings() -> None:
    assert derainer_words(["median,granet@w/{a,b}.pth,prenet"]) == (
        "median",
        "granet@w/a.pth",
        "granet@w/b.pth",
        "prenet",
    )
    assert derainer_words(["granet@{a}.pth", "x@{,b}"]) == ("granet@{a}.pth", "x@", "x@b")


def test_folders_of_this_machine_stay_here() -> None:
    assert (
        bare("ours=/home/me/net.py:build@/data/w.pth,output=0")
        == "ours=net.py:build@w.pth,output=0"
    )
    address = f"hf://owner/repo/sub/w.pth@{SHA}"
    assert bare(f"/home/me/net.py:build@{address}") == f"net.py:build@{address}"
