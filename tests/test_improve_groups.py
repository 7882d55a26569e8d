"""Misses in groups: kinds of mistake, where they stand out, and what the training data had on them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from ftbuild.chat import Message, Tool, ToolCall, said
from ftbuild.improve.groups import LOST, NEEDS_PASSAGES, WRONG_TOOL, groups, kinds_of, label
from ftbuild.improve.neighbours import Learnt, Said, Training, similarity
from ftbuild.report import misses
from ftbuild.retrieval.index import Vectors
from ftbuild.retrieval.meaning import Meaning
from ftbuild.scorers import Case
from ftbuild.scorers.tool_calls import ToolCalls
from ftbuild.stats.excess import p_of_excess

TOOLS = [Tool(name, parameters={"type": "object"}) for name in ("light", "music", "alarm")]


def call(name: str, **arguments: Any) -> ToolCall:
    import json

    return ToolCall("", name, json.dumps(arguments))


def example(
    name: str,
    wanted: Sequence[ToolCall],
    sent: Mapping[str, Sequence[ToolCall]],
    slices: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an example as a report has it, answered by several arms."""
    told: dict[str, Any] = {"id": name, "input": name, "slices": slices or {}, "path": "a", "line": 1}
    told |= {"target": said(Message("assistant", None, tuple(wanted))), "answers": {}, "scores": {}, "detail": {}}
    for arm, calls in sent.items():
        scores = ToolCalls().score(Case(name, name, "", "said", wanted=wanted, sent=calls, tools=TOOLS))
        told["answers"][arm] = "said"
        told["scores"][arm] = {each.metric: each.value for each in scores}
        told["detail"][arm] = {each.metric: each.detail for each in scores if each.detail is not None}
    return told


LIGHT, MUSIC, ALARM = call("light", on=True), call("music", song="So What"), call("alarm", at="7:00")


@pytest.mark.parametrize(
    ("wanted", "sent", "found"),
    [
        ([LIGHT], [LIGHT], ()),
        ([LIGHT], [MUSIC], (WRONG_TOOL,)),
        ([LIGHT, MUSIC], [ALARM], (WRONG_TOOL, misses.MISSING)),
        ([LIGHT], [MUSIC, ALARM], (WRONG_TOOL, misses.EXTRA)),
        ([LIGHT, MUSIC], [LIGHT], (misses.MISSING,)),
        ([], [LIGHT], (misses.EXTRA,)),
        ([LIGHT], [call("light", on=False)], (misses.VALUE,)),
    ],
)
def test_a_call_in_place_of_another_is_another_tool(
    wanted: list[ToolCall], sent: list[ToolCall], found: tuple[str, ...]
) -> None:
    assert kinds_of(example("1", wanted, {"tuned": sent}), "tuned", "base") == found


def test_what_the_other_arm_gets_right_is_lost_and_what_passages_give_needs_them() -> None:
    told = example("1", [LIGHT], {"base": [LIGHT], "tuned": [], "given": [LIGHT]})
    assert kinds_of(told, "tuned", "base", ["given"]) == (misses.MISSING, LOST, NEEDS_PASSAGES)
    assert kinds_of(told, "base", "base") == ()
    assert label(LOST, "base") == "gets wrong what base gets right"


def learnt(asked: str, answer: str = "", *calls: str) -> Learnt:
    return Learnt(asked, f"data.jsonl:{asked}", asked, answer, calls)


def test_groups_count_kinds_and_say_where_they_stand_out() -> None:
    examples = [
        example(f"three {number}", [LIGHT, MUSIC], {"tuned": [LIGHT], "base": []}, {"calls": "two"})
        for number in range(8)
    ]
    examples += [
        example(f"one {number}", [LIGHT], {"tuned": [LIGHT], "base": []}, {"calls": "one"}) for number in range(30)
    ]
    examples += [example("one more", [LIGHT], {"tuned": [], "base": [LIGHT]}, {"calls": "one"})]
    wanted = {each["id"]: learnt(each["input"]) for each in examples}
    found = groups(examples, "tuned", "base", Training([]), wanted, tested=examples[:4])
    assert [(each.kind, len(each.misses), each.n, each.tested) for each in found] == [
        (misses.MISSING, 9, 39, (4, 4)),
        (LOST, 1, 39, (0, 4)),
    ]
    [two, one] = found[0].parts
    assert (two.where, two.missed, two.n, two.stands_out) == ("calls=two", 8, 8, True)
    assert (one.where, one.missed, one.n, one.stands_out) == ("calls=one", 1, 31, False)
    assert found[0].tools == {"music": 8, "light": 1}
    assert found[0].aims({"calls=two": 5, "calls=one": 50}) == ["calls=two"]
    assert found[0].aims({"calls=two": 4}) == []
    assert found[0].evidence() == {"absent": 9, "contradicted": 0, "taught": 0}


def test_no_miss_makes_no_group() -> None:
    told = example("1", [LIGHT], {"tuned": [LIGHT], "base": []})
    assert groups([told], "tuned", "base", Training([]), {"1": learnt("1")}) == []


@given(st.integers(0, 40), st.integers(0, 40), st.data())
def test_the_p_of_an_excess_is_that_of_fisher(n: int, n_else: int, data: st.DataObject) -> None:
    assume(n + n_else)
    missed, missed_else = data.draw(st.integers(0, n)), data.draw(st.integers(0, n_else))
    oracle = hypergeom(n + n_else, missed + missed_else, n).sf(missed - 1)
    assert p_of_excess(missed, n, missed_else, n_else) == pytest.approx(oracle)


REQUESTS = [
    learnt("turn on the light in the kitchen", "", "light"),
    learnt("turn on the light in the hall", "", "light"),
    learnt("turn off the lamp in the attic", "", "light"),
    learnt("play some jazz in the kitchen", "", "music"),
    learnt("wake me at seven tomorrow", "", "alarm"),
    learnt("wake me up at nine on sunday", "", "alarm"),
]


def test_nothing_like_it_is_told_apart_from_contradicted_and_taught() -> None:
    training = Training(REQUESTS)
    assert training.evidence(learnt("turn on the light in the cellar", "", "light"))[0] == "taught"
    assert training.evidence(learnt("turn on the light in the cellar", "", "alarm"))[0] == "contradicted"
    assert training.evidence(learnt("zzz qqq xxx", "", "music"))[0] == "absent"
    near = training.evidence(learnt("turn on the light in the cellar", "", "light"))[1]
    assert [each.learnt.calls for each in near[:2]] == [("light",), ("light",)]


def test_what_is_said_in_other_words_is_near_by_vectors() -> None:
    """Two directions that tell tools apart, below one that all texts share, as vectors of a language model do."""
    other = learnt("get me out of bed early", "", "alarm")
    way = {"light": [0.0, 0.0], "music": [1.0, 0.0], "alarm": [0.0, 1.0]}
    known = {each.asked: [9.0, *way[each.calls[0]]] for each in (*REQUESTS, other) if each.calls}
    meaning = Meaning(Vectors.of([], known, 3), [each.asked for each in REQUESTS])
    said = Said(REQUESTS, meaning)
    assert [each.learnt.calls for each in said.nearest(other.asked)][:2] == [("alarm",), ("alarm",)]
    assert {each.by for each in said.nearest(other.asked)} == {"meaning"}
    assert said.nearest("never read") == []
    assert Training(REQUESTS).evidence(other)[0] == "absent"
    assert Training(REQUESTS, said).evidence(other)[0] == "taught"
    assert Training(REQUESTS, said).evidence(learnt(other.asked, "", "music"))[0] == "contradicted"


def test_texts_asked_alike_and_answered_otherwise_contradict() -> None:
    training = Training([Learnt("1", "a:1", "where is my order", "Where is my order?")] * 2)
    alike = Learnt("2", "", "where is my order", "Where is my order, please?")
    other = Learnt("2", "", "where is my order", "Kindly reimburse us without delay.")
    assert training.evidence(alike)[0] == "taught"
    assert training.evidence(other)[0] == "contradicted"


@given(st.text(), st.text())
def test_similarity_is_symmetric_and_whole_for_the_same(one: str, other: str) -> None:
    assert similarity(one, one) == 1
    assert similarity(one, other) == similarity(other, one)
    assert 0 <= similarity(one, other) <= 1


def test_the_nearest_of_no_training_examples_is_nothing() -> None:
    assert Training([]).nearest("hello") == []
    assert Training([]).far == 0.0
