"""The generator: as many requests as were asked for, the same each time, and nothing in two splits."""

import json
import re
from collections import Counter
from typing import Any

import pytest
import yaml

from ftbuild.example import USUAL, Example
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.sources import read

CITIES = [f"City{number}" for number in range(40)]
FILE: dict[str, Any] = {
    "values": {
        "city": CITIES,
        "day": [{"say": f"on {day}", "value": day} for day in ("Monday", "Tuesday", "Friday")],
        "amount": [*range(1, 30), {"say": "forty and a half", "value": 40.5}],
        "currency": [{"say": "euros", "value": "EUR"}, {"say": "yen", "value": "JPY"}],
    },
    "tools": {
        "get_weather": {
            "arguments": ["city", "day"],
            "train": ["weather {day} in {city}", *(f"way {n} to ask of {{city}}" for n in range(12))],
            "unseen": ["do I need an umbrella in {city} {day}"],
        },
        "convert": {
            "arguments": ["amount", "from", "to"],
            "train": [f"{{amount}} {{from:currency}} in {{to:currency}}, kind {n}" for n in range(12)],
            "unseen": ["what do {amount} {from:currency} come to in {to:currency}"],
        },
    },
    "joiners": {"train": ["{a}, and {b}", "{a}. Also, {b}"], "unseen": ["first {a}, then {b}"]},
    "none": {
        "train": [{"request": f"I like number {n}.", "answer": "Nice."} for n in range(60)],
        "unseen": [{"request": f"Do you know poem {n}?", "answer": "I do."} for n in range(9)],
    },
}
FIELDS: dict[str, Any] = {
    "n": 200,
    "unseen": {"values": 40, "phrasings": 30},
    "calls": {"one": 2, "two": 2, "three": 1},
    "quiet": 0.15,
    "seed": 7,
}


def made(file: dict[str, Any] = FILE, **changed: Any) -> list[Example]:
    found, problems = generated(file, **changed)
    assert problems == []
    return found


def generated(file: Any = FILE, **changed: Any) -> tuple[list[Example], list[Problem]]:
    fields = FIELDS | changed
    source = Source.model_validate(
        {"kind": "generator", "path": "d/x.yaml", "licence": "CC0-1.0", "origin": "here", **fields}
    )
    content = file if isinstance(file, bytes) else yaml.safe_dump(file, sort_keys=False).encode()
    return read(content, "asked", source)


def values_of(examples: list[Example], argument: str) -> set[Any]:
    calls = [json.loads(call.arguments) for example in examples for call in example.target.tool_calls]
    return {each[argument] for each in calls if argument in each}


def test_there_are_as_many_of_each_part_as_were_asked_for() -> None:
    found = made()
    assert Counter(each.only for each in found) == {"train": 180, "validation": 20, "test": 70}
    assert Counter(each.slices.get("unseen") for each in found if each.only == "test") == {
        "values": 40,
        "phrasings": 30,
    }
    quiet = Counter(each.only for each in found if each.slices["calls"] == "none")
    assert quiet == {"train": 27, "validation": 3, "test": 6 + 4}
    assert len({each.raw for each in found}) == len(found)


def test_calls_come_as_often_as_their_weights_say() -> None:
    many = {**FILE["values"], "city": [*map(str, range(900))], "amount": [*range(900)]}
    found = made({**FILE, "values": many}, n=1000, quiet=0)
    counts = Counter(len(each.target.tool_calls) for each in found if each.only == "train")
    assert {arity: round(n / 900, 1) for arity, n in counts.items()} == {1: 0.4, 2: 0.4, 3: 0.2}


def test_no_value_of_a_large_pool_and_no_phrasing_is_in_two_splits() -> None:
    found = made()
    for argument in ("city", "amount"):
        by_split = [values_of([each for each in found if each.only == split], argument) for split in USUAL]
        assert sum(map(len, by_split)) == len(set.union(*by_split))
        assert all(by_split)
    kinds = {split: {kind for each in found if each.only == split for kind in re.findall(r"(?:kind|way) \d+", each.raw)}
             for split in ("train", "validation")}  # fmt: skip
    assert kinds["train"] & kinds["validation"] == set()
    assert not any("umbrella" in each.raw or "come to" in each.raw for each in found if each.only != "test")
    assert values_of(found, "day") == {"Monday", "Tuesday", "Friday"}


def test_a_text_in_parts_stands_for_each_of_them_and_a_file_may_be_to_learn_from_alone() -> None:
    ways = [f"(is it (1) warm|rain) {{city}}( {{day}}|) {n}".replace("(is it (1) ", "is it (1) (") for n in range(12)]
    file = {
        "values": {
            "city": ["(Upper|Lower) Town", *CITIES, {"say": "(the |)Hague", "value": "The Hague"}],
            "day": ["now"],
        },
        "tools": {"get_weather": {"arguments": ["city", "day"], "train": ways}},
        "joiners": {"train": ["{a}(;|, and) {b}"]},
    }
    found = made(file, unseen=None, quiet=None)
    assert {each.only for each in found} == {"train", "validation"}
    one = [each for each in found if each.slices["calls"] == "one"]
    assert {(each.raw.split()[3], "now" in each.raw) for each in one} == {
        (w, d) for w in ("warm", "rain") for d in (True, False)
    }
    assert all(("now" in each.raw) == ("day" in each.target.tool_calls[0].arguments) for each in one)
    assert {"; is", ", and is"} == {joiner for each in found for joiner in ("; is", ", and is") if joiner in each.raw}
    assert values_of(found, "city") >= {"Upper Town", "Lower Town", "The Hague"}
    assert not any("|" in each.raw for each in found)


def test_what_is_learnt_from_alone_keeps_no_value_for_a_test_and_moves_none_into_validation() -> None:
    def cities(unseen: dict[str, int] | None, split: str) -> set[str]:
        found, _ = generated(FILE, n=3000, unseen=unseen)
        text = " ".join(each.raw for each in found if each.only == split)
        return set(re.findall(r"City\d+", text))

    tested = FIELDS["unseen"]
    assert cities(None, "validation") == cities(tested, "validation")
    assert cities(None, "train") == cities(tested, "train") | cities(tested, "test")
    assert cities(tested, "test")
    assert cities(None, "test") == set()


def test_the_answer_holds_the_values_that_were_said_in_the_order_of_the_tool() -> None:
    for example in made():
        for call in example.target.tool_calls:
            given = json.loads(call.arguments)
            order = FILE["tools"][call.name]["arguments"]
            assert list(given) == [name for name in order if name in given]
            if call.name == "convert":
                assert given["from"] != given["to"]
                assert isinstance(given["amount"], int | float)
            else:
                assert given["city"] in example.raw
        assert [call.id for call in example.target.tool_calls] == [
            f"call_{number}" for number in range(1, len(example.target.tool_calls) + 1)
        ]


def test_no_request_makes_the_same_call_twice() -> None:
    few = {**FILE["values"], "city": CITIES[:20], "amount": [*range(1, 9)]}
    file = {**FILE, "values": few}
    calls = [each.messages[-1].tool_calls for each in made(file, calls={"one": 0, "two": 0, "three": 1})]
    assert sum(map(len, calls)) > 300
    assert all(len({(call.name, call.arguments) for call in each}) == len(each) for each in calls)


def test_requests_read_as_sentences() -> None:
    for example in made():
        assert re.fullmatch(r"[A-Z0-9].*[.?]", example.raw)
        assert "{" not in example.raw


def test_the_line_is_that_of_the_phrasing() -> None:
    content = yaml.safe_dump(FILE, sort_keys=False)
    lines = content.split("\n")
    for example in made():
        said = re.search(r"kind \d+|way \d+ to|umbrella|come to|weather|number|poem", lines[example.line - 1], re.I)
        assert said
        assert said[0].lower() in example.raw.lower()


def test_the_same_file_and_settings_give_the_same_and_another_seed_others() -> None:
    assert made() == made()
    assert {each.raw for each in made(seed=8)} != {each.raw for each in made()}


def test_a_value_more_moves_no_other_to_another_split() -> None:
    more = {**FILE, "values": {**FILE["values"], "city": ["Newtown", *CITIES]}}
    before = {city: each.only for each in made() for city in values_of([each], "city")}
    after = {city: each.only for each in made(more) for city in values_of([each], "city")}
    assert {city: split for city, split in after.items() if city in before} == {
        city: split for city, split in before.items() if city in after
    }


def test_a_source_may_ask_for_some_of_the_tools() -> None:
    called = {call.name for each in made(tools=["convert"], n=60, unseen=None) for call in each.target.tool_calls}
    assert called == {"convert"}
    _, [problem] = generated(tools=["fly"])
    assert str(problem) == "d/x.yaml: no tool 'fly'\n    Fix: there are get_weather, convert.    bad-generator"


def test_where_there_are_not_so_many_requests_it_is_said() -> None:
    few = {**FILE, "values": {**FILE["values"], "city": ["Oslo"], "amount": [1]}}
    found, problems = generated(few, n=2000, calls={"one": 1, "two": 0, "three": 0}, quiet=0)
    assert len(found) < 2000
    assert [problem.rule for problem in problems] == ["few-requests"] * len(problems)
    assert str(problems[0]).endswith("Fix: add phrasings or values.    few-requests")


def test_a_split_that_the_digests_leave_empty_gets_an_entry_of_its_own() -> None:
    for n in range(2, 8):
        few = {**FILE, "tools": {**FILE["tools"]}}
        few["tools"]["convert"] = {**FILE["tools"]["convert"], "train": FILE["tools"]["convert"]["train"][:n]}
        found, _ = generated(few, n=600, tools=["convert"], quiet=0, calls={"one": 1, "two": 0, "three": 0})
        ways = {split: {way for each in found if each.only == split for way in re.findall(r"kind \d+", each.raw)}
                for split in ("train", "validation")}  # fmt: skip
        assert ways["train"]
        assert ways["validation"]
        assert ways["train"] & ways["validation"] == set()


def broken(*path: Any, to: Any) -> dict[str, Any]:
    file = json.loads(json.dumps(FILE))
    inner = file
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = to
    return file  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"values: [", "d/x.yaml:2: not YAML    bad-generator"),
        (
            {},
            "no map 'values'\n    Fix: a file has values, tools and joiners, and none for quiet ones.    bad-generator",
        ),
        (
            broken("values", "city", 3, to=True),
            "values.city[3]: True is no value\n"
            "    Fix: quote what YAML reads as a truth value, a clock, no number or nothing.    bad-generator",
        ),
        (broken("values", "city", to=[]), "values.city: no values    bad-generator"),
        (
            broken("tools", "convert", "train", 2, to="{amount} {unit}"),
            "tools.convert.train[2]: no argument 'unit'    bad-generator",
        ),
        (
            broken("tools", "convert", "unseen", 0, to="{amount:sum}"),
            "tools.convert.unseen[0]: no pool 'sum'    bad-generator",
        ),
        (
            broken("tools", "convert", "train", to=["{amount}"]),
            "convert: 1 to learn from, too few to have some for each split\n    Fix: add some.    bad-generator",
        ),
        (
            broken("values", "city", 0, to=float("nan")),
            "values.city[0]: nan is no value\n"
            "    Fix: quote what YAML reads as a truth value, a clock, no number or nothing.    bad-generator",
        ),
        (
            broken("joiners", "train", 0, to="({a}|first), and {b}"),
            "joiners.train[0]: '({a}|first), and {b}' leaves a request out\n"
            '    Fix: write both, as in "{a}, and {b}".    bad-generator',
        ),
        (
            broken("tools", "convert", "train", 0, to="(please|)"),
            "tools.convert.train[0]: '(please|)' may say nothing\n    Fix: add a word.    bad-generator",
        ),
        (
            b"values: {a: [x]}\nvalues: {b: [y]}\n",
            "d/x.yaml:2: key 'values' twice\n    Fix: keep one of them.    bad-generator",
        ),
        (
            broken("tools", 5, to=FILE["tools"]["convert"]),
            "tools.5: 5 is no name of a tool\n    Fix: quote it.    bad-generator",
        ),
        (
            broken("joiners", "train", to=[]),
            "joiners.train: [] is no list of texts\n    Fix: quote what YAML reads as no text.    bad-generator",
        ),
        (
            broken("none", "unseen", 0, to={"request": "Hi."}),
            "none.unseen[0]: {'request': 'Hi.'} is no request with its answer\n"
            "    Fix: write {request: ..., answer: ...}, both quoted.    bad-generator",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place(file: Any, said: str) -> None:
    found, [problem] = generated(file)
    assert found == []
    assert str(problem).removeprefix("d/x.yaml: ") == said
