"""What is copied of a plain line is what the reader of its layout would keep of it."""

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from training_lines import BROKEN, BROKEN_LINE, GOOD, Broken, Line, in_bytes, one_by_one, quiet, supervised

from ftbuild.runners.formats import json_lines
from ftbuild.settings import Source
from ftbuild.sources import Piece, read_piece
from ftbuild.sources.plain import kept, runs

PLAIN = Source.model_validate({"kind": "chat_jsonl", "path": "chats.jsonl", "licence": "CC0-1.0", "origin": "a test"})
NAMED = PLAIN.model_copy(update={"group": "ticket", "slices": {"shop": "shop", "a": "ticket"}, "time": "at"})
BESIDE = {"ticket": " 7 ", "shop": 'Ös"lo', "at": "2026-11-25T10:00:00Z"}
NOISE = st.sampled_from([None, True, 0, 1.5, 10**25, "", " ", "<|end|>", "é\u2028", "user", "tool", "call_1", [], {}])


def unweighed(line: Line) -> Line:
    line = copy.deepcopy(line)
    for message in line["messages"]:
        message.pop("weight", None)
    return line


LINES = [unweighed(each) for each in (supervised("Oslo"), one_by_one("Kyoto"), quiet("Perth"))]
TURNED = {**LINES[0], "messages": [dict(reversed(each.items())) for each in LINES[0]["messages"]]}
NULLED = {**LINES[0], "messages": [{"content": None, **each} for each in LINES[0]["messages"]]}
LINES += [TURNED, NULLED, {**LINES[0], **BESIDE}, {"messages": LINES[2]["messages"]}]


def read(content: bytes, source: Source, first: int = 7) -> tuple[bytes, list[Any]]:
    """Return what the reader of the layout keeps of some lines, and what it finds wrong with them."""
    found = read_piece(Piece(source.path, content, first), "support", source)
    return json_lines(each.to_json() for each in found.examples), found.problems


def places(value: Any, inside: Any = None, at: Any = None) -> list[tuple[Any, Any]]:
    """Return every place in a value: what holds it, and where it stands there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [] if inside is None else [(inside, at)]
    return found + [place for key, each in list(inner) for place in places(each, value, key)]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("source", [PLAIN, NAMED], ids=["plain", "named"])
def test_good_lines_are_copied_as_they_would_be_read(line: Line, source: Source) -> None:
    content = in_bytes([{**line, **BESIDE}])
    assert kept(content, 7, "support", source) == read(content, source)[0]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.rule)
def test_no_line_with_a_finding_is_copied(broken: Broken) -> None:
    content = broken.file().splitlines(keepends=True)[BROKEN_LINE - 1]
    found = kept(content, 7, "support", PLAIN)
    assert found is None or (found, []) == read(content, PLAIN)


@settings(max_examples=400)
@given(st.data())
def test_whatever_is_done_to_a_line_it_is_copied_only_as_it_would_be_read(data: st.DataObject) -> None:
    line = copy.deepcopy(data.draw(st.sampled_from(LINES)))
    source = data.draw(st.sampled_from([PLAIN, NAMED]))
    for _ in range(data.draw(st.integers(0, 2))):
        if not line:
            break
        inside, at = data.draw(st.sampled_from(places(line)))
        how = data.draw(st.sampled_from(["take out", "replace", "last", "move", "other key"]))
        if how == "take out":
            del inside[at]
        elif how == "replace":
            inside[at] = copy.deepcopy(data.draw(NOISE))
        elif isinstance(inside, dict):
            inside[at if how == "last" else data.draw(st.sampled_from(["name", "x", "strict", "weight"]))] = inside.pop(
                at
            )
        else:
            inside.insert(data.draw(st.integers(0, len(inside))), inside.pop(at))
    written = json.dumps(
        line, ensure_ascii=data.draw(st.booleans()), separators=data.draw(st.sampled_from([None, (",", ":")]))
    )
    content = (
        data.draw(st.sampled_from([b"", b"  "])) + written.encode() + data.draw(st.sampled_from([b"\n", b"\r\n", b""]))
    )
    found = kept(content, 7, "support", source)
    assert found is None or (found, []) == read(content, source)


@given(st.lists(st.sampled_from(["plain", "weighed", "blank", "broken"]), min_size=1, max_size=9))
@example(["plain", "broken", "plain"])
def test_a_piece_in_runs_is_the_piece(order: list[str]) -> None:
    lines = {
        "plain": in_bytes(LINES[:1]),
        "weighed": in_bytes([supervised("Turin")]),
        "blank": b"\n",
        "broken": in_bytes([{"messages": []}]),
    }
    content = b"".join(lines[each] for each in order)
    said, wrong = b"", []
    for each in runs(Piece(PLAIN.path, content, 3), "support", PLAIN):
        one, found = read(each.content, PLAIN, each.first) if isinstance(each, Piece) else (b"".join(each), [])
        said, wrong = said + one, wrong + found
    assert (said, wrong) == read(content, PLAIN, 3)


def test_other_layouts_and_whole_files_are_left_to_their_reader() -> None:
    content = in_bytes(GOOD["supervised"])
    shop = PLAIN.model_validate(
        {**PLAIN.model_dump(by_alias=True), "keep": {"oslo": {"field": "shop", "equals": "Oslo"}}}
    )
    for source, first in ((PLAIN, 0), (shop, 1), (PLAIN.model_copy(update={"kind": "dpo_jsonl"}), 1)):
        piece = Piece(source.path, content, first)
        assert [*runs(piece, "support", source)] == [piece]
