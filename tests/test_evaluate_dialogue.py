"""Dialogues: call, result, answer; which answers are asked for; results recorded before results run."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import Completion, Dialogue, Prompt
from ftbuild.evaluate.dialogue import Play, begun, every_target, play, results_for
from ftbuild.tools.results import OURS

USER = {"role": "user", "content": "How much are six boxes at 14.50 each?"}
CALLS = {"role": "assistant", "tool_calls": [ToolCall("call_1", "calculate", '{"expression": "6*14.50"}').to_json()]}
TOLD = {"role": "tool", "tool_call_id": "call_1", "content": '{"value": 87}'}
ANSWER = {"role": "assistant", "content": "They cost 87."}
MORE = {"role": "user", "content": "And two?"}
LAST = {"role": "assistant", "content": "29."}
EXAMPLE: dict[str, Any] = {"id": "x", "raw": "And two?", "messages": [USER, CALLS, TOLD, ANSWER, MORE, LAST]}
PROMPT = Prompt((Message("user", "6 boxes?"),), {"seed": 7})


def calling(*expressions: str, ids: tuple[str, ...] = ()) -> Completion:
    names = ids or [f"id{number}" for number in range(len(expressions))]
    arguments = [json.dumps({"expression": each}) for each in expressions]
    calls = tuple(ToolCall(name, "calculate", each) for name, each in zip(names, arguments, strict=True))
    return Completion("", "tool_calls", 0.5, 10, 5, calls)


def played(dialogue: Play, *answers: Completion) -> tuple[list[Prompt], Dialogue]:
    asked = [next(dialogue)]
    for answer in answers[:-1]:
        asked.append(dialogue.send(answer))
    with pytest.raises(StopIteration) as stop:
        dialogue.send(answers[-1])
    return asked, stop.value.value


def calculator() -> Callable[[ToolCall], str | None]:
    return results_for([], {"calculate": OURS["calculator"].make(b"")})


def test_a_call_gets_its_result_and_the_answer_comes_after_it() -> None:
    answer = Completion("They cost 87.", "stop", 0.25, 30, 6)
    asked, dialogue = played(play(PROMPT, 3, calculator()), calling("6*14.50", "1/0"), answer)
    calls = calling("6*14.50", "1/0").tool_calls
    way = (
        Message("assistant", None, calls),
        Message("tool", '{"expression": "6*14.50", "value": 87}', tool_call_id="id0"),
        Message("tool", '{"error": "division by zero"}', tool_call_id="id1"),
    )
    assert asked == [PROMPT, Prompt((*PROMPT.messages, *way), {"seed": 7})]
    assert dialogue == Dialogue(Completion("They cost 87.", "stop", 0.75, 40, 11), way)
    assert dialogue.first.tool_calls == calls
    assert Dialogue.from_json(json.loads(json.dumps(dialogue.to_json()))) == dialogue


@pytest.mark.parametrize("turns", [2, 3, 5])
def test_a_dialogue_that_only_calls_ends_with_its_turns(turns: int) -> None:
    asked, dialogue = played(play(PROMPT, turns, calculator()), *[calling("1+1")] * turns)
    assert (len(asked), dialogue.ended, len(dialogue.way)) == (turns, "turns", 2 * (turns - 1))


def test_one_turn_is_a_request_and_an_answer() -> None:
    asked, dialogue = played(play(PROMPT, 1, calculator()), calling("1+1"))
    assert (asked, dialogue) == ([PROMPT], Dialogue(calling("1+1")))


def test_a_call_without_a_result_ends_a_dialogue() -> None:
    _, dialogue = played(play(PROMPT, 3, results_for([USER, CALLS, TOLD], {})), calling("6*14.50", "1+1"))
    assert dialogue == Dialogue(calling("6*14.50", "1+1"), (), "result")


def test_a_call_that_was_cut_is_not_run() -> None:
    cut = Completion("", "length", tool_calls=calling("1+1").tool_calls)
    _, dialogue = played(play(PROMPT, 3, calculator()), cut)
    assert (dialogue.way, dialogue.ended) == ((), None)


@pytest.mark.parametrize("ids", [("", ""), ("same", "same"), ("call_1", "new")])
def test_calls_get_ids_where_they_have_none_or_one_that_is_taken(ids: tuple[str, str]) -> None:
    history = Message("assistant", None, (ToolCall("call_1", "calculate", "{}"),))
    prompt = Prompt((*PROMPT.messages, history, Message("tool", "1", tool_call_id="call_1"), *PROMPT.messages))
    asked, _ = played(play(prompt, 3, calculator()), calling("1+1", "2+2", ids=ids), Completion("4", "stop"))
    said, *told = asked[1].messages[len(prompt.messages) :]
    assert [each.id for each in said.tool_calls] == [each.tool_call_id for each in told] == ["call_2", "call_3"]


def test_a_recorded_result_goes_before_one_that_is_run_and_is_found_however_the_arguments_are_spelt() -> None:
    recorded: list[dict[str, Any]] = [
        {"role": "assistant", "tool_calls": [ToolCall("a", "f", '{"x": 1, "y": "é"}').to_json()]},
        {"role": "tool", "tool_call_id": "a", "content": "recorded"},
    ]
    result = results_for(recorded, {"f": lambda _name, _arguments: "run"})
    assert result(ToolCall("b", "f", '{"y":"\\u00e9","x":1}')) == "recorded"
    assert result(ToolCall("b", "f", '{"y":"e","x":1}')) == '"run"'
    assert result(ToolCall("b", "g", '{"y":"e","x":1}')) is None


def turns_of(*turns: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Return turns of calls of `f` by id and arguments, each with its result."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        messages.append({"role": "user", "content": "?"})
        calls = [ToolCall(name, "f", arguments).to_json() for name, arguments, _ in turn]
        messages.append({"role": "assistant", "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": name, "content": told} for name, _, told in turn]
    return messages


def test_an_id_that_a_later_turn_uses_again_is_another_call() -> None:
    result = results_for(turns_of([("call_id", '{"x": 1}', "one")], [("call_id", '{"x": 2}', "two")]), {})
    assert [result(ToolCall("z", "f", f'{{"x": {x}}}')) for x in (1, 2, 3)] == ["one", "two", None]


def test_calls_of_a_turn_with_one_id_are_answered_in_their_order() -> None:
    result = results_for(turns_of([("", '{"x": 1}', "one"), ("", '{"x": 2}', "two")]), {})
    assert [result(ToolCall("z", "f", f'{{"x": {x}}}')) for x in (1, 2)] == ["one", "two"]


def test_of_a_call_that_was_made_twice_the_first_result_counts() -> None:
    result = results_for(turns_of([("a", '{"x": 1}', "one")], [("b", '{"x": 1}', "again")]), {})
    assert result(ToolCall("z", "f", '{"x": 1}')) == "one"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "1.0", True),
        ('[1, {"y": 2e1}]', '[1.0, {"y": 20}]', True),
        ("0", "-0.0", True),
        ("0.5", "5e-1", True),
        ("1", "true", False),
        ("1", '"1"', False),
        ("1", "1.5", False),
        ("9007199254740993", "9007199254740992", False),
    ],
)
def test_numbers_that_are_equal_in_json_are_the_same_argument(one: str, other: str, same: bool) -> None:
    result = results_for(turns_of([("a", f'{{"x": {one}}}', "told")]), {})
    assert result(ToolCall("z", "f", f'{{"x": {other}}}')) == ("told" if same else None)


def test_a_dialogue_begins_behind_the_last_message_of_the_user() -> None:
    assert begun([USER, CALLS, TOLD, ANSWER]) == 1
    assert begun(EXAMPLE["messages"]) == 5
    assert begun([{"role": "system", "content": "s"}, LAST]) == 1


def test_every_answer_is_a_target() -> None:
    points = list(every_target([EXAMPLE], whole=False))
    assert [(each["id"], each.get("of"), each["raw"], len(each["messages"])) for each in points] == [
        ("x#1", "x", USER["content"], 2),
        ("x#2", "x", USER["content"], 4),
        ("x", None, "And two?", 6),
    ]


def test_criteria_are_of_the_last_answer_alone() -> None:
    points = every_target([{**EXAMPLE, "criteria": [{"type": "is-json"}]}], whole=False)
    assert [each.get("criteria") for each in points] == [None, None, [{"type": "is-json"}]]


def test_with_dialogues_calls_results_and_answer_are_one_target() -> None:
    points = list(every_target([{**EXAMPLE, "rejected": LAST}], whole=True))
    assert [(each["id"], len(each["messages"]), "rejected" in each) for each in points] == [
        ("x#1", 4, False),
        ("x", 6, True),
    ]


def test_an_answer_not_to_be_learnt_is_no_target() -> None:
    messages = [USER, {**ANSWER, "weight": 0}, MORE, LAST]
    assert [each["id"] for each in every_target([{**EXAMPLE, "messages": messages}], whole=True)] == ["x"]
