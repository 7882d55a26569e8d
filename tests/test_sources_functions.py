"""Functions as examples: what a docstring shows becomes a call of the tool, and nothing is run."""

import json
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.settings import Source
from ftbuild.sources import read

GOOD = '''
    raise SystemExit("this is never run")

    def get_weather(city: str, day: str = "today") -> str:
        """Tell the weather.

        Args:
            city: Where.
            day: When.

        Examples:
            "Will it rain in Oslo?" -> get_weather(city="Oslo")
            'Oslo and "Bergen" tomorrow?' -> get_weather("Oslo", day="tomorrow");
                get_weather("Bergen", day="tomorrow")

        Returns:
            Whatever.
        """

    async def convert(amount: float, to: list[str]) -> float:
        """Convert money.

        Examples:
            "Zwölf Euro in Yen?" -> convert(12, to=["JPY"])
            "Rain in Oslo, and 5 in SEK and NOK?" -> get_weather(city="Oslo"); convert(amount=5.5, to=["SEK", "NOK"])
        """

    def unused(x: int) -> int:
        """Not shown, so no tool."""
'''


def source(**fields: Any) -> Source:
    return Source(kind="functions", path="app.py", licence="CC0-1.0", origin="here", **fields)


def found(text: str, **fields: Any) -> tuple[list[Any], list[str]]:
    examples, problems = read(dedent(text).encode(), "s", source(**fields))
    return examples, [str(each) for each in problems]


def test_every_example_calls_what_it_shows_with_all_tools_of_the_file() -> None:
    examples, problems = found(GOOD, slices={"tool": "function", "calls": "n_calls"})
    assert problems == []
    called = [
        (each.line, each.raw, [(call.name, json.loads(call.arguments)) for call in each.target.tool_calls])
        for each in examples
    ]
    assert called == [
        (12, "Will it rain in Oslo?", [("get_weather", {"city": "Oslo"})]),
        (
            13,
            'Oslo and "Bergen" tomorrow?',
            [("get_weather", {"city": city, "day": "tomorrow"}) for city in ("Oslo", "Bergen")],
        ),
        (24, "Zwölf Euro in Yen?", [("convert", {"amount": 12, "to": ["JPY"]})]),
        (
            25,
            "Rain in Oslo, and 5 in SEK and NOK?",
            [("get_weather", {"city": "Oslo"}), ("convert", {"amount": 5.5, "to": ["SEK", "NOK"]})],
        ),
    ]
    assert {tuple(tool.name for tool in each.tools) for each in examples} == {("get_weather", "convert")}
    assert examples[0].tools[0].description == "Tell the weather."
    assert examples[3].slices == {"source": "s", "tool": "convert", "calls": "2"}
    lines = dedent(GOOD).split("\n")
    assert all(each.raw.split()[0] in lines[each.line - 1] for each in examples)


def test_just_some_tools_are_offered_and_shown() -> None:
    examples, problems = found(GOOD, tools=["get_weather"])
    assert problems == []
    assert [each.line for each in examples] == [12, 13]
    assert {tuple(tool.name for tool in each.tools) for each in examples} == {("get_weather",)}
    assert found(GOOD, tools=["get_wether"])[1] == [
        "app.py:1: no function 'get_wether'\n    Fix: the nearest is 'get_weather'.    unknown-tool"
    ]


FORM = '    Fix: write "Will it rain in Oslo?" -> get_weather(city="Oslo").    bad-example'
LITERAL = "    Fix: write it out: a text, a number, True, False, None, a list or a dict.    bad-example"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("Rain? -> f(a=1)", "'Rain? -> f(a=1)' is no request with its calls\n" + FORM),
        (">>> f(1)", "'>>> f(1)' is no request with its calls\n" + FORM),
        ('"Rain?" -> f(a=', "'f(a=' is no call\n" + FORM),
        ('"Rain?" -> ', None),
        ('"Rain?" -> f', "'f' is no call, and no calls joined by '; '\n" + FORM),
        ('"Rain?" -> f(1); x = 2', "'f(1); x = 2' is no call, and no calls joined by '; '\n" + FORM),
        ('"Rain?" -> m.f(1)', "'m.f(1)' is no call, and no calls joined by '; '\n" + FORM),
        ('"Rain?" -> g(1)', "no tool 'g'\n    Fix: there are f.    unknown-tool"),
        ('"Rain?" -> f(1, 2)', "f takes 1 arguments, and is given 2    bad-example"),
        ('"Rain?" -> f(1, a=2)', "f: 'a' twice\n    Fix: write every argument once.    bad-example"),
        ('"Rain?" -> f(**x)', "f: ** names no arguments\n    Fix: write every argument once.    bad-example"),
        ('"Rain?" -> f(a=open("x"))', "f(a): \"open('x')\" is no value of JSON\n" + LITERAL),
        ('"Rain?" -> f(a=1e999)', "f(a): '1e309' is no value of JSON\n" + LITERAL),
    ],
)
def test_what_is_no_example_is_named_with_its_line(entry: str, said: str | None) -> None:
    examples, problems = found(f"def f(a: int) -> int:\n    '''Do.\n\n    Examples:\n        {entry}\n    '''\n")
    assert examples == []
    assert len(problems) == 1
    assert problems[0].startswith("app.py:5: ")
    assert said is None or problems[0] == f"app.py:5: {said}"


def test_arguments_are_held_against_the_signature() -> None:
    text = "def f(a: int) -> int:\n    '''Do.\n\n    Examples:\n        \"Rain?\" -> f({})\n    '''\n"
    for given_ in ("a='x'", "b=1", ""):
        examples, [said, *_] = found(text.replace("{}", given_))
        assert examples == []
        assert said.startswith("app.py:5: the answer.tool_calls[0].function.arguments")
        assert said.endswith("    arguments-misfit")


def test_a_tool_that_cannot_be_read_is_named_once() -> None:
    text = "def f(a) -> int:\n    '''Do.\n\n    Examples:\n        \"R?\" -> f(1)\n        \"S?\" -> f(2)\n    '''\n"
    assert found(text) == (
        [],
        ["app.py:1: f(a): no type\n    Fix: write a: str, or whatever it is.    unreadable-tool"],
    )
    assert found("def f(:") == ([], ["app.py:1: not Python\n    Fix: mend the file.    not-python"])
    assert found("x = 1") == ([], ["app.py: no examples in the file    empty-source"])


@given(st.lists(st.sampled_from(['"a"', " -> ", "f(", ")", "a=1", "; ", "\n", "  ", "g()", "'", "\\", "é", "[", "1"])))
def test_whatever_a_docstring_shows_is_read_or_named(parts: list[str]) -> None:
    shown = "".join(parts)
    content = f"def f(a: int) -> int:\n    {('Do.' + chr(10) * 2 + 'Examples:' + chr(10) + '    ' + shown)!r}\n"
    examples, problems = read(content.encode(), "s", source())
    assert examples or problems


@given(st.binary(max_size=40))
def test_whatever_a_file_is_it_is_read_or_named(content: bytes) -> None:
    examples, problems = read(content, "s", source())
    assert examples or problems
