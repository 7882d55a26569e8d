"""Criteria of an answer's own: what each accepts, and what is none."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.criteria import KINDS, NOT, Criterion
from ftbuild.scorers import Case, Score
from ftbuild.scorers.criteria import Criteria

VALUES: dict[str, Any] = {
    "equals": "aB",
    "contains": "aB",
    "icontains": "aB",
    "starts-with": "aB",
    "regex": "a.$",
    "contains-any": ["aB", "c"],
    "contains-all": ["aB", "c"],
    "icontains-any": ["aB", "c"],
    "icontains-all": ["aB", "c"],
    "is-json": {"type": "array"},
    "word-count": {"min": 2, "max": 3},
}
MET = {
    "equals": ["aB"],
    "contains": ["aB", "aBc", "x aB c"],
    "icontains": ["aB", "ab", "aBc", "x aB c", "AB C"],
    "starts-with": ["aB", "aBc"],
    "regex": ["aB", "ab"],
    "contains-any": ["aB", "aBc", "x aB c"],
    "contains-all": ["aBc", "x aB c"],
    "icontains-any": ["aB", "ab", "aBc", "x aB c", "AB C"],
    "icontains-all": ["aBc", "x aB c", "AB C"],
    "is-json": ["[1]"],
    "word-count": ["x aB c", "AB C", '{"a": 1}'],
}
OUTPUTS = ["aB", "ab", "aBc", "x aB c", "AB C", "[1]", '{"a": 1}', ""]


def met(output: str, *criteria: Criterion) -> float | None:
    return Criteria().score(Case("1", "", "", output, criteria=criteria))[0].value


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_accepts_what_it_says(kind: str) -> None:
    assert [each for each in OUTPUTS if met(each, Criterion(kind, VALUES[kind]))] == MET[kind]


@given(st.sampled_from(KINDS), st.sampled_from(OUTPUTS) | st.text())
def test_not_turns_a_kind_round(kind: str, output: str) -> None:
    plain, turned = (Criterion.from_json({"type": f"{sign}{kind}", "value": VALUES[kind]}) for sign in ("", NOT))
    assert {met(output, plain), met(output, turned)} == {0, 1}


@given(st.lists(st.sampled_from(KINDS), min_size=1), st.sampled_from(OUTPUTS))
def test_all_are_met_if_each_is(kinds: list[str], output: str) -> None:
    criteria = [Criterion(kind, VALUES[kind]) for kind in kinds]
    each = [met(output, one) for one in criteria]
    all_met, share = Criteria().score(Case("1", "", "", output, criteria=criteria))
    assert all_met.value == min(each)  # type: ignore[type-var]
    assert share.value == pytest.approx(sum(each) / len(each))  # type: ignore[arg-type]
    assert (all_met.detail or []) == [one.to_json() for one, is_met in zip(criteria, each, strict=True) if not is_met]


def test_without_criteria_there_is_no_value() -> None:
    assert Criteria().score(Case("1", "", "", "x")) == [Score("criteria.all_met", None), Score("criteria.met", None)]


def test_a_value_equals_the_json_that_an_answer_is() -> None:
    wanted = Criterion("equals", {"n": [4], "of": "a"})
    assert [met(each, wanted) for each in ('{"of": "a", "n": [4.0]}', '{"n": [4]}', "n")] == [1, 0, 0]


@given(st.sampled_from(KINDS), st.booleans())
def test_what_is_written_down_is_read_again(kind: str, negated: bool) -> None:
    criterion = Criterion(kind, VALUES[kind], negated)
    assert Criterion.from_json(json.loads(json.dumps(criterion.to_json()))) == criterion


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("contains x", "'contains x' is no criterion: {type: contains, value: ...}"),
        ({"type": "similar", "value": "x"}, f"no criterion 'similar'; there are {', '.join(KINDS)}"),
        ({"type": "contains", "value": 4}, "contains: 4 is no text"),
        ({"type": "not-regex", "value": "("}, "not-regex: '(' is no regular expression: missing ), "
         "unterminated subpattern at position 0"),
        ({"type": "contains-any", "value": []}, "contains-any: [] is no list of texts"),
        ({"type": "word-count", "value": {"most": 3}}, "word-count: {'most': 3} is no {min, max} of whole numbers"),
        ({"type": "equals"}, "equals: None is no value"),
        ({"type": "contains", "value": "x", "weight": 2}, "contains takes a value, and no weight"),
    ],
)  # fmt: skip
def test_what_is_no_criterion_says_why(said: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(wrong)}$"):
        Criterion.from_json(said)
