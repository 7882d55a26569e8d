"""JSON whose numbers keep their digits."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ftbuild import digits

numbers = st.integers().map(str) | st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
texts = st.text(max_size=4).map(lambda text: json.dumps(text, ensure_ascii=False))
leaves = numbers.filter(lambda number: number != "-0") | texts | st.sampled_from(["true", "false", "null"])


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.dictionaries(texts, inner, max_size=3)
    return pairs.map(lambda each: "{" + ", ".join(f"{name}: {value}" for name, value in each.items()) + "}")


json_texts = st.recursive(
    leaves, lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
)


@given(json_texts)
def test_what_is_read_is_written_as_it_was(text: str) -> None:
    assert digits.written(digits.parse(text)) == text


@given(json_texts)
def test_it_is_what_any_parser_reads(text: str) -> None:
    value: Any = json.loads(text)
    assert digits.parse(text) == value
    assert json.loads(digits.written(digits.parse(text), ",", ":")) == value
