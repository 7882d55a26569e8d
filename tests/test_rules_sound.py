"""What is told to be sound the quick way is what the rules find nothing in; of what it doubts it says nothing."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from training_lines import BROKEN, CITIES, GOOD, Broken, Line, one_by_one, supervised

from ftbuild.rules.lines import METHODS, weighed
from ftbuild.rules.pack import PACKS, Pack
from ftbuild.rules.sound import is_sound, stays_sound
from ftbuild.sources.conversations import PACK as READ

PACK = PACKS["openai"]
NOISE = st.sampled_from(
    [None, True, 0, 1, "", " ", "<|end|>", "user", "tool", "assistant", "system", "call_1", [], {}, "\ud800"]
)


def plain(line: Line) -> Line:
    """Return a line without weights, which are doubted."""
    line = copy.deepcopy(line)
    for message in line["messages"] if isinstance(line.get("messages"), list) else []:
        if isinstance(message, dict):
            message.pop("weight", None)
    return line


def findings(line: Line, pack: Pack = PACK) -> list[Any]:
    return list(weighed(METHODS["supervised"](line, pack), pack))


def places(value: Any, inside: Any = None, at: Any = None) -> list[tuple[Any, Any]]:
    """Return every place in a value: what holds it, and where it stands there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [] if inside is None else [(inside, at)]
    return found + [place for key, each in list(inner) for place in places(each, value, key)]


LINES = [plain(each) for each in (supervised("Oslo"), one_by_one("Oslo"), GOOD["supervised"][-1])]
LINES.append({**LINES[0], "messages": [{"content": None, **each} for each in LINES[0]["messages"]]})


@pytest.mark.parametrize("line", LINES)
def test_good_lines_are_told_to_be_sound(line: Line) -> None:
    assert is_sound(line, PACK)
    assert findings(line) == []


@pytest.mark.parametrize("broken", [each for each in BROKEN if each.method == "supervised"], ids=lambda each: each.rule)
def test_no_broken_line_is_told_to_be_sound(broken: Broken) -> None:
    value = broken.mutation(supervised(CITIES[4]))
    if isinstance(value, dict):
        assert not is_sound(value, PACK)
        assert not is_sound(plain(value), PACK) or findings(plain(value)) == []


def changed(data: st.DataObject) -> Line:
    """Return a good line to which something was done."""
    line = copy.deepcopy(data.draw(st.sampled_from(LINES)))
    for _ in range(data.draw(st.integers(1, 2))):
        inside, at = data.draw(st.sampled_from(places(line)))
        how = data.draw(st.sampled_from(["take out", "replace", "double", "move", "other key"]))
        if how == "take out":
            del inside[at]
        elif how == "replace":
            inside[at] = copy.deepcopy(data.draw(NOISE))
        elif how == "other key" and isinstance(inside, dict):
            inside[data.draw(st.sampled_from(["name", "content", "x", "refusal", "strict"]))] = inside[at]
        elif isinstance(inside, list):
            each = inside[at] if how == "double" else inside.pop(at)
            inside.insert(data.draw(st.integers(0, len(inside))), copy.deepcopy(each))
    return line


@settings(max_examples=400)
@given(st.data())
def test_whatever_is_done_to_a_line_only_what_is_fine_is_told_to_be_sound(data: st.DataObject) -> None:
    line = changed(data)
    if is_sound(line, PACK):
        assert findings(line) == []


OTHERS = [
    PACK,
    replace(PACK, max_calls=1),
    replace(PACK, call_id_characters=5),
    replace(PACK, name_pattern="[a-z]+"),
    replace(PACK, strict="base"),
]


@pytest.mark.parametrize("other", OTHERS, ids=["same", "fewer calls", "shorter ids", "other names", "other strict"])
@pytest.mark.parametrize("line", LINES)
def test_a_sound_line_stays_sound_by_rules_that_take_as_much(line: Line, other: Pack) -> None:
    assert stays_sound(line, READ, other) <= (findings(line, other) == [])
    assert stays_sound(line, READ, PACK)


@settings(max_examples=200)
@given(st.data(), st.sampled_from(OTHERS))
def test_whatever_is_done_to_a_line_it_stays_sound_only_where_it_is_fine(data: st.DataObject, other: Pack) -> None:
    line = changed(data)
    if not findings(line, READ) and stays_sound(line, READ, other):
        assert findings(line, other) == []


@given(st.lists(st.sampled_from(["system", "user", "assistant", "call", "two calls", "tool", "tool 2"]), max_size=7))
@example(["user", "two calls", "tool 2", "tool", "assistant"])
def test_whatever_the_order_of_messages_sound_is_what_the_rules_let_pass(order: list[str]) -> None:
    line = plain(supervised("Oslo"))
    system, user, calls, second, first, answer = line["messages"]
    forms = {
        "system": system,
        "user": user,
        "assistant": answer,
        "call": {**calls, "tool_calls": calls["tool_calls"][:1]},
        "two calls": calls,
        "tool": first,
        "tool 2": second,
    }
    line["messages"] = [forms[each] for each in order]
    assert is_sound(line, PACK) == (findings(line) == [])
