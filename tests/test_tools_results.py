"""What runs the calls of an evaluation: arithmetic without eval, a glossary, canned weather, and what others offer."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.chat import ToolCall
from ftbuild.tools import calculator, glossary, weather
from ftbuild.tools.results import OURS, find, names, returned

ROOT = Path(__file__).parents[1]
NUMBERS = st.integers(0, 10**6).map(str) | st.decimals(0, 1000, places=2).map(str)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(NUMBERS)
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    return f"({left}){draw(st.sampled_from(['+', '-', '*', '/']))}({right})"


@given(expressions())
def test_arithmetic_is_that_of_exact_fractions_in_twelve_digits(expression: str) -> None:
    exact = expression.replace("(", " ( ").replace(")", " ) ").split()
    fractions = "".join(f"Fraction('{each}')" if each[0].isdigit() else each for each in _parted(exact))
    try:
        wanted = eval(fractions, {"Fraction": Fraction})  # the oracle; the text is ours
    except ZeroDivisionError:
        with pytest.raises(ValueError, match=r"division by zero|characters at most"):
            calculator.value(expression)
        return
    if len(expression) <= calculator.LONGEST:
        assert calculator.value(expression) == pytest.approx(float(wanted), rel=1e-9, abs=1e-6)


def _parted(words: list[str]) -> list[str]:
    """Return numbers and marks apart."""
    found: list[str] = []
    for word in words:
        for letter in word:
            if found and letter not in "()+-*/" and found[-1][0].isdigit():
                found[-1] += letter
            else:
                found.append(letter)
    return found


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("6*14.50", 87),
        ("3*24.9", 74.7),
        ("0.1+0.2", 0.3),
        ("-2**2", -4),
        ("2**-1", 0.5),
        ("7//2 + 7%2", 4),
        ("27**(1/3)", 3),
        (" 1845/15 ", 123),
        ("2**300", 2**300),
    ],
)
def test_a_value_is_written_as_people_would(expression: str, value: float) -> None:
    found = calculator.value(expression)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("9**9**9", "the value is too large"),
        ("(10**900)*(10**900)", "the value is too large"),
        ("10.0**400", "the value is too large"),
        ("2**4000 % 7", "the value is too large"),
        ("1e308*10", "the value is too large"),
        ("1/0", "division by zero"),
        ("(-8)**(1/3)", "a root of a negative number"),
        ("1+" * 100 + "1", "an expression has 200 characters at most"),
        ("(" * 150 + "1" + ")" * 40, "not an arithmetic expression"),
        ("2 +", "not an arithmetic expression"),
        ("", "not an arithmetic expression"),
        ("\0", "not an arithmetic expression"),
        *(
            (code, "only numbers, + - * / // % ** and brackets")
            for code in (
                "__import__('os')",
                "a",
                "'a'*9",
                "True+1",
                "1j",
                "[1]",
                "1<2",
                "(1).real",
                "~1",
                "2<<9",
                "f'{1}'",
            )
        ),
    ],
)
def test_what_is_no_bounded_arithmetic_is_refused_at_once(expression: str, said: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match=f"^{__import__('re').escape(said)}$"):
        calculator.value(expression)
    assert time.process_time() - started < 5  # 9**9**9 would take hours


@given(st.text(max_size=40))
def test_no_text_makes_the_calculator_do_anything_but_count_or_refuse(text: str) -> None:
    with suppress(ValueError):
        assert type(calculator.value(text)) in (int, float)


def test_a_glossary_finds_a_text_however_it_is_spelt() -> None:
    run = glossary.make(b"Good morning: {de: Guten Morgen, 'no': God morgen}")
    assert run("translate", {"text": " good  MORNING! ", "language": "no"}) == {
        "language": "no",
        "translation": "God morgen",
    }
    with pytest.raises(ValueError, match=r"^no translation of 'Good night' into 'de' is known$"):
        run("translate", {"text": "Good night", "language": "de"})


@pytest.mark.parametrize("content", [b"- a\n", b"a: b\n", b"a: {b\n", b"\xff", b""])
def test_a_file_that_is_no_glossary_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no YAML|a glossary maps each text"):
        glossary.make(content)


def test_the_shipped_glossary_has_every_language_of_the_tool() -> None:
    content = (ROOT / "datasets/sources/calculator_translation/glossary.yaml").read_bytes()
    run = glossary.make(content)
    for language in ("de", "es", "fr", "it", "ja", "no", "pt"):
        assert run("translate", {"text": "Good morning", "language": language})["translation"]
    assert (
        run("translate", {"text": "Vi reiser i morgen", "language": "en"})["translation"] == "We are leaving tomorrow"
    )


@given(st.text(min_size=1).filter(str.strip), st.integers(1, 14))
def test_canned_weather_is_the_same_each_time_and_has_the_shape_of_the_recorded(city: str, days: int) -> None:
    now, then = weather.run("now", {"city": city}), weather.run("then", {"city": city, "days": days})
    assert now == weather.run("now", {"city": f" {city.upper().lower()} " if city.isascii() else city}) | {"city": city}
    assert [*now] == ["city", "temperature", "units", "conditions", "humidity_percent", "wind_kmh"]
    assert len(then["days"]) == days
    assert all(each["low"] < each["high"] for each in then["days"])
    warm = weather.run("now", {"city": city, "units": "fahrenheit"})
    assert warm["temperature"] == round(now["temperature"] * 9 / 5 + 32)


@pytest.mark.parametrize("arguments", [{}, {"city": ""}, {"city": "Oslo", "days": 0}, {"city": "Oslo", "days": True}])
def test_weather_of_nowhere_or_never_is_an_error(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"city is missing|days is a number from 1 to 14"):
        weather.run("w", arguments)


def test_a_result_is_json_and_so_is_a_failure() -> None:
    run = OURS["calculator"].make(b"")
    assert returned(ToolCall("c", "calculate", '{"expression": "2+3"}'), run) == '{"expression": "2+3", "value": 5}'
    assert [
        json.loads(returned(ToolCall("c", "calculate", text), run))
        for text in ('{"expression": "1/0"}', "{", "[]", "{}")
    ] == [
        {"error": "division by zero"},
        {"error": "the arguments are no JSON object"},
        {"error": "the arguments are no JSON object"},
        {"error": "expression is missing"},
    ]


@pytest.fixture
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that offers three tools, of which one is a tool."""
    (tmp_path / "app_tools.py").write_text(
        "from ftbuild.tools.results import Implementation\n"
        "stock = Implementation(3, lambda content: lambda name, arguments: {'left': 4})\n"
        "wrong = 'nothing'\n"
    )
    info = tmp_path / "app_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: app-tools\nVersion: 1.0\n")
    points = "[ftbuild.tools]\nstock = app_tools:stock\nwrong = app_tools:wrong\ngone = app_tools:gone\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("app_tools", None)


@pytest.mark.usefixtures("_package")
def test_a_package_offers_tools_by_name() -> None:
    assert names() == [*OURS, "gone", "stock", "wrong"]
    found = find("stock")
    assert found is not None
    assert (found.version, found.make(b"")("stock", {})) == (3, {"left": 4})
    assert find("nobody") is None
    with pytest.raises(ValueError, match=r"^app_tools:wrong is no ftbuild.tools.results.Implementation$"):
        find("wrong")
    with pytest.raises(ValueError, match=r"^app_tools:gone cannot be imported: "):
        find("gone")
