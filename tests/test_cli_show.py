"""`ftbuild dataset` and `ftbuild show`: the data alone, and how the model sees it."""

import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import TONE, Own
from training_lines import GOOD, ONE_BY_ONE, in_bytes

CHATS = """
    # Our own chats.   ftbuild show +experiment=chats
    kind: chat_jsonl
    path: data/chats.jsonl
    licence: CC0-1.0
    origin: Written for a test
"""
TOOLS = """
    # What the assistant can do.
    ping:
      description: Ask whether a host is there.
      args:
        host: {type: string}
        times: {type: integer, optional: true}
        via: {enum: [ipv4, ipv6], optional: true}
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    project = Own(tmp_path)
    project.write("conf/source/chats.yaml", CHATS)
    project.write("conf/tools/network.yaml", TOOLS)
    project.experiment(
        "chats",
        """
        # Chats with tools.   ftbuild +experiment=chats
        defaults:
          - tone_formal
          - /source@dataset.sources.chats: chats
          - override /goal: right_tone
        dataset: {sources: {pairs: null, unseen: null}, split: {validation: 0.2, test: 0.3, seed: 4}}
        """,
    )
    (project.folder / "data").mkdir()
    write(project, many())
    return project


def many() -> list[dict[str, Any]]:
    """Return thirty lines: with two calls at once, with one, with none, each with tools."""
    lines = [json.loads(json.dumps(each)) for each in GOOD["supervised"] * 3]
    for number, line in enumerate(lines):
        line["messages"][-2 if len(line["messages"]) == 2 else 1]["content"] += f" ({number})"
    return lines


def write(own: Own, lines: list[dict[str, Any]]) -> None:
    (own.folder / "data" / "chats.jsonl").write_bytes(in_bytes(lines))


def built(own: Own, *words: str) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of the dataset by split, built anew."""
    ended = own.run("dataset", "+experiment=chats", *words)
    assert ended.code == 0, ended.err
    folder = own.folder / ended.out.strip()
    names = ("train", "validation", "test", "provenance")
    return {name: [json.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()] for name in names}


def lines_of(made: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [line for split in ("train", "validation", "test") for line in made[split]]


def sorted_(lines: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(line, sort_keys=True) for line in lines)


def test_lines_with_a_system_text_go_to_the_provider_as_they_came(own: Own) -> None:
    given = [line for line in many() if line["messages"][0]["role"] == "system"]
    write(own, given)
    made = built(own)
    assert sorted_(lines_of(made)) == sorted_(given)
    assert all(made[split] for split in made)
    assert {each["line"] for each in made["provenance"]} == set(range(1, len(given) + 1))


def test_lines_without_a_system_text_get_that_of_the_style(own: Own) -> None:
    made = built(own, "style.system='Be brief.'")
    assert {line["messages"][0]["content"] for line in lines_of(made)} == {"Help.", "Be brief."}
    bare = built(own, "style.system=''")
    assert sorted_(lines_of(bare)) == sorted_(many())


def test_lines_without_tools_get_those_of_the_config_and_all_get_the_flag(own: Own) -> None:
    asked = [{"role": "user", "content": "Is h up?"}, {"role": "assistant", "content": "Yes."}]
    bare = [{"messages": [{**asked[0], "content": f"Is h{n} up?"}, asked[1]]} for n in range(40)]
    write(own, [*ONE_BY_ONE, *bare])
    made = lines_of(built(own, "tools=network", "+request.parallel_tool_calls=false"))
    assert {line["parallel_tool_calls"] for line in made} == {False}
    own_tools = [line for line in made if line["tools"][0]["function"]["name"] == "get_weather"]
    assert len(own_tools) == len(ONE_BY_ONE)
    assert next(line["tools"] for line in made if line not in own_tools) == [
        {
            "type": "function",
            "function": {
                "name": "ping",
                "description": "Ask whether a host is there.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "host": {"type": "string"},
                        "times": {"type": "integer"},
                        "via": {"type": "string", "enum": ["ipv4", "ipv6"]},
                    },
                    "required": ["host"],
                    "additionalProperties": False,
                },
            },
        }
    ]


def test_a_broken_line_is_named_as_check_names_it(own: Own) -> None:
    lines = many()
    lines[3]["messages"][2]["tool_calls"][0]["function"]["arguments"] = "{'city': 'Rome'}"
    lines[5]["ticket"] = "kept out of the line"
    write(own, lines)
    ended = own.run("dataset", "+experiment=chats")
    assert (ended.code, ended.out) == (1, "")
    assert "data/chats.jsonl:4: messages[2].tool_calls[0].function.arguments: not JSON (column 2: " in ended.err
    assert "chats.jsonl:6" not in ended.err


def test_calls_of_a_line_without_tools_are_held_to_those_of_the_config(own: Own) -> None:
    write(own, [{"messages": line["messages"]} for line in many()])
    ended = own.run("dataset", "+experiment=chats")
    assert ended.code == 1
    assert ".tool_calls[0].function.name: a call of 'get_weather', and the line has no tools" in ended.err
    own.write("conf/tools/both.yaml", "# Both.\nget_weather: {description: Weather., args: {city: {type: string}}}\n"
              "calculate: {description: Work out., args: {expression: {type: string}}}\n")  # fmt: skip
    ended = own.run("dataset", "+experiment=chats", "tools=both")
    assert ended.code == 1
    assert "tool_calls[0].function.arguments: Additional properties are not allowed ('day' was unexpected)" in ended.err


def test_fields_beside_the_line_group_and_slice_it(own: Own) -> None:
    write(own, [{**line, "ticket": number // 3, "lang": "en"} for number, line in enumerate(many())])
    fields = ["+dataset.sources.chats.group=ticket", "+dataset.sources.chats.slices={language: lang}"]
    made = built(own, *fields)
    assert all("ticket" not in line for line in lines_of(made))
    splits: dict[str, set[str]] = {}
    for each in made["provenance"]:
        splits.setdefault(each["group"], set()).add(each["split"])
    assert (len(splits), {len(each) for each in splits.values()}) == (12, {1})
    refused = own.run("dataset", "+experiment=chats", "+dataset.sources.chats.group=tickets")
    assert refused.err.startswith(
        "data/chats.jsonl: dataset.sources.chats.group: 'tickets' is a field of no line\n    Fix: a line has 'ticket'"
    )


def test_show_writes_nothing_and_tells_tokens_tools_and_place(own: Own) -> None:
    ended = own.run("show", "+experiment=chats", "--split", "test", "--count", "2", "--format", "json")
    [first, second] = json.loads(ended.out)["examples"]
    assert (first["split"], first["line"], second["line"], first["n_learnt"]) == ("test", 1, 2, 0)
    assert first["tools"] == many()[0]["tools"]
    assert first["path"] == "data/chats.jsonl"
    assert list((own.folder).glob("outputs*")) == []


def test_show_writes_calls_as_people_do(own: Own) -> None:
    write(own, [line for line in many() if line["messages"][0]["role"] == "system"])
    ended = own.run("show", "+experiment=chats", "-n", "1", columns=110)
    head, tools, system, user, *calls = ended.out.splitlines()
    assert head.startswith("train, line 1 of ")
    assert head.endswith(" of them learnt")
    assert tools == "  tools      get_weather calculate"
    assert (system, user.startswith("  user       Weather in ")) == ("  system     Help.", True)
    city = user.removeprefix("  user       Weather in ").partition(",")[0]
    assert [" ".join(each.split()) for each in calls] == [
        f'assistant get_weather(city="{city}", day="today") learnt',
        'calculate(expression="2+3") learnt',
        "tool 5",
        "tool Rain.",
        f"assistant It rains in {city}, and 2+3 is 5. learnt",
    ]


def test_show_tells_the_rejected_answer_of_a_preference_and_that_it_is_not_learnt(own: Own) -> None:
    ended = own.run("show", "+experiment=dpo_tone", "-n", "1")
    assert ended.code == 0, ended.err
    roles = [line.split()[0] for line in ended.out.splitlines()[1:] if line[2:3].strip()]
    assert roles == ["system", "user", "assistant", "assistant"]
    marked = [line.split()[-1] for line in ended.out.splitlines()[1:] if line.startswith("  assistant")]
    assert marked == ["learnt", "rejected"]
    [chosen] = json.loads(own.run("show", "+experiment=dpo_tone", "-n", "1", "--format", "json").out)["examples"]
    assert 0 < chosen["n_learnt"] < chosen["n_tokens"]
    assert chosen["rejected"]["role"] == "assistant"


def test_of_a_sweep_the_points_that_can_be_built_are_written(own: Own) -> None:
    ended = own.run("dataset", "-m", "+experiment=chats", "dataset.split.test=0.3,0", "dataset.split.seed=4")
    assert ended.code == 1
    assert len(ended.out.splitlines()) == 1
    assert "no example in the test split" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--split", "tests"], "--split takes train, validation, test, confirm, not 'tests'\n    Fix: --split test\n"),
        (["-n", "0"], "-n takes a number above 0, not '0'\n    Fix: -n 3\n"),
        (["-m"], "show takes no -m\n"),
    ],
)
def test_bad_use_is_answered_with_the_remedy(own: Own, words: list[str], said: str) -> None:
    ended = own.run("show", TONE, *words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"command line: {said}")
