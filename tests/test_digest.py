"""Digests: canonical JSON by RFC 8785, pinned names, and keys that depend on settings and on nothing else."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.chat import Message
from ftbuild.digest import canonical, canonical_plain, of_bytes, of_file, of_value, short
from ftbuild.example import Example
from ftbuild.plan.action import Action, Input, Kind
from ftbuild.settings import Source
from ftbuild.sources import read

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # RFC 8785 takes Unicode as it comes; a lone surrogate is no Unicode.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


def test_canonical_json_is_the_example_of_rfc_8785() -> None:
    # Section 3.2.2, "sample_input" and its expected form.
    value = json.loads(
        r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
             "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
             "literals": [null, true, false]}"""
    )
    assert canonical(value).decode() == (
        r'{"literals":[null,true,false],'
        r'"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=12,
)


@given(PLAIN)
def test_the_quick_way_of_plain_values_gives_the_same_bytes(value: Any) -> None:
    assert canonical_plain(value) == canonical(value)


def test_the_quick_way_refuses_half_a_surrogate_pair_too() -> None:
    with pytest.raises(ValueError, match=r"^not canonical JSON: "):
        canonical_plain({"a": "\ud800"})


def test_members_are_sorted_by_utf_16_as_rfc_8785_asks() -> None:
    # Section 3.2.3: an emoji's surrogates sort before U+FB33.
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
    assert list(json.loads(canonical(value)).values()) == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740991, "9007199254740991"),
        (295147905179352830000.0, "295147905179352830000"),
        (1e21, "1e+21"),
        (999999999999999900000.0, "999999999999999900000"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_in_appendix_b_of_rfc_8785(number: float, text: str) -> None:
    assert canonical(number).decode() == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "not canonical JSON: nan is not representable in JCS"),
        (float("inf"), "not canonical JSON: inf is not representable in JCS"),
        (2**53, "not canonical JSON: 9007199254740992 exceeds safe integer domain for JSON floats"),
        ({"a": "\ud800"}, "not canonical JSON: input contains non-UTF-8 codepoints"),
        ({1: 2}, "not canonical JSON: object keys must be strings"),
        (b"x", "not canonical JSON: unsupported type: <class 'bytes'>"),
    ],
)
def test_what_json_cannot_say_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match="not canonical") as caught:
        canonical(value)
    assert str(caught.value) == message


@given(json_values)
def test_canonical_json_reads_back_as_the_value(value: object) -> None:
    # ECMAScript writes 7.1e16 without a point: the same number, read as an int by Python.
    assert json.loads(canonical(value), parse_int=float) == value


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-9, 9)))
def test_the_order_of_members_changes_no_digest(value: dict[str, int]) -> None:
    assert of_value(dict(reversed(value.items()))) == of_value(value)


def test_a_digest_is_plain_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100_000)
    assert of_file(path) == of_bytes(b"abc" * 100_000) == hashlib.sha256(b"abc" * 100_000).hexdigest()
    assert of_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert short(of_bytes(b"")) == "e3b0c44298fc"


def example(**changed: object) -> Example:
    given_ = {
        "messages": (Message("user", "hey, see u at 5"), Message("assistant", "I will see you at 5.")),
        "original": "84baa8f66125d884" + "0" * 48,
        "source": "pairs",
        "path": "data/pairs.jsonl",
        "line": 3,
        "group": "meetings",
        "raw": "hey, see u at 5",
        "slices": {"source": "pairs"},
    }
    return Example(**(given_ | changed))  # type: ignore[arg-type]


def test_the_ids_of_examples_are_pinned() -> None:
    pair = {"casual": "hey, see u at 5", "formal": "I will see you at 5.", "topic": "t"}
    assert read_id("pairs", pair, input="casual", target="formal", group="topic") == "84baa8f66125d884"
    line = {"messages": [{"role": "user", "content": "hey"}, {"role": "assistant", "content": "Hello."}]}
    assert read_id("chat_jsonl", line) == "9e73f9e633af86cf"


def read_id(kind: str, line: dict[str, Any], **fields: str) -> str:
    source = Source(kind=kind, path="p", licence="CC0-1.0", origin="here", **fields)  # type: ignore[arg-type]
    [example], problems = read(json.dumps(line).encode(), "pairs", source)
    assert problems == []
    return example.id


def test_the_id_of_an_example_is_what_it_said_and_not_where_it_stands() -> None:
    moved = example(source="other", path="x.jsonl", line=9, group="g", slices={}, only="test")
    styled = example().with_messages((Message("system", "Be formal."), *example().messages))
    assert moved.id == styled.id == example().id


def test_an_example_survives_json() -> None:
    assert Example.from_json(json.loads(json.dumps(example(only="test").to_json()))) == example(only="test")


MADE = Action(Kind("dataset", 1, "pure"), "dataset", "data", {"seed": 9, "expand": [["u", "you"]]})
USED = Action(
    Kind("render", 2, "pure"), "lines", "data", {"method": "supervised"}, (Input("train", MADE.id, "train.jsonl"),)
)


def test_ids_and_keys_of_actions_are_pinned() -> None:
    assert MADE.id == "5e134b0cffe8e487e7486dba52719d3422cd50cafb1b845ae202db0d0eff96da"
    assert MADE.key({}) == "ee3e9f3f2aea9edf2c4c58798a8226799fea230da9e8e2f4c29837e3c0300afe"
    assert USED.id == "ea1c1e5f99581df3c30129c652fb45806643da8ce5b8e82f6ab4d5d9e4917518"
    assert USED.key({"train": "ab" * 32}) == "b08dc64c400d2efc8f31522b6d4d7d87defa1fc65cadfa74e88fee84365c0c34"


def test_the_preimage_holds_what_the_key_is_made_of() -> None:
    assert USED.preimage({"train": "ab" * 32}) == {
        "type": "ftbuild.action.v1",
        "kind": "render",
        "version": 2,
        "settings": {"method": "supervised"},
        "inputs": [["train", "ab" * 32]],
    }


CHILD = """
import json, locale, sys, time
locale.setlocale(locale.LC_ALL, "")
sys.path.insert(0, sys.argv[1])
from settings_fixture import FULL, graph, settings
from ftbuild.chat import Message
from dataset_fixture import build
from ftbuild.example import Example
from ftbuild.digest import of_value
examples = [
    Example((Message("user", raw), Message("assistant", "Yes.")), of_value(raw), "pairs", "p", n, f"g{n % 7}", raw)
    for n, raw in ((n, f"Ünï pls {n}") for n in range(60))
]
given = settings()
dataset, _ = build(examples, given.style, given.dataset.split, 40)
print(json.dumps({
    "ids": [each.id for each in graph()],
    "dataset": of_value({name: [each.to_json() for each in kept] for name, kept in dataset.splits.items()}),
}))
"""


def test_keys_and_datasets_are_the_same_under_every_hash_seed_zone_and_locale() -> None:
    surroundings = [
        {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
    ]
    here = str(Path(__file__).parent)
    said = [
        subprocess.run(
            [sys.executable, "-c", CHILD, here], env={**os.environ, **each}, check=True, capture_output=True, text=True
        ).stdout
        for each in surroundings
    ]
    assert said[0] == said[1]
    assert len(json.loads(said[0])["ids"]) == 15
