"""Keys name contents, however they are made."""

from __future__ import annotations

from harness.plan import keys


def test_a_pattern_gives_the_keys_that_key_gives() -> None:
    fixed = {"version": 3, "model": {"name": "a", "sizes": [1, 2.5, None]}}
    pattern = keys.Pattern("evidence", ["prediction", "labels"], **fixed)
    for prediction, labels in (("0f", "1e"), ("0f", None), ('"\\\n', "\0labels\0 ü\ud800")):
        expected = keys.key("evidence", prediction=prediction, labels=labels, **fixed)
        assert pattern.key(prediction=prediction, labels=labels) == expected
    assert keys.Pattern("identity", ["image"]).key(image="a") == keys.key("identity", image="a")
