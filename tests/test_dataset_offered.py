"""What a provider is offered instead of the tools as they are, and answers read back as calls of the tools."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own
from conversations_fixture import examples
from hypothesis import given
from hypothesis import strategies as st
from training_lines import in_bytes

from ftbuild.chat import Message, Tool, ToolCall
from ftbuild.dataset.offered import CUT, Terms, beside, losses, may_name_others, named, names_told, offered, pairs
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rules.lines import check
from ftbuild.rules.pack import PACKS
from ftbuild.tools.names import is_taken, provider_names
from ftbuild.tools.own import as_it_was, own_calls

ADD = Tool(
    "math.add",
    "Add numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number", "default": 1}},
        "required": ["a"],
    },
)
SKY = Tool("天気", "Weather.", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
CALLS = (ToolCall("c1", "math.add", '{"a": 2}'), ToolCall("c2", "天気", '{"city": "東京"}'))
RESULTS = (Message("tool", "晴れ", tool_call_id="c2"), Message("tool", "3", tool_call_id="c1"))
ASKED = Message("user", "2足す1と、東京の天気は?")


def example(*messages: Message, tools: tuple[Tool, ...] = (ADD, SKY)) -> Example:
    return Example((ASKED, *messages), "0" * 64, "s", "a.jsonl", 1, "g", "raw", tools=tools)


CALLING = example(Message("assistant", None, CALLS))
CALLED = example(Message("assistant", "Let me see.", CALLS), *RESULTS, Message("assistant", "3。晴れ。"))


def sound(found: Example) -> list[str]:
    """Return the rules that its line breaks."""
    line = {name: each for name, each in found.conversation().items() if name in ("messages", "tools")}
    return [problem.rule for problem in check(line, "supervised", PACKS["openai"]) if problem.severity == "error"]


def names_for(some: Iterable[Example], tools: Iterable[Tool] = ()) -> dict[str, str]:
    return names_told([*(name for each in some for name in named(each)), *(tool.name for tool in tools)])


# --- names -----------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=70), unique=True))
def test_names_are_taken_and_no_two_alike_and_fine_ones_stay(names: list[str]) -> None:
    told = provider_names(names)
    assert all(is_taken(each) for each in told.values())
    assert len(set(told.values())) == len(told)
    assert all(told[name] == name for name in names if is_taken(name))


@given(examples(), st.permutations(["math.add", "math_add", "math add", "天気", "翻訳", "x" * 65]))
def test_names_do_not_depend_on_the_order_of_examples(some: Example, names: list[str]) -> None:
    listed = [replace(some, tools=(Tool(name),)) for name in names]
    told = names_for(listed)
    assert told == names_for(sorted(listed, key=lambda each: each.tools[0].name))
    assert "math_add" not in told
    assert len(set(told.values()) | {"math_add"}) == 6


@given(examples())
def test_names_are_looked_for_in_lines_before_they_are_read(some: Example) -> None:
    def lines(each: Example) -> bytes:
        return json.dumps(each.to_json(), ensure_ascii=False).encode()

    assert may_name_others(lines(replace(some, tools=(ADD,))))
    assert may_name_others(lines(replace(some, tools=(SKY,))))
    assert not may_name_others(lines(some)) or names_for([some]) == {}


@given(st.permutations(["math add", "math.add", "math add_ecef409b", "math.add_ecef409b"]))
def test_a_name_that_is_already_told_of_another_is_told_of_no_third(names: list[str]) -> None:
    told = provider_names(names)
    assert len(set(told.values())) == 4
    assert all(map(is_taken, told.values()))


def test_a_call_of_no_tool_keeps_its_name_so_that_people_find_it() -> None:
    call = ToolCall("c1", "no tool", "{}")
    some = example(Message("assistant", None, (call,)))
    assert offered(some, Terms(names_for([some]))).example.target.tool_calls == (call,)


def test_the_names_told_are_pinned() -> None:
    names = ["math.add", "math add", "天気", "x" * 65]
    assert names_for([], [Tool(name) for name in names]) == {
        "math add": "math_add",
        "math.add": "math_add_ecef409b",
        "x" * 65: "x" * 55 + "_9537c5fd",
        "天気": "tool_bc79d84d",
    }


@given(examples())
def test_an_example_that_is_fine_stays_as_it_is(some: Example) -> None:
    terms = Terms(names_for([some]))
    assert offered(some, terms).example is some
    assert beside(pairs(some, terms), terms) == {}


def test_a_provider_is_told_other_names_and_the_own_tools_stand_beside() -> None:
    terms = Terms(names_for([CALLING]))
    told = offered(CALLING, terms).example
    assert [tool.name for tool in told.tools] == ["math_add", terms.names["天気"]]
    assert [call.name for call in told.target.tool_calls] == ["math_add", terms.names["天気"]]
    assert sound(told) == []
    assert told.own_tools == CALLING.tools
    assert told.transforms == ("tool_names",)
    assert Example.from_json(json.loads(json.dumps(told.to_json()))) == replace(told, transforms=())
    assert beside(pairs(told, terms), terms) == {
        "tool_names.json": {"math_add": "math.add", terms.names["天気"]: "天気"}
    }


# --- strict tools ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["base", "tuned"])
def test_strict_tools_are_sound_and_their_calls_have_nulls(target: Any) -> None:
    terms = Terms(names_for([CALLING]), target)
    told = offered(CALLING, terms).example
    assert sound(told) == []
    assert [tool.strict for tool in told.tools] == [True, True]
    assert json.loads(told.target.tool_calls[0].arguments) == {"a": 2, "b": None}
    assert told.target.tool_calls[1].arguments == CALLS[1].arguments
    assert list(losses(pairs(told, terms), terms)) == []
    schemas = beside(pairs(told, terms), terms)["tool_schemas.json"]
    assert (schemas["math.add"]["own"], schemas["math.add"]["strict"]) == (ADD.parameters, True)
    assert schemas["math.add"]["told"]["required"] == ["a", "b"]


def test_two_tools_of_one_name_are_both_kept_beside() -> None:
    """As in a source whose lines bring their own tools."""
    terms = Terms({}, "tuned")
    other = replace(ADD, parameters=SKY.parameters)
    told = {key: two for tool in (ADD, other) for key, two in pairs(example(tools=(tool,)), terms).items()}
    kept = beside(told, terms)["tool_schemas.json"]
    assert {name: each["own"] for name, each in kept.items()} == {
        "math.add": ADD.parameters,
        "math.add (2)": SKY.parameters,
    }


def test_what_strict_tools_lose_is_told_once_for_each() -> None:
    tool = Tool("t", "T.", {"type": "object", "properties": {"x": {"type": "string", "minLength": 3}}})
    terms = Terms({}, "tuned")
    told = pairs(offered(example(tools=(tool, replace(tool))), terms).example, terms)
    assert list(losses(told, terms)) == [
        Problem(
            "3 is no longer demanded",
            at="tools.t.properties.x.minLength",
            why="Answers are scored against the tool as it was.",
            rule="strict-tools",
            severity="warning",
        )
    ]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ('{"b": 1e3, "a": 0.10}', '{"a": 0.10, "b": 1e3}'),
        ('{"b":1.50}', '{"a": null, "b": 1.50}'),
        ('{"a":1.0,"b":2.0}', '{"a":1.0,"b":2.0}'),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ('{"a": 1e400}', '{"a": 1e400}'),
    ],
)
def test_strict_arguments_stand_in_the_order_of_the_tool_with_their_digits(own: str, told: str) -> None:
    tool = Tool("t", "T.", {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}})
    some = example(Message("assistant", None, (ToolCall("c1", "t", own),)), tools=(tool,))
    assert offered(some, Terms({}, "tuned")).example.target.tool_calls[0].arguments == told


@pytest.mark.parametrize("parameters", [{"type": "dict"}, {"required": True}, {"properties": {"x": {"$ref": "#/no"}}}])
def test_a_tool_whose_schema_is_none_stays_for_the_rules_to_tell(parameters: Any) -> None:
    some = example(Message("assistant", None, (ToolCall("c1", "t", "{}"),)), tools=(Tool("t", "T.", parameters),))
    assert offered(some, Terms({}, "tuned")).example is some


def test_a_tool_that_cannot_be_strict_stays_as_it_is() -> None:
    tool = Tool("t", "T.", {"type": "object", "anyOf": [{"properties": {"x": {"type": "string"}}}]})
    told = offered(example(tools=(tool,)), Terms({}, "tuned")).example
    assert told.tools == (tool,)
    [problem] = losses(pairs(told, Terms({}, "tuned")), Terms({}, "tuned"))
    assert problem.what == "stays as it is, and not strict: the outermost schema offers a choice"
    many = Tool("t", "T.", {"type": "object", "properties": {f"p{n}": {"type": "null"} for n in range(5001)}})
    told = offered(example(tools=(many,)), Terms({}, "tuned")).example
    [problem] = losses(pairs(told, Terms({}, "tuned")), Terms({}, "tuned"))
    assert (problem.at, problem.what) == (
        "tools.t",
        "stays as it is, and not strict: 5,001 properties, at most 5,000",
    )


# --- one call at a time ----------------------------------------------------------------------------


def test_calls_with_results_become_turns() -> None:
    found = offered(CALLED, Terms(one_by_one=True))
    assert found.n_cut == 0
    assert found.example.messages == (
        ASKED,
        Message("assistant", "Let me see.", CALLS[:1]),
        RESULTS[1],
        Message("assistant", None, CALLS[1:]),
        RESULTS[0],
        CALLED.target,
    )
    assert found.example.parallel_tool_calls is False


def test_of_calls_without_results_the_first_stays_and_the_loss_is_counted() -> None:
    found = offered(CALLING, Terms(one_by_one=True))
    assert (found.example.target.tool_calls, found.n_cut) == (CALLS[:1], 1)


def test_calls_cut_off_a_rejected_answer_are_counted_too() -> None:
    some = replace(example(Message("assistant", "3.")), rejected=Message("assistant", None, CALLS))
    found = offered(some, Terms(one_by_one=True))
    assert found.example.rejected == Message("assistant", None, CALLS[:1])
    assert found.n_cut == 1


def test_a_result_that_no_call_asked_for_stays_for_the_rules_to_tell() -> None:
    stray = Message("tool", "?", tool_call_id="c9")
    some = example(Message("assistant", None, CALLS), stray, *RESULTS, Message("assistant", "3."))
    found = offered(some, Terms(one_by_one=True)).example
    assert stray in found.messages
    assert "tool-result-without-call" in sound(found)


@given(examples())
def test_one_by_one_leaves_one_call_a_message_and_sound_lines(some: Example) -> None:
    found = offered(some, Terms(one_by_one=True))
    messages = found.example.messages
    assert all(len(each.tool_calls) < 2 for each in messages)
    n_before, n_after = (sum(len(each.tool_calls) for each in listed) for listed in (some.messages, messages))
    assert n_before - n_after == found.n_cut
    results = [each for each in some.messages if each.role == "tool"]
    assert sorted(map(str, results)) == sorted(str(each) for each in messages if each.role == "tool")
    broken = {"tool-call-without-result", "tool-result-without-call", "roles-alternate", "calls-against-flag"}
    assert not broken & set(sound(found.example))
    assert offered(found.example, Terms(one_by_one=True)) == replace(found, n_cut=0)


# --- and back --------------------------------------------------------------------------------------


@given(st.booleans(), st.booleans())
def test_what_was_offered_is_read_back_as_it_was(named: bool, strict: bool) -> None:
    terms = Terms(names_for([CALLED]) if named else {}, "tuned" if strict else None)
    for each in (CALLING, CALLED):
        line = json.loads(json.dumps(offered(each, terms).example.conversation()))
        assert as_it_was(line) == json.loads(json.dumps(each.conversation()))


def test_a_rejected_answer_is_read_back_too() -> None:
    some = replace(CALLING, rejected=Message("assistant", None, CALLS[1:]))
    line = json.loads(json.dumps(offered(some, Terms(names_for([some]), "tuned")).example.conversation()))
    assert as_it_was(line) == json.loads(json.dumps(some.conversation()))


def test_answers_are_calls_of_the_own_tools() -> None:
    terms = Terms(names_for([CALLING]), "tuned")
    line = offered(CALLING, terms).example.conversation()
    answer = [
        ToolCall("x1", "math_add", '{"a": 2, "b": null}'),
        ToolCall("x2", "math_add", "{"),
        ToolCall("x3", "else", '{"b": null}'),
        ToolCall("x4", "math_add", f'{{"a": {"[" * 600}{"]" * 600}}}'),
    ]
    assert own_calls(answer, line) == (
        ToolCall("x1", "math.add", '{"a": 2}'),
        ToolCall("x2", "math.add", "{"),
        ToolCall("x3", "else", '{"b": null}'),
        ToolCall("x4", "math.add", answer[3].arguments),
    )
    assert own_calls(answer, CALLING.conversation()) == tuple(answer)


# --- as a whole ------------------------------------------------------------------------------------

CHATS = """
    # Chats with tools of other origin.   ftbuild show +experiment=sums
    kind: chat_jsonl
    path: data/chats.jsonl
    licence: CC0-1.0
    origin: Written for a test
"""
EXPERIMENT = """
    # Sums and skies.   ftbuild +experiment=sums
    defaults:
      - /source@dataset.sources.chats: chats
      - override /style: plain
      - override /goal: closer
      - override /evaluation: answers
    dataset: {split: {validation: 0.2, test: 0.3, seed: 4}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    project = Own(tmp_path)
    project.write("conf/source/chats.yaml", CHATS)
    project.experiment("sums", EXPERIMENT)
    project.write(
        "conf/provider/one.yaml",
        "# One call at a time.   ftbuild plan +experiment=sums provider=one\n"
        "defaults: [embedded]\nparallel_tool_calls: false\n",
    )
    (project.folder / "data").mkdir()
    lines = []
    for n in range(40):
        asked = {"role": "user", "content": f"{n}?"}
        call = {"a": n}
        given_ = [
            {**each.to_json(), "function": {"name": each.name, "arguments": json.dumps(call)}}
            if each.name == "math.add"
            else each.to_json()
            for each in CALLS
        ]
        answer = {"role": "assistant", "tool_calls": given_}
        lines.append({"messages": [asked, answer], "tools": [ADD.to_json(), SKY.to_json()]})
    (project.folder / "data" / "chats.jsonl").write_bytes(in_bytes(lines))
    return project


def built(own: Own, *words: str) -> tuple[list[dict[str, Any]], str]:
    ended = own.run("dataset", "+experiment=sums", *words)
    assert ended.code == 0, ended.err
    lines = (own.folder / ended.out.strip() / "train.jsonl").read_bytes().splitlines()
    return [json.loads(each) for each in lines], ended.err


def test_foreign_names_are_mapped_and_the_map_lies_beside_the_lines(own: Own) -> None:
    lines, _ = built(own)
    names = {tool["function"]["name"] for line in lines for tool in line["tools"]}
    assert names == {"math_add", "tool_bc79d84d"}
    assert all(list(line) == ["messages", "tools"] for line in lines)
    [folder] = (own.folder / "datasets" / "built" / "sums").iterdir()
    assert json.loads((folder / "tool_names.json").read_bytes()) == {"math_add": "math.add", "tool_bc79d84d": "天気"}
    assert "`tool_names.json` holds the name that each tool was told by, with its own.\n" in (
        folder / "card.md"
    ).read_text(encoding="utf-8")
    assert not (folder / "tool_schemas.json").exists()
    told = json.loads((folder / "provenance.jsonl").read_bytes().splitlines()[0])
    assert (told["transforms"], told["because"]["tool_names"]) == (["tool_names"], ["dataset.sources.chats"])
    (folder / "tool_names.json").unlink()
    built(own)
    assert (folder / "tool_names.json").exists()


def test_strict_tools_are_asked_for_in_the_request(own: Own) -> None:
    lines, _ = built(own, "+request.strict_tools=tuned")
    [schemas] = (own.folder / "datasets" / "built" / "sums").glob("*/tool_schemas.json")
    assert list(json.loads(schemas.read_bytes())) == ["math.add", "天気"]
    assert all(tool["function"]["strict"] for line in lines for tool in line["tools"])
    assert all(
        json.loads(line["messages"][-1]["tool_calls"][0]["function"]["arguments"])["b"] is None for line in lines
    )


def test_a_provider_without_parallel_calls_gets_one_call_a_message(own: Own) -> None:
    lines, said = built(own, "provider=one")
    assert {len(line["messages"][-1]["tool_calls"]) for line in lines} == {1}
    assert {line["parallel_tool_calls"] for line in lines} == {False}
    assert "40 calls cut off" in said
    assert CUT == "calls beside the first"
    asked, _ = built(own, "+dataset.parallel_calls=one_by_one")
    assert asked == lines


def test_answers_that_one_call_makes_equal_are_dropped(own: Own) -> None:
    """The usual pair of preferences about parallel calls: all at once, or the first alone."""
    own.write("conf/source/chats.yaml", CHATS.replace("kind: chat_jsonl", "kind: dpo_jsonl"))
    path = own.folder / "data" / "chats.jsonl"
    lines = []
    for number, line in enumerate(map(json.loads, path.read_bytes().splitlines())):
        asked, answer = line["messages"]
        other = {**answer, "tool_calls": [{**answer["tool_calls"][0], "id": "other"}]}
        other = other if number % 2 else {"role": "assistant", "content": "No."}
        given_ = {"messages": [asked], "tools": line["tools"]}
        lines.append({"input": given_, "preferred_output": [answer], "non_preferred_output": [other]})
    path.write_bytes(in_bytes(lines))
    found, said = built(own, "provider=one", "method=dpo")
    assert "20 calls cut off" in said
    assert all(line["non_preferred_output"] != line["preferred_output"] for line in found)


def test_the_flag_against_the_provider_is_told_unless_one_by_one_is_asked_for(own: Own) -> None:
    flag = "+request.parallel_tool_calls=true"
    assert own.refused("dataset", "+experiment=sums", "provider=one", flag) == (
        "command line: request.parallel_tool_calls: true, and the provider takes no parallel calls\n"
        "    Fix: dataset.parallel_calls=one_by_one makes one call follow the other; or leave the flag out.\n"
    )
    lines, _ = built(own, "provider=one", flag, "+dataset.parallel_calls=one_by_one")
    assert {line["parallel_tool_calls"] for line in lines} == {False}
